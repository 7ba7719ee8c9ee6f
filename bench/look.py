"""What people wait for: the overview of 2,000 objectives, the page of one, a graph in Grafana.

The graph is `query_range` of 30 days, hour by hour, of 100 SLOs' budgets, over HTTP. The peer
answers the same from what Sloth's rules recorded: one sample a minute, where the default is two.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import aiohttp
from aiohttp import web

from bench import history
from bench.measure import Row, timed
from bench.rules import NAME
from bench.servers import get, here, prometheus, until
from exporter.app.counting import Counting
from exporter.app.detail import Details
from exporter.app.heard import Heard
from exporter.app.page import page, unread
from exporter.app.pages import Pages
from exporter.app.prom import Prom
from exporter.app.series import Series
from exporter.app.timeline import Timeline
from exporter.clock import SystemClock
from exporter.config.load import Config, parse
from exporter.core.engine import Engine
from exporter.core.status import Snapshot
from exporter.page.filters import Filters
from exporter.store.database import Store
from exporter.web import prom_api
from exporter.web.exposition import Family
from exporter.web.self_metrics import SelfMetrics

DAYS = 30.0
_STEP = 3600
_BUDGET = "slo_error_budget_remaining_ratio"
_THEIRS = "slo:period_error_budget_remaining:ratio"


class Desk:
    """What a daemon with so many SLOs has for those who ask."""

    def __init__(self, slos: int) -> None:
        self.engine: Engine = history.engine(slos)
        self.config: Config = parse(history.config(slos), "bench")
        self.version = 0
        self.changed: Callable[[], None] = lambda: None
        self.counting = Counting(self.engine)
        self._families = page(())
        self.metrics = SelfMetrics("bench")
        store = Store(":memory:", now=time.time)
        heard, clock = Heard(self.engine, store), SystemClock()
        timeline = Timeline(
            self.engine, store, clock, lambda: self.config.timeline, self.changed, lambda _: None
        )
        details = Details(timeline, list, heard.fired)
        self.store = store
        self.pages = Pages(self.engine, heard, self, details)
        series = Series(
            self.engine, heard, clock, self.snapshot, lambda: unread(self.families()), (), store
        )
        self.prom = Prom(self.engine, clock, series, list, lambda: "bench", lambda: None)
        self._snapshot: Snapshot | None = None

    def tick(self) -> None:
        """Something has changed."""
        self.version += 1
        self._snapshot = None

    def snapshot(self) -> Snapshot:
        """The numbers of now."""
        if self._snapshot is None:
            self._snapshot = self.engine.status(history.month().end)
        return self._snapshot

    def families(self) -> Sequence[Family]:
        """What stands on the metrics page now."""
        return self._families(self.snapshot(), self.metrics)


def run(many: int = 2000, slos: int = 100, times: int = 7, *, peer: bool = True) -> list[Row]:
    """Seconds, medians."""
    overview, one, ours = asyncio.run(_ours(many, slos, times))
    theirs = _prometheus(slos, times) if peer and here("prometheus", "promtool") else None
    graph = f"query_range of 30 days by the hour, the budgets of {slos} SLOs"
    return [
        Row(f"the overview of {many:,} SLOs, after a tick", overview, "s", 0.3),
        Row(f"the page of one of {many:,} SLOs", one, "s", 0.05),
        Row(graph, ours, "s", 0.2, NAME, theirs),
    ]


async def _ours(many: int, slos: int, times: int) -> tuple[float, float, float]:
    large = Desk(many)
    await large.store.open()
    taken = [
        await _timed(lambda: large.pages.overview(Filters()), times, large.tick),
        await _timed(lambda: large.pages.slo("s7", {}), times),
    ]
    await large.store.close()
    small = Desk(slos)
    await small.store.open()
    end = int(history.month().end)
    query = urlencode({"query": _BUDGET, "start": end - DAYS * 86_400, "end": end, "step": _STEP})
    async with _serving(small.prom) as url, aiohttp.ClientSession() as session:
        body = b""

        async def ask() -> None:
            nonlocal body
            plain = {"Accept-Encoding": "identity"}
            async with session.get(f"{url}/api/v1/query_range?{query}", headers=plain) as answer:
                body = await answer.read()

        taken.append(await _timed(ask, times))
        assert _many(body) == slos
    await small.store.close()
    return taken[0], taken[1], taken[2]


async def _timed(
    work: Callable[[], Awaitable[object]], times: int, before: Callable[[], None] = lambda: None
) -> float:
    taken = []
    for _ in range(times + 1):
        before()
        begun = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - begun)
    return median(taken[1:])


@contextlib.asynccontextmanager
async def _serving(prom: Prom) -> AsyncIterator[str]:
    app = web.Application()
    app.add_routes(prom_api.routes(prom))
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _prometheus(slos: int, times: int) -> float:
    """The same of a Prometheus, in seconds."""
    with tempfile.TemporaryDirectory() as name:
        folder, now = Path(name), int(time.time()) - 60
        _recorded(folder, slos, now)
        config = "scrape_configs: []\n"
        with prometheus(folder, config, "--storage.tsdb.retention.time=60d") as (_, url):
            query = urlencode(
                {"query": _THEIRS, "start": now - DAYS * 86_400, "end": now, "step": _STEP}
            )

            def ask() -> bytes:
                return get(f"{url}/api/v1/query_range?{query}") or b"{}"

            until(lambda: _many(ask()) == slos, "every series is there")
            taken = timed(ask, times)
            assert _many(ask()) == slos
            return taken


def _many(body: bytes) -> int:
    """How many series an answer has. Reading it is the client's work: it is not timed."""
    return len(json.loads(body).get("data", {}).get("result", ()))


def _recorded(folder: Path, slos: int, now: int) -> None:
    """A month of what Sloth's rules record, as blocks."""
    file = folder / "history.om"
    with file.open("w") as out:
        out.write(f"# TYPE {_THEIRS} gauge\n")
        for n in range(slos):
            own = f'sloth_id="shop-s{n}",sloth_service="shop",sloth_slo="s{n}"'
            out.writelines(
                f"{_THEIRS}{{{own}}} {1 - (at % (97 + n)) / 997} {at}\n"
                for at in range(now - int(DAYS * 86_400), now, 60)
            )
        out.write("# EOF\n")
    command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=162h"]
    subprocess.run([*command, "--quiet", file, folder / "tsdb"], check=True, capture_output=True)
    file.unlink()
