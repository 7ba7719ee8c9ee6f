"""A review as Markdown, as a page and as JSON: facts, safety, and how it looks in a browser."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.charts.page import CSP
from exporter.report.html import to_html
from exporter.report.markdown import plain, to_markdown
from exporter.report.plain import to_json
from tests.backtest.test_html import Reader, drawn
from tests.real.servers import need
from tests.report.made_up import SPAN, START, one, whole

EVIL = """<script>alert('1')</script>"&amp;| x](http://y) `z`"""
REVIEW = whole(one(), replace(one(0.99, outages=False, known=[], heard=[]), slo="cart"))


def test_markdown_says_what_was_found() -> None:
    text = to_markdown(REVIEW)
    for line in (
        "# Reliability review",
        "| checkout | shop | 99.9% | 99.9479% | 52% | 47.9% | 5 | ok |",
        "- exclusions: 12h do not count; with them counted the SLI would be 99.9344% and 66% spent",
        "- alerts: 5 pages of 6 alerts; precision 60%; half of the incidents paged within 21m36s",
        "| incident | database full | 2023-10-19 11:45 | 1h41m | 663.5 | 11,470 | 13% | 12% |",
        "| background | everything else |  | 26d2h | 896.9 | 4,483,262 | 18% |  |",
        "| sum |  |  | 29d12h | 2,636 | 5,061,586 | 52% |  |",
        "| page 1h/5m | 2023-10-24 00:00 | 14m24s | 0.040% | no incident |",
        "| freeze_discussion | 2023-10-27 05:02 | now | 18d19h |",
        "| 2023-11-15 00:00 | 47.9% | ██████████░░░░░░░░░░ |",
        "Toil: not recorded. On-call: not recorded.",
        "None fired.",
    ):
        assert line in text.splitlines(), line


def test_what_others_wrote_is_text_in_markdown() -> None:
    assert plain("a|b\nc <b> [x](y) `z` *w*") == r"a\|b c \<b\> \[x\](y) \`z\` \*w\*"


def test_markdown_for_a_notification_has_the_worst_slos_whole() -> None:
    whole_text = to_markdown(REVIEW)
    cut = to_markdown(REVIEW, len(whole_text.encode()) - 100)
    assert "\n## checkout\n" in cut and "\n## cart\n" not in cut
    assert cut.endswith("1 more: slod report has all of them.\n")
    assert to_markdown(REVIEW, 20_000) == whole_text
    assert len(to_markdown(REVIEW, 300).encode()) <= 300


def test_json_has_all_of_it() -> None:
    found = json.loads(to_json(whole(replace(one(), lowest=float("nan")))))
    [slo] = found["slos"]
    assert (found["start"], found["end"], found["toil"]) == (*SPAN, "not recorded")
    assert slo["lowest"] is None
    assert slo["counted"]["spent"] == pytest.approx(slo["spent_by"]["spent"])
    assert len(slo["burn_down"]) > 200 and slo["burn_down"][0] == [START, 1.0]


def test_the_page_needs_nothing_else_and_allows_nothing_else() -> None:
    text = to_html(REVIEW)
    found = Reader(text).found
    tags = {tag for tag, _ in found}
    assert not tags & {"script", "img", "link", "iframe", "object", "form"}
    assert not [a for _, attributes in found for a in attributes if a.startswith("on")]
    assert not [a for _, attributes in found for a in attributes if a == "style"]
    [policy] = [str(a["content"]) for tag, a in found if tag == "meta" and "http-equiv" in a]
    assert policy == CSP
    links = [str(a["href"]) for tag, a in found if tag == "a"]
    assert links == ["#s1", "#s2", "https://wiki.example/p/41", "https://ci.example/builds/812"]
    ids = [a["id"] for _, a in found if "id" in a]
    assert len(ids) == len(set(ids))
    assert "javascript:" not in text and "new-basket &lt;b&gt;" in text


def test_whatever_stands_in_names_is_text_on_the_page() -> None:
    evil = replace(one(), slo=EVIL, service=EVIL, state=EVIL)
    text = to_html(replace(whole(evil), notes=(EVIL,)))
    assert "<script" not in text and EVIL in Reader(text).text


def test_the_chart_has_axes_units_and_a_text_alternative() -> None:
    text = to_html(whole(one()))
    svg = drawn(text[text.index("<svg") : text.index("</svg>") + len("</svg>")])
    words = [element.text or "" for element in svg.iter()]
    assert svg.get("role") == "img"
    assert {"time (UTC)", "budget left (% of the period's)", "0%", "100%", "19 Oct"} <= set(words)
    assert {"incidents", "excluded", "deploy", "feature flag", "page 1h/5m"} <= set(words)
    described = next(w for w in words if "is left at its end" in w)
    assert described.startswith("47.9% of the budget of the time reviewed is left at its end.")
    assert (
        "Incident database full from 2023-10-19 12:00 UTC spent 12%, paged after 21m" in described
    )
    bars = [w for w in words if w.startswith("feature flag new-basket <b>: 2023-11-04")]
    assert len(bars) == 1 and bars[0].endswith("6.7% of the budget")


def test_there_may_be_nothing_to_review() -> None:
    assert "There is no SLO to review." in to_html(whole())
    assert "0 SLOs reviewed" in to_markdown(whole())


def test_a_browser_draws_it(tmp_path: Path) -> None:
    chromium = need("chromium")
    page, shot = tmp_path / "review.html", tmp_path / "review.png"
    page.write_text(to_html(REVIEW))
    command = [chromium, "--headless", "--no-sandbox", "--disable-gpu", f"--screenshot={shot}"]
    command += [f"--user-data-dir={tmp_path / 'profile'}", "--window-size=1200,1600"]
    done = subprocess.run([*command, page.as_uri()], capture_output=True, timeout=60, check=False)
    assert shot.exists(), done.stderr.decode()[-500:]
    # A page that was refused or empty is a few kilobytes of white.
    assert shot.stat().st_size > 30_000
    assert b"Content Security Policy" not in done.stderr
