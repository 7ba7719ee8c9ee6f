"""Metrics of another kind than they are taken for: what is said of them."""

from __future__ import annotations

import pytest

from exporter.core.numerals import number_text
from exporter.core.sample import NativeHistogram, Value
from exporter.core.selector import parse_selector
from exporter.core.slo import SLI, CounterSLI, GaugeSLI
from exporter.core.wrong_kind import (
    Shape,
    ratio_over_one,
    shape_of,
    type_of,
    wrong_histogram,
    wrong_kind,
)
from tests.core.builders import T, batch, engine, feed, histogram, slo

URL = "http://app:8080/metrics"
LATENCY = histogram()
NATIVE = NativeHistogram(3.0, ((0.0, 1.0, 3.0),))


def shape(page: dict[str, Value], target: str | None = None) -> Shape:
    of = engine(slo(sli=LATENCY))
    return shape_of(LATENCY, batch(of, T, {"p": page}).readings, target)


def said(page: dict[str, Value], kind: str = "") -> str | None:
    types = {"latency": kind} if kind else {}
    return wrong_histogram(LATENCY, types, shape(page), URL)


SUMMARY = f"latency is a summary on {URL}: it has no buckets; use a histogram, or a counter of"


@pytest.mark.parametrize(
    ("page", "kind", "text"),
    [
        ({"latency_count": 5.0}, "summary", SUMMARY),
        ({'latency{quantile="0.9"}': 2.0, "latency_count": 5.0}, "summary", SUMMARY),
        ({'latency{quantile="0.9"}': 2.0, "latency_count": 5.0}, "", SUMMARY),
        ({'latency{quantile="0.9"}': 2.0}, "untyped", SUMMARY),
        ({"latency_count": 5.0}, "histogram", f"latency has no buckets on {URL}, only latency_co"),
        ({"latency_count": 5.0}, "", "latency has no buckets on "),
        ({"latency": 5.0}, "gauge", f"latency is a gauge on {URL}, no histogram; use one, or sli"),
        ({"latency": 5.0}, "counter", f"latency is a counter on {URL}, no histogram"),
        ({"latency": 5.0}, "", f"latency is a plain number on {URL}, no histogram; use one, or"),
    ],
)
def test_what_is_no_histogram_is_named_with_its_page_and_the_way_out(
    page: dict[str, Value], kind: str, text: str
) -> None:
    found = said(page, kind)
    assert found is not None and found.startswith(text) and "\n" not in found


@pytest.mark.parametrize(
    "page",
    [
        {},
        {'latency_bucket{le="0.5"}': 1.0, "latency_count": 2.0},
        {'latency_bucket{le="0.5"}': 1.0},
        {"latency": NATIVE},
        # A client that gives both forms, or a name that two families share.
        {"latency": NATIVE, "latency_count": 2.0},
    ],
)
def test_a_histogram_and_what_is_not_there_are_no_wrong_kind(page: dict[str, Value]) -> None:
    assert said(page) is None


def test_a_shape_is_of_one_target_or_of_all() -> None:
    of = engine(slo(sli=LATENCY))
    pages = {"a": {"latency_count": 5.0}, "b": {'latency_bucket{le="0.5"}': 1.0}}
    readings = batch(of, T, pages).readings
    assert shape_of(LATENCY, readings) == Shape(buckets=True, count=True)
    assert shape_of(LATENCY, readings, "a") == Shape(count=True)


@pytest.mark.parametrize(
    ("types", "shape"),
    [
        ({}, Shape(ranges=True, count=True)),
        ({"latency": "vmrange"}, Shape(count=True)),
        ({"latency": "vmrange"}, Shape()),
    ],
)
def test_buckets_by_vmrange_are_named(types: dict[str, str], shape: Shape) -> None:
    found = wrong_histogram(LATENCY, types, shape, "")
    assert found is not None and found.startswith("latency has buckets by vmrange, whose bounds")


def test_buckets_with_other_bounds_are_a_histogram() -> None:
    only = Shape(count=True)
    assert wrong_histogram(LATENCY, {}, only, "", [0.1, 1.0]) is None
    assert wrong_histogram(LATENCY, {"latency": "summary"}, only, "", [0.1]) is not None


