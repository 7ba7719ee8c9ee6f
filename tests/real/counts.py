"""slod beside real software: what it counts has to be what the drivers counted."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.real import servers
from tests.real.servers import eventually, fetch, free_port


class Slod:
    """The daemon as a process, with a receiver that takes every alert.

    Args:
        folder: For its files.
        config: Sources and SLOs; `alert_policy = "quick"` may be used.
    """

    def __init__(self, folder: Path, config: str) -> None:
        self.alerts: list[dict[str, Any]] = []
        self.url = ""
        self._folder, self._config = folder, config
        self._stack = contextlib.AsyncExitStack()

    async def receive(self, request: web.Request) -> web.Response:
        """Take an alert, as its receiver."""
        self.alerts.append(await request.json())
        return web.Response()

    async def start(self) -> None:
        """Start it and wait until it is ready."""
        self.url, _ = await self._stack.enter_async_context(
            servers.slod(self._folder, self._config)
        )

    async def stop(self) -> None:
        """End it with SIGTERM."""
        await self._stack.aclose()

    async def events(self, slo: str) -> Counter[str]:
        """Events so far, by `good` and `bad`."""
        found = await self._series("slo_events_total", slo)
        return Counter({re.findall(r'result="(\w+)"', k)[0]: v for k, v in found.items() if v})

    async def counts(
        self, expected: Mapping[str, Mapping[str, float]], seconds: float = 20
    ) -> None:
        """Wait until every SLO has the events that it should have, and fail with those it has."""
        truth = {slo: {k: v for k, v in events.items() if v} for slo, events in expected.items()}

        async def agrees() -> bool:
            return await self._all(truth) == truth

        with contextlib.suppress(pytest.fail.Exception):
            await eventually(agrees, "the events are counted", seconds=seconds)
        counted = await self._all(truth)
        if counted != truth:
            wrong = [f"{k}: expected {v}, seen {counted[k]}" for k, v in truth.items()]
            pytest.fail("\n".join(wrong))

    async def looks(self, source: str, times: int = 2) -> None:
        """Wait until a source was polled so many times; the first may have been under way."""
        before = await self._polls(source)

        async def looked() -> bool:
            return await self._polls(source) >= before + times

        await eventually(looked, f"{source} is polled")

    async def is_calm(self) -> None:
        """Check that no alert was sent ever, and that no SLO has an error."""
        _, page = await fetch(f"{self.url}/metrics")
        errors = re.findall(r"^slod_slo_errors\{.*\} (\S+)$", page.decode(), re.MULTILINE)
        assert set(map(float, errors)) == {0.0}, errors
        firing = re.findall(r"^slo_alert_firing\{.*\} (\S+)$", page.decode(), re.MULTILINE)
        assert set(map(float, firing)) == {0.0}, firing
        assert self.alerts == [], self.alerts

    async def _all(self, slos: Mapping[str, object]) -> dict[str, dict[str, float]]:
        return {slo: dict(await self.events(slo)) for slo in slos}

    async def _polls(self, source: str) -> float:
        _, page = await fetch(f"{self.url}/metrics")
        name = rf'slod_poll_duration_seconds_count\{{source="{source}"\}}'
        found = re.search(rf"^{name} (\S+)$", page.decode(), re.MULTILINE)
        return float(found[1]) if found else 0.0

    async def _series(self, name: str, slo: str) -> dict[str, float]:
        _, page = await fetch(f"{self.url}/metrics")
        found = re.findall(rf'^{name}\{{slo="{slo}",(.*)\}} (\S+)$', page.decode(), re.MULTILINE)
        return {labels: float(value) for labels, value in found}


QUICK = """
[state]
path = "{folder}/slod.db"
[receiver.hook]
type = "webhook"
url = "http://127.0.0.1:{port}/"
# The first few events may all be bad, and are the whole budget then.
severities = ["page"]
# What is counted twice burns ten times what is allowed; what really is bad, less than half of it.
[alert_policy.quick]
rules = [{{ severity = "page", burn_rate = 2, long = "10s", short = "2s", min_events = {least} }}]
"""


@contextlib.asynccontextmanager
async def slod(folder: Path, config: str, min_events: int = 50) -> AsyncIterator[Slod]:
    """slod once it is ready; fewer events than `min_events` in a window page nobody."""
    port = free_port()
    daemon = Slod(folder, QUICK.format(folder=folder, port=port, least=min_events) + config)
    app = web.Application()
    app.router.add_post("/", daemon.receive)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        await daemon.start()
        yield daemon
    finally:
        await daemon.stop()
        await runner.cleanup()


def scrape(name: str, *targets: str, interval: str = "500ms", labels: str = "") -> str:
    """A source that scrapes pages."""
    urls = ", ".join(f'"{target}"' for target in targets)
    more = f"targets = [{urls}]\nlabels = {{ {labels} }}\n"
    return f'[source.{name}]\ntype = "scrape"\ninterval = "{interval}"\n{more}'


def upstream(name: str, url: str, interval: str = "1s") -> str:
    """A source that asks a Prometheus, or what speaks like one."""
    return f'[source.{name}]\ntype = "prometheus"\nurl = "{url}"\ninterval = "{interval}"\n'


def slo(name: str, source: str, sli: str, objective: float = 90) -> str:
    """An SLO whose alerts fire within seconds."""
    return (
        f'[slo.{name}]\nservice = "it"\nobjective = {objective:g}\nwindow = "1h"\n'
        f'source = "{source}"\nsli = {{ {sli} }}\nalert_policy = "quick"\n'
    )


def prometheus_config(*targets: str, interval: str = "1s", more: str = "") -> str:
    """A Prometheus that scrapes pages."""
    return (
        f"global: {{scrape_interval: {interval}, scrape_timeout: {interval}}}\n"
        "scrape_configs:\n  - job_name: it\n    honor_labels: true\n"
        f"    static_configs: [{{targets: {list(targets)}}}]\n{more}"
    )
