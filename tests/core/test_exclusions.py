"""Excluded time: left out wherever a ledger is read, also afterwards; never out of the counts."""

from __future__ import annotations

import math
import random
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.core.engine import Engine
from exporter.core.exclusion import Exclusion, Span, merged, without
from exporter.core.ledger import Ledger
from exporter.core.selector import Matcher
from exporter.core.slo import DAY, Window
from tests.core.builders import ERROR, OK, T, counted, engine, feed, slo, workbook

EVERYBODY = (Matcher("slo", "=~", ".*"),)


def exclusion(*spans: Span, where: tuple[Matcher, ...] = EVERYBODY) -> Exclusion:
    return Exclusion("maintenance", where, spans)


def outage(of: Engine, start: float = T, seconds: int = 3600) -> None:
    """An hour at one event a second, of which from the 20th to the 30th minute all are bad."""
    good = bad = 0.0
    for at in range(0, seconds + 1, 10):
        feed(of, start + at, {OK: good, ERROR: bad}, "a")
        if 1200 <= at < 1800:
            bad += 10
        else:
            good += 10


def budget(of: Engine, now: float) -> tuple[float | None, float | None, float]:
    status = of.status(now).slos[0]
    return status.budget_remaining, status.budget_unadjusted, status.excluded_seconds


def test_the_budget_recomputes_at_once_also_for_the_past() -> None:
    e = engine(slo(objective=0.9, period=Window("1h", 3600.0)))
    outage(e)
    now = T + 3600
    assert budget(e, now) == (pytest.approx(1 - 600 / 3600 / 0.1), pytest.approx(-2 / 3), 0.0)
    e.exclude([exclusion((T + 1200, T + 1800))])
    left, without, seconds = budget(e, now)
    assert (left, seconds) == (pytest.approx(1.0), 600.0)
    # It cannot make an objective pass silently.
    assert without == pytest.approx(-2 / 3)
    assert counted(e) == (3000, 600)
    e.exclude([exclusion((T + 1500, T + 2100))])
    assert budget(e, now)[0] == pytest.approx(1 - (300 / 3000) / 0.1)
    e.exclude([])
    assert budget(e, now) == (pytest.approx(-2 / 3), pytest.approx(-2 / 3), 0.0)


def test_an_exclusion_is_for_those_it_names() -> None:
    one, other = slo("one", labels={"team": "a"}), slo("other", labels={"team": "b"})
    e = engine(one, other)
    outage(e)
    e.exclude([exclusion((T, T + 3600), where=(Matcher("team", "=", "a"),))])
    assert [s.excluded_seconds for s in e.status(T + 3600).slos] == [3600.0, 0.0]
    e.exclude([exclusion((T, T + 60), where=(Matcher("slo", "=", "other"),))])
    assert [s.excluded_seconds for s in e.status(T + 3600).slos] == [0.0, 60.0]
    e.exclude([exclusion((T, T + 60), where=(Matcher("service", "=", "nobody"),))])
    assert [s.excluded_seconds for s in e.status(T + 3600).slos] == [0.0, 0.0]


def test_a_group_and_an_slo_that_come_later_are_excluded_too() -> None:
    e = engine(slo(group_by=("code",)))
    e.exclude([exclusion((T, T + 600))])
    outage(e)
    e.configure([slo(group_by=("code",)), slo("new")], [])
    feed(e, T + 3610, {OK: 1.0, ERROR: 1.0}, "a")
    assert {s.slo.name: s.excluded_seconds for s in e.status(T + 3600).slos} == {
        "slo": 600.0,
        "new": 600.0,
    }
    dumped = e.dump("slo")
    assert e.restore("slo", dumped, []) is None
    assert [s.excluded_seconds for s in e.status(T + 3600).slos if s.slo.name == "slo"] == [
        600.0,
        600.0,
    ]


def test_alerts_are_decided_without_what_is_excluded() -> None:
    def said(*exclusions: Exclusion) -> list[str]:
        e = engine(slo(objective=0.999, rules=workbook()))
        e.exclude(exclusions)
        out: list[str] = []
        good = bad = 0.0
        for at in range(0, 7200, 10):
            feed(e, T + at, {OK: good, ERROR: bad}, "a")
            bad += 5 * (3600 <= at < 4200)
            good += 10
            out += [n.labels["severity"] for n in e.tick(T + at).said]
        return out

    assert "page" in said()
    assert said(exclusion((T + 3590, T + 4210))) == []
    assert "page" in said(exclusion((T, T + 600)))


def test_nobody_expects_data_of_what_is_taken_down_on_purpose() -> None:
    def missing(*exclusions: Exclusion) -> bool:
        e = engine(slo())
        e.exclude(exclusions)
        feed(e, T, {OK: 1.0, ERROR: 0.0}, "a")
        e.tick(T)
        names = [n.labels["alertname"] for at in range(0, 900, 5) for n in e.tick(T + at).said]
        return "SLIDataMissing" in names

    assert missing()
    assert not missing(exclusion((T, T + 900)))
    assert missing(exclusion((T, T + 60)))


def test_a_clock_that_is_set_back_leaves_the_exclusion_where_it_is() -> None:
    ledger = Ledger(86_400.0, 10.0)
    ledger.add(T, T + 100, 90, 10)
    ledger.exclude(((T, T + 50),))
    assert ledger.counts(T, T + 100) == (pytest.approx(45), pytest.approx(5))
    ledger.shift(-50)
    assert ledger.counts(T - 50, T + 50) == (pytest.approx(45), pytest.approx(5))


