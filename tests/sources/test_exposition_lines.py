"""Text 0.0.4 and OpenMetrics by literal bytes: what is read, what is refused, what is skipped."""

from __future__ import annotations

from math import inf, isnan

import pytest

from exporter.core.sample import Reading
from exporter.core.selector import parse_selector
from exporter.errors import SourceError
from exporter.sources.exposition import Page, PageReader

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
AT = 1_700_000_000.0


def reader(*wants: str, max_series: int = 1000, honor: bool = True, **labels: str) -> PageReader:
    selectors = [parse_selector(want) for want in wants]
    return PageReader(selectors, "t", labels, max_series=max_series, honor_timestamps=honor)


def readings(page: Page, want: str) -> list[Reading]:
    return page.readings[parse_selector(want)]


def values(page: Page, want: str) -> list[object]:
    return [reading.samples[0][1] for reading in readings(page, want)]


def only(body: bytes, want: str = "x", kind: str = TEXT) -> Reading:
    page = reader(want).read(body, kind, AT)
    assert not page.refused
    (reading,) = readings(page, want)
    return reading


@pytest.mark.parametrize(
    ("inside", "labels"),
    [
        (rb'{a="b"}', {"a": "b"}),
        (rb'{a="b",}', {"a": "b"}),
        (rb'{ a = "b" , c = "d" }', {"a": "b", "c": "d"}),
        (b'{\ta="b"\t}', {"a": "b"}),
        (rb"{}", {}),
        (rb'{a=""}', {}),
        (rb'{a="say \"hi\""}', {"a": 'say "hi"'}),
        (rb'{a="C:\\dir\\"}', {"a": "C:\\dir\\"}),
        (rb'{a="two\nlines"}', {"a": "two\nlines"}),
        (rb'{a="\\n"}', {"a": "\\n"}),
        (rb'{a="\d+"}', {"a": r"\d+"}),
        (rb'{a="} 5 # {b=\"c\"} 7"}', {"a": '} 5 # {b="c"} 7'}),
        (rb'{a="b,c=\"d\""}', {"a": 'b,c="d"'}),
        (rb'{a="{}{}"}', {"a": "{}{}"}),
        (rb'{a="# EOF"}', {"a": "# EOF"}),
        (rb'{"dotted.label"="b"}', {"dotted.label": "b"}),
        ('{a="Grüße, 世界"}'.encode(), {"a": "Grüße, 世界"}),
    ],
)
def test_label_values_may_hold_whatever_a_string_may(inside: bytes, labels: dict[str, str]) -> None:
    reading = only(b"# TYPE x counter\nx" + inside + b" 42\n")
    assert reading.series.labels == labels
    assert reading.samples == [(AT, 42.0)]


@pytest.mark.parametrize(
    "line",
    [
        b"x 3",
        b"x\t3",
        b"  x 3",
        b"\tx  \t 3  ",
        b"x 3\r",
        b"x 0.3e1",
        b"x +3.0",
        b"x{} 3 1700000000000",
        b'x{a="b"}3',
        b'x {a="b"} 3',
        b'x{a="b"}\t3',
        b'\tx\t{ a = "b" , }\t3\t1700000000000\t\r',
    ],
)
def test_blanks_stand_where_they_like(line: bytes) -> None:
    for body in (line + b"\n", b"y 1\n" + line + b"\n", b"\n\n" + line + b"\n\nx_y 1\n"):
        assert only(body).samples == [(AT, 3.0)]


def test_numbers_are_those_of_the_format() -> None:
    page = reader("x").read(
        b'x{a="1"} NaN\nx{a="2"} +Inf\nx{a="3"} -Inf\nx{a="4"} 1e5\nx{a="5"} 1_0\n'
        b'x{a="6"} ten\nx{a="7"}\nx{a="8"} 0x10\nx{a="9"} 1,5\n',
        TEXT,
        AT,
    )
    nan, *others = values(page, "x")
    assert isinstance(nan, float) and isnan(nan)
    assert others == [inf, -inf, 1e5]
    assert page.refused == {"malformed": 5}
    assert page.samples == 4


def test_a_name_that_begins_another_is_not_taken_for_it() -> None:
    body = b'foo 1\nfoo_bar 2\nfoo:baz 3\nfoo2 4\nfoo{a="b"} 5\nbar{c="foo 6"} 7\nafoo 8\n'
    page = reader("foo", "foo_bar").read(body, TEXT, AT)
    assert values(page, "foo") == [1.0, 5.0]
    assert values(page, "foo_bar") == [2.0]
    assert not page.refused


