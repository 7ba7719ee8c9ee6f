"""Every window at any moment is what a naive recount of the samples gives."""

from __future__ import annotations

from bisect import bisect_right
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.engine import Engine
from exporter.core.slo import Calendar
from exporter.core.status import WindowStatus
from tests.core.builders import (
    ERROR,
    OK,
    T,
    counted,
    engine,
    feed,
    in_window,
    rule,
    slo,
    status,
    workbook,
)

Samples = list[tuple[float, float, float]]
"""Time, good and bad so far."""


def recount(samples: Samples, start: float, end: float) -> tuple[float, float]:
    """What came between two moments; between two samples it came evenly."""

    def so_far(when: float, column: int) -> float:
        i = bisect_right(samples, when, key=lambda s: s[0])
        if i == 0:
            return samples[0][column]
        if i == len(samples):
            return samples[-1][column]
        (t0, *low), (t1, *high) = samples[i - 1], samples[i]
        share = (when - t0) / (t1 - t0)
        return low[column - 1] + share * (high[column - 1] - low[column - 1])

    return so_far(end, 1) - so_far(start, 1), so_far(end, 2) - so_far(start, 2)


GAPS = st.lists(
    st.tuples(st.floats(10, 280), st.integers(0, 500), st.sampled_from([0, 0, 0, 1, 7, 100])),
    min_size=1,
    max_size=120,
)


@settings(max_examples=60, deadline=None)
@given(GAPS, st.floats(0, 40))
def test_all_windows_at_once_equal_a_recount(
    gaps: list[tuple[float, int, int]], pause: float
) -> None:
    e = engine(slo(period="6h", rules=workbook("6h")))
    samples: Samples = [(T, 0.0, 0.0)]
    feed(e, T, {OK: 0.0, ERROR: 0.0})
    for gap, good, bad in gaps:
        at, goods, bads = samples[-1]
        samples.append((at + gap, goods + good, bads + bad))
        feed(e, at + gap, {OK: goods + good, ERROR: bads + bad})
    newest = samples[-1][0]
    # Old points are kept to a tenth of a second, so at a window's edge the events of that time may
    # lie on either side.
    grain_of_bad = 0.1 * max(bad / gap for gap, _, bad in gaps)
    grain = 0.1 * max((good + bad) / gap for gap, good, bad in gaps)
    for window in status(e, newest + pause).windows:
        goods, bads = recount(samples, newest - window.seconds, newest)
        # What the ledger promises, as shares of what the window holds: see `core/ledger.py`.
        assert window.bad == pytest.approx(bads, rel=0.00085, abs=1e-3 + grain_of_bad)
        assert window.total == pytest.approx(goods + bads, rel=0.008, abs=1e-3 + grain)


def test_a_long_history_stays_within_one_percent_in_every_window() -> None:
    e = engine(slo(rules=workbook(), interval=60.0))
    samples: Samples = [(T, 0.0, 0.0)]
    feed(e, T, {OK: 0.0, ERROR: 0.0})
    for i in range(1, 6000):
        at, good, bad = T + 60.0 * i, samples[-1][1] + 50 + i % 17, samples[-1][2]
        bad += 40 if i % 1500 > 1450 else (i % 97 == 0)
        samples.append((at, good, bad))
        feed(e, at, {OK: good, ERROR: bad})
        if i % 500 == 0:
            for window in status(e, at).windows:
                good_, bad_ = recount(samples, at - window.seconds, at)
                assert window.good == pytest.approx(good_, rel=0.01, abs=1.0)
                assert window.bad == pytest.approx(bad_, rel=0.01, abs=1.0)
    assert counted(e) == samples[-1][1:]


