"""Protobuf pages, byte for byte: every kind of metric, native histograms, and spoilt bytes."""

from __future__ import annotations

import random
import struct
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.core.sample import NativeHistogram, Reading
from exporter.core.selector import Selector, parse_selector
from exporter.errors import SourceError
from exporter.sources.exposition import Page, PageReader
from exporter.sources.exposition.labels import bound
from tests.wire import double, label, message, varint, whole, zigzag

KIND = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
AT = 1_700_000_000.0
COUNTER, GAUGE, SUMMARY, UNTYPED, HISTOGRAM, GAUGE_HISTOGRAM = range(6)


def family(name: str, kind: int, *metrics: bytes) -> bytes:
    inside = message(1, name.encode()) + message(2, b"Help.") + whole(3, kind)
    inside += b"".join(message(4, metric) for metric in metrics)
    return varint(len(inside)) + inside


def span(number: int, offset: int, length: int) -> bytes:
    return message(number, whole(1, zigzag(offset)), whole(2, length))


def reader(*wants: str, max_series: int = 100, honor: bool = True) -> PageReader:
    selectors = [parse_selector(want) for want in wants]
    return PageReader(selectors, "t", {}, max_series=max_series, honor_timestamps=honor)


def read(body: bytes, *wants: str) -> Page:
    return reader(*wants).read(body, KIND, AT)


def values(page: Page, want: str) -> list[object]:
    return [reading.samples[0][1] for reading in page.readings[parse_selector(want)]]


def one(page: Page, want: str) -> Reading:
    (reading,) = page.readings[parse_selector(want)]
    return reading


CREATED = message(3, whole(1, 1_600_000_000), whole(2, 500_000_000))
CLASSIC = message(
    7,
    whole(1, 9),
    double(2, 4.5),
    message(3, whole(1, 3), double(2, 0.5)),
    message(3, whole(1, 7), double(2, 1.0)),
    message(3, whole(1, 8), double(2, 1e6)),
    message(15, whole(1, 1_600_000_000)),
)
NATIVE = (
    whole(1, 21),
    double(2, 4.5),
    whole(5, zigzag(0)),
    double(6, 0.001),
    whole(7, 2),
    span(9, 0, 1),
    message(10, varint(zigzag(4))),
    span(12, 1, 2),
    span(12, 1, 1),
    # Unpacked and packed, as protobuf lets either be.
    whole(13, zigzag(5)),
    message(13, varint(zigzag(2)), varint(zigzag(-4))),
)
BUCKETS = (
    (-1.0, -0.5, 4.0),
    (-0.001, 0.001, 2.0),
    (1.0, 2.0, 5.0),
    (2.0, 4.0, 7.0),
    (8.0, 16.0, 3.0),
)


def test_counters_have_labels_a_time_of_their_own_and_one_of_creation() -> None:
    body = family("skipped", COUNTER, b"\xff\xff garbage nobody looks at") + family(
        "x_total",
        COUNTER,
        label("a", '"q"\n') + label("empty", "") + message(3, double(1, 5.0), CREATED),
        message(3, double(1, 7.0)) + whole(6, 1_600_000_000_123),
    )
    page = read(body, "x_total")
    first, second = page.readings[Selector("x_total")]
    assert first.series.labels == {"a": '"q"\n'}
    assert (first.series.key, first.created) == ('x_total{a="\\"q\\"\\n"}', 1_600_000_000.5)
    assert (first.samples, second.samples) == ([(AT, 5.0)], [(1_600_000_000.123, 7.0)])
    assert page.samples == 2
    (_, late) = reader("x_total", honor=False).read(body, KIND, AT).readings[Selector("x_total")]
    assert late.samples == [(AT, 7.0)]