def test_a_short_name_far_apart_on_the_page_is_found_between_the_others() -> None:
    between = b"".join(b'other_%d{a="up"} 1\n' % i for i in range(5000))
    body = b"up 1\n" + between + b'up{a="b"} 2\n' + between + b"upper 3\n"
    r = reader("up")
    for _ in range(2):
        assert values(r.read(body, TEXT, AT), "up") == [1.0, 2.0]


def test_labels_tell_who_wants_a_series_and_several_may() -> None:
    wants = ('x{code=~"5.."}', "x", 'x{code!~"5..",job="app"}')
    body = b'x{code="200"} 1\nx{code="500"} 2\nx{code="503"} 3\n'
    page = reader(*wants, job="app").read(body, TEXT, AT)
    assert [values(page, want) for want in wants] == [[2.0, 3.0], [1.0, 2.0, 3.0], [1.0]]
    assert page.samples == 3
    assert readings(page, wants[0])[0].series is readings(page, "x")[1].series


def test_a_want_that_nothing_answers_is_an_empty_list() -> None:
    page = reader("x", "y_total").read(b"z 1\n", TEXT, AT)
    assert (readings(page, "x"), readings(page, "y_total"), page.samples) == ([], [], 0)
    assert reader("x").read(b"", TEXT, AT).samples == 0


def test_the_target_keeps_its_labels_and_those_of_the_page_stand_aside() -> None:
    body = b'x{job="a",exported_job="b",other="c"} 1\n'
    (reading,) = readings(reader("x", job="app", instance="h:1").read(body, TEXT, AT), "x")
    assert reading.series.labels == {
        "job": "app",
        "instance": "h:1",
        "exported_job": "b",
        "exported_exported_job": "a",
        "other": "c",
    }
    assert reading.series.key == 'x{exported_job="b",job="a",other="c"}'


def test_a_series_is_made_once_and_used_for_every_page() -> None:
    r = reader("x")
    pages = (
        b'x{a="1",b="2"} 1\n',
        b'x{a="1",b="2"} 2\n',
        b'x{b="2",a="1"} 3 5\n',
        b'y 1\nx{b="2", a="1",} 4\n',
    )
    found = [readings(r.read(body, TEXT, AT), "x") for body in pages]
    assert [reading.samples[0][1] for (reading,) in found] == [1.0, 2.0, 3.0, 4.0]
    assert len({id(reading.series) for (reading,) in found}) == 1


def test_new_target_labels_make_new_series_with_the_same_keys() -> None:
    r = reader('x{pod="b"}', 'x{pod="a"}', pod="a")
    old = readings(r.read(b"x 1\n", TEXT, AT), 'x{pod="a"}')[0]
    r.relabel({"pod": "b"})
    page = r.read(b"x 2\n", TEXT, AT)
    assert readings(page, 'x{pod="a"}') == []
    new = readings(page, 'x{pod="b"}')[0]
    assert new.series is not old.series
    assert (new.series.key, new.series.labels) == (old.series.key, {"pod": "b"})


def test_keys_of_different_labels_differ_whatever_the_values_look_like() -> None:
    page = reader("x").read(b'x{a="1",b="2"} 1\nx{a="1\\",b=\\"2"} 2\n', TEXT, AT)
    first, second = (reading.series.key for reading in readings(page, "x"))
    assert first != second
    assert not page.refused


def test_from_page_to_page_series_come_go_and_change_places() -> None:
    r = reader('x{code="500"}', "x_count")
    a, b, n = b'x{code="200"} %d\n', b'x{code="500"} %d\n', b"x_count %d\n"
    for body, bad, count in (
        (a % 1 + n % 3, [], [3.0]),
        (a % 2 + n % 4, [], [4.0]),
        (b % 5 + n % 5, [5.0], [5.0]),
        (n % 6 + b % 6, [6.0], [6.0]),
        (n % 7 + b % 7 + a % 7, [7.0], [7.0]),
        (b"", [], []),
        (b"x 9\n" + n % 8, [], [8.0]),
        (b'x {code="500"} 9\n' + n % 9, [9.0], [9.0]),
    ):
        page = r.read(body, TEXT, AT)
        assert (values(page, 'x{code="500"}'), values(page, "x_count")) == (bad, count)
        assert not page.refused


