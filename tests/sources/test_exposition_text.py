"""Pages in text: literal bytes, the client library's own parser as the oracle, and noise."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.parser import text_string_to_metric_families as oracle

from exporter.core.amounts import MOST_TEXT
from exporter.core.selector import Selector, parse_selector
from exporter.errors import SourceError
from exporter.sources.exposition import Page, PageReader

FIXTURES = Path(__file__).parents[3] / "shared" / "fixtures" / "pages"
OM = "application/openmetrics-text; version=1.0.0"
NOW = 1_700_000_000.0


def read(body: bytes, *wants: str, kind: str = "text/plain", **labels: str) -> Page:
    selectors = [parse_selector(want) for want in wants]
    return PageReader(selectors, "t", labels, max_series=1000).read(body, kind, NOW)


def found(page: Page) -> dict[str, float]:
    out: dict[str, float] = {}
    for readings in page.readings.values():
        for reading in readings:
            [(_, value)] = reading.samples
            assert isinstance(value, float)
            out[reading.series.key] = value
    return out


def test_only_wanted_series_are_read() -> None:
    body = b'a{x="1"} 1\na{x="2"} 2\nab{x="1"} 3\na_total{x="1"} 4\nb 5\n'
    assert found(read(body, 'a{x="1"}', "b")) == {'a{x="1"}': 1, "b": 5}


@pytest.mark.parametrize(
    ("line", "labels", "value"),
    [
        (b"m 1", {}, 1),
        (b"m 1.5e3", {}, 1500),
        (b"m\t+Inf", {}, math.inf),
        (b"m -Inf", {}, -math.inf),
        (b"m{} 7", {}, 7),
        (b'm{a="b",} 1', {"a": "b"}, 1),
        (b'm{ a = "b" , c = "d" } 1', {"a": "b", "c": "d"}, 1),
        (b'm {a="b"} 1', {"a": "b"}, 1),
        (b'm{a="}"} 1', {"a": "}"}, 1),
        (b'm{a="# {x} 1"} 2', {"a": "# {x} 1"}, 2),
        (b'm{a="x, y=\\"z\\""} 1', {"a": 'x, y="z"'}, 1),
        (b'm{a="back\\\\slash\\nnew"} 1', {"a": "back\\slash\nnew"}, 1),
        (b'm{a="\xc3\xa9"} 1', {"a": "é"}, 1),
        (b'm{a=""} 1', {}, 1),
        (b"   m 3", {}, 3),
    ],
)
def test_a_line_reads_as_the_format_says(line: bytes, labels: dict[str, str], value: float) -> None:
    page = read(line + b"\n", "m")
    [reading] = page.readings[Selector("m")]
    assert dict(reading.series.labels) == labels
    assert reading.samples == [(NOW, value)]


@pytest.mark.parametrize(
    "line",
    [b"m", b"m x", b"m 1_0", b'm{a="b} 1', b'm{a="b"', b'm{a="\xff"} 1', b'm{a="1",a="2"} 1'],
)
def test_a_wanted_line_that_cannot_be_read_is_refused_and_counted_and_the_others_go_on(
    line: bytes,
) -> None:
    page = read(b'm{ok="1"} 1\n' + line + b'\nm{ok="2"} 2\n', "m")
    assert sorted(found(page).values()) == [1, 2]
    assert sum(page.refused.values()) <= 1


@pytest.mark.parametrize("kind", ["text/plain", OM])
def test_a_line_too_long_to_be_kept_is_refused_each_time_and_not_remembered(kind: str) -> None:
    reader = PageReader([Selector("m")], "t", {}, max_series=1000)
    end = b"# EOF\n" if kind == OM else b""
    for at in range(3):
        value = b"x" * (MOST_TEXT + at)
        body = b'm{ok="1"} 1\nm{a="' + value + b'"} 1\nm{ok="2"} 2\nother{a="' + value + b'"} 1\n'
        page = reader.read(body + end, kind, NOW)
        assert sorted(found(page).values()) == [1, 2]
        assert page.refused == {"too_long": 1}
    assert len(reader._catalogue._known) == 2  # noqa: SLF001 - what it remembers shows nowhere


def test_nan_comes_through_as_nan() -> None:
    [reading] = read(b"m NaN\n", "m").readings[Selector("m")]
    value = reading.samples[0][1]
    assert isinstance(value, float)
    assert math.isnan(value)


def test_a_series_twice_on_a_page_counts_once() -> None:
    page = read(b'm{a="b"} 1\nm{a="b"} 2\n', "m")
    assert found(page) == {'m{a="b"}': 1}
    assert page.refused == {"duplicate_on_page": 1}


def test_timestamps_are_milliseconds_in_text_and_seconds_in_openmetrics() -> None:
    [reading] = read(b"m 1 1700000000500\n", "m").readings[Selector("m")]
    assert reading.samples == [(1_700_000_000.5, 1)]
    [reading] = read(b"m 1 1700000000.5\n# EOF\n", "m", kind=OM).readings[Selector("m")]
    assert reading.samples == [(1_700_000_000.5, 1)]


def test_timestamps_may_be_ignored() -> None:
    reader = PageReader([Selector("m")], "t", {}, max_series=9, honor_timestamps=False)
    [reading] = reader.read(b"m 1 5000\n", "text/plain", NOW).readings[Selector("m")]
    assert reading.samples == [(NOW, 1)]


def test_exemplars_and_created_timestamps_of_openmetrics_are_understood() -> None:
    body = (
        b"# TYPE h histogram\n"
        b'h_bucket{le="0.5",c="1"} 8 # {trace_id="a # b} c"} 0.3 1700000000.1\n'
        b'h_bucket{le="+Inf",c="1"} 9\nh_count{c="1"} 9\nh_created{c="1"} 1699999000.25\n'
        b"# TYPE r counter\n"
        b'r_total{c="1"} 3 # {id="x"} 1\nr_created{c="1"} 1699999111\n# EOF\n'
    )
    page = read(body, 'h_bucket{le="0.5"}', "h_count", "r_total", kind=OM)
    created = {r.series.key: r.created for some in page.readings.values() for r in some}
    assert created == {
        'h_bucket{c="1",le="0.5"}': 1699999000.25,
        'h_count{c="1"}': 1699999000.25,
        'r_total{c="1"}': 1699999111.0,
    }
    assert found(page)['h_bucket{c="1",le="0.5"}'] == 8


def test_a_truncated_page_is_refused_whole_for_half_a_number_is_a_wrong_number() -> None:
    with pytest.raises(SourceError, match="EOF"):
        read(b"m 12\n", "m", kind=OM)


def test_of_a_page_without_a_last_newline_all_but_the_last_line_counts() -> None:
    page = read(b'm{a="1"} 1\nm{a="2"} 12', "m")
    assert found(page) == {'m{a="1"}': 1}
    assert page.refused == {"no_newline_at_end": 1}
    assert found(read(b"m 12", "m")) == {}


def test_an_html_page_is_refused_with_a_hint() -> None:
    with pytest.raises(SourceError, match="check the path"):
        read(b"<html></html>\n", "m", kind="text/html; charset=utf-8")


def test_names_of_any_characters_are_found_in_their_quotes() -> None:
    page = read(
        b'{"http.requests",a="b"} 1\n{"http.requests"} 2\n{"http"} 3\n', '{"http.requests"}'
    )
    assert sorted(found(page).values()) == [1, 2]


def test_the_targets_labels_win_and_the_pages_own_are_kept_aside() -> None:
    page = read(b'm{job="inner",a="b"} 1\n', 'm{job="outer"}', job="outer", instance="h:1")
    [[reading]] = page.readings.values()
    assert dict(reading.series.labels) == {
        "exported_job": "inner", "a": "b", "job": "outer", "instance": "h:1",
    }  # fmt: skip


def test_a_series_keeps_its_key_when_the_targets_labels_change() -> None:
    reader = PageReader([Selector("m")], "t", {"env": "a"}, max_series=9)
    [before] = reader.read(b"m 1\n", "text/plain", NOW).readings[Selector("m")]
    reader.relabel({"env": "b"})
    [after] = reader.read(b"m 2\n", "text/plain", NOW).readings[Selector("m")]
    assert before.series.key == after.series.key
    assert after.series.labels["env"] == "b"


def test_a_series_is_the_same_object_on_every_page() -> None:
    reader = PageReader([Selector("m")], "t", {}, max_series=9)
    pages = [reader.read(b'm{a="1"} 1\n', "text/plain", NOW) for _ in range(2)]
    first, second = (page.readings[Selector("m")][0].series for page in pages)
    assert first is second


def test_what_was_learnt_of_series_that_are_gone_is_forgotten() -> None:
    reader = PageReader([Selector("m")], "t", {}, max_series=10_000)
    many = "".join(f'm{{a="{i}"}} 1\n' for i in range(3000)).encode()
    reader.read(many, "text/plain", NOW)
    assert found(reader.read(b'm{a="1"} 5\n', "text/plain", NOW)) == {'m{a="1"}': 5}
    assert found(reader.read(many, "text/plain", NOW))['m{a="2999"}'] == 1


def test_a_page_with_more_wanted_series_than_allowed_is_refused() -> None:
    body = "".join(f'm{{a="{i}"}} 1\n' for i in range(1001)).encode()
    with pytest.raises(SourceError, match="max_series"):
        read(body, "m")


def test_the_process_start_is_told() -> None:
    assert read(b"m 1\nprocess_start_time_seconds 1.7e9\n", "m").started == 1.7e9
    assert read(b"m 1\n", "m").started is None


values = st.one_of(st.floats(0, 1e15), st.integers(0, 10**9).map(float))
nasty = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)


@given(st.lists(st.tuples(nasty, nasty, values), max_size=8), st.booleans())
def test_what_the_client_library_writes_is_read_as_it_reads_it(
    rows: list[tuple[str, str, float]], in_openmetrics: bool
) -> None:
    registry = CollectorRegistry()
    counter = Counter("requests", "c", ["code", "route"], registry=registry)
    gauge = Gauge("level", "g", ["code"], registry=registry)
    histogram = Histogram("took", "h", ["code"], registry=registry)
    for code, route, value in rows:
        counter.labels(code, route).inc(value)
        gauge.labels(code).set(-value)
        histogram.labels(code).observe(value)
    body = (openmetrics if in_openmetrics else _Text).generate_latest(registry)
    expected = {
        (s.name, frozenset((k, v) for k, v in s.labels.items() if v)): s.value
        for family in registry.collect()
        for s in family.samples
        if not s.name.endswith("_created")
    }
    names = sorted({name for name, _ in expected})
    reader = PageReader([Selector(n) for n in names], "t", {}, max_series=10**6)
    page = reader.read(body, OM if in_openmetrics else "text/plain", NOW)
    got = {
        (want.name, frozenset(r.series.labels.items())): r.samples[0][1]
        for want, readings in page.readings.items()
        for r in readings
    }
    assert got == expected
    assert page.refused == {}


class _Text:
    generate_latest = staticmethod(generate_latest)


@pytest.mark.parametrize(
    "name",
    ["alertmanager", "node_exporter", "prometheus", "prometheus.openmetrics", "victoria-metrics"],
)
def test_every_sample_of_a_real_page_is_read_as_the_client_library_reads_it(name: str) -> None:
    file = FIXTURES / f"{name}.txt"
    if not file.exists():
        pytest.skip(f"the page {file.name} of a real server is not here")
    body = file.read_bytes()
    expected = {
        (s.name, frozenset((k, v) for k, v in s.labels.items() if v)): s.value
        for family in oracle(body.decode())
        for s in family.samples
    }
    reader = PageReader([Selector(n) for n, _ in expected], "t", {}, max_series=10**6)
    page = reader.read(body, "text/plain", NOW)
    got = {
        (want.name, frozenset(r.series.labels.items())): r.samples[0][1]
        for want, readings in page.readings.items()
        for r in readings
    }
    assert {k: str(v) for k, v in got.items()} == {k: str(float(v)) for k, v in expected.items()}


PAGE = b'# HELP m x\n# TYPE m counter\nm{a="b",c="d\\"e"} 12.5 1700000000000\nm 3 # {x="y"} 1\n'


@given(st.data())
def test_no_noise_on_a_page_raises_anything_but_a_source_error(data: st.DataObject) -> None:
    body = bytearray(PAGE)
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    for kind in ("text/plain", OM, ""):
        try:
            read(bytes(body), "m", "m_total", kind=kind)
        except SourceError as error:
            assert error.reason in {"truncated", "too_many_series"}