def test_gauges_untyped_and_summaries_are_read_and_gauge_histograms_are_not() -> None:
    quantile = message(3, double(1, 0.99), double(2, 0.25))
    body = (
        family("g", GAUGE, message(2, double(1, -1.5)))
        + family("u", UNTYPED, message(5, double(1, inf)))
        + family("s", SUMMARY, message(4, whole(1, 4), double(2, 2.5), quantile))
        + family("h", GAUGE_HISTOGRAM, CLASSIC)
        + family("process_start_time_seconds", GAUGE, message(2, double(1, 1.65e9)))
    )
    wants = ("g", "u", "s_count", "s_sum", 's{quantile="0.99"}', "h_count", "h_bucket")
    page = read(body, *wants)
    assert [values(page, w) for w in wants] == [[-1.5], [inf], [4.0], [2.5], [0.25], [], []]
    assert page.started == 1.65e9


def test_a_classic_histogram_has_the_series_that_text_would_show() -> None:
    body = family("h", HISTOGRAM, label("a", "b") + CLASSIC)
    page = read(body, "h_bucket", "h_count", "h_sum", "h", 'h_bucket{le=~"1|1.0"}')
    buckets = page.readings[Selector("h_bucket")]
    assert [(r.series.labels["le"], r.samples[0][1]) for r in buckets] == [
        ("0.5", 3.0),
        ("1", 7.0),
        ("1e+06", 8.0),
        ("+Inf", 9.0),
    ]
    assert (values(page, "h_count"), values(page, "h_sum"), values(page, "h")) == ([9.0], [4.5], [])
    assert one(page, 'h_bucket{le=~"1|1.0"}').created == 1.6e9
    assert one(page, "h_count").series.key == 'h_count{a="b"}'


def test_text_and_protobuf_name_a_series_alike() -> None:
    r = reader("h_bucket")
    text = r.read(b'h_bucket{le="1e+06",a="b"} 1\n', "text/plain", AT)
    body = family("h", HISTOGRAM, label("a", "b") + CLASSIC)
    proto = r.read(body, KIND, AT).readings[Selector("h_bucket")]
    assert one(text, "h_bucket").series is proto[2].series


def test_a_native_histogram_stands_under_its_own_name_with_ascending_buckets() -> None:
    page = read(family("h", HISTOGRAM, message(7, *NATIVE)), "h", "h_count", "h_bucket")
    assert one(page, "h").samples == [(AT, NativeHistogram(21.0, BUCKETS))]
    # Its count is answered where there are buckets to compare it with.
    assert (values(page, "h_count"), values(page, "h_bucket")) == ([], [])


def test_a_native_histogram_may_have_classic_buckets_too_and_counts_that_are_no_integers() -> None:
    bucket = message(3, double(4, 1.5), double(2, 0.5))
    floats = (double(4, 21.5), double(8, 2.5), double(6, 0.001), span(12, 1, 2))
    counts = message(14, struct.pack("<d", 5.0)) + double(14, 14.0)
    body = family("h", HISTOGRAM, message(7, *floats, counts, bucket))
    page = read(body, "h", "h_count", "h_bucket")
    expected = ((-0.001, 0.001, 2.5), (1.0, 2.0, 5.0), (2.0, 4.0, 14.0))
    assert values(page, "h") == [NativeHistogram(21.5, expected)]
    assert (values(page, "h_count"), values(page, "h_bucket")) == ([21.5], [1.5, 21.5])


@pytest.mark.parametrize(
    ("schema", "index", "lower", "upper"),
    [
        (0, 1, 1.0, 2.0),
        (0, 0, 0.5, 1.0),
        (1, 2, 2**0.5, 2.0),
        (-4, 1, 1.0, 65536.0),
        (3, -8, 2**-1.125, 0.5),
        (8, 256, 2 ** (255 / 256), 2.0),
        (-4, 64, 2.0**1008, inf),
    ],
)
def test_the_bounds_of_a_native_bucket_are_powers_of_two(
    schema: int, index: int, lower: float, upper: float
) -> None:
    parts = (whole(1, 1), whole(5, zigzag(schema)), span(12, index, 1), whole(13, zigzag(1)))
    (found,) = values(read(family("h", HISTOGRAM, message(7, *parts)), "h"), "h")
    assert isinstance(found, NativeHistogram)
    assert found.buckets[-1] == pytest.approx((lower, upper, 1.0))


