"""Functions and aggregations: a value in, a value out, the odd ones above all."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tests.promql.kit import Store, key, labels, load

INF, NAN = math.inf, math.nan
NOTHING = load("")


def value(text: str, store: Store = NOTHING, at: float = 0.0) -> Any:
    """Of a scalar, or of a vector with one series; None of an empty one."""
    said = store.said(text, at)
    if not isinstance(said, list):
        return said
    return next((v for _, samples in said for v in samples.values()), None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("2 ^ 3 ^ 2", 512),
        ("-2 ^ 2", -4),
        ("2 ^ -1", 0.5),
        ("0 ^ -1", INF),
        ("(-0) ^ -1", -INF),
        ("(-0) ^ -2", INF),
        ("(-8) ^ (1 / 3)", NAN),
        ("10 ^ 400", INF),
        ("(-10) ^ 401", -INF),
        ("(-10) ^ 400", INF),
        ("7 % 3", 1),
        ("-7 % 3", -1),
        ("7 % -3", 1),
        ("5.5 % 2", 1.5),
        ("1 % 0", NAN),
        ("Inf % 2", NAN),
        ("2 % Inf", 2),
        ("1 / 0", INF),
        ("-1 / 0", -INF),
        ("1 / -0", -INF),
        ("0 / 0", NAN),
        ("NaN / 0", NAN),
        ("1e308 * 10", INF),
        ("1 atan2 0", math.pi / 2),
        ("NaN == bool NaN", 0),
        ("NaN != bool NaN", 1),
        ("1 + 2 * 3", 7),
        ("0x1F", 31),
        ("1e3", 1000),
        ("pi()", math.pi),
        ("time()", 0),
        ('"a \\"b\\""', 'a "b"'),
    ],
)
def test_arithmetic_is_that_of_ieee_754(query: str, found: float | str) -> None:
    assert value(query) == pytest.approx(found, nan_ok=True)


@pytest.mark.parametrize(
    ("call", "given", "found"),
    [
        ("abs(V)", "-3", 3),
        ("ceil(V)", "-1.5", -1),
        ("floor(V)", "-1.5", -2),
        ("ceil(V)", "Inf", INF),
        ("floor(V)", "NaN", NAN),
        ("exp(V)", "1000", INF),
        ("exp(V)", "-1000", 0),
        ("sqrt(V)", "-1", NAN),
        ("ln(V)", "0", -INF),
        ("ln(V)", "-1", NAN),
        ("ln(V)", "Inf", INF),
        ("log2(V)", "8", 3),
        ("log10(V)", "1000", 3),
        ("log10(V)", "0", -INF),
        ("sgn(V)", "-2.5", -1),
        ("sgn(V)", "0", 0),
        ("sgn(V)", "NaN", NAN),
        ("round(V)", "2.5", 3),
        ("round(V)", "-2.5", -2),
        ("round(V, 0.1)", "0.25", 0.3),
        ("round(V, 5)", "12.4", 10),
        ("round(V, 5)", "Inf", INF),
        ("round(V, 0)", "3", NAN),
        ("round(V, NaN)", "3", NAN),
        ("round(V, Inf)", "3", NAN),
        ("sin(V)", "Inf", NAN),
        ("asin(V)", "2", NAN),
        ("acos(V)", "1", 0),
        ("atanh(V)", "1", INF),
        ("atanh(V)", "-1", -INF),
        ("atanh(V)", "2", NAN),
        ("acosh(V)", "0.5", NAN),
        ("sinh(V)", "-1000", -INF),
        ("cosh(V)", "-1000", INF),
        ("tanh(V)", "Inf", 1),
        ("deg(V)", "pi()", 180),
        ("rad(V)", "180", math.pi),
        ("clamp(V, 1, 2)", "3", 2),
        ("clamp(V, 1, 2)", "0", 1),
        ("clamp(V, 2, 1)", "0", None),
        ("clamp(V, 1, NaN)", "0", NAN),
        ("clamp_min(V, NaN)", "Inf", INF),
        ("clamp_min(V, NaN)", "3", NAN),
        ("clamp_max(V, 2)", "3", 2),
        ("clamp_max(V, NaN)", "-Inf", -INF),
        ("scalar(V)", "3", 3),
        ("scalar(V > 3)", "3", NAN),
        # 2000-02-29 23:59:59, a Tuesday.
        ("minute(V)", "951868799", 59),
        ("hour(V)", "951868799", 23),
        ("day_of_week(V)", "951868799", 2),
        ("day_of_month(V)", "951868799", 29),
        ("day_of_year(V)", "951868799", 60),
        ("days_in_month(V)", "951868799", 29),
        ("month(V)", "951868799", 2),
        ("year(V)", "951868799", 2000),
        ("day_of_week(V)", "951609600", 0),
        ("year(V)", "-1", 1969),
        ("year(V)", "-0.5", 1970),
        ("year(V)", "NaN", NAN),
        ("year(V)", "Inf", NAN),
    ],
)
def test_a_function_of_a_value(call: str, given: str, found: float | None) -> None:
    said = value(call.replace("V", f"vector({given})"))
    assert said == (found if found is None else pytest.approx(found, nan_ok=True))


WINDOW = load("a 1 4 2 2 9", every=10)
ODD = load("a NaN 4 Inf 2", every=10)


@pytest.mark.parametrize(
    ("call", "store", "found"),
    [
        ("avg_over_time", WINDOW, 3.6),
        ("sum_over_time", WINDOW, 18),
        ("min_over_time", WINDOW, 1),
        ("max_over_time", WINDOW, 9),
        ("count_over_time", WINDOW, 5),
        ("last_over_time", WINDOW, 9),
        ("present_over_time", WINDOW, 1),
        ("stdvar_over_time", WINDOW, 8.24),
        ("stddev_over_time", WINDOW, math.sqrt(8.24)),
        ("changes", WINDOW, 3),
        ("resets", WINDOW, 1),
        ("absent_over_time", WINDOW, None),
        ("avg_over_time", ODD, NAN),
        ("sum_over_time", ODD, NAN),
        ("min_over_time", ODD, 2),
        ("max_over_time", ODD, INF),
        ("count_over_time", ODD, 4),
        ("stddev_over_time", ODD, NAN),
        ("changes", ODD, 3),
        ("sum_over_time", load("a Inf 1 2"), INF),
        ("avg_over_time", load("a -Inf 1 2"), -INF),
        ("avg_over_time", load("a Inf -Inf"), NAN),
        ("max_over_time", load("a NaN NaN"), NAN),
        ("changes", load("a NaN NaN 1 1"), 1),
        # Nothing is lost to rounding, and what never changes has no variance at all.
        ("sum_over_time", load("a 1e100 1 -1e100"), 1),
        ("avg_over_time", load("a 1e308 1e308"), 1e308),
        ("stdvar_over_time", load("a " + "0.1 " * 5), 0),
        ("stdvar_over_time", load("a 1e9 1000000001 1000000002"), 2 / 3),
    ],
)
def test_a_function_of_a_window(call: str, store: Store, found: float | None) -> None:
    said = value(f"{call}(a[1h])", store, 300)
    assert said == (found if found is None else pytest.approx(found, nan_ok=True, abs=0))


@pytest.mark.parametrize(
    ("share", "found"),
    [
        *[("0", 1), ("0.5", 2), ("0.75", 4), ("0.9", 7), ("1", 9)],
        *[("-0.1", -INF), ("1.1", INF), ("NaN", NAN)],
    ],
)
def test_a_quantile_lies_between_two_values(share: str, found: float) -> None:
    said = value(f"quantile_over_time({share}, a[1h])", WINDOW, 60)
    assert said == pytest.approx(found, nan_ok=True)


SLOS = load("""
    burn{slo="a",window="5m"} 4
    burn{slo="a",window="1h"} 2
    burn{slo="b",window="5m"} NaN
    burn{slo="b",window="1h"} 1
    burn{slo="c",window="1h",team=""} 1
