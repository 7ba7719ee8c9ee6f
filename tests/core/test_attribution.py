"""What a budget was spent by: the parts sum up to what was spent, whatever the causes are."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.attribution import EXCLUSION, INCIDENT, Attribution, Cause, attribute
from exporter.core.exclusion import merged
from exporter.core.ledger import Ledger
from tests.core.builders import T
from tests.support import instructions

HOUR = 3600.0
END = T + 24 * HOUR


def ledger(rows: Sequence[tuple[float, float]] = ((90, 10),) * 24) -> Ledger:
    """Good and bad events of each hour since `T`."""
    made = Ledger(90 * 24 * HOUR, 10.0)
    for k, (good, bad) in enumerate(rows):
        made.add(T + k * HOUR, T + (k + 1) * HOUR, good, bad)
    return made


def cause(kind: str, start: float, end: float) -> Cause:
    """Hours since `T`."""
    return Cause(kind, f"{kind} {start}", T + start * HOUR, T + end * HOUR)


def by_name(found: Attribution) -> dict[str, float]:
    return {part.cause.name if part.cause else "": round(part.bad, 6) for part in found.parts}


def test_each_moment_belongs_to_one_cause_and_the_rest_is_background() -> None:
    causes = [cause("deploy", 2, 6), cause("config_change", 5, 8), cause(INCIDENT, 4, 7)]
    found = attribute(ledger(), T, END, 0.9, causes)
    assert by_name(found) == {"deploy 2": 20, "config_change 5": 10, "incident 4": 30, "": 180}
    assert found.spent == pytest.approx(1.0)
    assert [round(part.seconds / HOUR) for part in found.parts] == [2, 1, 3, 18]
    assert sum(part.share for part in found.parts) == pytest.approx(found.spent, abs=1e-12)


def test_of_two_of_a_kind_it_is_the_one_that_began_last_and_then_the_first_named() -> None:
    same = Cause("deploy", "same", T + 3 * HOUR, T + 5 * HOUR)
    found = attribute(ledger(), T, END, 0.9, [cause("deploy", 2, 9), cause("deploy", 3, 5), same])
    assert by_name(found) == {"deploy 2": 50, "deploy 3": 20, "same": 0, "": 170}


def test_what_is_excluded_is_told_apart_with_what_it_would_have_cost() -> None:
    of = ledger()
    span = (T + 4 * HOUR, T + 6 * HOUR)
    of.exclude((span,))
    found = attribute(of, T, END, 0.9, [cause(INCIDENT, 3, 8), cause(EXCLUSION, 4, 6)])
    incident, excluded, background = found.parts
    assert (round(incident.bad), round(excluded.bad), round(background.bad)) == (30, 0, 190)
    assert (round(excluded.excluded_bad), round(excluded.excluded_total)) == (20, 200)
    assert excluded.excluded_share == pytest.approx(20 / found.budget)
    assert incident.excluded_bad == pytest.approx(0)
    assert found.bad == pytest.approx(220)


@pytest.mark.parametrize("at", [300, 2000, 4075, 5800, 7900])
def test_nothing_has_more_errors_than_events_however_long_ago_it_was(at: int) -> None:
    made = Ledger(30 * 24 * HOUR, 300.0)
    days = 30
    for k in range(days * 288):
        events = 1000 + round(800 * math.sin(k / 288 * math.tau)) + k * 7919 % 101
        bad = events if k in (at, at + 1) else 0
        made.add(T + 300 * k, T + 300 * (k + 1), events - bad, bad)
    outage = Cause("incident", "all failed", T + 300 * at, T + 300 * (at + 2))
    found = attribute(made, T, T + days * 24 * HOUR, 0.99, [outage])
    first, rest = found.parts
    assert first.bad == pytest.approx(found.bad)
    assert first.total >= first.bad and rest.total >= rest.bad
    assert first.total + rest.total == pytest.approx(found.total)
    assert first.excluded_total == pytest.approx(0.0, abs=1e-6)


def test_causes_are_cut_to_the_time_asked_for() -> None:
    found = attribute(ledger(), T + 2 * HOUR, T + 4 * HOUR, 0.9, [cause("deploy", -5, 3)])
    assert by_name(found) == {"deploy -5": 10, "": 10}
    outside = attribute(ledger(), T, T + HOUR, 0.9, [cause("deploy", 5, 6), cause("deploy", 3, 2)])
    assert [part.seconds for part in outside.parts] == [0, 0, HOUR]


@pytest.mark.parametrize(("start", "end"), [(T - 9, T - 5), (T, T), (T + 9, T)])
def test_where_there_are_no_events_nothing_is_spent(start: float, end: float) -> None:
    found = attribute(ledger(), start, end, 0.9, [cause("deploy", 0, 1)])
    assert (found.spent, found.bad, found.budget) == (0, 0, 0)
    assert [part.share for part in found.parts] == [0, 0]


_when = st.floats(-3, 30, allow_nan=False)
_causes = st.builds(
    cause, st.sampled_from([EXCLUSION, INCIDENT, "deploy", "feature_flag"]), _when, _when
)
_hours = st.tuples(st.integers(0, 10**7), st.integers(0, 10**5))


@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(_hours, min_size=1, max_size=24),
    causes=st.lists(_causes, max_size=12),
    others=st.lists(st.tuples(_when, _when), max_size=3),
    edges=st.tuples(_when, _when),
    objective=st.sampled_from([0.5, 0.9, 0.999, 0.99999]),
)
def test_what_was_spent_is_the_sum_over_causes_and_background(
    rows: list[tuple[int, int]],
    causes: list[Cause],
    others: list[tuple[float, float]],
    edges: tuple[float, float],
    objective: float,
) -> None:
    of = ledger(rows)
    # Also time that is excluded without a cause that says so, and the other way round.
    spans = [(c.start, c.end) for c in causes[1:] if c.kind == EXCLUSION]
    of.exclude(merged(spans + [(T + a * HOUR, T + b * HOUR) for a, b in others]))
    start, end = (T + edge * HOUR for edge in sorted(edges))
    found = attribute(of, start, end, objective, causes)
    counts, every = of.counts(start, end), of.unadjusted(start, end)
    budget = (1 - objective) * counts.total
    spent = counts.bad / budget if budget > 0 else 0.0

    def close(sum_: float, whole: float) -> bool:
        return math.isclose(sum_, whole, rel_tol=1e-9, abs_tol=1e-9)

    assert close(sum(p.share for p in found.parts), spent) or found.budget < 1e-9
    assert close(sum(p.bad for p in found.parts), counts.bad)
    assert close(sum(p.total for p in found.parts), counts.total)
    assert close(sum(p.bad + p.excluded_bad for p in found.parts), every.bad)
    assert close(sum(p.total + p.excluded_total for p in found.parts), every.total)
    assert close(sum(p.seconds for p in found.parts), end - start)


@pytest.mark.parametrize("lasting", [True, False])
def test_work_grows_with_the_number_of_causes_and_not_with_its_square(lasting: bool) -> None:
    def causes(many: int) -> list[Cause]:
        end = 25.0 if lasting else 0.001
        starts = [24 * k / many for k in range(many)]
        return [cause("deploy", start, start + end) for start in starts]

    of = ledger()
    few, many = causes(300), causes(600)
    once = instructions(lambda: attribute(of, T, END, 0.9, few))
    twice = instructions(lambda: attribute(of, T, END, 0.9, many))
    assert twice < 2.4 * once
