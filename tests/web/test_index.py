from __future__ import annotations

import re
from html.parser import HTMLParser

import aiohttp

from exporter.core.status import Snapshot
from exporter.web.index import render
from tests.web.kit import NOW, serving, slo, snapshot, status


class Balance(HTMLParser):
    """Counts open elements and collects everything that would be loaded from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "br"):
            self.open.append(tag)
        self.loads += [v or "" for k, v in attrs if k in ("src", "srcset", "style")]
        assert tag not in ("script", "link", "img", "iframe")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_table_shows_each_slo_with_budget_gate_and_alerts() -> None:
    html = render(snapshot(status(), status(slo("quiet"), empty=True)), "1.0")
    for text in ("checkout", "shop", "99.9%", "99.8000%", "-100.0%", "exhausted", "closed"):
        assert text in html, text
    assert "page 1h/5m" in html
    assert html.count("<meter") == 1 and html.count("unknown") == 2


def test_the_document_is_balanced_and_loads_nothing() -> None:
    reader = Balance()
    reader.feed(render(snapshot(), "1.0"))
    assert reader.open == [] and reader.loads == []


def test_every_text_from_outside_is_escaped() -> None:
    evil = '<img src=x onerror="a()">'
    of = slo(evil)
    html = render(snapshot(status(of, labels={"team": evil}, policy_state=evil)), evil)
    assert "<img" not in html and html.count("&lt;img") == 4


def test_almost_all_is_never_shown_as_all() -> None:
    html = render(snapshot(status(bad=0.0000001)), "1.0")
    assert "99.9999%" in html and "100.0000%" not in html


def test_no_slo_is_said_in_words() -> None:
    assert "No SLO has data yet" in render(Snapshot(NOW, ()), "1.0")


async def test_the_page_is_served_under_a_policy_that_allows_only_its_own_style() -> None:
    async with (
        serving() as server,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{server.port}/") as response,
    ):
        assert response.content_type == "text/html"
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and re.search(r"style-src 'sha256-[^']+'", policy)
        assert "checkout" in await response.text()