def test_windows_end_at_the_newest_sample_until_four_more_are_overdue() -> None:
    e = engine(slo(period="10m"))
    for i in range(61):
        feed(e, T + 10 * i, {OK: 10.0 * i, ERROR: 1.0 * i})
    newest = T + 600
    for pause in (0, 5, 40):
        assert in_window(e, newest + pause, "10m").bad == pytest.approx(60)
        assert in_window(e, newest + pause, "10m").coverage == 1
    assert in_window(e, newest + 41, "10m").bad == pytest.approx(55.9)
    assert in_window(e, newest + 41, "10m").coverage == pytest.approx(559 / 600)
    assert in_window(e, newest + 301, "10m").bad == pytest.approx(29.9)
    assert in_window(e, newest + 601, "10m").total == 0
    assert in_window(e, newest + 601, "10m").sli is None


def test_a_window_that_begins_after_the_newest_sample_is_absent() -> None:
    e = engine(slo(rules=(rule("page", "2m", "20s", 5.0),)))
    for i in range(61):
        feed(e, T + 10 * i, {OK: 10.0 * i, ERROR: 1.0 * i})
    assert in_window(e, T + 640, "20s").sli == pytest.approx(1 - 1 / 11)
    short = in_window(e, T + 641, "20s")
    assert (short.sli, short.coverage) == (None, 0)
    long = in_window(e, T + 641, "2m")
    assert long.sli == pytest.approx(1 - 1 / 11) and long.coverage == pytest.approx(79 / 120)


def test_the_windows_of_an_slo_as_a_whole_end_with_its_newest_group() -> None:
    grouped = slo(group_by=("route",))
    e = engine(grouped)
    account = e.accounts["slo"]
    assert account.as_of(T) == T
    for k in range(60):
        page = {f'http_requests_total{{route="{r}"}}': 1.0 * k for r in "ab" if k < 9 or r == "b"}
        feed(e, T + 10 * k, page)
    assert account.as_of(T + 600) == T + 590
    assert account.as_of(T + 640) == T + 640


def arriving(e: Engine, polls: int, every: float, spacing: float, late: float) -> float:
    """So many polls of an upstream; when the last of them was."""
    newest = T - spacing
    for k in range(polls):
        at = T + every * k
        fresh = []
        while newest + spacing <= at - late:
            newest += spacing
            fresh.append((newest, newest - T))
        feed(e, at, {OK: fresh} if fresh else {}, own_clock=False)
    return T + every * (polls - 1)


@pytest.mark.parametrize(
    ("every", "spacing", "late", "grace"),
    [(10, 10, 0, 40), (10, 10, 60, 100), (10, 10, 400, 300), (5, 60, 5, 245), (60, 15, 20, 270)],
    ids=["at once", "a minute late", "later than patience", "scraped rarely", "in bursts"],
)
def test_the_grace_follows_how_samples_really_arrive(
    every: float, spacing: float, late: float, grace: float
) -> None:
    e = engine(slo(rules=(rule("page", "1h", "1m", 5.0),), interval=every))
    at = arriving(e, round(2000 / every), every, spacing, late)
    (instance,) = e.accounts["slo"].memory.instances.values()
    newest = instance.seen
    assert newest is not None and at - newest <= late + max(every, spacing)
    assert in_window(e, newest + grace - 0.1, "1m").good == pytest.approx(60)
    assert in_window(e, newest + grace + 0.1, "1m").good < 30


def test_the_grace_does_not_grow_with_an_outage_or_with_slod_being_away() -> None:
    e = engine(slo(rules=(rule("page", "1h", "1m", 5.0),)))
    feed(e, T, {OK: 0.0})
    for pause in (0, 200, 500, 500):
        at = e.accounts["slo"].memory.newest + pause
        for k in range(1, 4):
            feed(e, at + 10 * k, {OK: at + 10 * k - T})
    newest = e.accounts["slo"].memory.newest
    assert in_window(e, newest + 40, "1m").good > 0
    assert in_window(e, newest + 61 + 40, "1m").sli is None