def test_an_empty_native_histogram_is_one_and_a_classic_one_without_buckets_is_not() -> None:
    empty = read(family("h", HISTOGRAM, message(7, span(12, 0, 0))), "h", "h_count")
    assert values(empty, "h") == [NativeHistogram(0.0, ((0.0, 0.0, 0.0),))]
    assert values(empty, "h_count") == []
    classic = read(family("h", HISTOGRAM, message(7, whole(1, 3))), "h", "h_count", "h_bucket")
    assert [values(classic, w) for w in ("h", "h_count", "h_bucket")] == [[], [3.0], [3.0]]


def test_a_zero_bucket_alone_makes_a_native_histogram() -> None:
    for zero in (double(6, 0.001), whole(7, 3), double(8, 3.0)):
        page = read(family("h", HISTOGRAM, message(7, zero)), "h", "h_count")
        assert (len(values(page, "h")), values(page, "h_count")) == (1, [])


def test_the_last_bucket_may_be_written_out() -> None:
    buckets = (message(3, whole(1, 3), double(2, 0.5)), message(3, whole(1, 4), double(2, inf)))
    page = read(family("h", HISTOGRAM, message(7, whole(1, 4), *buckets)), "h_bucket")
    assert (values(page, "h_bucket"), page.refused) == ([3.0, 4.0], {})


def test_several_process_starts_are_not_of_the_target() -> None:
    starts = [label("job", job) + message(2, double(1, 1.6e9)) for job in ("a", "b")]
    assert read(family("process_start_time_seconds", GAUGE, *starts), "x").started is None
    assert read(family("process_start_time_seconds", GAUGE, starts[0]), "x").started == 1.6e9


def test_series_that_are_gone_are_forgotten() -> None:
    r = reader("x", max_series=2000)
    five = message(3, double(1, 5.0))
    for generation in range(25):
        series = (label("pod", f"{generation}-{i}") + five for i in range(1000))
        assert r.read(family("x", COUNTER, *series), KIND, AT).samples == 1000
        assert r.read(b"", KIND, AT).samples == 0
    assert len(r._names) <= 17 * 1024  # noqa: SLF001 - memory is seen nowhere else


@pytest.mark.parametrize(
    "parts",
    [
        (span(12, 0, 3), whole(13, zigzag(1))),
        (span(12, 0, 4_000_000_000),),
        (span(12, 0, 1), whole(13, zigzag(-1))),
        (whole(5, zigzag(9)), span(12, 0, 0)),
        (span(12, 0, 1), double(14, float("nan"))),
    ],
)
def test_a_native_histogram_that_contradicts_itself_is_no_page(
    parts: tuple[bytes, ...],
) -> None:
    body = family("h", HISTOGRAM, message(7, *parts)) + family("g", GAUGE, message(2, double(1, 1)))
    with pytest.raises(SourceError) as caught:
        read(body, "h", "g")
    assert caught.value.reason == "malformed"
    assert values(read(body, "g"), "g") == [1.0]


def test_a_metric_without_a_value_is_no_zero() -> None:
    body = family("x_total", COUNTER, label("a", "b"), message(2, double(1, 5.0)), message(3))
    page = read(body, "x_total")
    # An empty Counter message is how proto3 writes the value 0; none at all says nothing.
    assert (values(page, "x_total"), page.refused) == ([0.0], {"malformed": 2})


