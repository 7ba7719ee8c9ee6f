"""Exclusions through a daemon on a clock that the test moves: budgets, restarts, reloads."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter.app.daemon import Daemon
from exporter.config import expansion, recurrence
from exporter.config.load import load
from exporter.config.moments import rfc3339
from exporter.store.documents import put
from tests.app.test_daemon import BAD, SLO, PageServer, get, has, page, until, value, write
from tests.support import ManualClock, unhurried

__all__ = ["page"]

T = 1_700_000_000.0  # Tuesday, 2023-11-14T22:13:20Z
API = "/api/slo/v1/exclusions"
LABELS = '{slo="shop",service="shop"}'
REMAINING = f"slo_error_budget_remaining_ratio{LABELS}"
CONFIGURED = """
[exclusion.drill]
slos = '{{service="shop"}}'
start = "{start}"
duration = "10m"
reason = "{reason}"
"""


@contextlib.asynccontextmanager
async def running(file: Path, clock: ManualClock) -> AsyncIterator[Daemon]:
    shutdown = asyncio.Event()
    daemon = Daemon(load(file), clock)
    unhurried.set(True)
    task = asyncio.create_task(daemon.run(shutdown))
    try:
        started = asyncio.create_task(daemon.started.wait())
        await asyncio.wait([started, task], return_when=asyncio.FIRST_COMPLETED)
        started.cancel()
        yield daemon
    finally:
        shutdown.set()
        await task


async def ask(
    daemon: Daemon, method: str, path: str = API, **options: Any
) -> tuple[int, dict[str, Any]]:
    headers = {"Content-Type": "application/json", **options.pop("headers", {})}
    url = f"http://127.0.0.1:{daemon.port}{path}"
    async with aiohttp.ClientSession() as session:
        async with session.request(method, url, headers=headers, **options) as answer:
            return answer.status, await answer.json() if await answer.read() else {}


async def counted(daemon: Daemon, clock: ManualClock, page: PageServer, bad: int) -> None:
    """Move on until the page's numbers are in the budget."""
    page.counts = {"200": page.counts["200"] + 100, "500": bad}

    async def look() -> bool:
        await clock.advance(0.1)
        return await has(daemon, BAD, bad)()

    await until(look)


def outage(clock: ManualClock, **more: Any) -> dict[str, Any]:
    return {
        "slos": '{service="shop"}',
        "start": rfc3339(clock.now() - 3600),
        "end": rfc3339(clock.now() + 60),
        "reason": "provider outage",
        "owner": "anna",
        **more,
    }


async def records(daemon: Daemon) -> list[tuple[str, str, str]]:
    _, found = await ask(daemon, "GET", f"{API}/audit")
    return [(r["by"], r["action"], r["why"]) for r in found["records"]]


async def test_an_exclusion_of_the_past_gives_the_budget_back_and_its_end_takes_it_again(
    tmp_path: Path, page: PageServer
) -> None:
    clock = ManualClock(T)
    async with running(write(tmp_path, page, SLO.format(objective=90)), clock) as daemon:
        await counted(daemon, clock, page, 0)
        await counted(daemon, clock, page, 50)
        spent = await value(daemon, REMAINING)
        assert spent is not None and spent < 0
        status, made = await ask(daemon, "POST", json=outage(clock))
        assert status == 201
        await clock.advance(60)
        await counted(daemon, clock, page, 51)
        remaining = await value(daemon, REMAINING)
        assert remaining is not None and 0.8 < remaining < 1
        [listed] = (await ask(daemon, "GET"))[1]["exclusions"]
        assert listed["id"] == made["id"]
        assert listed["covers"] == [{"slo": "shop", "excluded_seconds": 3660.0}]
        assert not listed["active"]

        path = f"{API}/{made['id']}?by=bert&why=not+theirs"
        assert (await ask(daemon, "DELETE", path))[0] == 204
        await counted(daemon, clock, page, 52)
        assert (await value(daemon, REMAINING) or 0) < 0
        assert await records(daemon) == [
            ("bert", "removed", "not theirs"),
            ("anna", "added", "provider outage"),
        ]


async def test_what_was_made_at_run_time_survives_a_restart_and_so_does_the_record(
    tmp_path: Path, page: PageServer
) -> None:
    clock = ManualClock(T)
    file = write(tmp_path, page, SLO.format(objective=90))
    async with running(file, clock) as daemon:
        await counted(daemon, clock, page, 0)
        await counted(daemon, clock, page, 50)
        await ask(daemon, "POST", json=outage(clock))
        first = (await ask(daemon, "GET"))[1]
    await clock.advance(60)
    async with running(file, clock) as daemon:
        await counted(daemon, clock, page, 51)
        again = (await ask(daemon, "GET"))[1]
        assert [e["id"] for e in again["exclusions"]] == [e["id"] for e in first["exclusions"]]
        assert 0.8 < (await value(daemon, REMAINING) or 0) < 1
        assert await records(daemon) == [("anna", "added", "provider outage")]


