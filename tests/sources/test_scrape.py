"""Scraping real local servers: what each failure is, and that it stays that target's own."""

from __future__ import annotations

import asyncio
import gzip
import json
from itertools import pairwise
from pathlib import Path

import pytest
from aiohttp import web

from exporter.clock import SystemClock
from exporter.config.settings import Discover, Duration
from exporter.config.settings import ScrapeSource as Settings
from exporter.core.selector import Query, parse_selector
from exporter.http import Client
from exporter.sources.scrape import ScrapeSource
from tests.sources.kit import running, serving
from tests.support import ManualClock

M = parse_selector("m")


def source(
    *targets: str, clock: ManualClock | SystemClock | None = None, **more: object
) -> ScrapeSource:
    settings = Settings(name="app", targets=targets, **more)  # type: ignore[arg-type]
    return ScrapeSource(settings, Client(settings), clock or ManualClock())


def page(text: str = "m 1\n", **more: object) -> web.Response:
    return web.Response(text=text, **more)  # type: ignore[arg-type]


async def test_a_page_becomes_a_batch_with_instance_and_configured_labels() -> None:
    async def answer(request: web.Request) -> web.Response:
        return page('process_start_time_seconds 5\nm{a="b"} 7\n')

    clock = ManualClock(1000.0)
    async with serving(answer) as url:
        query = Query("up")
        async with running(
            source(f"{url}/metrics", clock=clock, labels={"job": "x"}), [M, query]
        ) as polls:
            [poll] = await polls.count(1)
    assert poll.batch is not None
    assert (poll.batch.at, poll.batch.own_clock, poll.error) == (1000.0, True, None)
    assert poll.batch.failed == {query}
    assert poll.batch.targets[f"{url}/metrics"].started(poll.batch.at) == 5.0
    [reading] = poll.batch.readings[M]
    host = url.removeprefix("http://")
    assert dict(reading.series.labels) == {"a": "b", "job": "x", "instance": host}
    assert reading.samples == [(1000.0, 7.0)]


async def test_a_target_may_be_written_as_host_and_port() -> None:
    async def answer(request: web.Request) -> web.Response:
        return page(status=200 if request.path == "/metrics" else 404)

    async with serving(answer) as url:
        async with running(source(url.removeprefix("http://")), [M]) as polls:
            [poll] = await polls.count(1)
    assert poll.target == f"{url}/metrics"
    assert poll.error is None


