"""How the series of two vectors find each other, and when they must not."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.promql.errors import Failed
from tests.promql.kit import key, labels, load

DUPLICATE = (
    'found duplicate series for the match group {{slo="a"}} on the {side} hand-side of the '
    'operation: [{{__name__="errors", code="404", slo="a"}}, {{__name__="errors", code="500", '
    'slo="a"}}];many-to-many matching not allowed: matching labels must be unique on one side'
)
MANY = "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
GROUPED = "multiple matches for labels: grouping labels must ensure unique matches"
SAME = "vector cannot contain metrics with the same labelset"
STORE = load("""
    errors{slo="a",code="500"} 24
    errors{slo="a",code="404"} 30
    errors{slo="b",code="500"} 3
    errors{slo="b",code="404"} 21
    all{slo="a"} 600
    all{slo="b"} 120
    target{slo="a",team="red"} 0.99
    target{slo="b",team=""} 0.9
    old{slo="a"} 1
    old{slo="c"} 0
""")


def table(text: str, at: float = 0.0) -> dict[Any, float]:
    """The answer by labels."""
    return {own: value for own, samples in STORE.said(text, at) for value in samples.values()}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (
            'errors{code="500"} / ignoring(code) all',
            {'{slo="a"}': 0.04, '{slo="b"}': 0.025},
        ),
        (
            'errors{code="500"} / on(slo) all',
            {'{slo="a"}': 0.04, '{slo="b"}': 0.025},
        ),
        (
            "errors / ignoring(code) group_left all",
            {
                '{slo="a",code="500"}': 0.04,
                '{slo="a",code="404"}': 0.05,
                '{slo="b",code="500"}': 0.025,
                '{slo="b",code="404"}': 0.175,
            },
        ),
        (
            "all - on(slo) group_left(team) target",
            {'{slo="a",team="red"}': 599.01, '{slo="b"}': 119.1},
        ),
        (
            'target * on(slo) group_right(team) errors{code="404"}',
            {'{slo="a",code="404",team="red"}': 29.7, '{slo="b",code="404"}': 18.9},
        ),
        # The metric's name stays where a comparison only chooses.
        ("all > on(slo) old", {'{slo="a"}': 600}),
        ("all > ignoring() old", {'all{slo="a"}': 600}),
        ("all > bool ignoring() old", {'{slo="a"}': 1}),
        ("all > 200", {'all{slo="a"}': 600}),
        ("200 < all", {'all{slo="a"}': 600}),
        ("200 < bool all", {'{slo="a"}': 1, '{slo="b"}': 0}),
        ("-all", {'{slo="a"}': -600, '{slo="b"}': -120}),
        ("all and old", {'all{slo="a"}': 600}),
        ("all unless old", {'all{slo="b"}': 120}),
        ("all or old", {'all{slo="a"}': 600, 'all{slo="b"}': 120, 'old{slo="c"}': 0}),
        ("old or on() all", {'old{slo="a"}': 1, 'old{slo="c"}': 0}),
        ("all and on(slo) errors", {'all{slo="a"}': 600, 'all{slo="b"}': 120}),
        ("nothing or vector(0)", {"": 0}),
        ("nothing + all", {}),
        ("all + nothing", {}),
        # Two on the left have a partner, but what a comparison leaves out does not count.
        ('{__name__=~"all|old",slo="a"} == on(slo) target * 0 + 600', {'{slo="a"}': 600}),
    ],
)
def test_vectors_match(query: str, found: dict[str, float]) -> None:
    assert table(query) == pytest.approx({key(labels(k)): v for k, v in found.items()})


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("errors / on(slo) all", MANY),
        ("all / on(slo) errors", DUPLICATE.format(side="right")),
        ("errors / on(slo) group_right all", DUPLICATE.format(side="left")),
        ("errors * ignoring(code) group_left(code) all", GROUPED),
        ('-{__name__=~"all|old"}', SAME),
        ('label_replace(errors, "code", "", "slo", ".*")', SAME),
    ],
)
def test_what_cannot_be_matched_is_said_as_prometheus_says_it(query: str, why: str) -> None:
    with pytest.raises(Failed) as failed:
        table(query)
    assert str(failed.value) == why


def test_series_that_follow_each_other_are_one_once_their_difference_is_gone() -> None:
    store = load("""
        a{pod="1"} 1 1 _ _
        a{pod="2"} _ _ _ _ _ _ _ 2 2
    """)
    query = 'label_replace(a, "pod", "", "pod", ".*")'
    assert store.said(query, 60, 480, 420) == [((("__name__", "a"),), {60: 1, 480: 2})]
    with pytest.raises(Failed):
        load("""
            a{pod="1"} 1
            a{pod="2"} 2
        """).said(query, 0)
