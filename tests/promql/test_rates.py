"""Rates: how a counter's change between samples becomes that of a whole window."""

from __future__ import annotations

import math

import pytest

from tests.promql.kit import load
from tests.promql.test_windows import only


@pytest.mark.parametrize(
    ("values", "query", "found"),
    [
        # Samples at 60, 120, ... 300 s, the window (0 s, 300 s]: 40 in 240 s; before the first one
        # there is a whole distance of 60 s, which is near enough to go on through.
        ("900 100 110 120 130 140", "increase(a[5m])", [50]),
        ("900 100 110 120 130 140", "rate(a[5m])", [50 / 300]),
        ("900 100 110 120 130 140", "delta(a[5m])", [50]),
        # Born at 180 s: half a distance is added in front, not all that is missing.
        ("_ _ _ 100 110 120", "increase(a[5m])", [25]),
        # A counter is not thought to have been negative: 5 was 0 half a distance ago.
        ("_ 5 15 25 35 45", "increase(a[5m])", [45]),
        ("_ 5 15 25 35 45", "delta(a[5m])", [50]),
        ("_ _ _ 0 10 20", "increase(a[5m])", [20]),
        # Ended at 180 s: half a distance is added after it.
        ("_ 100 110 120", "increase(a[5m])", [35]),
        # A reset: what was there before counts, and what came after.
        ("_ 100 110 5 15 25", "increase(a[5m])", [(10 + 5 + 10 + 10) * 300 / 240]),
        ("_ 100 110 5 15 25", "delta(a[5m])", [-75 * 300 / 240]),
        ("_ 100 110 5 15 25", "resets(a[5m])", [1]),
        ("_ 100 110 110 15 25", "changes(a[5m])", [3]),
        # What was lost before the window does not matter, be it without end.
        ("inf 100 110 120 130 140", "increase(a[5m])", [50]),
        ("1e300 100 110 120 130 140", "increase(a[5m])", [50]),
        ("_ 100 inf 120 130 140", "increase(a[5m])", [math.inf]),
        # The last two samples alone.
        ("_ 100 110 120 130 190", "irate(a[5m])", [1]),
        ("_ 100 110 120 130 30", "irate(a[5m])", [0.5]),
        ("_ 100 110 120 130 30", "idelta(a[5m])", [-100]),
        # One sample is no change.
        ("_ _ _ _ _ 7", "rate(a[5m])", []),
        ("_ _ _ _ _ 7", "irate(a[5m])", []),
        ("_ _ _ _ _ 7", "deriv(a[5m])", []),
        ("_ _ _ _ _ 7", "changes(a[5m])", [0]),
        ("1 2", "rate(a[1m])", []),
        ("0 6 12 18 24 30", "deriv(a[5m])", [0.1]),
        ("_ 7 7 7 7 7", "deriv(a[5m])", [0]),
        ("_ 7 7 7 7 7", "predict_linear(a[5m], 60)", [7]),
    ],
)
def test_a_counter_changed_by(values: str, query: str, found: list[float]) -> None:
    assert only(load(f"a {values}"), query, 300) == pytest.approx(found, rel=1e-12)


@pytest.mark.parametrize("values", ["_ 1 2 3 4 nan", "_ nan 2 3 4 5", "_ inf 2 3 4 inf"])
def test_what_is_no_number_makes_the_rate_none(values: str) -> None:
    (found,) = only(load(f"a {values}"), "rate(a[5m])", 300)
    assert math.isnan(found)
