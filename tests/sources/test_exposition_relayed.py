"""Pages that pass other processes on, and when the processes of a page began."""

from __future__ import annotations

import math

import pytest

from exporter.core.selector import Selector, parse_selector
from exporter.sources.exposition import Page
from tests.sources.pages import FORMATS, NOW, OPENMETRICS, PROTOBUF, TEXT, Row, body, read, reader

START = "process_start_time_seconds"
HAPROXY = f"haproxy_{START}"


def processes(page: Page, name: str = "m") -> dict[str, str]:
    """The page that passes them on, by the processes of a metric's series."""
    return {r.series.target: r.series.page for r in page.readings[parse_selector(name)]}


@pytest.mark.parametrize("kind", FORMATS)
def test_a_series_with_an_instance_or_job_of_its_own_is_of_another_process(kind: str) -> None:
    rows = [
        Row("m", 1),
        Row("m", 2, {"instance": "a:1", "job": "x", "code": "500"}),
        Row("m", 3, {"job": "x"}),
        Row("m", 4, {"pod": "p", "namespace": "n", "instance": ""}),
    ]
    page = read(rows, "m", kind=kind, labels={"instance": "t:9", "job": "push"})
    assert processes(page) == {
        "http://t": "",
        'http://t{instance="a:1",job="x"}': "http://t",
        'http://t{job="x"}': "http://t",
    }
    moved = page.readings[Selector("m")][1].series.labels
    assert (moved["instance"], moved["exported_instance"]) == ("t:9", "a:1")


def test_processes_whose_labels_only_look_alike_are_two() -> None:
    rows = [
        Row("m", 1, {"instance": 'a",job="b'}),
        Row("m", 2, {"instance": "a", "job": "b"}),
        Row("m", 3, {"instance": 'a\\",job=\\"b'}),
        Row("m", 4, {"instance": "a\n"}),
    ]
    page = read(rows, "m")
    assert len(processes(page)) == 4
    assert len({r.series.key for r in page.readings[Selector("m")]}) == 4


def test_the_labels_that_tell_processes_apart_can_be_others_or_none() -> None:
    rows = [Row("m", 1, {"instance": "a", "k8s_cluster": "c"})]
    none = reader("m", process_labels=()).read(body(TEXT, rows), TEXT, NOW)
    assert processes(none) == {"http://t": ""}
    cluster = reader("m", process_labels=("k8s_cluster",)).read(body(TEXT, rows), TEXT, NOW)
    assert processes(cluster) == {'http://t{k8s_cluster="c"}': "http://t"}


def test_processes_stay_the_same_when_the_labels_of_the_page_change() -> None:
    rows = body(TEXT, [Row("m", 1, {"instance": "a"})])
    one = reader("m", labels={"env": "blue"}, process_labels=("instance",))
    before = processes(one.read(rows, TEXT, NOW))
    one.relabel({"env": "green"})
    after = one.read(rows, TEXT, NOW)
    assert processes(after) == before
    assert after.readings[Selector("m")][0].series.labels["env"] == "green"


