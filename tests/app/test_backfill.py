"""History through the daemon: what it says meanwhile, and what it counts in the end."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from exporter.config.duration import parse_duration
from tests.app.test_daemon import get, ready, running, until, value
from tests.sources.kit import serving

DAY = 86_400.0
CONFIG = """
[server]
listen = "127.0.0.1:0"
[state]
path = "{folder}/slod.db"
[source.prom]
type = "prometheus"
url = "{url}"
interval = "1s"
backfill = "2d"
chunk = "6h"
"""
SLO = """
[slo.{name}]
objective = 99
sli = {{ bad = '{name}{{code="500"}}', total = '{name}' }}
"""


class Prometheus:
    """One sample a minute; in each minute 9 good events and a bad one, of every metric."""

    def __init__(self) -> None:
        self.began = time.time() // 60 * 60 - 3 * DAY
        self.asked: list[tuple[str, float]] = []
        self.up_to = float("inf")
        self.more = asyncio.Event()

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        form = await request.post()
        query, end = str(form["query"]), float(str(form["time"]))
        if query.startswith(("{", "count")):
            # Nothing is known of the targets.
            data: dict[str, Any] = {"resultType": "matrix", "result": []}
            return web.json_response({"status": "success", "data": data})
        selector, _, span = query.rpartition("[")
        self.asked.append((selector, float(parse_duration(span.rstrip("]")))))
        while end > self.up_to:
            self.more.clear()
            await self.more.wait()
        name = selector.partition("{")[0]
        result: list[dict[str, Any]] = []
        start = end - self.asked[-1][1]
        first = max(0, int((start - self.began) // 60) + 1)
        minutes = range(first, int((end - self.began) // 60) + 1)
        for code, rate in (("200", 9), ("500", 1)):
            if code == "500" or "500" not in selector:
                metric = {"__name__": name, "job": "j", "instance": "i", "code": code}
                values = [[self.began + 60 * m, str(rate * m)] for m in minutes]
                result.append({"metric": metric, "values": values})
        data = {"resultType": "matrix", "result": result}
        body = json.dumps({"status": "success", "data": data})
        return web.Response(text=body, content_type="application/json")

    def release(self, up_to: float) -> None:
        self.up_to = up_to
        self.more.set()


def counts(name: str, result: str) -> str:
    return f'slo_events_total{{slo="{name}",service="{name}",result="{result}"}}'


async def test_it_says_how_far_it_is_and_is_ready_when_all_is_there(tmp_path: Path) -> None:
    prom = Prometheus()
    prom.up_to = time.time() - DAY
    async with serving(prom) as url:
        file = tmp_path / "slod.toml"
        file.write_text(CONFIG.format(folder=tmp_path, url=url) + SLO.format(name="shop"))
        async with running(file) as daemon:

            async def half() -> bool:
                share = await value(daemon, 'slod_backfill_progress_ratio{source="prom"}')
                return share is not None and 0.3 < share < 0.6

            await until(half)
            status, text = await get(daemon, "/-/ready")
            assert status == 503
            assert "source prom: backfill " in text and "%" in text
            assert await value(daemon, 'slod_slo_errors{slo="shop"}') == 0
            firing = 'slo_alert_firing{slo="shop",service="shop",severity="page",'
            firing += 'long_window="1h",short_window="5m"}'
            # 10% fail, ten times the budget: but nothing is decided by half a history.
            assert await value(daemon, firing) == 0
            prom.release(float("inf"))
            await until(ready(daemon))
            assert await value(daemon, 'slod_backfill_progress_ratio{source="prom"}') == 1
            good, bad = [await value(daemon, counts("shop", r)) for r in ("good", "bad")]
            assert good is not None
            assert bad is not None
            # The first minute or two are the baseline.
            assert 2 * 1440 - 3 <= bad <= 2 * 1440 + 1
            assert good == 9 * bad
            assert await value(daemon, 'slo_coverage_ratio{slo="shop",service="shop",window="1d"}')
            assert await value(daemon, firing) == 0


async def test_a_new_slo_is_filled_alone_and_one_that_is_known_asks_for_what_it_missed(
    tmp_path: Path,
) -> None:
    prom = Prometheus()
    async with serving(prom) as url:
        file = tmp_path / "slod.toml"
        file.write_text(CONFIG.format(folder=tmp_path, url=url) + SLO.format(name="shop"))
        async with running(file) as daemon:
            await until(ready(daemon))
            before = await value(daemon, counts("shop", "bad"))
            prom.asked.clear()
            file.write_text(file.read_text() + SLO.format(name="cart"))
            assert await daemon.reload() is None
            await until(ready(daemon))
            longest = dict.fromkeys(("shop", "cart"), 0.0)
            for selector, reach in prom.asked:
                name = selector.partition("{")[0]
                if name in longest:
                    longest[name] = max(longest[name], reach)
            assert longest["shop"] < 300
            assert longest["cart"] > 3600
            after = await value(daemon, counts("shop", "bad"))
            assert before is not None
            assert after is not None
            assert after - before <= 2
            filled = await value(daemon, counts("cart", "bad"))
            assert filled is not None
            assert abs(filled - after) <= 3


async def test_a_start_without_the_server_is_made_up_for_when_it_comes(tmp_path: Path) -> None:
    prom = Prometheus()
    down = True

    async def answer(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503) if down else await prom(request)

    async with serving(answer) as url:
        file = tmp_path / "slod.toml"
        file.write_text(CONFIG.format(folder=tmp_path, url=url) + SLO.format(name="shop"))
        async with running(file) as daemon:

            async def failed() -> bool:
                errors = 'slod_poll_errors_total{source="prom",reason="http_status"}'
                return (await value(daemon, errors) or 0) > 1

            await until(failed)
            status, text = await get(daemon, "/-/ready")
            assert status == 503
            assert "source prom: backfill 0%" in text
            down = False
            await until(ready(daemon))
            bad = await value(daemon, counts("shop", "bad"))
            assert bad is not None
            assert 2 * 1440 - 3 <= bad <= 2 * 1440 + 1