def test_where_it_is_may_be_left_out() -> None:
    found = wrong_histogram(LATENCY, {"latency": "summary"}, Shape(count=True), "")
    assert found is not None and found.startswith("latency is a summary: it has no buckets")


def counter(total: str) -> CounterSLI:
    return CounterSLI(bad=parse_selector("errors"), total=parse_selector(total))


@pytest.mark.parametrize(
    ("sli", "kind", "role", "text"),
    [
        (counter("sessions"), ("sessions", "gauge"), "total", "sessions is a gauge on "),
        (counter("a_total"), ("a_total", "gauge"), "total", "a_total is a gauge on "),
        (counter("latency"), ("latency", "summary"), "total", "latency is a summary on "),
        (counter("latency_sum"), ("latency", "histogram"), "total", "latency_sum adds up what"),
        (
            GaugeSLI(parse_selector("a_total"), ">", 0),
            ("a", "counter"),
            "gauge",
            "a_total is a counter on",
        ),
    ],
)
def test_a_counter_or_gauge_of_another_type_is_named_by_its_role(
    sli: SLI, kind: tuple[str, str], role: str, text: str
) -> None:
    assert wrong_kind(sli, {}, URL) == {}
    found = wrong_kind(sli, dict([kind]), URL)
    assert list(found) == [role] and found[role].startswith(text)
    assert URL not in wrong_kind(sli, dict([kind]), "")[role]


@pytest.mark.parametrize(
    ("sli", "types"),
    [
        (counter("a_total"), {"a": "counter"}),
        (counter("a_total"), {"a_total": "untyped"}),
        (counter("latency_count"), {"latency": "summary"}),
        (counter("latency_bucket"), {"latency": "histogram"}),
        # A gauge's name is nobody's family.
        (counter("node_count"), {"node": "gauge"}),
        (GaugeSLI(parse_selector("latency"), "<", 1), {"latency": "summary"}),
        (GaugeSLI(parse_selector("up"), ">", 0), {"up": "gauge"}),
        (LATENCY, {"latency": "gauge"}),
    ],
)
def test_what_is_of_the_right_type_is_not(sli: SLI, types: dict[str, str]) -> None:
    assert wrong_kind(sli, types, URL) == {}


def test_a_samples_type_is_its_familys() -> None:
    types = {"a": "counter", "h": "histogram", "s": "summary", "x_total": "gauge"}
    names = ("a_total", "h_bucket", "s_sum", "x_total", "s_bucket", "b")
    assert [type_of(name, types) for name in names] == [
        "counter",
        "histogram",
        "summary",
        "gauge",
        "",
        "",
    ]


def test_a_metric_of_another_kind_is_told_with_the_batch_that_shows_it() -> None:
    of = engine(slo(sli=CounterSLI(parse_selector("bad"), None, parse_selector("all"))))
    taken = feed(of, T, {"bad": 1.0, "all": 2.0}, types={"all": "gauge"})
    assert "all is a gauge" in taken.notes["a"]
    of = engine(slo(sli=histogram()))
    taken = feed(of, T, {"latency": 7.0}, types={"latency": "gauge"})
    assert taken.fault is not None and "gauge" in taken.fault and not taken.bucket_missing


def test_bounds_that_have_the_threshold_after_all_are_no_fault() -> None:
    of = engine(slo(sli=histogram(0.5)))
    of.bounds("slo", [0.1, 1.0])
    assert of.accounts["slo"].fault is not None
    of.bounds("slo", [0.1, 0.5])
    assert of.accounts["slo"].fault is None and of.accounts["slo"].memory.bucket_known


def test_a_ratio_over_one_says_what_it_may_be() -> None:
    assert ratio_over_one("x", 3.25).startswith("slo.x: error_ratio_query gives 3.25, and a ratio")
    assert "gives a histogram" in ratio_over_one("x", NATIVE)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5"), (1_048_576.0, "1048576"), (1e22, "1e+22"), (0.1 + 0.2, "0.30000000000000004")],
)
def test_a_number_is_written_as_it_can_be_copied(value: float, text: str) -> None:
    import tomli

    assert number_text(value) == text
    assert float(tomli.loads(f"x = {text}")["x"]) == value
