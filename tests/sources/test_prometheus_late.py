"""Samples that come late are asked for again, and no further back than it takes."""

from __future__ import annotations

import pytest

from exporter.config.settings import Duration, PrometheusSource
from exporter.core.sample import Ask
from exporter.core.selector import parse_selector
from exporter.http import Client
from exporter.sources.prometheus import PrometheusSource as Source
from tests.sources.kit import Polls, running, serving
from tests.sources.test_prometheus import NOW, source, step
from tests.sources.upstream import Sample, Upstream
from tests.support import ManualClock

ANY = parse_selector("m")


def every(seconds: float, first: float, last: float) -> list[Sample]:
    return [
        (NOW + first + seconds * k, first + seconds * k)
        for k in range(round((last - first) / seconds) + 1)
    ]


def ranges(upstream: Upstream) -> list[str]:
    return [q.partition("[")[2].rstrip("]") for q in upstream.queries if q.startswith("m")]


def times(polls: Polls) -> list[float]:
    """When the samples were that came in all polls, less `NOW`."""
    found = {
        time
        for poll in polls.all
        if poll.batch
        for reading in poll.batch.readings[ANY]
        for time, _ in reading.samples
    }
    return sorted(time - NOW for time in found)


@pytest.mark.parametrize("late", [0, 40, 100, 400])
async def test_whatever_comes_late_comes_all_the_same(late: float) -> None:
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    upstream.add("m", every(15, -3600, 1200), late)
    async with serving(upstream) as url, running(source(url, clock), [ANY]) as polls:
        for _ in range(80):
            await step(clock, polls)
    # From the beginning of the first range on.
    assert times(polls) == [t - NOW for t, _ in every(15, -15, 1200 - late)]


async def test_one_late_series_among_others_makes_the_range_as_long_as_it_takes() -> None:
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    upstream.add("m", every(15, -3600, 1200), code="200")
    slow = upstream.add("m", every(15, -3600, 0), code="500")
    async with serving(upstream) as url, running(source(url, clock), [ANY]) as polls:
        for k in range(80):
            # It falls further and further behind.
            if k % 2 == 0:
                slow.append((NOW + 15 * (k / 2 + 1), k))
            await step(clock, polls)
        lagged = ranges(upstream)[-1]
        for _ in range(60):
            await step(clock, polls)
        gone = ranges(upstream)[-1]
    newest = {
        r.series.labels["code"]: r.samples[-1][0]
        for poll in polls.all
        if poll.batch
        for r in poll.batch.readings[ANY]
    }
    assert newest["500"] == slow[-1][0]
    assert (lagged, gone) == ("10m", "2m15s")


async def test_a_gap_that_is_filled_afterwards_is_asked_for_when_it_ends() -> None:
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    samples = upstream.add("m", every(15, -60, 0))
    upstream.add("m", every(15, -60, 3000), code="500")
    async with serving(upstream) as url, running(source(url, clock), [ANY]) as polls:
        await polls.count(1)
        for _ in range(100):
            await step(clock, polls)
        # The agent sends what it had kept for 25 minutes.
        samples += every(15, 15, 1515)
        await step(clock, polls)
        await step(clock, polls)
    [asked] = [text for text in ranges(upstream) if text.startswith("25m")]
    assert ranges(upstream).index(asked) == len(ranges(upstream)) - 2
    assert times(polls) == [t - NOW for t, _ in every(15, -15, 1530)]


async def test_a_source_that_polls_often_reaches_back_far_only_now_and_then() -> None:
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    upstream.add("m", every(1, -300, 300))
    async with serving(upstream) as url:
        settings = PrometheusSource(name="p", url=url, interval=Duration(1))
        often = Source(settings, Client(settings), clock)
        async with running(often, [ANY], NOW - 1) as polls:
            await polls.count(1)
            for _ in range(30):
                await step(clock, polls, 1)
    assert ranges(upstream)[::15] == ["2m1s"] * 3
    assert {text for k, text in enumerate(ranges(upstream)) if k % 15} == {"31s"}


@pytest.mark.parametrize("resumes", [False, True])
async def test_what_an_slo_wants_is_asked_for_over_one_time(resumes: bool) -> None:
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    upstream.add("m_all", every(15, -600, 1200))
    # The errors fall behind, or go on after a gap, or are there at last.
    errors = upstream.add("m", every(15, -600, -60) if resumes else [])
    other = Ask("other", (parse_selector("m_other"),), NOW - 30)
    slo = Ask("slo", (ANY, parse_selector("m_all")), NOW - 30)
    async with serving(upstream) as url, running(source(url, clock), [slo, other]) as polls:
        await polls.count(1)
        for _ in range(40):
            await step(clock, polls)
        errors += every(15, -45, 300)
        for _ in range(5):
            await step(clock, polls)
    for poll in polls.all:
        asked = {str(want): start for want, start in poll.batch.asked.items()}
        assert asked["m"] == asked["m_all"]
        assert asked["m_other"] >= poll.batch.at - 150
    # And the errors' gap was asked for when it ended.
    assert min(poll.batch.asked[ANY] for poll in polls.all[-5:]) < NOW


async def test_what_is_not_there_at_all_is_looked_for_further_back_once_a_minute() -> None:
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    async with serving(upstream) as url, running(source(url, clock), [ANY], NOW) as polls:
        await polls.count(1)
        for _ in range(8):
            await step(clock, polls)
    assert [text for text in ranges(upstream) if text == "1h"] == ["1h"] * 3
    assert len(ranges(upstream)) == 9 + 3


async def test_a_zero_that_is_stored_with_the_first_sample_comes() -> None:
    """As Prometheus stores created timestamps with created-timestamp-zero-ingestion."""
    clock = ManualClock(NOW)
    upstream = Upstream(clock)
    samples = upstream.add("m", [(NOW - 10, 100)])
    async with serving(upstream) as url, running(source(url, clock), [ANY]) as polls:
        await polls.count(1)
        for _ in range(6):
            await step(clock, polls)
        samples += [(NOW + 20, 0), (NOW + 90, 150)]
        poll = await step(clock, polls)
    assert poll.batch is not None
    [reading] = poll.batch.readings[ANY]
    assert reading.samples == [(NOW - 10, 100.0), (NOW + 20, 0.0), (NOW + 90, 150.0)]