async def test_changes_of_the_configuration_are_on_record_once(
    tmp_path: Path, page: PageServer
) -> None:
    clock = ManualClock(T)
    slo, start = SLO.format(objective=90), rfc3339(T - 300)
    file = write(tmp_path, page, slo, CONFIGURED.format(start=start, reason="drill"))
    for _ in range(2):
        async with running(file, clock) as daemon:
            assert await records(daemon) == [("config", "added", "drill")]
            [entry] = (await ask(daemon, "GET"))[1]["exclusions"]
            assert (entry["id"], entry["origin"], entry["active"]) == ("drill", "config", True)
            status, said = await ask(daemon, "DELETE", f"{API}/drill?by=x&why=y")
            assert status == 409 and "[exclusion.drill]" in said["error"]
    async with running(file, clock) as daemon:
        write(tmp_path, page, slo, CONFIGURED.format(start=start, reason="a longer drill"))
        assert await daemon.reload() is None
        write(tmp_path, page, slo)
        assert await daemon.reload() is None
        assert await daemon.reload() is None
        assert await records(daemon) == [
            ("config", "removed", "no longer in the configuration"),
            ("config", "changed", "a longer drill"),
            ("config", "added", "drill"),
        ]
        assert (await ask(daemon, "GET"))[1] == {"exclusions": []}


async def test_what_recurs_is_excluded_week_after_week(tmp_path: Path, page: PageServer) -> None:
    clock = ManualClock(T)
    weekly = outage(
        clock,
        start="2023-11-15T02:00:00",
        end="2023-11-15T04:00:00",
        rrule="FREQ=WEEKLY;BYDAY=WE",
        timezone="Europe/Berlin",
    )
    file = write(tmp_path, page, SLO.format(objective=90))
    file.write_text(file.read_text().replace("100ms", "1h"))
    async with running(file, clock) as daemon:
        _, made = await ask(daemon, "POST", json=weekly)
        assert made["next"] == {"start": "2023-11-15T01:00:00Z", "end": "2023-11-15T03:00:00Z"}
        assert made["last"] is None
        for week in range(1, 4):
            clock.step(7 * 86_400 - 3600)
            await clock.advance(3600)
            [entry] = (await ask(daemon, "GET"))[1]["exclusions"]
            assert entry["covers"] == [{"slo": "shop", "excluded_seconds": week * 7200.0}]


async def test_what_cannot_be_recorded_is_not_excluded(tmp_path: Path, page: PageServer) -> None:
    clock = ManualClock(T)
    async with running(write(tmp_path, page, SLO.format(objective=90)), clock) as daemon:
        other = sqlite3.connect(tmp_path / "slod.db", isolation_level=None)
        other.execute("ALTER TABLE audit RENAME TO away")
        status, said = await ask(daemon, "POST", json=outage(clock))
        assert status == 503
        assert said["error"].startswith("nothing was changed, since it could not be written down")
        other.execute("ALTER TABLE away RENAME TO audit")
        other.close()
        assert (await ask(daemon, "GET"))[1] == {"exclusions": []}
        assert await records(daemon) == []
        assert (await ask(daemon, "POST", json=outage(clock)))[0] == 201


async def test_a_damaged_row_is_said_and_its_time_counts(tmp_path: Path, page: PageServer) -> None:
    clock = ManualClock(T)
    file = write(tmp_path, page, SLO.format(objective=90))
    async with running(file, clock) as daemon:
        for reason in ("one", "two"):
            await ask(daemon, "POST", json=outage(clock, reason=reason))
    db = sqlite3.connect(tmp_path / "slod.db")
    db.execute("UPDATE document SET body = CAST(replace(body, '\"one\"', '\"uno\"') AS BLOB)")
    with pytest.raises(sqlite3.IntegrityError, match="only added to"):
        db.execute("DELETE FROM audit")
    db.execute("DROP TRIGGER audit_UPDATE")
    db.execute("UPDATE audit SET body = replace(body, 'one', 'uno') WHERE seq = 1")
    db.commit()
    db.close()
    async with running(file, clock) as daemon:
        [entry] = (await ask(daemon, "GET"))[1]["exclusions"]
        assert entry["reason"] == "two"
        assert await records(daemon) == [("anna", "added", "two"), ("", "unreadable", "")]


def rewrite(folder: Path, was: str, is_: str) -> None:
    """Put another text into the saved exclusions, as an older version would have written it."""
    db = sqlite3.connect(folder / "slod.db")
    rows = db.execute("SELECT origin, id, body FROM document WHERE kind = 'exclusion'").fetchall()
    bodies = {
        (o, i): b.replace(was.encode(), is_.encode()) for o, i, b in rows if was in b.decode()
    }
    assert bodies
    put(db, "exclusion", bodies)
    db.commit()
    db.close()