""")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sum(burn{window='1h'})", {"": 4}),
        ("sum by (slo) (burn)", {'{slo="a"}': 6, '{slo="b"}': NAN, '{slo="c"}': 1}),
        ("avg without (slo) (burn > 0)", {'{window="5m"}': 4, '{window="1h"}': 4 / 3}),
        ("min by (window) (burn)", {'{window="5m"}': 4, '{window="1h"}': 1}),
        ("max by (window) (burn)", {'{window="5m"}': 4, '{window="1h"}': 2}),
        ("max(burn{slo='b',window='5m'})", {"": NAN}),
        ("count by (nothing) (burn)", {"": 5}),
        ("group by (window) (burn)", {'{window="5m"}': 1, '{window="1h"}': 1}),
        ("stdvar(burn{slo='a'})", {"": 1}),
        ("quantile(0.5, burn{window='1h'})", {"": 1}),
        ("topk(2, burn)", {'burn{slo="a",window="5m"}': 4, 'burn{slo="a",window="1h"}': 2}),
        ("bottomk(1, burn > 1)", {'burn{slo="a",window="1h"}': 2}),
        (
            "topk by (window) (1, burn)",
            {'burn{slo="a",window="5m"}': 4, 'burn{slo="a",window="1h"}': 2},
        ),
        # What is no number is the last that is chosen.
        ("topk(1, burn{slo='b'})", {'burn{slo="b",window="1h"}': 1}),
        ("bottomk(1, burn{slo='b'})", {'burn{slo="b",window="1h"}': 1}),
        ("topk(0.9, burn)", {}),
        ("topk(-1, burn)", {}),
        (
            "count_values('is', burn)",
            {'{is="4"}': 1, '{is="2"}': 1, '{is="NaN"}': 1, '{is="1"}': 2},
        ),
        ("count_values by (slo) ('slo', burn{slo='c'})", {'{slo="1"}': 1}),
        ("count_values('is', burn{slo='c'} / 3e10)", {'{is="0.000000000033333333333333335"}': 1}),
        ("sum(nothing)", {}),
        ("count(nothing)", {}),
        ("absent(burn)", {}),
        ('absent(burn{slo="z",window=~".*",team="a",team="b"})', {'{slo="z"}': 1}),
        ('absent(burn{team=~"z",slo="z"})', {'{slo="z"}': 1}),
        ('absent(burn{slo="z",slo!="y"})', {"": 1}),
        ('absent(nothing{slo=""})', {"": 1}),
        ('absent({__name__="nothing",slo="z"})', {'{slo="z"}': 1}),
        ('absent(sum(burn{slo="z"}))', {"": 1}),
        (
            'label_replace(burn{slo="c"}, "to", "<$1>", "window", "(.)h")',
            _ := {'burn{slo="c",window="1h",to="<1>"}': 1},
        ),
        ('label_replace(burn{slo="c"}, "to", "<${n}>", "window", "(?P<n>.)h")', _),
        ('label_replace(burn{slo="c"}, "to", "<1>$9", "team", "")', _),
        # As in Go: no digit but 0 to 9, and no group's number begins with 0.
        ('label_replace(burn{slo="c"}, "to", "<$1>$01", "window", "(.)h")', _),
        (
            'label_replace(burn{slo="c"}, "to", "$²", "window", "(.)h")',
            {'burn{slo="c",window="1h",to="$²"}': 1},
        ),
        (
            'label_replace(burn{slo="c"}, "to", "x", "window", "h")',
            {'burn{slo="c",window="1h"}': 1},
        ),
        ('label_replace(burn{slo="c"}, "window", "$3", "slo", ".*")', {'burn{slo="c"}': 1}),
        (
            'label_join(burn{slo="c"}, "to", "/", "slo", "team", "window")',
            {'burn{slo="c",window="1h",to="c//1h"}': 1},
        ),
        ('label_join(burn{slo="c"}, "window", "/")', {'burn{slo="c"}': 1}),
        ('sum by (slo) (burn{slo="c"}) + 1', {'{slo="c"}': 2}),
    ],
)
def test_series_become(query: str, found: dict[str, float]) -> None:
    said = {own: v for own, samples in SLOS.said(query, 0) for v in samples.values()}
    expected = {key({k: v for k, v in labels(own).items() if v}): v for own, v in found.items()}
    # A label that is empty is none.
    said = {tuple((k, v) for k, v in own if v): value for own, value in said.items()}
    assert said == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("sort(burn{slo!='c'})", [1, 2, 4, NAN]),
        ("sort_desc(burn{slo!='c'})", [4, 2, 1, NAN]),
        ("topk(3, burn{slo!='c'})", [4, 2, 1]),
        ("bottomk(3, burn{slo!='c'})", [1, 2, 4]),
    ],
)
def test_an_order_is_kept(query: str, found: list[float]) -> None:
    said = [v for _, samples in SLOS.said(query, 0) for v in samples.values()]
    assert said == pytest.approx(found, nan_ok=True)


def test_the_best_are_chosen_anew_at_each_moment() -> None:
    store = load("""
        a{x="1"} 3 1
        a{x="2"} 2 2
    """)
    said = dict(store.said("topk(1, a)", 0, 60, 60))
    assert said == {key(labels('a{x="1"}')): {0: 3}, key(labels('a{x="2"}')): {60: 2}}


BUCKETS = load("""
    took_bucket{slo="a",le="0.1"} 10
    took_bucket{slo="a",le="0.5"} 30
    took_bucket{slo="a",le="1e0"} 30
    took_bucket{slo="a",le="+Inf"} 40
    took_bucket{slo="b",le="-1"} 5
    took_bucket{slo="b",le="1"} 10
    took_bucket{slo="b",le="+Inf"} 10
    took_bucket{slo="c",le="1"} 10
    took_bucket{slo="d",le="+Inf"} 10
    took_bucket{slo="e",le="1"} 0
    took_bucket{slo="e",le="+Inf"} 0
    took_bucket{slo="g",le="1"} 0
    took_bucket{slo="g",le="2"} 5
    took_bucket{slo="g",le="+Inf"} 5
    took_bucket{slo="f",le="x"} 1
    took_bucket{slo="f"} 1
""")


@pytest.mark.parametrize(
    ("share", "slo", "found"),
    [
        ("0.1", "a", 0.04),
        ("0.5", "a", 0.3),
        ("0.75", "a", 0.5),
        # Beyond the last bound that is a number.
        ("0.9", "a", 1),
        ("1", "a", 1),
        ("0", "a", 0),
        ("1.1", "a", INF),
        ("-0.1", "a", -INF),
        ("NaN", "a", NAN),
        # A lowest bucket that ends below 0 has no other edge.
        ("0.1", "b", -1),
        ("0.75", "b", 0),
        ("0.5", "c", NAN),
        ("0.5", "d", NAN),
        ("0.5", "e", NAN),
        ("0.5", "f", None),
        ("0.5", "g", 1.5),
        ("0", "g", NAN),
    ],
)
def test_a_quantile_of_a_histogram(share: str, slo: str, found: float | None) -> None:
    said = value(f'histogram_quantile({share}, took_bucket{{slo="{slo}"}})', BUCKETS)
    assert said == (found if found is None else pytest.approx(found, nan_ok=True))
