"""Numbers that no counter has never enter a ledger, whichever way they come."""

from __future__ import annotations

from math import inf, isfinite, nan
from typing import Any

import pytest

from exporter.core.amounts import LAST_TIME, MOST_EVENTS, MOST_VALUE, are_events, refusal
from exporter.core.query_sli import QuerySLI
from exporter.core.sample import NativeHistogram, Target
from exporter.core.selector import Query
from exporter.core.slo import CompositeSLI
from tests.core.builders import ERROR, OK, T, batch, counted, engine, feed, histogram, slo, status


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (0.0, ""), (5e-324, ""), (MOST_VALUE, ""), (1e308, "too_large"), (1e20, "too_large"),
        (inf, "not_a_number"), (-inf, "not_a_number"), (nan, "not_a_number"), (-1.0, "negative"),
    ],
)  # fmt: skip
def test_every_double_is_a_value_or_has_a_reason(value: float, reason: str) -> None:
    assert refusal(value) == reason


def test_events_are_finite_bounded_and_of_a_time() -> None:
    assert are_events(T, T + 1, 0.0, MOST_EVENTS)
    for row in (
        *((T, T, value, 1.0) for value in (-1.0, inf, nan, 1e30)),
        *((T, T, 1.0, value) for value in (-1.0, inf, nan, 1e30)),
        *((when, T, 1.0, 1.0) for when in (nan, inf, -inf, 2 * LAST_TIME)),
        *((T, when, 1.0, 1.0) for when in (nan, inf, -inf, 2 * LAST_TIME)),
    ):
        assert not are_events(*row)


@pytest.mark.parametrize("huge", [1e308, 1.7e308, 1e200, 1e20])
def test_a_counter_that_jumps_to_the_largest_numbers_counts_what_is_between(huge: float) -> None:
    of, refused = engine(), 0
    for i in range(60):
        value = huge if i % 2 else 10.0 * i
        taken = feed(of, T + 10 * i, {OK: value, ERROR: value})
        refused += taken.refused.get("too_large", 0)
        assert taken.readings["refused", "too_large"] == (3 if i % 2 else 0)
        of.tick(T + 10 * i)
    assert refused == 90
    assert counted(of) == (580, 580)
    assert status(of, T + 600).bad_total == 580


def test_a_histogram_whose_buckets_are_no_numbers_is_refused() -> None:
    of = engine(slo(sli=histogram()))
    for i, under in enumerate((1.0, 2.0, nan, inf, -5.0, 1e300, 3.0)):
        value = NativeHistogram(10.0 * i, ((0.25, 0.5, under),))
        taken = feed(of, T + 10 * i, {"latency": value})
        assert set(taken.refused) <= {"not_a_number", "negative", "too_large"}
        assert bool(taken.refused) == (2 <= i <= 5)
    good, bad = counted(of)
    assert (good, bad) == (2, 58)


def test_a_query_that_answers_more_than_can_happen_is_refused() -> None:
    of = engine(slo(sli=QuerySLI(bad=Query("b"), total=Query("t"))))
    answers = [1.0, 1e300, 1e20, 2.0]
    for i, value in enumerate(answers):
        taken = feed(of, T + 10 * i, {"b": 0.0, "t": value}, own_clock=False)
        assert taken.refused == ({"too_large": 1} if value > MOST_VALUE else {})
    assert all(map(isfinite, counted(of)))


def test_many_series_of_the_largest_value_are_refused_where_their_sum_is_too_large(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("exporter.core.amounts.MOST_EVENTS", 100.0)
    of = engine(slo(), slo("sum", CompositeSLI((("slo", 3.0),)), source=""))
    feed(of, T, {OK: 0.0, ERROR: 0.0})
    of.tick(T)
    taken = feed(of, T + 10, {OK: 101.0, ERROR: 0.0})
    of.tick(T + 10)
    assert taken.refused == {"too_large": 1}
    taken = feed(of, T + 20, {OK: 151.0, ERROR: 0.0})
    of.tick(T + 20)
    assert (taken.refused, counted(of), counted(of, "sum")) == ({}, (50, 0), (0, 0))


@pytest.mark.parametrize("time", [nan, inf, -inf, 1e300, -1e300])
def test_start_times_that_are_none_are_no_evidence_and_are_not_kept(time: float) -> None:
    of = engine()
    for i in range(3):
        page: dict[str, Any] = {OK: 10.0 * i, ERROR: float(i)}
        one = batch(of, T + 10 * i, {"a": page}, created=time)
        one.targets["a"] = Target(starts=[(T + 10 * i, time)], looks=[T + 10 * i, time])
        of.ingest(one)
        of.tick(T + 10 * i)
    assert counted(of) == (20, 2)
    state = of.dump("slo")["state"]
    assert f"{time!r}" not in repr(state)
    assert engine().restore("slo", of.dump("slo"), []) is None
