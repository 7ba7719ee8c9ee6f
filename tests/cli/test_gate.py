"""`slod gate` against a daemon of this process, and what the API behind it refuses."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from exporter.app.daemon import Daemon
from exporter.cli import main
from exporter.config.overrides import LONGEST
from tests.app.test_daemon import SLO, PageServer, all_counted, get, has, page, until, value, write
from tests.app.test_exclusions import ask, running
from tests.core.builders import aged
from tests.support import ManualClock

__all__ = ["page"]

API = "/api/slo/v1/overrides"
OPEN = 'slo_gate_open{slo="shop",service="shop"}'
LOG = ("[info", "[debug", "[warning", "[error")


class Shop:
    """A daemon, and a shell beside it."""

    def __init__(self, folder: Path, page: PageServer, capsys: pytest.CaptureFixture[str]) -> None:
        self.clock, self.page, self._capsys = ManualClock(), page, capsys
        self.file = write(folder, page, SLO.format(objective=90))
        self.daemon: Daemon | None = None

    async def slod(self, *args: str) -> tuple[int, list[str], str]:
        """Run a command: exit code, what it printed, what it complained of."""
        assert self.daemon is not None
        self._capsys.readouterr()
        url = f"http://127.0.0.1:{self.daemon.port}"
        code = await asyncio.to_thread(main, [*args, "--url", url])
        lines = self._capsys.readouterr()
        # The daemon of this process logs to the same place.
        out = [ln for ln in lines.out.splitlines() if not any(level in ln for level in LOG)]
        return code, out, lines.err

    async def serve(self, good: int, bad: int) -> None:
        """So many more events, until slod has counted them."""
        assert self.daemon is not None
        self.page.counts["200"] = self.page.counts.get("200", 0) + good
        self.page.counts["500"] = self.page.counts.get("500", 0) + bad
        daemon = self.daemon

        async def look() -> bool:
            await self.clock.advance(0.1)
            return await all_counted(daemon, self.page)

        await until(look)


@pytest.fixture
async def shop(
    tmp_path: Path,
    page: PageServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Shop]:
    monkeypatch.setenv("LOGNAME", "anna")
    shop = Shop(tmp_path, page, capsys)
    async with running(shop.file, shop.clock) as shop.daemon:
        # What is counted is counted from the first poll on.
        await shop.serve(0, 0)
        aged(shop.daemon.engine, shop.clock.now())
        yield shop


async def test_unknown_open_and_closed_have_their_exit_codes(shop: Shop) -> None:
    assert (await shop.slod("gate", "shop"))[:2] == (
        3,
        ["unknown: shop: there are no events in 30d"],
    )
    await shop.serve(96, 4)
    code, out, _ = await shop.slod("gate", "shop")
    assert (code, out) == (0, ["open: shop, 60.0% of the error budget is left"])
    await shop.serve(1, 99)
    code, out, _ = await shop.slod("gate", "shop")
    assert code == 1 and out[0].startswith("closed: shop: exhausted, -4")
    assert out[1].startswith("  opens again 20") and out[1].endswith("if nothing fails any more")
    code, out, _ = await shop.slod("gate", "shop", "--format", "json")
    assert code == 1 and json.loads("".join(out))["slos"][0]["state"] == "exhausted"


async def test_a_name_that_is_not_there_opens_nothing(shop: Shop) -> None:
    code, out, err = await shop.slod("gate", "shpo")
    assert (code, out) == (3, [])
    assert err == "slod: there is no service or SLO 'shpo'; did you mean 'shop'?\n"


async def test_an_override_is_made_told_recorded_and_ended(shop: Shop) -> None:
    await shop.serve(0, 10)
    assert shop.daemon is not None and await value(shop.daemon, OPEN) == 0
    code, out, _ = await shop.slod("gate", "shop", "--override", "2h", "--reason", "the fix")
    assert code == 0 and "the gate of shop is open until 2023-11-15T00:13:2" in out[0]
    code, out, _ = await shop.slod("gate", "shop")
    assert code == 0 and out[0].startswith("open: shop: exhausted")
    assert out[1].startswith("  overridden (open) by anna until 2023-11-15T00:13:2")
    assert out[1].endswith("Z: the fix")
    await until(has(shop.daemon, OPEN, 1))
    assert (await shop.slod("gate", "shop", "--end-override", "--reason", "done"))[0] == 0
    assert (await shop.slod("gate", "shop"))[0] == 1
    code, out, _ = await shop.slod("gate", "shop", "--audit")
    assert [line.split()[1:3] for line in out] == [["anna", "removed"], ["anna", "added"]]
    assert out[0].endswith("(open)  done")


async def test_a_gate_may_be_closed_by_hand(shop: Shop) -> None:
    await shop.serve(100, 0)
    args = ("gate", "shop", "--close", "1h", "--reason", "the big day", "--owner", "the boss")
    assert (await shop.slod(*args))[0] == 0
    code, out, _ = await shop.slod("gate", "shop")
    assert code == 1 and out[0].startswith("closed: shop, 100.0%")
    assert shop.daemon is not None
    assert (await get(shop.daemon, "/api/slo/v1/gate/shop?enforce=1"))[0] == 423


@pytest.mark.parametrize(
    ("args", "code", "why"),
    [
        (["shop", "--override", "2h"], 2, 'say why: --reason "..."'),
        (["shop", "--override", "2 h", "--reason", "x"], 2, "duration: "),
        (["shpo", "--override", "2h", "--reason", "x"], 2, "did you mean 'shop'?"),
        (["shop", "--override", "31d", "--reason", "x"], 2, "must end within 30d"),
        (["shop", "--end-override", "--reason", "x"], 2, "there is no override for 'shop'"),
    ],
)
async def test_what_cannot_be_overridden_is_said(
    shop: Shop, args: list[str], code: int, why: str
) -> None:
    found, out, err = await shop.slod("gate", *args)
    assert (found, out) == (code, []) and why in err and err.count("\n") == 1


async def test_without_a_daemon_the_gate_is_not_open(capsys: pytest.CaptureFixture[str]) -> None:
    code = await asyncio.to_thread(main, ["gate", "shop", "--url", "http://127.0.0.1:9"])
    assert code == 3 and "cannot reach the daemon" in capsys.readouterr().err


# --- the API ------------------------------------------------------------------------------------


def wanted(**more: Any) -> dict[str, Any]:
    asked = {"for": "shop", "owner": "anna", "reason": "r", "duration": "1h", **more}
    return {key: value for key, value in asked.items() if value is not None}


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (wanted(owner=None), "the key 'owner' is missing"),
        (wanted(reason=" "), "reason: must be a text of 1 to 1000 characters"),
        (wanted(gate="ajar"), "gate: unknown value 'ajar'"),
        (wanted(duration=None), "needs exactly one of 'duration' and 'until'"),
        (wanted(until="2023-11-15T00:00:00Z"), "needs exactly one of 'duration' and 'until'"),
        (wanted(duration=None, until="soon"), "until: "),
        (wanted(duration=None, until="2023-11-14T00:00:00Z"), "not in the past"),
        (wanted(scope="shop"), "unknown key 'scope'"),
    ],
)
async def test_a_request_that_cannot_be_carried_out_changes_nothing(
    shop: Shop, body: dict[str, Any], why: str
) -> None:
    assert shop.daemon is not None
    status, said = await ask(shop.daemon, "POST", API, json=body)
    assert status == 400 and why in said["error"]
    assert (await ask(shop.daemon, "GET", API))[1] == {"overrides": []}
    assert (await ask(shop.daemon, "GET", f"{API}/audit"))[1] == {"records": []}


async def test_ending_one_that_is_not_there_is_refused(shop: Shop) -> None:
    assert shop.daemon is not None
    status, said = await ask(shop.daemon, "DELETE", f"{API}/x?by=anna&why=r")
    assert (status, said["error"]) == (404, f"there is no override 'x'; see {API}")
    assert (await ask(shop.daemon, "DELETE", f"{API}/x?by=anna"))[0] == 400
    assert (await ask(shop.daemon, "GET", f"{API}/audit?limit=0"))[0] == 400


async def test_what_the_disk_refuses_is_not_overridden(shop: Shop, tmp_path: Path) -> None:
    assert shop.daemon is not None
    other = sqlite3.connect(tmp_path / "slod.db")
    other.execute("ALTER TABLE audit RENAME TO away")
    other.close()
    status, said = await ask(shop.daemon, "POST", API, json=wanted())
    assert status == 503 and "nothing was changed" in said["error"]
    assert (await ask(shop.daemon, "GET", f"{API}/audit"))[0] == 503
    assert (await ask(shop.daemon, "GET", API))[1] == {"overrides": []}


async def test_overrides_survive_a_restart_and_damaged_or_old_ones_do_not_count(
    tmp_path: Path, page: PageServer
) -> None:
    clock = ManualClock()
    file = write(tmp_path, page, SLO.format(objective=90))
    async with running(file, clock) as daemon:
        for duration, reason in (("30d", "kept"), ("1h", "over"), ("30d", "damaged")):
            body = wanted(duration=duration, reason=reason)
            assert (await ask(daemon, "POST", API, json=body))[0] == 201
    db = sqlite3.connect(tmp_path / "slod.db")
    db.execute("UPDATE document SET body = x'00' WHERE CAST(body AS TEXT) LIKE '%damaged%'")
    db.execute("DROP TRIGGER audit_UPDATE")
    db.execute("UPDATE audit SET body = x'00' WHERE CAST(body AS TEXT) LIKE '%damaged%'")
    db.commit()
    db.close()
    await clock.advance(7200)
    async with running(file, clock) as daemon:
        [found] = (await ask(daemon, "GET", API))[1]["overrides"]
        assert found["reason"] == "kept"
        actions = [r["action"] for r in (await ask(daemon, "GET", f"{API}/audit"))[1]["records"]]
        assert actions == ["unreadable", "added", "added"]
        assert LONGEST == 30 * 86_400