def test_the_first_of_two_lines_of_one_series_counts() -> None:
    r = reader("x")
    for _ in range(2):
        page = r.read(b'x{a="b",c="d"} 1\nx{c="d",a="b"} 2\nx{a="b",c="d",e=""} 3\n', TEXT, AT)
        assert values(page, "x") == [1.0]
        assert page.refused == {"duplicate_on_page": 2}
        assert page.samples == 1


@pytest.mark.parametrize("body", [b"x 1\nx one\n", b"x one\nx 1\n"])
def test_of_two_lines_of_one_series_that_counts_which_can_be_read(body: bytes) -> None:
    page = reader("x").read(body, TEXT, AT)
    assert (values(page, "x"), page.refused) == ([1.0], {"malformed": 1})


@pytest.mark.parametrize(
    "line",
    [
        b"x",
        b'x{a="b} 1',
        b'x{a="b"',
        b'x{a="b" c="d"} 1',
        b"x{a=b} 1",
        b'x{="b"} 1',
        b"x{,} 1",
        b'x{a="b"}} 1',
        b'x{a="1",a="2"} 1',
        b'x{__name__="y"} 1',
        b'x{a="\xff\xfe"} 1',
        b"x 1 2 3",
        b"x 1 noon",
        b"x 1 NaN",
        b"x 1 1_000",
    ],
)
def test_a_wanted_line_that_cannot_be_read_is_refused_and_counted_each_time(line: bytes) -> None:
    r = reader("x")
    for _ in range(3):
        page = r.read(b"x_y 2\n" + line + b'\nx{good="yes"} 3\nz{ 4\n', TEXT, AT)
        assert values(page, "x") == [3.0]
        assert page.refused == {"malformed": 1}


def test_a_text_page_that_was_cut_in_a_number_does_not_give_a_smaller_one() -> None:
    for body in (b"y_total 5\nx_total 123", b"x_total 123", b"x_total 1\nz"):
        page = reader("x_total", "y_total").read(body, TEXT, AT)
        assert 123.0 not in values(page, "x_total")
        assert page.refused == {"no_newline_at_end": 1}


@pytest.mark.parametrize("body", [b"", b"x_total 1\n", b"x_total 1\n# EO", b'x_total{a="# EOF'])
def test_an_openmetrics_page_without_its_end_was_cut(body: bytes) -> None:
    with pytest.raises(SourceError, match="# EOF") as caught:
        reader("x_total").read(body, OPENMETRICS, AT)
    assert caught.value.reason == "truncated"


def test_timestamps_are_milliseconds_in_text_and_seconds_in_openmetrics() -> None:
    text, openmetrics = b"x 1 1700000000123\n", b"x 1 1700000000.123\n# EOF\n"
    assert only(text).samples == [(1_700_000_000.123, 1.0)]
    assert only(openmetrics, kind=OPENMETRICS).samples == [(1_700_000_000.123, 1.0)]
    page = reader("x", honor=False).read(text, TEXT, AT)
    assert readings(page, "x")[0].samples == [(AT, 1.0)]


def test_an_exemplar_is_no_value_and_no_timestamp() -> None:
    body = (
        b'x_bucket{le="0.5"} 7 # {trace_id="a} 1"} 0.3 1700000000.5\n'
        b'x_bucket{le="+Inf"} 9 1700000001.5 # {} 0.9\n'
        b"x_bucket 3 # {}\n# EOF\n"
    )
    r = reader("x_bucket")
    for _ in range(2):
        page = r.read(body, OPENMETRICS, AT)
        assert [reading.samples for reading in readings(page, "x_bucket")] == [
            [(AT, 7.0)],
            [(1_700_000_001.5, 9.0)],
            [(AT, 3.0)],
        ]


@pytest.mark.parametrize("kind", [TEXT, OPENMETRICS])
def test_created_lines_say_since_when_the_series_of_a_metric_count(kind: str) -> None:
    wants = ("x_bucket", "x_count", "x_sum", "y_total")
    r = reader(*wants)
    for created in (1.6e9, 1.65e9):
        body = (
            b'x_bucket{a="1",le="0.5"} 1\nx_bucket{a="1",le="+Inf"} 2\nx_count{a="1"} 2\n'
            b'x_sum{a="1"} 3\nx_created{a="1"} %d\nx_count{a="2"} 5\n'
            b"y_created 1.5e+09\ny_total 4\n# EOF\n" % created
        )
        page = r.read(body, kind, AT)
        assert [[g.created for g in readings(page, want)] for want in wants] == [
            [created, created],
            [created, None],
            [created],
            [1.5e9],
        ]


