"""The TYPE that a page gives to what is wanted."""

from __future__ import annotations

import pytest

from exporter.core.selector import Selector
from tests.sources.pages import (
    FORMATS,
    NOW,
    OPENMETRICS,
    PROTOBUF,
    TEXT,
    Row,
    body,
    read,
    reader,
)
from tests.wire import double, family, message, whole

HISTOGRAM = ("h", "h_bucket", "h_count")


def types(text: str, *wants: str, kind: str = TEXT) -> dict[str, str]:
    return reader(*wants).read(text.encode(), kind, NOW).types


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("told", ["counter", "gauge", "untyped"])
def test_numbers_have_their_type_in_every_format(kind: str, told: str) -> None:
    rows = [Row("before", 1), Row("x_total", 1, {"a": "b"}, type=told), Row("x_total_more", 1)]
    assert read(rows, "x_total", "absent", kind=kind).types == {"x_total": told}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n', "histogram"),
        ("# TYPE h summary\nh_sum 1\nh_count 1\n", "summary"),
        ('# TYPE h summary\nh{quantile="0.5"} 1\nh_sum 1\nh_count 1\n', "summary"),
        ("# HELP h Seconds.\n# TYPE h histogram\nh_count 1\n", "histogram"),
        # No TYPE, as VictoriaMetrics' client writes its summaries and histograms.
        ('h{quantile="0.5"} 1\nh_sum 1\nh_count 1\n', "summary"),
        ("h_sum 1\nh_count 1\n", "summary"),
        ('h_bucket{vmrange="1e-9...1e-8"} 1\nh_sum 1\nh_count 1\n', "vmrange"),
        ('# TYPE h histogram\nh_bucket{vmrange="1e-9...1e-8"} 1\nh_count 1\n', "vmrange"),
        ('h_bucket{le="1"} 1\nh_count 1\n', None),
        ("# TYPE h_count untyped\nh_count 1\n", "summary"),
        ('# TYPE h_bucket untyped\nh_bucket{le="1"} 1\n', None),
        ("h_sum 1\n", None),
        ("x 1\n", None),
    ],
)
@pytest.mark.parametrize("before", ["", "# TYPE go_h gauge\ngo_h 1\n"])
def test_what_is_wanted_as_a_histogram(text: str, told: str | None, before: str) -> None:
    assert types(before + text, *HISTOGRAM).get("h") == told


def test_a_gauge_that_is_wanted_as_a_histogram() -> None:
    assert types("# TYPE h gauge\nh 1\n", *HISTOGRAM) == {"h": "gauge"}
    told = types("# TYPE h gaugehistogram\nh_bucket 1\n# EOF\n", *HISTOGRAM, kind=OPENMETRICS)
    assert told["h"] == "gaugehistogram"


def test_the_parts_of_a_family_have_its_type_and_nobody_elses() -> None:
    text = "# TYPE s summary\ns_count 1\n# TYPE jobs gauge\njobs 5\njobs_total 3\n"
    assert types(text, "s_count", "jobs_total") == {"s_count": "summary"}
    counter = "# TYPE jobs counter\njobs_total 3\n# EOF\n"
    assert types(counter, "jobs_total", kind=OPENMETRICS) == {"jobs_total": "counter"}


def test_names_in_quotes_have_types_too() -> None:
    text = '# TYPE "http.requests" counter\n{"http.requests","a.b"="c"} 1\n'
    assert types(text, '{"http.requests"}') == {"http.requests": "counter"}


@pytest.mark.parametrize("foreign", [0, 5000])
def test_a_page_that_gives_another_type_is_believed(foreign: int) -> None:
    one = reader("up")
    many = "".join(f"up_{i} 1\n" for i in range(foreign)) + 'up{a="b"} 2\n' * bool(foreign)
    for told in ("gauge", "gauge", "counter", "untyped"):
        text = f"# TYPE up {told}\nup 1\n{many}"
        page = one.read(text.encode(), TEXT, NOW)
        if not foreign:
            assert page.types == {"up": told}
        assert len(page.readings[Selector("up")]) == 1 + bool(foreign)
    assert reader("up").read(text.encode(), TEXT, NOW).types == {"up": "untyped"}


def test_a_line_that_only_talks_of_a_type_gives_none() -> None:
    text = "# HELP up The TYPE up is\n# TYPE up\nup 1\n# see TYPE up gauge\n"
    assert types(text, "up") == {}


def test_types_of_protobuf() -> None:
    page = family("s", 2, message(4, whole(1, 3), double(2, 1.0)))
    page += family("h", 4, message(7, whole(1, 1), message(3, whole(1, 1), double(2, 1.0))))
    page += family("g", 5, message(7, whole(1, 1)))
    page += family("odd", 77, message(3, double(1, 1.0)))
    found = reader("s_count", *HISTOGRAM, "g_bucket", "odd").read(page, PROTOBUF, NOW).types
    assert found == {
        "s_count": "summary",
        "h": "histogram",
        "h_bucket": "histogram",
        "h_count": "histogram",
        "g": "gaugehistogram",
        "g_bucket": "gaugehistogram",
    }


@pytest.mark.parametrize("kind", FORMATS)
def test_types_are_told_on_every_page_and_go_with_their_metric(kind: str) -> None:
    one = reader("x")
    page = body(kind, [Row("x", 1), Row("y", 1)])
    other = body(kind, [Row("y", 1)])
    told = [one.read(some, kind, NOW).types for some in (page, page, other, page)]
    assert told == [{"x": "gauge"}, {"x": "gauge"}, {}, {"x": "gauge"}]
