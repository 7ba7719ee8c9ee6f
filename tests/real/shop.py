"""A service of several pods that counts its own events, so that others' counts can be compared."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from aiohttp import web

from tests.real.servers import free_port

PROMETHEUS = """
global: {{scrape_interval: 1s, scrape_timeout: 900ms}}
scrape_configs:
  - job_name: shop
    file_sd_configs: [{{files: ["{folder}/targets.json"], refresh_interval: 1s}}]
"""
"""The configuration of a Prometheus that scrapes the shop in this folder."""


class Pod:
    """One process of the service, as far as anybody outside can tell."""

    def __init__(self) -> None:
        self.port = free_port()
        self.scrapes: Counter[str] = Counter()
        self.restart()
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"127.0.0.1:{self.port}"

    def restart(self) -> None:
        """Counters begin at zero; of the codes only 200 is there before it first happens."""
        self.started = time.time()
        self.counts: Counter[str] = Counter({"200": 0})

    async def start(self) -> None:
        """Listen."""
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        """Be gone."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _metrics(self, request: web.Request) -> web.Response:
        agent = request.headers.get("User-Agent", "").partition("/")[0].lower()
        self.scrapes[agent] += 1
        lines = ["# TYPE http_requests_total counter"]
        lines += [f'http_requests_total{{code="{c}"}} {n}' for c, n in self.counts.items()]
        lines += [
            "# TYPE process_start_time_seconds gauge",
            f"process_start_time_seconds {self.started}",
        ]
        return web.Response(text="\n".join(lines) + "\n", content_type="text/plain")


class Shop:
    """The service: pods that come and go, listed for discovery in `targets.json`."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "targets.json"
        self.pods: list[Pod] = []
        self.served: Counter[str] = Counter()
        self._write()

    async def add(self, *, age: float = 0, counts: Mapping[str, int] | None = None) -> Pod:
        """A pod, listed at once, which has run for `age` seconds and served `counts` before."""
        pod = Pod()
        pod.started -= age
        pod.counts.update(counts or {})
        await pod.start()
        self.pods.append(pod)
        self._write()
        return pod

    async def remove(self, pod: Pod) -> None:
        """A pod goes: first from the list, then for good."""
        self.pods.remove(pod)
        self._write()
        await pod.stop()

    def serve(self, pod: Pod, code: str, count: int) -> None:
        """So many requests end with this code."""
        pod.counts[code] += count
        self.served["bad" if code.startswith("5") else "good"] += count

    async def stop(self) -> None:
        """Every pod goes."""
        for pod in list(self.pods):
            await pod.stop()

    def _write(self) -> None:
        groups = [{"targets": [p.address for p in self.pods], "labels": {"job": "shop"}}]
        temporary = self.file.with_suffix(".tmp")
        temporary.write_text(json.dumps(groups))
        temporary.replace(self.file)