def test_a_gauge_that_is_called_created_is_no_time() -> None:
    assert only(b"jobs_total 5\njobs_created 7\n", "jobs_total").created is None
    assert only(b"jobs_total 5\njobs_created 7\n", "jobs_created").samples == [(AT, 7.0)]


def test_the_process_start_is_found_anywhere_but_only_if_it_is_the_only_one() -> None:
    r = reader("x")
    many = b"".join(b'y{a="%d"} 1\n' % i for i in range(20_000))
    start = b"# TYPE process_start_time_seconds gauge\nprocess_start_time_seconds 1.7e+09\n"
    labelled = b'process_start_time_seconds{service="shop"} 1.6e9\n'
    assert r.read(many + start, TEXT, AT).started == 1.7e9
    assert r.read(start + many, TEXT, AT).started == 1.7e9
    assert r.read(many + labelled, TEXT, AT).started == 1.6e9
    assert r.read(start + labelled, TEXT, AT).started is None
    assert r.read(many, TEXT, AT).started is None


def test_names_in_quotes_are_names() -> None:
    page = reader('{"http.requests"}', "x").read(
        b'{"http.requests",a="b"} 1\n{"http.requests"} 2\n{ "x" , a="b" } 3\n'
        b'{"http.requests.more"} 4\nhttp.requests 5\n{"x"="y"} 6\nx{"x"} 7\n',
        TEXT,
        AT,
    )
    assert values(page, '{"http.requests"}') == [1.0, 2.0]
    assert values(page, "x") == [3.0]
    keys = [reading.series.key for reading in readings(page, '{"http.requests"}')]
    assert keys == ['{"http.requests",a="b"}', '{"http.requests"}']


def test_too_many_wanted_series_are_an_error_that_says_what_to_do() -> None:
    body = b"".join(b'x{a="%d"} 1\ny{a="%d"} 1\n' % (i, i) for i in range(6))
    assert reader("x", "y", max_series=12).read(body, TEXT, AT).samples == 12
    for r in (reader("x", "y", max_series=11), reader("x", max_series=5)):
        for _ in range(2):
            with pytest.raises(SourceError, match="raise max_series") as caught:
                r.read(body, TEXT, AT)
            assert caught.value.reason == "too_many_series"


def test_a_page_for_people_is_no_metrics_page() -> None:
    with pytest.raises(SourceError, match="HTML") as caught:
        reader("x").read(b"\n<!DOCTYPE html><html>", "text/html", AT)
    assert caught.value.reason == "unsupported_format"
    for kind in ("", "application/json", "text/plain;version=0.0.4"):
        assert only(b"x 1\n", kind=kind).samples == [(AT, 1.0)]


def test_what_was_learnt_of_series_that_are_gone_is_forgotten() -> None:
    r = reader("x", max_series=10_000)
    for generation in range(20):
        body = b"".join(b'x{pod="%d-%d"} 1\n' % (generation, i) for i in range(1000))
        assert r.read(body, TEXT, AT).samples == 1000
    (family,) = r._families  # noqa: SLF001 - memory is seen nowhere else
    assert len(family._planner._entries) <= 4 * 1024  # noqa: SLF001
    assert len(r._catalogue._known) <= 4 * 1024  # noqa: SLF001


def test_digits_grouped_as_in_python_are_no_number_on_a_page_of_plain_ones_either() -> None:
    page = reader("x").read(b'x{a="1"} 1\nx{a="2"} 1_000\n', TEXT, AT)
    assert (values(page, "x"), page.refused) == ([1.0], {"malformed": 1})


def test_a_series_without_labels_is_not_taken_for_one_with() -> None:
    r = reader("x")
    for _ in range(2):
        assert values(r.read(b"x 5\n", TEXT, AT), "x") == [5.0]
        page = r.read(b'x {a="b"}6\nx 7\n', TEXT, AT)
        assert [(g.series.key, g.samples[0][1]) for g in readings(page, "x")] == [
            ('x{a="b"}', 6.0),
            ("x", 7.0),
        ]


def test_a_name_in_quotes_is_found_far_from_the_plain_one() -> None:
    between = b"".join(b"other_%d 1\n" % i for i in range(5000))
    page = reader("up").read(b"up 1\n" + between + b'{"up",a="b"} 2\nup{c="d"} 3\n', TEXT, AT)
    assert values(page, "up") == [1.0, 2.0, 3.0]
