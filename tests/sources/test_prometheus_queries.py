"""Queries: their window, their steps, and steps that have no answer yet."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from exporter.config.settings import Duration, PrometheusSource
from exporter.core.sample import Ask
from exporter.core.selector import Query
from exporter.http import Client
from exporter.sources.prometheus import PrometheusSource as Source
from exporter.sources.windows import selectors
from tests.sources.kit import Polls, running, serving
from tests.sources.test_prometheus import NOW, step
from tests.sources.upstream import Sample, Upstream
from tests.support import ManualClock

START = NOW - NOW % 600
INCREASE = Query('sum(increase(m{code="500"}[{{.window}}]))')


def scraped(every: float, seconds: float = 7200) -> list[Sample]:
    return [(START - 1800 + every * k, k) for k in range(round((seconds + 1800) / every))]


def queried(url: str, clock: ManualClock, interval: float) -> Source:
    settings = PrometheusSource(name="p", url=url, interval=Duration(interval))
    return Source(settings, Client(settings), clock)


def values(polls: Polls, want: Query = INCREASE) -> list[tuple[float, Any]]:
    """What came, each step once, seconds after `START`."""
    found = {
        sample
        for poll in polls.all
        if poll.batch
        for reading in poll.batch.readings.get(want, ())
        for sample in reading.samples
    }
    return sorted((time - START, value) for time, value in found)


@pytest.mark.parametrize(
    ("interval", "scrape", "width", "text"),
    [(15, 15, 30, "30s"), (15, 60, 120, "2m"), (60, 15, 60, "1m"), (5, 1.002, 5, "5s")],
)
async def test_the_window_holds_two_scrapes_and_is_evaluated_once(
    interval: float, scrape: float, width: float, text: str
) -> None:
    clock = ManualClock(START + 2)
    upstream = Upstream(clock)
    upstream.add("m", scraped(scrape), code="500")
    upstream.steps = lambda expr, time: 3.0
    async with serving(upstream) as url:
        async with running(queried(url, clock, interval), [INCREASE]) as polls:
            await polls.count(1)
            while clock.now() < START + 600:
                await step(clock, polls, interval)
    asked = [form for path, form in upstream.asked if path.endswith("query_range")]
    assert {form["query"] for form in asked} == {f'sum(increase(m{{code="500"}}[{text}]))'}
    assert {float(form["step"]) for form in asked} == {width}
    steps = [time for time, _ in values(polls)]
    assert steps == [steps[0] + width * k for k in range(len(steps))]
    assert steps[-1] >= 600 - width - 5
    assert steps[0] % width == 0
    assert all(p.batch is not None and p.batch.widths == {INCREASE: width} for p in polls.all)


async def test_steps_that_had_no_answer_are_asked_for_again_for_two_minutes() -> None:
    """VictoriaMetrics holds back the last 30 seconds."""
    clock = ManualClock(START + 2)
    upstream = Upstream(clock)
    upstream.add("m", scraped(5), code="500")
    upstream.steps = lambda expr, time: time if time <= clock.now() - 30 else None
    async with serving(upstream) as url, running(queried(url, clock, 10), [INCREASE]) as polls:
        await polls.count(1)
        while clock.now() < START + 300:
            await step(clock, polls, 10)
    assert values(polls) == [(10.0 * k, START + 10 * k) for k in range(-1, 28)]


async def test_the_newest_step_waits_until_its_samples_are_stored() -> None:
    clock = ManualClock(START + 1)
    upstream = Upstream(clock)
    upstream.add("m", scraped(5), code="500")
    upstream.steps = lambda expr, time: 1.0
    async with serving(upstream) as url, running(queried(url, clock, 10), [INCREASE]) as polls:
        await polls.count(1)
        assert [time for time, _ in values(polls)] == [-10.0]


async def test_another_scrape_interval_makes_other_windows_that_do_not_overlap() -> None:
    clock = ManualClock(START + 2)
    upstream = Upstream(clock)
    samples = upstream.add("m", scraped(15, 1800), code="500")
    samples += [(START + 1800 + 60 * k, k) for k in range(90)]
    upstream.steps = lambda expr, time: 1.0
    async with serving(upstream) as url, running(queried(url, clock, 15), [INCREASE]) as polls:
        await polls.count(1)
        while clock.now() < START + 7200:
            await step(clock, polls, 15)
    widths = {
        time - START: poll.batch.widths[INCREASE]
        for poll in polls.all
        if poll.batch
        for reading in poll.batch.readings[INCREASE]
        for time, _ in reading.samples
    }
    steps = sorted(widths)
    assert (widths[steps[0]], widths[steps[-1]]) == (30, 120)
    gaps = [now - widths[now] - then for then, now in pairwise(steps)]
    assert min(gaps) == 0
    assert sorted(gap for gap in gaps if gap) in ([], [30], [60], [90])


async def test_history_of_a_query_has_each_step_once_however_it_is_cut() -> None:
    clock = ManualClock(START + 3600)
    upstream = Upstream(clock)
    upstream.add("m", scraped(15), code="500")
    upstream.steps = lambda expr, time: time
    async with serving(upstream) as url:
        settings = PrometheusSource(name="p", url=url, interval=Duration(15), chunk=Duration(700))
        asked, polls = Source(settings, Client(settings), clock), Polls()
        await asked.history([Ask("slo", (INCREASE,), START)], START + 3600, polls)
        await asked.close()
    every = [
        time
        for poll in polls.all
        if poll.batch
        for reading in poll.batch.readings[INCREASE]
        for time, _ in reading.samples
    ]
    assert every == [START + 30 * k for k in range(1, 120)]


@pytest.mark.parametrize(
    ("expr", "found"),
    [
        ("sum(rate(a[5m]))", []),
        ("sum(rate(a[{{.window}}]))", ['{__name__="a"}']),
        (
            'rate({"x.y", le=~"1|\\""}[{{ .window }}] offset 5m) / b',
            ['{__name__="x.y",le=~"1|\\""}'],
        ),
        ("max_over_time(rate(c[1m])[{{.window}}:30s])", []),
        (
            "topk(3, increase(a[{{.window}}]) + ignoring(q) delta(b[{{.window}}]))",
            ['{__name__="a"}', '{__name__="b"}'],
        ),
        ("WITH (x = 1) rate(a[{{.window}}])", []),
        ("rate(" + "a" * 20_000 + "[{{.window}}])", []),
    ],
)
def test_selectors_whose_range_is_the_window(expr: str, found: list[str]) -> None:
    assert sorted(selectors(expr)) == found