async def test_gzip_is_asked_for_and_read() -> None:
    async def answer(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "gzip"
        body = gzip.compress(b"m 3\n")
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    async with serving(answer) as url, running(source(url), [M]) as polls:
        [poll] = await polls.count(1)
    assert poll.batch is not None
    assert poll.batch.readings[M][0].samples[0][1] == 3.0


@pytest.mark.parametrize(
    ("reason", "more"),
    [
        ("http_status", {"status": 500}),
        ("truncated", {"text": "m 1\n", "content_type": "application/openmetrics-text"}),
        ("unsupported_format", {"content_type": "text/html"}),
        ("redirect", {"status": 302, "headers": {"Location": "http://127.0.0.2:1/"}}),
        ("bad_encoding", {"body": b"no gzip", "headers": {"Content-Encoding": "gzip"}}),
    ],
)
async def test_what_is_no_page_is_an_error_with_a_reason(
    reason: str, more: dict[str, object]
) -> None:
    async def answer(request: web.Request) -> web.Response:
        more.setdefault("text", "m 1\n") if "body" not in more else None
        return web.Response(**more)  # type: ignore[arg-type]

    async with serving(answer) as url, running(source(url), [M]) as polls:
        [poll] = await polls.count(1)
    assert poll.batch is None
    assert poll.error is not None
    assert poll.error.reason == reason


async def test_a_page_over_the_limit_is_too_large_also_when_it_is_packed_small() -> None:
    async def bomb(request: web.Request) -> web.Response:
        body = gzip.compress(b"m 1\n" * 500_000)
        return web.Response(body=body, headers={"Content-Encoding": "gzip"})

    async with serving(bomb) as url, running(source(url, max_body_bytes=100_000), [M]) as polls:
        [poll] = await polls.count(1)
    assert poll.error is not None
    assert poll.error.reason == "too_large"


async def test_a_wanted_line_that_is_refused_does_not_make_the_target_down() -> None:
    async def answer(request: web.Request) -> web.Response:
        return page("m 1\nm nonsense\n")

    async with serving(answer) as url, running(source(url), [M]) as polls:
        [poll] = await polls.count(1)
    assert (poll.error, poll.refused) == (None, {"malformed": 1})


async def test_a_slow_target_holds_up_no_other() -> None:
    hang = asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        if request.path == "/slow":
            await hang.wait()
        return page()

    async with serving(answer) as url:
        slow_and_fast = source(
            f"{url}/slow", f"{url}/fast", clock=SystemClock(),
            interval=Duration(0.05), timeout=Duration(5),
        )  # fmt: skip
        async with running(slow_and_fast, [M]) as polls:
            await polls.until(
                lambda all_: (
                    sum(p.target.endswith("fast") and not p.error for p in all_) >= 3
                    and any(p.error and p.error.reason == "timeout" for p in all_)
                )
            )
        hang.set()


async def test_targets_keep_their_beat_and_missed_ones_are_not_made_up_for() -> None:
    hang, go = asyncio.Event(), asyncio.Event()

    async def answer(request: web.Request) -> web.Response:
        if hang.is_set():
            await go.wait()
        return page()

    clock = ManualClock(0.0)

    async def pass_by(seconds: float) -> None:
        # In small steps: what is asked in one is read in it, wherever in it the beat falls.
        for _ in range(int(seconds / 0.5)):
            await clock.until_sleeping()
            await clock.advance(0.5)
        await clock.until_sleeping()

    async with serving(answer) as url:
        settings = {"interval": Duration(10), "timeout": Duration(10)}
        async with running(source(url, clock=clock, **settings), [M]) as polls:
            await pass_by(40)
            before = len(polls.all)
            hang.set()
            await clock.advance(100)
            assert len(polls.all) == before
            hang.clear()
            go.set()
            await pass_by(30)
    times = [p.batch.at for p in polls.all if p.batch]
    assert [b - a for a, b in pairwise(times[1:before])] == [pytest.approx(10, abs=0.5)] * (
        before - 2
    )
    late, *after = times[before:]
    assert late == pytest.approx(times[0] + 140, abs=0.5)
    assert len(after) in (2, 3)  # a beat within 1% of the interval is passed over
    # Still on the grid of before: a whole number of intervals later, give or take a step.
    assert (after[-1] - times[1] + 0.5) % 10 <= 1.0


async def test_a_target_that_is_listed_is_scraped_and_one_that_is_not_any_more_is_gone(
    tmp_path: Path,
) -> None:
    async def answer(request: web.Request) -> web.Response:
        return page()

    def write(*paths: str) -> None:
        targets = [host + path for path in paths]
        text = json.dumps([{"targets": targets, "labels": {"env": "a", "__x": "y"}}])
        (tmp_path / "t.json").write_text(text)

    async with serving(answer) as url:
        host = url + "/"
        write("one")
        discover = Discover(file=f"{tmp_path}/*.json", refresh=Duration(0.02))
        listed = source(clock=SystemClock(), discover=discover, interval=Duration(0.05))
        async with running(listed, [M]) as polls:
            [first] = await polls.count(1)
            assert first.batch is not None
            assert first.batch.readings[M][0].series.labels["env"] == "a"
            assert "__x" not in first.batch.readings[M][0].series.labels
            write("two")
            all_ = await polls.until(
                lambda all_: any(p.gone for p in all_) and all_[-1].target.endswith("two")
            )
            assert [p.target for p in all_ if p.gone] == [f"{url}/one"]
            assert list(listed.targets) == [f"{url}/two"]
            (tmp_path / "t.json").write_text("[{")
            await polls.count(len(all_) + 2)
            assert list(listed.targets) == [f"{url}/two"]


async def test_the_bucket_bounds_of_a_histogram_are_told() -> None:
    async def answer(request: web.Request) -> web.Response:
        return page('h_bucket{le="0.5"} 1\nh_bucket{le="1.0"} 2\nh_bucket{le="+Inf"} 3\n')

    async with serving(answer) as url:
        asked = source(url)
        assert await asked.bounds(parse_selector("h")) == [0.5, 1.0]
        async with running(asked, [M]) as polls:
            await polls.count(1)