def test_the_grace_begins_anew_with_another_interval_and_with_a_clock_that_is_set() -> None:
    e = engine(slo(rules=(rule("page", "1h", "1m", 5.0),)))
    at = arriving(e, 200, 10, 10, 60)
    e.configure([slo(rules=(rule("page", "1h", "1m", 5.0),), interval=5.0)], [])
    newest = e.accounts["slo"].memory.newest
    assert in_window(e, newest + 20, "1m").good > 0
    assert in_window(e, newest + 81, "1m").sli is None
    for k in range(9):
        feed(e, at - 5000 + 5 * k, {OK: 5000.0 + k})
    assert in_window(e, at - 4960 + 20, "1m").good > 0
    assert in_window(e, at - 4960 + 81, "1m").sli is None


def test_a_sample_from_the_future_waits_until_its_time_has_come() -> None:
    e = engine(slo(period="10m"))
    feed(e, T, {OK: 0.0}, own_clock=False)
    feed(e, T + 100, {OK: [(T + 120, 120.0)]}, own_clock=False)
    assert in_window(e, T + 100, "10m").good == pytest.approx(100)


def test_coverage_is_the_share_of_a_window_with_samples_close_enough() -> None:
    e = engine(slo(period="1h"))
    for at in (0, 300, 600, 1200, 1500):
        feed(e, T + at, {OK: 1.0 * at})
    window = in_window(e, T + 1500, "1h")
    assert window.coverage == pytest.approx(900 / 3600)
    assert window.total == pytest.approx(1500)  # the gap is bridged, though not covered


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("unit", "day", "hours"),
    [("day", datetime(2024, 3, 31), 23), ("day", datetime(2024, 10, 27), 25),
     ("week", datetime(2024, 3, 25), 167), ("month", datetime(2024, 3, 1), 743),
     ("quarter", datetime(2024, 10, 1), 92 * 24 + 1), ("year", datetime(2024, 1, 1), 366 * 24)],
)  # fmt: skip
def test_a_calendar_period_begins_at_local_midnight_whatever_the_clocks_do(
    unit: str, day: datetime, hours: int
) -> None:
    calendar = Calendar(unit, "Europe/Berlin")
    begin = day.replace(tzinfo=BERLIN).timestamp()
    assert calendar.length(begin) == hours * 3600 == calendar.length(begin + hours * 3600 - 1)
    e = engine(slo(period=calendar, interval=600.0))
    for i in range(-20, 20):
        feed(e, begin + 600 * i, {OK: 100.0 * i + 5000, ERROR: i + 50.0})
    end = begin + 600 * 19
    period = in_window(e, end, unit)
    assert [period.good, period.bad] == pytest.approx([1900, 19])
    assert period.seconds == end - begin and period.coverage == pytest.approx(1)


def test_a_new_calendar_period_begins_empty_and_counts_on() -> None:
    midnight = datetime(2024, 5, 1, tzinfo=BERLIN).timestamp()
    e = engine(slo(period=Calendar("month", "Europe/Berlin")))
    feed(e, midnight - 20, {OK: 0.0, ERROR: 0.0})
    feed(e, midnight - 10, {OK: 10.0, ERROR: 10.0})
    assert status(e, midnight - 10).budget_remaining == pytest.approx(1 - 0.5 / 0.001)
    feed(e, midnight, {OK: 10.0, ERROR: 10.0})
    assert status(e, midnight).budget_remaining is None
    feed(e, midnight + 10, {OK: 20.0, ERROR: 10.0})
    assert status(e, midnight + 10).budget_remaining == 1
    assert counted(e) == (20, 10)


def test_a_window_says_its_ratio_and_burn_rate_or_nothing_at_all() -> None:
    assert WindowStatus("5m", 300, 999, 1, 1).sli == 0.999
    assert WindowStatus("5m", 300, 999, 1, 1).burn(0.999) == pytest.approx(1)
    assert WindowStatus("5m", 300, 0, 0, 1).burn(0.999) is None


def test_rising_counters_never_make_a_window_negative() -> None:
    e = engine(slo(period="1h", rules=workbook("30d")))
    for i in range(50):
        feed(e, T + 10 * i, {OK: 0.0, ERROR: float(i)})
        for low, high in pairwise(status(e, T + 10 * i).windows):
            assert low.bad >= 0 and high.good >= 0
