"""What must be the same however it is asked, for every query of the list."""

from __future__ import annotations

import math
from typing import Any

import pytest

from exporter.promql.parse import format_query
from tests.promql.kit import Store
from tests.real.promql_queries import INSTANT, RANGE
from tests.real.promql_random import Maker
from tests.real.promql_series import START, made
from tests.real.test_promql import difference, refusal

STORE = Store(made())
MOMENTS = [START + 5 + 600 * k for k in range(13)]
SPAN = MOMENTS[0], MOMENTS[-1], 600.0


@pytest.mark.parametrize(
    "query", [text for text in RANGE if "@" not in text and not text.startswith("sort")]
)
def test_many_moments_at_once_are_each_by_itself(query: str) -> None:
    many = STORE.said(query, *SPAN)
    each: dict[Any, dict[float, float]] = {}
    for at in MOMENTS:
        said = STORE.said(query, at)
        for own, samples in [((), {at: said})] if isinstance(said, float) else said:
            each.setdefault(own, {}).update(samples)
    assert difference(many, [*each.items()]) is None


@pytest.mark.parametrize("query", INSTANT)
def test_a_query_laid_out_is_still_the_same(query: str) -> None:
    said, again = (STORE.said(text, MOMENTS[7]) for text in (query, format_query(query)))
    assert difference(said, again) is None


def test_a_query_made_at_random_is_answered_or_refused_and_nothing_else() -> None:
    refused = sum(bool(refusal(STORE, Maker(seed).query(), *SPAN)) for seed in range(300))
    assert 0 < refused < 100


def test_shares_of_the_whole_add_up() -> None:
    (whole,) = STORE.said("sum(increase(slo_events_total[1h]))", MOMENTS[10])
    parts = STORE.said("sum by (slo, result) (increase(slo_events_total[1h]))", MOMENTS[10])
    assert math.isclose(whole[1][MOMENTS[10]], sum(v for _, s in parts for v in s.values()))