async def test_a_saved_one_by_an_expression_that_is_refused_is_kept_listed_and_announced(
    tmp_path: Path, page: PageServer
) -> None:
    clock = ManualClock(T)
    file = write(tmp_path, page, SLO.format(objective=90))
    refused = '{service=~\\"(?=shop).*\\"}'

    def said(daemon: Daemon) -> list[tuple[str, bool]]:
        alerts = list(daemon.engine.notices.alerts())
        return [(a.labels["exclusion"], a.firing) for a in alerts]

    async with running(file, clock) as daemon:
        await counted(daemon, clock, page, 0)
        await counted(daemon, clock, page, 50)
        ids = [
            (await ask(daemon, "POST", json=outage(clock, slos=slos)))[1]["id"]
            for slos in ('{service="shop"}', ["shop", "other"], '{service="elsewhere"}')
        ]
    rewrite(tmp_path, '{service=\\"shop\\"}', refused)
    rewrite(tmp_path, '["shop","other"]', '["shop",""]')
    await clock.advance(60)
    for _ in range(2):  # It is said once, however often slod starts.
        async with running(file, clock) as daemon:
            await counted(daemon, clock, page, 51)
            assert (await value(daemon, REMAINING) or 0) < 0, "its time counts"
            listed = (await ask(daemon, "GET"))[1]["exclusions"]
            assert [e["id"] for e in listed] == [ids[2], ids[0], ids[1]]
            assert [e["quarantined"] is None for e in listed] == [True, False, False]
            assert "look-around is not supported" in listed[1]["quarantined"]
            assert listed[1]["slos"] == refused.replace("\\", "")
            assert (listed[1]["by"], listed[1]["covers"]) == ("anna", [])
            assert listed[2]["slos"] == "shop, "
            assert said(daemon) == [(ids[0], True), (ids[1], True)]
    # Where it can be read again, it counts again.
    rewrite(tmp_path, refused, '{service=\\"shop\\"}')
    async with running(file, clock) as daemon:
        await counted(daemon, clock, page, 52)
        assert 0.8 < (await value(daemon, REMAINING) or 0) < 1
        assert said(daemon) == [(ids[0], False), (ids[1], True)]
        path = f"{API}/{ids[1]}?by=bert&why=made+anew"
        assert (await ask(daemon, "DELETE", path))[0] == 204
        assert (await ask(daemon, "DELETE", path))[0] == 404
        await counted(daemon, clock, page, 53)
        assert said(daemon) == [(ids[0], False), (ids[1], False)]
        assert (await records(daemon))[0] == ("bert", "removed", "made anew")
    async with running(file, clock) as daemon:
        assert len((await ask(daemon, "GET"))[1]["exclusions"]) == 2


async def test_the_document_of_the_api_has_every_path_that_answers(
    tmp_path: Path, page: PageServer
) -> None:
    clock = ManualClock(T)
    async with running(write(tmp_path, page, SLO.format(objective=90)), clock) as daemon:
        status, found = await ask(daemon, "GET", "/api/slo/v1/openapi.json")
        assert status == 200 and found["openapi"] == "3.1.0"
        assert {API, f"{API}/audit", f"{API}/{{ident}}"} <= set(found["paths"])
        status, text = await get(daemon, "/api/slo/v1/nothing")
        assert (status, text) == (404, '{"error":"not found; see /"}\n')


async def test_what_recurs_is_followed_once_for_all_readers(
    tmp_path: Path, page: PageServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0

    def counted(*args: Any) -> Iterator[float]:
        nonlocal steps
        for begin in recurrence.starts(*args):
            steps += 1
            yield begin

    monkeypatch.setattr(expansion, "starts", counted)
    rule = {"rrule": "FREQ=DAILY;BYHOUR=0,12", "timezone": "Europe/Berlin", "duration": "1h"}
    body = {"slos": "shop", "start": "1990-01-02", "reason": "r", "owner": "o", **rule}
    clock = ManualClock(T)
    async with running(write(tmp_path, page, SLO.format(objective=90)), clock) as daemon:
        for _ in range(3):
            status, made = await ask(daemon, "POST", json=body)
            assert status == 201 and made["next"]["start"].startswith("2023-11-14T23:00")
        once = steps
        for _ in range(5):
            assert len((await ask(daemon, "GET"))[1]["exclusions"]) == 3
        await ask(daemon, "DELETE", f"{API}/{made['id']}?by=a&why=b")
        assert steps == once
        # A day on, each of the two that are left is followed a day further, and no more.
        clock.step(86_400)

        async def later() -> bool:
            entries = (await ask(daemon, "GET"))[1]["exclusions"]
            return all(e["next"]["start"].startswith("2023-11-15T23:00") for e in entries)

        await until(later)
        assert steps - once <= 2 * 3
