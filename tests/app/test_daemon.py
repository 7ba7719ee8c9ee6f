"""The daemon in this process, on a page that the test writes: reload, readiness, faults, state."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from exporter.app.daemon import Daemon
from exporter.clock import SystemClock
from exporter.config.load import load
from exporter.errors import StateError

CONFIG = """
[server]
listen = "127.0.0.1:0"
[state]
path = "{folder}/slod.db"
[source.app]
type = "scrape"
targets = ["{page}"]
interval = "100ms"
"""
SLO = """
[slo.shop]
objective = {objective}
sli = {{ bad = 'requests_total{{code="500"}}', total = 'requests_total' }}
"""


class PageServer:
    """A `/metrics` page that says what the test wants."""

    def __init__(self) -> None:
        self.status = 200
        self.counts = {"200": 0}
        self.more = ""
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        lines = [f'requests_total{{code="{c}"}} {n}' for c, n in self.counts.items()]
        return web.Response(status=self.status, text="\n".join(lines) + "\n" + self.more)


@pytest.fixture
async def page() -> AsyncIterator[PageServer]:
    page = PageServer()
    app = web.Application()
    app.router.add_get("/metrics", page.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    page.url = f"http://127.0.0.1:{runner.addresses[0][1]}/metrics"
    yield page
    await runner.cleanup()


def write(folder: Path, page: PageServer, *more: str) -> Path:
    file = folder / "slod.toml"
    file.write_text(CONFIG.format(folder=folder, page=page.url) + "".join(more))
    return file


@contextlib.asynccontextmanager
async def running(file: Path) -> AsyncIterator[Daemon]:
    shutdown = asyncio.Event()
    daemon = Daemon(load(file), SystemClock())
    task = asyncio.create_task(daemon.run(shutdown))
    try:
        started = asyncio.create_task(daemon.started.wait())
        await asyncio.wait([started, task], return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        yield daemon
    finally:
        shutdown.set()
        await task


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Return once it is so; the test's own time limit is the only clock."""
    async with asyncio.timeout(20):
        while not await look():
            await asyncio.sleep(0.01)


async def get(daemon: Daemon, path: str) -> tuple[int, str]:
    url = f"http://127.0.0.1:{daemon.port}{path}"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def value(daemon: Daemon, series: str) -> float | None:
    _, text = await get(daemon, "/metrics")
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else None


def has(daemon: Daemon, series: str, expected: float) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return await value(daemon, series) == expected

    return look


def ready(daemon: Daemon) -> Callable[[], Awaitable[bool]]:
    async def look() -> bool:
        return (await get(daemon, "/-/ready"))[0] == 200

    return look


async def all_counted(daemon: Daemon, page: PageServer) -> bool:
    """Whether every event that the page shows is counted, good ones and bad ones."""
    counted = [await value(daemon, series) for series in (GOOD, BAD)]
    return counted == [page.counts["200"], page.counts["500"]]


GOOD = 'slo_events_total{slo="shop",service="shop",result="good"}'
BAD = 'slo_events_total{slo="shop",service="shop",result="bad"}'


async def test_another_objective_keeps_the_history_and_another_sli_starts_anew(
    tmp_path: Path, page: PageServer
) -> None:
    file = write(tmp_path, page, SLO.format(objective=99))
    async with running(file) as daemon:
        await until(ready(daemon))
        page.counts = {"200": 90, "500": 10}
        await until(has(daemon, BAD, 10))

        write(tmp_path, page, SLO.format(objective=90))
        assert await daemon.reload() is None
        await until(has(daemon, 'slo_objective_ratio{slo="shop",service="shop"}', 0.9))
        assert await value(daemon, GOOD) == 90
        page.counts["500"] = 15
        await until(has(daemon, BAD, 15))

        write(tmp_path, page, SLO.format(objective=90).replace('"500"', '"200"'))
        assert await daemon.reload() is None
        await until(has(daemon, BAD, 0))


async def test_reloads_at_the_same_time_come_one_after_the_other(
    tmp_path: Path, page: PageServer
) -> None:
    file = write(tmp_path, page, SLO.format(objective=99))
    async with running(file) as daemon:
        await until(ready(daemon))
        assert await asyncio.gather(*(daemon.reload() for _ in range(3))) == [None] * 3
        page.counts["200"] = 8
        await until(has(daemon, GOOD, 8))
        scraping = [t for t in asyncio.all_tasks() if t.get_name() == f"source:app {page.url}"]
        assert len(scraping) == 1