def test_spans_are_merged() -> None:
    assert merged([(5, 6), (1, 3), (2, 4), (4, 5), (9, 8), (7, 7)]) == ((1, 6),)
    assert merged([]) == ()


spans = st.lists(
    st.tuples(st.integers(0, 55), st.integers(1, 12)).map(lambda s: (s[0], s[0] + s[1])),
    max_size=6,
)


@settings(max_examples=80, deadline=None)
@example([(5, 15)], 1, True)
@given(spans, st.integers(0, 2**32), st.booleans())
def test_every_window_holds_what_a_recount_of_all_events_outside_the_spans_holds(
    found: list[tuple[int, int]], seed: int, late: bool
) -> None:
    # So few that none is thinned.
    rng = random.Random(seed)
    ledger = Ledger(10_000.0, 1.0)
    excluded = merged((float(a), float(b)) for a, b in found)
    ledger.exclude(excluded)
    events = [(t, rng.randrange(5), rng.randrange(3)) for t in range(60)]
    if late:
        # Some come when later ones were read already.
        held = [e for e in events if e[0] % 7 == 3]
        events = [e for e in events if e[0] % 7 != 3]
    else:
        held = []
    since = ledger.since(20.0)
    for t, good, bad in events:
        ledger.add(t, t + 1, good, bad)
        now = t + 1.0
        got = since.counts(now - 20, *ledger.upto(now))
        assert got == pytest.approx(recount(events, excluded, now - 20, now), abs=1e-6)
    for t, good, bad in held:
        ledger.add(t, t + 1, good, bad)
    everything = sorted(events + held)
    for start, end in pairwise(sorted(rng.sample(range(61), 8))):
        got = ledger.counts(start, end)
        assert got == pytest.approx(recount(everything, excluded, start, end), abs=1e-6)
    out = sum(bad for t, _, bad in everything if inside(t, excluded))
    assert ledger.bad == pytest.approx(sum(bad for _, _, bad in everything) - out, abs=1e-6)


def inside(t: float, excluded: tuple[Span, ...]) -> bool:
    return any(start <= t < end for start, end in excluded)


def recount(
    events: list[tuple[int, int, int]], excluded: tuple[Span, ...], start: float, end: float
) -> tuple[float, float]:
    kept = [e for e in events if start <= e[0] < end and e[0] < end and not inside(e[0], excluded)]
    # Beyond the newest event there is nothing, before the first neither.
    return (float(sum(g for _, g, _ in kept)), float(sum(b for _, _, b in kept)))


def test_time_without_other_time() -> None:
    spans = ((0.0, 10.0), (20.0, 30.0))
    assert without(spans, ()) == spans
    assert without(spans, ((2.0, 4.0), (8.0, 22.0), (40.0, 50.0))) == (
        (0.0, 2.0),
        (4.0, 8.0),
        (22.0, 30.0),
    )
    assert without(spans, ((-5.0, 50.0),)) == ()
    assert without(spans, ((-5.0, 0.0), (10.0, 20.0), (30.0, 31.0))) == spans


@pytest.mark.parametrize(
    ("length", "every"), [(300.0, 3600.0), (7 * 3600.0, DAY), (600.0, 6 * 3600.0)]
)
@pytest.mark.parametrize("kind", ["daily", "bursts", "quiet"])
def test_each_excluded_span_takes_two_readings_that_are_off_by_little(
    kind: str, length: float, every: float
) -> None:
    """Of the bad events after a moment a reading may be wrong by 0.085%; a window takes two, and
    two more for each span that is left out."""
    rng, step, span = random.Random(kind), 120.0, 30 * DAY
    ledger, start = Ledger(span, step), T
    bads, ends = [0.0], [start]
    for k in range(int(1.3 * span / step)):
        wave = 0.1 + max(0.0, math.sin(2 * math.pi * k * step / DAY))
        mean = {"daily": 6 * wave, "bursts": 0.6 + 400 * (rng.random() < 0.02), "quiet": 0.12}[kind]
        bad = max(0.0, round(rng.gauss(mean, math.sqrt(mean))))
        ledger.add(ends[-1], ends[-1] + step, 1000.0, bad)
        bads.append(bads[-1] + bad)
        ends.append(ends[-1] + step)
    now = ends[-1]
    first = now - span

    def upto(when: float) -> float:
        k = min(int((when - start) / step), len(ends) - 2)
        return bads[k] + (bads[k + 1] - bads[k]) * (when - ends[k]) / step

    def after(*moments: float) -> float:
        return sum(bads[-1] - upto(when) for when in moments)

    exact = bads[-1] - upto(first)
    assert ledger.counts(first, now).bad == pytest.approx(exact, rel=0.00085)
    begins = [first + 1234.5 + k * every for k in range(int(span / every) - 1)]
    spans = tuple((begin, begin + length) for begin in begins)
    ledger.exclude(spans)
    for a, b in spans:
        exact -= upto(b) - upto(a)
    error = abs(ledger.counts(first, now).bad - exact)
    assert error <= 0.00085 * after(first, *(edge for s in spans for edge in s)) + 1e-6
    # They mostly cancel: what the docs say was measured of 744 spans is about the worst.
    assert error <= 0.006 * exact