@pytest.mark.parametrize("kind", FORMATS)
def test_each_process_has_the_start_time_that_is_its_own(kind: str) -> None:
    rows = [
        Row(START, 5.0),
        Row(START, 7.0, {"instance": "a"}, at=NOW - 30),
        Row(START, 8.0, {"instance": "b"}),
        Row(HAPROXY, 9.0, {"instance": "c"}),
        Row(START, 1.0, {"instance": "d", "pid": "1"}),
        Row(START, 2.0, {"instance": "d", "pid": "2"}),
        Row(START, 0.0, {"instance": "e"}),
        Row("m", 1, {"instance": "a"}),
    ]
    page = read(rows, "m", kind=kind)
    assert page.started == 5.0
    assert page.relayed == {
        'http://t{instance="a"}': (NOW - 30, 7.0),
        'http://t{instance="b"}': (NOW, 8.0),
        'http://t{instance="c"}': (NOW, 9.0),
    }


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize(
    ("rows", "started"),
    [
        ([Row(HAPROXY, 5)], 5),
        ([Row(f"a.b:{START}", 5, type="gauge")], 5),
        ([Row(HAPROXY, 5), Row("x_" + START, 6)], None),
        ([Row(HAPROXY, 5, {"process": "1"}), Row(HAPROXY, 6, {"process": "2"})], None),
        ([Row(START, 4, {"pid": "1"}), Row(START, 5, {"pid": "2"}), Row(HAPROXY, 6)], None),
        ([Row("sub" + START, 5)], None),
        ([Row(START + "_ago", 5)], None),
        ([Row(START, 4), Row("sub" + START, 5)], 4),
        # An exporter's own beside that of what it measures.
        ([Row(START, 4), Row(HAPROXY, 5)], 4),
        ([Row(START, 4), Row(HAPROXY, 5), Row("m", 1)], 4),
        ([Row(START, 4), Row(HAPROXY, 5), Row("haproxy_m", 1)], 5),
        ([Row(START, 4), Row(HAPROXY, 5), Row("haproxy_m", 1), Row("m", 1)], 4),
        ([Row(START, 4), Row(HAPROXY, 5), Row("haproxy_m", 1, {"job": "b"})], 4),
        ([Row(START, 0)], None),
        ([Row(START, -1)], None),
        ([Row(START, math.nan)], None),
        ([Row(START, math.inf)], None),
        ([Row(START, 4), Row(START, 4, {"job": "pushed"})], 4),
    ],
)
def test_the_start_of_a_process_may_have_a_prefix(
    kind: str, rows: list[Row], started: float | None
) -> None:
    if "." in rows[0].name and kind != PROTOBUF:
        rows = [row._replace(name=row.name.replace(".", "_")) for row in rows]
    wants = ("m", "haproxy_m")
    page = read([Row("other", 1), *rows, Row("last", 1)], *wants, kind=kind)
    assert page.started == started


def test_the_start_times_of_a_long_federation_are_read_anew_on_each_page() -> None:
    one = reader("m", process_labels=("instance",))
    for turn, many in enumerate((3, 3, 4000, 2, 3000)):
        for at in (None, NOW - 1):
            rows = [Row(START, turn + i + 1, {"instance": str(i)}, at=at) for i in range(many)]
            page = one.read(body(TEXT, rows), TEXT, NOW)
            assert [start for _, start in page.relayed.values()] == [
                row.value for row in reversed(rows)
            ]


def test_a_start_line_that_cannot_be_read_is_none() -> None:
    text = f"{START}{{a=}} 5\n{START} x\n{START} 6\n{START}{{ 7\n".encode()
    assert reader("m").read(text, TEXT, NOW).started == 6
    twice = body(PROTOBUF, [Row(START, 5, {"a": "b"})])
    broken = twice.replace(b"\x0a\x01a", b"\x0a\x01\xff")
    page = reader("m").read(broken, PROTOBUF, NOW)
    assert (page.started, page.refused) == (None, {"malformed": 1})


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("stamp", [-1e12, -1.0, 0.0, 1.7e12, 9e15])
def test_absurd_timestamps_are_handed_on_as_the_page_says_them(kind: str, stamp: float) -> None:
    # The core refuses what lies out of its bounds, and counts it.
    page = read([Row("m", 1, at=stamp)], "m", kind=kind)
    [(time, value)] = page.readings[Selector("m")][0].samples
    assert (time, value) == (pytest.approx(stamp), 1.0)


@pytest.mark.parametrize("kind", [TEXT, OPENMETRICS])
@pytest.mark.parametrize("stamp", ["1e308", "-1e308", "9" * 400, "NaN", "+Inf", "1_0", "0x5", "x"])
def test_a_time_is_a_finite_number_or_its_line_is_malformed(kind: str, stamp: str) -> None:
    text = f"m 1 {stamp}\n# EOF\n".encode()
    page = reader("m").read(text, kind, NOW)
    found = page.readings[Selector("m")]
    if stamp in ("1e308", "-1e308"):
        assert math.isfinite(found[0].samples[0][0])
    else:
        assert (found, page.refused) == ([], {"malformed": 1})


@pytest.mark.parametrize("created", [0, 5, 10**11, 2**63 - 1])
def test_a_creation_that_can_be_none_is_not_known(created: int) -> None:
    page = read([Row("c_total", 1, type="counter", created=created)], "c_total", kind=PROTOBUF)
    assert page.readings[Selector("c_total")][0].created is None
