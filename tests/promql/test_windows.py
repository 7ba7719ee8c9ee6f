"""Which samples a query looks at: lookback, ranges, `offset`, `@` and subqueries.

A sample every minute, whose value is the minute: what comes out says which were seen.
"""

from __future__ import annotations

from typing import Any

import pytest

from exporter.promql.query import Query
from tests.promql.kit import Store, load

MINUTES = load("minute " + " ".join(str(k) for k in range(61)))
GAP = load("a 1 2 _ _ _ _ _ _ _ 9")


def only(store: Store, text: str, *span: float) -> Any:
    """The values of the only series; none without one."""
    said = store.said(text, *span)
    assert len(said) <= 1
    return [*said[0][1].values()] if said else []


@pytest.mark.parametrize(
    ("at", "value"), [(59, [1]), (60, [2]), (119, [2]), (359.999, [2]), (360, []), (540, [9])]
)
def test_a_sample_is_looked_back_at_for_less_than_five_minutes(
    at: float, value: list[float]
) -> None:
    assert only(GAP, "a", at) == value


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        # The left edge of a range is open, the right one is closed.
        ("minute[3m]", [8, 9, 10]),
        ("minute[181s]", [7, 8, 9, 10]),
        ("minute[1m]", [10]),
        ("minute[59s]", [10]),
        ("minute[3m] offset 2m", [6, 7, 8]),
        ("minute[3m] offset -2m", [10, 11, 12]),
        ("minute[3m] offset 30s", [7, 8, 9]),
        ("minute[2m] @ 1200", [19, 20]),
        ("minute[2m] @ 1200 offset 5m", [14, 15]),
        ("minute[2m] offset 5m @ 1200", [14, 15]),
        ("minute[2m] @ start()", [9, 10]),
        # A subquery's steps are multiples of its step, wherever it is asked from.
        ("minute[6m:2m]", [6, 8, 10]),
        ("minute[6m:4m]", [8]),
        ("minute[6m:]", [5, 6, 7, 8, 9, 10]),
        ("minute[7m:90s] offset 1m", [3, 4, 6, 7, 9]),
        ("(minute > 8)[5m:1m]", [9, 10]),
        ("minute[4m:2m] @ 1230", [18, 20]),
        ("(minute @ 120)[2m:1m]", [2, 2]),
        ("(minute offset 3m)[2m:1m]", [6, 7]),
        ("max_over_time(minute[2m:1m])[3m:1m]", [8, 9, 10]),
        ("minute[100d]", [*range(11)]),
    ],
)
def test_a_window_holds(query: str, seen: list[float]) -> None:
    assert only(MINUTES, query, 600) == seen


def test_the_default_step_of_a_subquery_can_be_chosen() -> None:
    query = Query("minute[6m:]", 600, 600, grain=180)
    assert [need.moments for need in query.needs] == [[360.0, 540.0]]


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("minute", [10, 11, 12]),
        ("minute offset 5m", [5, 6, 7]),
        ("minute @ end()", [12, 12, 12]),
        ("minute @ start()", [10, 10, 10]),
        ("minute @ end() - minute", [2, 1, 0]),
        ("sum_over_time(minute[2m] @ end())", [23, 23, 23]),
        ("sum_over_time(minute[2m:1m] @ start())", [19, 19, 19]),
        ("max_over_time((minute @ end())[1m:1m])", [12, 12, 12]),
        ("max_over_time((time() + 0 * minute)[1m:1m])", [600, 660, 720]),
        ("timestamp(minute offset 5m)", [300, 360, 420]),
        ("timestamp(minute @ 300)", [300, 300, 300]),
        ("timestamp(minute + 0)", [600, 660, 720]),
        ("predict_linear(minute[5m], 60)", [11, 12, 13]),
        ("predict_linear(minute[5m] offset 5m, 60)", [11, 12, 13]),
        ("1", [1, 1, 1]),
        ("time()", [600, 660, 720]),
        ("pi() > bool 3", [1, 1, 1]),
        ("minute()", [10, 11, 12]),
        ("vector(7)", [7, 7, 7]),
        ("absent(nothing)", [1, 1, 1]),
        ("nothing", []),
    ],
)
def test_many_moments_at_once(query: str, values: list[float]) -> None:
    assert only(MINUTES, query, 600, 720, 60) == values


def test_the_last_moment_is_the_end_or_just_before_it() -> None:
    assert [*MINUTES.said("minute", 600, 719, 60)[0][1]] == [600, 660]


def test_samples_keep_their_own_times() -> None:
    assert [*MINUTES.said("minute[2m]", 610)[0][1]] == [540, 600]


def test_a_query_says_what_it_needs_before_anything_is_read() -> None:
    query = Query("rate(a[5m] offset 1m) / on() b @ 40 + sum_over_time(c[2m:1m])", 600, 660, 60)
    assert [(str(*need.matchers), [*need.moments], need.range) for need in query.needs] == [
        ('__name__="a"', [540.0, 600.0], 300.0),
        ('__name__="b"', [40.0], 0.0),
        ('__name__="c"', [540.0, 600.0, 660.0], 0.0),
    ]