def test_doubles_on_a_page_labels_that_are_wrong_and_too_many_series() -> None:
    five = message(3, double(1, 5.0))
    twice = label("a", "1") + label("a", "2") + five
    latin = message(1, message(1, b"a"), message(2, b"\xff")) + five
    swapped = label("b", "2") + label("a", "1") + five
    body = family("x", COUNTER, label("a", "1") + label("b", "2") + five, swapped, twice, latin)
    page = read(body, "x")
    assert (values(page, "x"), page.refused) == ([5.0], {"duplicate_on_page": 1, "malformed": 2})
    many = family("x", COUNTER, *(label("a", str(i)) + five for i in range(6)))
    assert reader("x", max_series=6).read(many, KIND, AT).samples == 6
    with pytest.raises(SourceError) as caught:
        reader("x", max_series=5).read(many, KIND, AT)
    assert caught.value.reason == "too_many_series"


@pytest.mark.parametrize("parameter", ["encoding=text", 'Encoding="delimite"', "proto=other.Name"])
def test_protobuf_of_another_kind_is_not_guessed_at(parameter: str) -> None:
    with pytest.raises(SourceError) as caught:
        reader("x").read(b"", f"application/vnd.google.protobuf; {parameter}", AT)
    assert caught.value.reason == "unsupported_format"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.0, "0"),
        (1.0, "1"),
        (0.5, "0.5"),
        (-2.5, "-2.5"),
        (100000.0, "100000"),
        (1e6, "1e+06"),
        (-1234567.0, "-1.234567e+06"),
        (0.0001, "0.0001"),
        (0.00005, "5e-05"),
        (1e100, "1e+100"),
        (0.1 + 0.2, "0.30000000000000004"),
        (inf, "+Inf"),
        (-inf, "-Inf"),
    ],
)
def test_bounds_are_written_as_go_does(value: float, written: str) -> None:
    assert bound(value) == written


@given(st.floats(allow_nan=False))
def test_a_bound_that_is_written_is_still_the_same_number(value: float) -> None:
    assert float(bound(value)) == value


BODY = (
    family("x_total", COUNTER, label("a", "1") + message(3, double(1, 5.0), CREATED))
    + family("other", GAUGE, message(2, double(1, 1.0)))
    + family("h", HISTOGRAM, label("a", "b") + message(7, *NATIVE, message(3, whole(1, 3))))
    + family("s", SUMMARY, message(4, whole(1, 4), message(3, double(1, 0.5))) + whole(6, 5))
)
WANTS = ("x_total", "h", "h_bucket", "h_count", "s", "s_count", "process_start_time_seconds")


def reason_of(body: bytes) -> str | None:
    """Why a page cannot be read; None when it can."""
    try:
        read(body, *WANTS)
    except SourceError as error:
        return error.reason
    return None


def test_a_page_that_was_cut_says_so_unless_it_was_cut_between_families() -> None:
    complete = 0
    for length in range(len(BODY)):
        complete += reason_of(BODY[:length]) is None
    assert complete == 4


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_are_a_source_error(body: bytes) -> None:
    for page in (body, varint(len(body)) + body, family("h", HISTOGRAM, message(7, body))):
        assert reason_of(page) in (None, "malformed", "truncated")


def test_spoilt_bytes_are_read_the_same_whatever_was_read_before() -> None:
    rng, warm = random.Random(7), reader(*WANTS)
    for _ in range(3000):
        page = bytearray(BODY)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(len(page))
            page[at : at + rng.choice([0, 1, 1, 1, 3])] = rng.randbytes(rng.choice([0, 1, 1, 1, 3]))
        outcomes = []
        for r in (warm, reader(*WANTS)):
            try:
                found = r.read(bytes(page), KIND, AT)
            except SourceError as error:
                outcomes.append((error.reason, str(error)))
            else:
                facts = [
                    (str(want), reading.series.key, repr(reading.samples), reading.created)
                    for want, readings in found.readings.items()
                    for reading in readings
                ]
                outcomes.append((repr(facts), repr((found.refused, found.started, found.samples))))
        assert outcomes[0] == outcomes[1]
