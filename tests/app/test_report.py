"""The review over HTTP, after two days that the test made up, beside a recount of its own."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter.app import report as app_report
from exporter.app.daemon import Daemon
from exporter.app.report import Nothing, Reports
from exporter.config.moments import rfc3339
from exporter.errors import NotFound
from exporter.store.database import Store
from exporter.store.documents import Change, Documents
from exporter.store.save import Save
from exporter.web.report_api import Asked
from tests.app.test_daemon import PageServer, get, page
from tests.app.test_exclusions import ask
from tests.app.test_quarter import Hook, Shop, hook
from tests.core.builders import ERROR, OK, engine, feed, slo
from tests.support import ManualClock

__all__ = ["hook", "page"]

MINUTE, HOUR = 60.0, 3600.0
T = 1_700_006_400.0  # Wednesday, 2023-11-15T00:00:00Z
REPORT = "/api/slo/v1/report"
Stretch = tuple[float, float, int, int]
"""From and to, in hours since the beginning; good and bad events."""


def history() -> list[Stretch]:
    """An outage that pages, one that is excluded, and a slow one that never pages."""
    out: list[Stretch] = []

    def go(hours: float, step: float, share: float) -> None:
        for _ in range(round(hours * 60 / step)):
            at, events = out[-1][1] if out else 0.0, round(100 * step)
            bad = round(events * share)
            out.append((at, at + step / 60, events - bad, bad))

    go(12, 60, 0.002)
    go(0.5, 5, 0.5)
    go(11.5, 30, 0.002)
    go(1, 10, 0.9)
    go(5, 60, 0.002)
    go(4, 30, 0.04)
    go(6, 60, 0.002)
    return out


PAID, EXCLUDED, SLOW = (12.0, 12.5), (24.0, 25.0), (30.0, 34.0)


def bad_in(span: tuple[float, float]) -> int:
    return sum(bad for a, b, _, bad in history() if a >= span[0] - 1e-9 and b <= span[1] + 1e-9)


@pytest.fixture
async def shop(tmp_path: Path, page: PageServer, hook: Hook) -> AsyncIterator[Daemon]:
    """A daemon after all of the history."""
    made = Shop(tmp_path, page, hook, now=T)
    async with made.slod() as daemon:
        excluded = {
            "slos": '{service="shop"}',
            "start": rfc3339(T + EXCLUDED[0] * HOUR),
            "duration": "1h",
            "reason": "move to *another* | rack",
            "owner": "anna",
        }
        assert (await ask(daemon, "POST", "/api/slo/v1/exclusions", json=excluded))[0] == 201
        for begin, end, good, bad in history():
            await made.pass_by(daemon, good, bad, (end - begin) * HOUR)
        yield daemon


async def read(daemon: Daemon, query: str = "") -> dict[str, Any]:
    status, text = await get(daemon, f"{REPORT}?period=40h{query}")
    assert status == 200, text
    found: dict[str, Any] = json.loads(text)
    return found


def parts(of: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in of["spent_by"]["parts"]:
        yield (part["cause"] or {"kind": "background"})["kind"], part


async def test_a_review_of_two_days(shop: Daemon) -> None:
    daemon = shop
    [one] = (await read(daemon))["slos"]
    every = sum(good + bad for _, _, good, bad in history())
    out = sum(g + b for a, b_, g, b in history() if a >= 23.99 and b_ <= 25.01)
    bad = sum(b for _, _, _, b in history())
    budget = 0.01 * (every - out)

    def near(value: float) -> Any:
        return pytest.approx(value, rel=2e-3)

    counted, unadjusted = one["counted"], one["unadjusted"]
    assert counted["total"] == near(every - out)
    assert counted["bad"] == near(bad - bad_in(EXCLUDED))
    assert counted["spent"] == near((bad - bad_in(EXCLUDED)) / budget)
    assert unadjusted["bad"] == near(bad)
    assert unadjusted["spent"] == near(bad / every / 0.01)
    assert one["excluded_seconds"] == 3600

    shares = [part["share"] for _, part in parts(one)]
    assert sum(shares) == pytest.approx(one["spent_by"]["spent"], abs=1e-9)
    assert one["spent_by"]["spent"] == pytest.approx(counted["spent"], abs=1e-9)
    incidents = [part for kind, part in parts(one) if kind == "incident"]
    assert [part["bad"] for part in incidents] == [near(bad_in(PAID)), near(bad_in(SLOW))]
    [excluded] = [part for kind, part in parts(one) if kind == "exclusion"]
    assert excluded["bad"] == pytest.approx(0, abs=1)
    assert excluded["excluded_bad"] == near(bad_in(EXCLUDED))
    assert excluded["excluded_share"] == near(bad_in(EXCLUDED) / budget)
    rest = bad - bad_in(PAID) - bad_in(EXCLUDED) - bad_in(SLOW)
    assert next(part for kind, part in parts(one) if kind == "background")["bad"] == near(rest)

    assert [(p["start"], p["end"]) for p in one["incidents"]] == [
        pytest.approx([T + a * HOUR, T + b * HOUR], abs=20) for a, b in (PAID, SLOW)
    ]
    paid, slow = one["incidents"]
    # Half of all fail: over an hour that is more than 14.4% (burn rate 14.4) after 17.3 minutes.
    assert paid["detected"] == pytest.approx(20 * MINUTE, abs=20)
    assert slow["detected"] is None and slow["reported"] is None
    pages = [a for a in one["alerts"] if a["severity"] == "page"]
    assert {a["incident"] for a in pages} == {0} and one["precision"] == 1
    assert one["detection"] == paid["detected"]
    states = [state["state"] for state in one["states"]]
    assert states[0] == "warning" and "exhausted" in states
    assert one["state"] == states[-1] and one["states"][-1]["until"] is None
    left = [share for _, share in one["burn_down"]]
    assert left[0] is None or left[0] == pytest.approx(1, abs=1e-6)
    assert left[-1] == pytest.approx(1 - counted["spent"])
    assert "add a page that catches what was missed" in [p["change"] for p in one["proposals"]]


async def test_a_review_in_markdown_says_the_same(shop: Daemon) -> None:
    daemon = shop
    [one] = (await read(daemon))["slos"]
    _, text = await get(daemon, f"{REPORT}?period=40h&format=markdown")
    assert text.startswith("# Reliability review\n\n2023-11-15 00:00 to 2023-11-16 16:00 UTC, ")
    assert "\n## shop\n" in text
    assert "Toil: not recorded. On-call: not recorded." in text
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    kinds = [row[0] for row in rows]
    assert kinds.index("background") < kinds.index("sum") < kinds.index("exclusion")
    sums = rows[kinds.index("sum")]
    assert sums[-1] == f"{one['counted']['spent']:.0%}"
    assert rows[kinds.index("exclusion")][1] == r"move to \*another\* \| rack"
    assert "### Alerts" in text and "page 1h/5m" in text
    assert all(row[0] != "nan" for row in rows)


async def test_a_review_is_one_page_that_needs_nothing_else(shop: Daemon) -> None:
    daemon = shop
    url = f"http://127.0.0.1:{daemon.port}{REPORT}?period=40h&format=html"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        text = await answer.text()
        assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Slod-Report-End"].startswith("2023-11-16T16:00:00")
    assert "<script" not in text and "http" not in text.replace("http-equiv", "")
    assert re.search(r'<svg [^>]*role="img"', text) and "<desc" in text
    assert "time (UTC)</text>" in text and "budget left (%" in text


async def test_an_slo_that_cannot_be_reviewed_holds_up_no_other_and_services_are_chosen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = engine(slo("a"), slo("b"))
    for k in range(3):
        feed(made, T + 10 * k, {OK: 10.0 * k, ERROR: float(k)})
    store = Store(":memory:", now=lambda: T)
    await store.open()
    [of_a] = made.accounts["a"].memory.instances.values()
    # A ledger that is damaged in a way that nobody foresaw.
    monkeypatch.setattr(of_a, "ledger", None)
    reports = Reports(made, store, ManualClock(T + 30), list, Nothing())
    review = await reports.make(Asked(period=3600.0, services=("shop",)))
    assert [one.slo for one in review.slos] == ["b"]
    assert review.notes[0].startswith("a cannot be reviewed: AttributeError: ")
    with pytest.raises(NotFound):
        await reports.make(Asked(services=("ship",)))
    monkeypatch.setattr(app_report, "MOST", 0)
    assert (await reports.make(Asked())).notes == ("2 SLO instances are left out; name a service",)
    await store.close()


async def test_what_cannot_be_read_of_what_was_said_is_left_out() -> None:
    store = Store(":memory:", now=lambda: T)
    await store.open()
    await store.save(Save(said=[(T, b"\xc1"), (T, b"\x80")]))
    reports = Reports(engine(), store, ManualClock(T + 30), list, Nothing())
    assert (await reports.make(Asked())).notes == ()
    await store.save(Save())
    await Documents(store, "report").write(Change(put={app_report.MARK: b"\xc1"}))
    assert await reports.marked() is None
    await store.close()
