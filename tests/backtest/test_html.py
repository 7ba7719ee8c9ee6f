"""The page of a backtest: whole, alone, and safe whatever stands in a configuration."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from exporter.backtest.chart import chart
from exporter.backtest.html import page
from exporter.charts.axis import dates, steps
from tests.backtest.made_up import ALONE, DAY, END, PAGE, PAGED, QUIET, T, outcome, result

SVG = "{http://www.w3.org/2000/svg}"
EVIL = """<script>alert('1')</script>"&amp;"""
_EMPTY = {"meta", "rect", "line"}


class Reader(HTMLParser):
    """Elements with their attributes; what is not closed in turn is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in _EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _EMPTY:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def drawn(text: str) -> ET.Element:
    return ET.fromstring(text.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" '))


def test_it_needs_nothing_else_and_allows_nothing_else() -> None:
    text = page([result(), result(slo="other")], 0.02)
    assert "//" not in text
    found = Reader(text).found
    assert {tag for tag, _ in found} & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "form",
    } == set()
    assert not [a for _, attributes in found for a in attributes if a.startswith("on")]
    # The policy forbids style attributes.
    assert not [a for _, attributes in found for a in attributes if a == "style"]
    [policy] = [str(a["content"]) for tag, a in found if tag == "meta" and "http-equiv" in a]
    style = re.findall("<style>(.*?)</style>", text, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert "prefers-color-scheme:dark" in style
    ids = Counter(str(a["id"]) for _, a in found if "id" in a)
    assert set(ids.values()) == {1}
    links = {str(a["href"]) for tag, a in found if tag == "a"}
    assert links == {"#s1", "#s2"} <= {f"#{one}" for one in ids}


def test_what_comes_from_outside_is_escaped() -> None:
    alert = replace(PAGE, severity=EVIL, long=EVIL, short=EVIL)
    evil = result(
        outcome(policy=EVIL, alerts=(alert, replace(alert, incident=None))),
        outcome(policy=EVIL * 2),
        slo=EVIL, service=EVIL, group={EVIL: EVIL}, period=EVIL, notes=(EVIL,),
    )  # fmt: skip
    text = page([evil, evil], 0.02)
    assert "<script" not in text
    read = Reader(text)
    assert read.text.count(EVIL) >= 20
    plain = Reader(page([result(outcome(alerts=(PAGE, PAGE)), outcome()), result()], 0.02))
    assert {tag for tag, _ in read.found} == {tag for tag, _ in plain.found}


def test_every_figure_of_the_table_is_on_it() -> None:
    text = Reader(page([result(outcome(), outcome(objective=0.9995))], 0.02)).text
    for said in (
        "Recommended objective: 99.5%, the tightest met",
        "2026-01-01 00:00 to 2026-04-01 00:00 UTC, 90d; data for 99.7% of it",
        "2 incidents and 3 alerts of workbook at 99.9%",
        "incident: 6,000 bad of 60,000",
        "paged after 2m30s, reset in 4m30s",
        "page 1h/5m over 14.4x",
        "still firing",
        "no incident",
        "99.95%",
        "61.2%",
        "-4.1%",
        "2 of 3",
        "Recall (≥ 2%)",
    ):
        assert said in text


def test_only_an_alert_of_an_incident_stands_under_it() -> None:
    found = Reader(page([result(outcome(alerts=(PAGE, ALONE), incidents=(PAGED,)))], 0.02)).found
    assert [a.get("class") for tag, a in found if tag == "tr"][-3:] == ["case", "of", None]


def test_nothing_happened_or_nothing_was_there() -> None:
    text = Reader(page([result(QUIET)], 0.02)).text
    assert "no alert, and no significant incident" in text
    assert "There are no samples of any SLO" in Reader(page([], 0.02)).text


def test_a_chart_can_be_read_without_seeing_it() -> None:
    root = drawn(chart(result(), outcome(), "s1"))
    assert root.get("role") == "img"
    named = [root.find(f"{SVG}{tag}") for tag in ("title", "desc")]
    assert [one.get("id") for one in named if one is not None] == str(
        root.get("aria-labelledby")
    ).split()
    title, desc = (one.text for one in named if one is not None)
    assert title == "Error budget left over 30d at 99.9%, checkout"
    assert desc == (
        "From 2026-01-02 00:00 to 2026-04-01 00:00 UTC; 61.2% left at the end, -4.1% at the "
        "lowest. Incidents: 2. Alerts: 2 page, 1 ticket."
    )


def test_a_chart_has_axes_with_units_and_a_lane_for_each_rule() -> None:
    root = drawn(chart(result(), outcome(), "s1"))
    texts = [t.text for t in root.iter(f"{SVG}text")]
    assert "budget left (% of the period's)" in texts
    assert "time (UTC)" in texts
    assert texts[:7] == ["-20%", "0%", "20%", "40%", "60%", "80%", "100%"]
    assert texts[-3:] == ["page 1h/5m", "page 6h/30m", "ticket 3d/6h"]
    # Unknown for two days: not drawn across.
    lines = [p.get("points", "").split() for p in root.iter(f"{SVG}polyline")]
    assert [len(points) for points in lines] == [6, 82]
    marks = [r for r in root.iter(f"{SVG}rect") if r.get("class") in ("page", "ticket")]
    assert len(marks) == 3
    for mark in root.iter(f"{SVG}rect"):
        left, width = float(mark.get("x", "")), float(mark.get("width", ""))
        assert width >= 3
        assert 128 <= left <= left + width <= 944.01


def test_an_alert_at_the_last_moment_and_a_chart_of_a_moment_stay_inside() -> None:
    last = outcome(alerts=(replace(PAGE, start=END, end=None),), incidents=(replace(PAGED, end=T),))
    for end in (END, T):
        root = drawn(chart(result(last, end=end, start=T), last, "s1"))
        for mark in root.iter(f"{SVG}rect"):
            if end == END:
                assert float(mark.get("x", "")) + float(mark.get("width", "")) <= 944.01


def test_what_is_far_below_at_the_beginning_is_said_and_does_not_squeeze_the_rest() -> None:
    early = outcome(burn_down=((T + 60, -250.0), (T + DAY, 0.5), (END, 0.61234)), lowest=0.5)
    text = page([result(early)], 0.02)
    assert "the line goes down to -25,000.0%, below the chart" in Reader(text).text
    assert ">-25,000%<" not in text


@pytest.mark.parametrize(
    ("low", "expected"),
    [
        (0.0, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-0.04, [-0.2, 0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-0.9, [-1, -0.5, 0, 0.5, 1]),
        (-12.0, [-12.5, -10, -7.5, -5, -2.5, 0, 1]),
        (-7.0, [-8, -6, -4, -2, 0, 1]),
        (-2.0, [-2, -1.5, -1, -0.5, 0, 0.5, 1]),
        (-50.0, [-50, -40, -30, -20, -10, 0]),
    ],
)
def test_lines_of_shares_are_round(low: float, expected: list[float]) -> None:
    assert steps(low, 1.0) == pytest.approx(expected)


def test_lines_of_dates_are_round_and_never_many() -> None:
    assert dates(T, T + 3 * 3600)[:2] == [(T, "01 Jan 00:00"), (T + 1800, "01 Jan 00:30")]
    assert dates(T, T + 30 * DAY)[0][1] == "01 Jan"
    assert dates(T, T + 600)[:2] == [(T, "01 Jan 00:00"), (T + 120, "01 Jan 00:02")]
    assert dates(T, T + 100)[-1] == (T + 90, "00:01:30")
    assert dates(T, T)[0] == (T, "00:00:00")
    for days in (0.001, 0.01, 0.3, 1, 3, 10, 40, 100, 400, 1000, 5000, 20000):
        found = dates(T + 1, T + 1 + days * DAY)
        assert 2 <= len(found) <= 10
        gaps = {b[0] - a[0] for a, b in pairwise(found)}
        assert len(gaps) <= 1
