"""Protobuf pages: messages written by hand after metrics.proto, a real page, and noise."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as oracle

from exporter.core.amounts import MOST_TEXT
from exporter.core.sample import NativeHistogram
from exporter.core.selector import Selector
from exporter.errors import SourceError
from exporter.sources.exposition import Page, PageReader
from tests.wire import double, family, label, message, signed, varint, whole

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "pages"
KIND = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
NOW = 1_700_000_000.0


def read(body: bytes, *names: str) -> Page:
    reader = PageReader([Selector(n) for n in names], "t", {}, max_series=1000)
    return reader.read(body, KIND, NOW)


def only(page: Page, name: str) -> object:
    [reading] = page.readings[Selector(name)]
    return reading.samples[0][1]


def test_counters_gauges_and_untyped_are_read_with_labels_time_and_creation() -> None:
    created = message(3, whole(1, 1_699_999_000), whole(2, 500_000_000))
    body = family(
        "c_total", 0, label("code", "500") + message(3, double(1, 7), created) + whole(6, 1500)
    )
    body += family("unwanted", 0, message(3, double(1, 1)))
    body += family("g", 1, message(2, double(1, -2.5)))
    body += family("u", 3, message(5, double(1, 4)))
    body += family("process_start_time_seconds", 1, message(2, double(1, 1.7e9)))
    page = read(body, "c_total", "g", "u")
    [reading] = page.readings[Selector("c_total")]
    assert dict(reading.series.labels) == {"code": "500"}
    assert (reading.samples, reading.created) == ([(1.5, 7.0)], 1_699_999_000.5)
    assert (only(page, "g"), only(page, "u"), page.started) == (-2.5, 4.0, 1.7e9)


def test_a_series_with_a_name_too_long_to_be_kept_is_refused_and_the_others_are_read() -> None:
    one = message(3, double(1, 1))
    many = (label("a", "x" * size) + one for size in (3, MOST_TEXT, MOST_TEXT - 100))
    page = read(family("c_total", 0, *many), "c_total")
    assert sorted(len(r.series.labels["a"]) for r in page.readings[Selector("c_total")]) == [
        3,
        MOST_TEXT - 100,
    ]
    assert page.refused == {"too_long": 1}


def test_a_classic_histogram_has_its_buckets_under_the_names_of_the_text_format() -> None:
    buckets = message(3, whole(1, 3), double(2, 0.5)) + message(3, whole(1, 5), double(2, 1.0))
    body = family("h", 4, message(7, whole(1, 6), double(2, 9.5), buckets))
    page = read(body, "h_bucket", "h_count", "h_sum", "h")
    found = {r.series.labels["le"]: r.samples[0][1] for r in page.readings[Selector("h_bucket")]}
    assert found == {"0.5": 3.0, "1": 5.0, "+Inf": 6.0}
    assert (only(page, "h_count"), only(page, "h_sum")) == (6.0, 9.5)
    assert page.readings[Selector("h")] == []


def test_a_native_histogram_is_read_by_spans_and_deltas() -> None:
    native = (
        whole(1, 12) + signed(5, 0) + double(6, 0.001) + whole(7, 2)
        + message(12, signed(1, 0), whole(2, 2)) + message(12, signed(1, 1), whole(2, 1))
        + signed(13, 3) + signed(13, 1) + signed(13, -2)
        + message(9, signed(1, 1), whole(2, 1)) + message(10, varint(2))
    )  # fmt: skip
    page = read(family("h", 4, message(7, native)), "h", "h_count")
    assert only(page, "h") == NativeHistogram(
        12.0,
        (
            (-2.0, -1.0, 1.0),
            (-0.001, 0.001, 2.0),
            (0.5, 1.0, 3.0),
            (1.0, 2.0, 4.0),
            (4.0, 8.0, 2.0),
        ),
    )
    assert page.readings[Selector("h_count")] == []


def test_a_native_histogram_of_floats_is_read_by_its_counts() -> None:
    native = (
        double(4, 3.5) + signed(5, -1) + double(6, 0.0) + double(8, 1.0)
        + message(12, signed(1, 1), whole(2, 2)) + message(14, struct.pack("<dd", 2.0, 0.5))
    )  # fmt: skip
    value = only(read(family("h", 4, message(7, native)), "h"), "h")
    assert value == NativeHistogram(3.5, ((-0.0, 0.0, 1.0), (1.0, 4.0, 2.0), (4.0, 16.0, 0.5)))


def test_a_summary_has_count_sum_and_quantiles() -> None:
    body = family(
        "s",
        2,
        message(4, whole(1, 5), double(2, 2.5), message(3, double(1, 0.5), double(2, 0.25))),
    )
    page = read(body, "s", "s_count", "s_sum")
    assert (only(page, "s_count"), only(page, "s_sum"), only(page, "s")) == (5.0, 2.5, 0.25)
    assert page.readings[Selector("s")][0].series.labels["quantile"] == "0.5"


@pytest.mark.parametrize(
    "native",
    [
        signed(5, 9) + whole(7, 1),  # a schema nobody knows
        signed(5, 0) + message(12, signed(1, 0), whole(2, 2)) + signed(13, 1),  # one delta missing
        signed(5, 0) + message(12, signed(1, 0), whole(2, 2**40)),  # a bomb
    ],
)
def test_a_broken_native_histogram_is_malformed(native: bytes) -> None:
    with pytest.raises(SourceError) as caught:
        read(family("h", 4, message(7, native)), "h")
    assert caught.value.reason == "malformed"


def test_a_page_that_ends_inside_a_family_is_truncated() -> None:
    body = family("c", 0, message(3, double(1, 7)))
    with pytest.raises(SourceError) as caught:
        read(body[:-3], "c")
    assert caught.value.reason == "truncated"


@given(st.binary(max_size=60), st.integers(0, 80))
def test_no_bytes_raise_anything_but_a_source_error(noise: bytes, at: int) -> None:
    body = family("h", 4, message(7, whole(1, 6), message(3, whole(1, 3), double(2, 0.5))))
    for page in (noise, body[:at] + noise + body[at:]):
        try:
            read(page, "h", "h_count", "h_bucket")
        except SourceError as error:
            assert error.reason in {"malformed", "truncated"}


def test_a_real_page_has_the_series_that_the_same_servers_text_page_has() -> None:
    file = FIXTURES / "prometheus.delimited.pb"
    if not file.exists():
        pytest.skip(f"the page {file.name} of a real server is not here")
    text = (FIXTURES / "prometheus.txt").read_text()
    names = {s.name for f in oracle(text) for s in f.samples}
    names.discard("process_start_time_seconds")  # it is the page's own fact
    page = read(file.read_bytes(), *names)
    got = {want.name for want, readings in page.readings.items() if readings}
    native_only = {n for n in names if n.startswith("prometheus_http_request_duration_seconds")}
    assert names - got - native_only == set()
