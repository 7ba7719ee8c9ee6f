"""The text parsers by properties: prometheus_client reads every page just as we do."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Summary,
    exposition,
    parser,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics import exposition as om_exposition
from prometheus_client.openmetrics import parser as om_parser

from exporter.core.selector import Selector
from exporter.errors import SourceError
from exporter.sources.exposition import Page, PageReader

TEXT, OPENMETRICS = "text/plain", "application/openmetrics-text"
PROTOBUF = "application/vnd.google.protobuf"
AT = 1_700_000_000.0
PAGES = Path(__file__).parents[3] / "shared" / "fixtures" / "pages"

NASTY = st.lists(
    st.sampled_from(
        [
            *('"', "\\", "\n", "\\n", "{", "}", "} 5", ",", "=", "#", " # {", " ", "\t", "\r", "a"),
            *("name", "é", "世", "\x85", "\u2028", "\x00", "\x0b", '",b="', "# EOF", "\\\\", "le"),
        ]
    ),
    max_size=6,
).map("".join)
VALUES = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 10**18).map(float)
)
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], tuple[float, str]]

# The library's functions have no types, or half of them.
write_text: Callable[[CollectorRegistry], bytes] = exposition.generate_latest
write_openmetrics: Callable[[CollectorRegistry], bytes] = om_exposition.generate_latest
read_text: Callable[[str], Iterable[Metric]] = parser.text_string_to_metric_families
read_openmetrics: Callable[[str], Iterable[Metric]] = om_parser.text_string_to_metric_families


def expected(families: Iterable[Metric]) -> Samples:
    """What the oracle read: by name and labels, the time and the value (NaN equals NaN so)."""
    out: Samples = {}
    for family in families:
        for sample in family.samples:
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if v))
            time = AT if sample.timestamp is None else float(sample.timestamp)
            out.setdefault((sample.name, labels), (time, repr(float(sample.value))))
    return out


def found(page: Page) -> Samples:
    out: Samples = {}
    for want, readings in page.readings.items():
        for reading in readings:
            ((time, value),) = reading.samples
            labels = tuple(sorted(reading.series.labels.items()))
            assert (want.name, labels) not in out
            out[want.name, labels] = (time, repr(value))
    return out


def read_all(names: Iterable[str], body: bytes, kind: str) -> Page:
    wants = [Selector(name) for name in names]
    return PageReader(wants, "t", {}, max_series=10**6).read(body, kind, AT)


def agree(body: bytes, kind: str, families: Iterable[Metric]) -> None:
    theirs = expected(families)
    names = {name for name, _ in theirs}
    page = read_all(names, body, kind)
    assert found(page) == theirs
    assert not page.refused
    assert page.samples == len(theirs)


@st.composite
def registries(draw: st.DrawFn) -> CollectorRegistry:
    registry = CollectorRegistry()
    for i in range(draw(st.integers(1, 4))):
        kind: Any = draw(st.sampled_from([Counter, Gauge, Histogram, Summary]))
        names = ["a", "b_c"][: draw(st.integers(0, 2))]
        name = draw(st.sampled_from(["x", "x_y", "xx"])) + f"_{i}"
        metric = kind(name, "H\\elp\n", names, registry=registry)
        for _ in range(draw(st.integers(1, 4)) if names else 1):
            child = metric.labels(*(draw(NASTY) for _ in names)) if names else metric
            if kind is Counter:
                # The oracle cannot read every exemplar that its own library writes.
                exemplar = draw(st.sampled_from([None, {"trace_id": "a 1"}]))
                child.inc(draw(st.floats(0, 1e18)), exemplar)
            elif kind is Gauge:
                child.set(draw(VALUES))
            else:
                child.observe(draw(st.floats(0, 1e6)))
    return registry


@settings(deadline=None)
@given(registries())
def test_what_a_client_writes_as_text_is_read_as_its_own_parser_does(
    registry: CollectorRegistry,
) -> None:
    body = write_text(registry)
    agree(body, TEXT, read_text(body.decode()))


@settings(deadline=None)
@given(registries())
def test_what_a_client_writes_as_openmetrics_is_read_as_its_own_parser_does(
    registry: CollectorRegistry,
) -> None:
    body = write_openmetrics(registry)
    agree(body, OPENMETRICS, read_openmetrics(body.decode()))


@settings(deadline=None)
@given(registries())
def test_a_created_time_belongs_to_the_series_with_the_same_labels(
    registry: CollectorRegistry,
) -> None:
    body = write_openmetrics(registry)
    created: dict[tuple[str, tuple[tuple[str, str], ...]], float] = {}
    for family in read_openmetrics(body.decode()):
        for sample in family.samples:
            labels = tuple(sorted((k, v) for k, v in sample.labels.items() if v and k != "le"))
            if sample.name == family.name + "_created":
                created[family.name, labels] = sample.value
    suffixes = ("_total", "_bucket", "_count", "_sum")
    page = read_all((n + s for n, _ in created for s in suffixes), body, OPENMETRICS)
    taken = set()
    for want, readings in page.readings.items():
        for reading in readings:
            labels = tuple(sorted((k, v) for k, v in reading.series.labels.items() if k != "le"))
            place = (want.name.rpartition("_")[0], labels)
            assert reading.created == created[place]
            taken.add(place)
    assert taken == created.keys()


BLANKS = st.sampled_from(["", "", " ", "\t", "  "])


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, dict[str, str], float]:
    """A line that is right, in any way it may be written, with what it says."""
    labels = draw(st.dictionaries(st.sampled_from(["a", "le", "b_1", "_"]), NASTY, max_size=3))
    quoted = [
        (k, v.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"'))
        for k, v in labels.items()
    ]
    b = [draw(BLANKS) for _ in range(6)]
    inside = ",".join(f'{b[0]}{k}{b[1]}={b[2]}"{v}"{b[3]}' for k, v in quoted)
    inside += draw(st.sampled_from(["", ","])) if quoted else ""
    value = draw(st.floats(allow_nan=False))
    written = draw(st.sampled_from([repr(value), f"{value:.17g}", f"{value:+.17e}"]))
    braces = f"{b[4]}{{{inside}}}{b[5]}" if quoted or not value else ""
    return f"{b[0]}x{braces} {written}{b[5]}", labels, value


@given(st.lists(lines(), max_size=5), st.lists(lines(), max_size=5))
def test_right_lines_are_read_however_they_are_written(
    first: list[tuple[str, dict[str, str], float]], second: list[tuple[str, dict[str, str], float]]
) -> None:
    reader = PageReader([Selector("x")], "t", {}, max_series=100)
    for page_lines in (first, second, first):
        body = "".join(f"{line}\nx_y 1\n" for line, _, _ in page_lines).encode()
        page = reader.read(body, TEXT, AT)
        said: dict[tuple[tuple[str, str], ...], float] = {}
        for _, labels, value in page_lines:
            said.setdefault(tuple(sorted((k, v) for k, v in labels.items() if v)), value)
        assert {labels: float(v) for (_, labels), (_, v) in found(page).items()} == said
        assert page.refused.get("duplicate_on_page", 0) == len(page_lines) - len(said)
        assert page.refused.keys() <= {"duplicate_on_page"}


# --- pages that are wrong, or follow upon others ------------------------------------------------

SMALL = (
    b"# HELP x_total Help.\n# TYPE x_total counter\n"
    b'x_total{a="1"} 1\nx_total{a="2",b="} 3"} 2 1700000000000\nx_total 3 # {c="d"} 4\n'
    b"x_created 1.6e+09\nx_count 5\nprocess_start_time_seconds 1.7e+09\n# EOF\n"
)
PIECES = st.sampled_from(
    [
        *(b"\n", b" ", b"{", b"}", b'"', b"\\", b"#", b",", b"=", b"_", b"x_total", b'{a="1"}'),
        *(
            b"\r",
            b"\t",
            b"\x00",
            b" 5",
            b"NaN",
            b"x_total 7\n",
            b"\n\n",
            b"x_created",
            b"",
            b"1e999",
        ),
        b"\xff",
    ]
)


@st.composite
def spoilt(draw: st.DrawFn, page: bytes) -> bytes:
    """A page with pieces put in, left out or put in the place of others; perhaps cut short."""
    for _ in range(draw(st.integers(0, 4))):
        at, length = draw(st.integers(0, len(page))), draw(st.integers(0, 12))
        page = page[:at] + draw(PIECES) + page[at + length :]
    return page[: draw(st.integers(0, len(page)))] if draw(st.booleans()) else page


def outcome(reader: PageReader, body: bytes, kind: str) -> tuple[object, ...]:
    """All that a page says, in a form that can be compared."""
    try:
        page = reader.read(body, kind, AT)
    except SourceError as error:
        return (error.reason, str(error))
    facts = [
        (str(want), r.series.key, sorted(r.series.labels.items()), repr(r.samples), r.created)
        for want, readings in page.readings.items()
        for r in readings
    ]
    return (facts, page.started, page.refused, page.samples)


def small_reader() -> PageReader:
    wants = [Selector("x_total"), Selector("x_count"), Selector("x_bucket"), Selector("x")]
    return PageReader(wants, "t", {"a": "target"}, max_series=20)


@settings(deadline=None, max_examples=300)
@given(st.lists(spoilt(SMALL), min_size=1, max_size=4), st.sampled_from([TEXT, OPENMETRICS]))
@example([SMALL.replace(b"x_created ", b'x_created {a="1"}')], TEXT)
def test_a_reader_says_of_a_page_the_same_whatever_it_read_before(
    bodies: list[bytes], kind: str
) -> None:
    reader = small_reader()
    for body in (SMALL, *bodies, SMALL, *bodies):
        assert outcome(reader, body, kind) == outcome(small_reader(), body, kind)


# --- pages of real servers ----------------------------------------------------------------------


def fixture(name: str) -> bytes:
    if not (PAGES / name).exists():
        pytest.skip(f"the page {name} of a real server is not here")
    return (PAGES / name).read_bytes()


REAL = ["alertmanager.txt", "node_exporter.txt", "prometheus.txt", "victoria-metrics.txt"]


@pytest.mark.parametrize("name", REAL)
def test_every_sample_of_a_real_page_is_read_as_the_oracle_does(name: str) -> None:
    body = fixture(name)
    agree(body, TEXT, read_text(body.decode()))


def test_a_text_page_that_is_called_openmetrics_is_refused_for_want_of_its_end() -> None:
    # For all its name this page is text 0.0.4: no # EOF, and `_total` in the names of families.
    body = fixture("prometheus.openmetrics.txt")
    assert b"# EOF" not in body
    agree(body, TEXT, read_text(body.decode()))
    with pytest.raises(SourceError, match="# EOF"):
        read_all(["go_goroutines"], body, OPENMETRICS)


@pytest.mark.parametrize("name", REAL)
def test_every_sample_of_a_real_page_in_openmetrics_framing_is_read_the_same(name: str) -> None:
    body = fixture(name)
    agree(body + b"# EOF\n", OPENMETRICS, read_text(body.decode()))


@pytest.mark.parametrize("name", REAL)
def test_every_counter_of_a_real_page_is_found_when_it_is_the_only_one_wanted(name: str) -> None:
    body = fixture(name)
    theirs = list(read_text(body.decode()))
    for family in theirs:
        if family.type == "counter":
            assert found(read_all([family.samples[0].name], body, TEXT)) == expected([family])


def test_protobuf_shows_the_series_that_text_shows() -> None:
    text, body = fixture("prometheus.txt"), fixture("prometheus.delimited.pb")
    theirs = expected(read_text(text.decode()))
    names = {name for name, _ in theirs}
    ours = found(read_all(names, body, PROTOBUF))
    # The two were served one after the other: a series may have come in between, values move.
    assert len(ours.keys() ^ theirs.keys()) <= len(theirs) / 50
    same = sum(ours.get(series) == value for series, value in theirs.items())
    assert same > len(theirs) / 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [(n, TEXT) for n in REAL]
    + [("prometheus.openmetrics.txt", OPENMETRICS), ("prometheus.delimited.pb", PROTOBUF)],
)
def test_a_real_page_that_was_spoilt_raises_nothing_but_source_errors(name: str, kind: str) -> None:
    body, rng = fixture(name), random.Random(name)
    names = ["go_gc_duration_seconds", "go_memstats_alloc_bytes_total", "process_cpu_seconds_total"]
    names += ["prometheus_http_request_duration_seconds_bucket", "node_cpu_seconds_total"]
    names += ["prometheus_http_requests_total", "alertmanager_http_request_duration_seconds_count"]
    wants = [Selector(n) for n in names]
    warm = PageReader(wants, "t", {}, max_series=1000)
    for _ in range(60):
        page = bytearray(body)
        for _ in range(rng.choice([1, 5, 50])):
            at = rng.randrange(len(page))
            page[at : at + rng.choice([0, 1, 1, 4])] = rng.randbytes(rng.choice([0, 1, 1, 3]))
        spoilt_page = bytes(page[: rng.choice([len(page), rng.randrange(len(page))])])
        fresh = PageReader(wants, "t", {}, max_series=1000)
        assert outcome(warm, spoilt_page, kind) == outcome(fresh, spoilt_page, kind)