async def test_a_bad_file_keeps_the_old_configuration_and_says_why(
    tmp_path: Path, page: PageServer
) -> None:
    file = write(tmp_path, page, SLO.format(objective=99))
    async with running(file) as daemon:
        await until(ready(daemon))
        write(tmp_path, page, SLO.format(objective=99).replace("objective", "objektive"))
        said = await daemon.reload()
        assert said is not None
        assert "slo.shop.objektive" in said
        assert "did you mean" in said
        await until(has(daemon, "slod_config_last_reload_successful", 0))
        page.counts["200"] = 5
        await until(has(daemon, GOOD, 5))


async def test_the_daemon_is_ready_once_its_source_was_polled_whatever_came_of_it(
    tmp_path: Path, page: PageServer
) -> None:
    page.status = 500
    async with running(write(tmp_path, page, SLO.format(objective=99))) as daemon:
        await until(ready(daemon))
        up = f'slod_source_up{{source="app",target="{page.url}"}}'
        assert await value(daemon, up) == 0
        page.status = 200
        await until(has(daemon, up, 1))


async def test_a_threshold_that_is_no_bucket_names_the_buckets_and_spares_the_other_slos(
    tmp_path: Path, page: PageServer
) -> None:
    page.more = 'd_bucket{le="0.25"} 1\nd_bucket{le="1.0"} 2\nd_bucket{le="+Inf"} 2\nd_count 2\n'
    wrong = "\n[slo.slow]\nobjective = 99\nsli = { histogram = 'd', threshold = \"300ms\" }\n"
    async with running(write(tmp_path, page, SLO.format(objective=99), wrong)) as daemon:
        await until(has(daemon, 'slod_slo_errors{slo="slow"}', 1))
        fault = daemon.engine.accounts["slow"].fault
        assert fault == ("slo.slow: threshold 0.3 is not a bucket bound of d; there are 0.25, 1")
        page.counts["200"] = 3
        await until(has(daemon, GOOD, 3))


BROKEN = """
[source.prom]
type = "prometheus"
url = "{url}"
[slo.query]
objective = 99
source = "prom"
sli = {{ error_ratio_query = '{query}' }}
"""


async def test_a_query_that_cannot_be_read_is_its_slos_error_and_spares_the_others(
    tmp_path: Path, page: PageServer
) -> None:
    shop = SLO.format(objective=99) + 'source = "app"\n'
    broken = BROKEN.format(url=page.url, query="sum(x")
    whole = BROKEN.format(url=page.url, query="x:ratio")
    errors = 'slod_slo_errors{slo="query"}'
    async with running(write(tmp_path, page, shop, broken)) as daemon:
        await until(ready(daemon))
        await until(has(daemon, errors, 1))
        assert "unclosed left parenthesis" in (daemon.engine.accounts["query"].fault or "")
        page.counts["200"] = 3
        await until(has(daemon, GOOD, 3))
        # What was broken before holds up no reload ...
        write(tmp_path, page, shop.replace("99", "98"), broken)
        assert await daemon.reload() is None
        write(tmp_path, page, shop, whole)
        assert await daemon.reload() is None
        await until(has(daemon, errors, 0))
        # ... and what counts is not replaced by what cannot.
        write(tmp_path, page, shop, broken)
        said = await daemon.reload()
        assert said is not None and "slo.query.sli.error_ratio_query: cannot read" in said
        assert await value(daemon, errors) == 0
        page.counts["200"] = 5
        await until(has(daemon, GOOD, 5))


async def test_a_corrupt_state_file_is_set_aside_and_a_new_one_begun(
    tmp_path: Path, page: PageServer
) -> None:
    (tmp_path / "slod.db").write_bytes(b"this is no database, it is a diary\n" * 100)
    async with running(write(tmp_path, page, SLO.format(objective=99))) as daemon:
        await until(ready(daemon))
    [aside] = tmp_path.glob("slod.db.corrupt-*")
    assert aside.read_bytes().startswith(b"this is no database")


async def test_a_second_daemon_on_the_same_state_file_is_refused(
    tmp_path: Path, page: PageServer
) -> None:
    file = write(tmp_path, page, SLO.format(objective=99))
    async with running(file):
        with pytest.raises(StateError, match="another slod uses"):
            await Daemon(load(file), SystemClock()).run(asyncio.Event())
