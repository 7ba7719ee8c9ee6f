"""`slod status`: the table, the picture that follows a terminal's size, and what it survives."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from exporter.cli.status_table import lines, summary
from exporter.web.slos_api_said import SLOSaid
from tests.app.test_daemon import PageServer, page, write
from tests.app.test_exclusions import running
from tests.cli.terminal import SLOD, plain, terminal
from tests.core.builders import aged
from tests.real.servers import free_port
from tests.web.test_slos_api import SLOS, Shop

__all__ = ["page"]

NOW = "2026-11-23T18:30:00Z"
ELSEWHERE = "http://127.0.0.1:9"


def slo(name: str = "pay", **more: Any) -> dict[str, Any]:
    """One as the API says it."""
    left = more.get("budget_remaining", 0.5)
    windows = [
        {
            "window": w,
            "seconds": s,
            "sli": 0.99,
            "burn_rate": 0.25,
            "good": 99,
            "bad": 1,
            "coverage": 1,
        }
        for w, s in (("5m", 300), ("30m", 1800), ("1h", 3600), ("6h", 21600), ("30d", 2592000))
    ]
    rules = [
        {"severity": "page", "burn_rate": 14.4, "firing": False, "since": None}
        | {"long_window": "1h", "short_window": "5m"},
        {"severity": "ticket", "burn_rate": 6, "firing": False, "since": None}
        | {"long_window": "6h", "short_window": "30m"},
    ]
    return {
        "slo": name,
        "service": "shop",
        "labels": {},
        "group": {},
        "objective": 0.999,
        "window": "30d",
        "window_seconds": 2592000,
        "windows": windows,
        "age": 2592000,
        "budget_remaining": left,
        "whole_budget_remaining": left,
        "budget_remaining_events": 5,
        "budget_unadjusted": left,
        "excluded_seconds": 0,
        "exhaustion_seconds": 86_400,
        "exhaustion_lower_seconds": None,
        "exhaustion_upper_seconds": None,
        "policy_state": "ok",
        "steps": [],
        "gate": {"allow": True, "verdict": "open", "reason": "", "overridden": False},
        "rules": rules,
        "unknown": None,
        **more,
    }


def firing(severity: str, since: str = "2026-11-23T18:18:00Z") -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = slo()["rules"]
    return [{**r, "firing": r["severity"] == severity, "since": since} for r in rules]


SPENT = {
    "budget_remaining": -0.12,
    "whole_budget_remaining": -0.12,
    "policy_state": "exhausted",
    "exhaustion_seconds": 0,
    "gate": {"allow": False, "verdict": "closed", "reason": "", "overridden": False},
}


def table(*slos: dict[str, Any], width: int = 200, height: int = 999) -> list[str]:
    read = msgspec.convert(list(slos), list[SLOSaid])
    now = 1_795_458_600.0  # NOW
    drawn = [line.plain for line in lines(read, now, width, height, ascii_only=False)]
    return [line.rstrip() for line in drawn]


# --- the table ----------------------------------------------------------------------------------


def test_the_most_urgent_stands_first_and_every_cell_says_what_its_colour_says() -> None:
    found = table(
        slo("calm", service="blog"),
        slo("b", budget_remaining=0.2),
        slo("unseen", unknown="there is no data for 8m", windows=[], budget_remaining=None),
        slo("paged", rules=firing("page"), exhaustion_seconds=73),
        slo("spent", service="mail", **SPENT),
        slo("calmer", budget_remaining=0.99999, exhaustion_seconds="+Inf"),
        slo("ticketed", rules=firing("ticket")),
    )
    assert " ".join(line.split()[0] for line in found) == (
        "SLO shop ! ticketed mail spent shop unseen there b calmer blog calm"
    )
    rows = [re.split(r"\s{2,}", line.strip()) for line in found]
    by_name = {row[0].removeprefix("! "): row for row in rows}
    assert by_name["SLO"][1:] == (
        ["OBJECTIVE", "BUDGET", "LEFT", "5m", "30m", "1h", "6h", "LASTS", "STATE", "GATE", "ALERTS"]
    )
    assert by_name["paged"][1:4] == ["99.9% 30d", "█████░░░░░", "50.0%"]
    assert by_name["paged"][8:] == ["1m13s", "ok", "open", "page 12m"]
    assert by_name["spent"][2:4] == ["░░░░░░░░░░", "-12.0%"]
    assert by_name["spent"][8:] == ["gone", "exhausted", "closed", "-"]
    assert by_name["calmer"][2:4] == ["█████████░", "99.9%"]
    assert by_name["calmer"][8] == "not at this rate"
    assert by_name["unseen"][3:] == ["?", "-", "-", "-", "-", "1d", "unknown", "open", "-"]


def test_what_does_not_fit_is_left_out_by_importance_and_nothing_wraps() -> None:
    slos = [slo(f"checkout-{n}", rules=firing("page")) for n in range(3)]
    shown = {}
    for width in range(20, 140):
        found = table(*slos, width=width)
        assert all(len(line) <= width for line in found), width
        assert len(found) == 5
        shown[width] = found[0].split()
    assert shown[30] == ["SLO", "LEFT", "ALERTS"]
    assert shown[60] == ["SLO", "BUDGET", "LEFT", "5m", "1h", "STATE", "ALERTS"]
    assert len(shown[139]) == 12
    assert len(shown[20]) < 3


def test_a_low_terminal_says_how_many_more_there_are() -> None:
    slos = [slo(f"s{n:02}", budget_remaining=n / 100) for n in range(1, 30)]
    found = table(*slos, height=10)
    assert len(found) == 10 and found[-1] == "and 22 more"
    assert found[2].split()[0] == "s01"
    for height in (-3, 0, 1, 2):
        assert table(*slos, height=height)[1:] == ["and 29 more"]


def test_an_override_is_marked_and_a_group_is_part_of_the_name() -> None:
    gate = {"allow": True, "verdict": "closed", "reason": "", "overridden": True}
    (_, _, line) = table(slo("pay", gate=gate, group={"route": "/a"}))
    assert line.split()[0] == "pay{route=/a}" and "open*" in line


def test_the_whole_in_one_line() -> None:
    read = msgspec.convert([slo(**SPENT), slo(rules=firing("page"))], list[SLOSaid])
    assert summary(read).plain == "2 SLOs, 1 exhausted, 1 alert, 1 gate closed"
    read = msgspec.convert([slo(budget_remaining=None)], list[SLOSaid])
    assert summary(read).plain == "1 SLO, 1 unknown"
    assert summary(read[:0]).plain == "0 SLOs"
    assert summary(msgspec.convert([slo()], list[SLOSaid])).plain == "1 SLO, all fine"


def test_a_page_of_the_budget_policy_is_an_alert_and_a_gate_that_it_closes_is_not_fine() -> None:
    step = {"state": "fast", "gate": "closed", "since": "2026-11-23T18:27:00Z", "due": None}
    step |= {"action": "", "owner": "", "runbook_url": "", "severity": "page"}
    closed = {"allow": False, "verdict": "closed", "reason": "", "overridden": False}
    paged = slo("paged", steps=[step], gate=closed)
    found = table(slo("calm", budget_remaining=0.3), paged)
    assert found[2].split()[:2] == ["!", "paged"]
    assert found[2].split()[-4:] == ["fast", "closed", "page", "3m"]
    read = msgspec.convert([paged], list[SLOSaid])
    assert summary(read).plain == "1 SLO, 1 alert, 1 gate closed"


# --- the command --------------------------------------------------------------------------------


async def slod(*args: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
    child = await asyncio.create_subprocess_exec(
        *SLOD,
        "status",
        *args,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**{k: v for k, v in os.environ.items() if k != "COLUMNS"}, **(env or {})},
    )
    out, err = await child.communicate()
    assert child.returncode is not None
    return child.returncode, out.decode(), err.decode()


async def test_a_daemon_s_budgets_in_a_pipe_are_plain_text_with_an_exit_code(
    tmp_path: Path, page: PageServer
) -> None:
    shop = Shop(write(tmp_path, page, SLOS), page)
    async with running(shop.file, shop.clock) as shop.daemon:
        await shop.serve(0, 0)
        aged(shop.daemon.engine, shop.clock.now(), "shop")
        await shop.serve(95, 5)
        url = f"http://127.0.0.1:{shop.daemon.port}"
        code, out, err = await slod("--url", url, "--service", "checkout")
        assert (code, err) == (0, "") and "\x1b" not in out
        assert out.splitlines()[1:3] == ["1 SLO", ""] or "1 SLO, " in out
        assert re.search(r"^  shop +90% 1h +█████░+ +50\.0% ", out, re.MULTILINE)
        await shop.serve(0, 95)
        code, out, _ = await slod("--url", url, "--label", "tier=1", "--json")
        assert code == 1 and json.loads(out)["slos"][0]["budget_remaining"] < 0
        code, out, err = await slod("--url", url, "--service", "nope", "--label", "a=b")
        assert code == 2 and err == (
            "slod: no SLO has the service 'nope' and the label 'a=b'; "
            "see them all without --service and --label\n"
        )


async def test_without_a_daemon_it_is_one_line_and_exit_code_3() -> None:
    code, out, err = await slod("--url", ELSEWHERE)
    assert (code, out) == (3, "") and err.startswith("slod: cannot reach the daemon: ")
    assert err.count("\n") == 1
    for url in ("foo", "ftp://a", "http://", "http://[", "127.0.0.1:9947"):
        code, out, err = await slod("--url", url)
        assert (code, out) == (2, "")
        shown = "(unreadable URL)" if "[" in url else url
        assert err == (
            f"slod: {shown!r} is not the URL of a daemon; write it like http://127.0.0.1:9947\n"
        )
    assert (await slod("--label", "payments"))[0] == 2
    assert (await slod("--interval", "1 s"))[0] == 2


async def test_a_daemon_does_not_carry_what_only_a_terminal_needs() -> None:
    code = (
        "import exporter.cli, exporter.app.daemon, sys; print({'rich', 'shtab'} & {*sys.modules})"
    )
    child = await asyncio.create_subprocess_exec(
        SLOD[0], "-c", code, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await child.communicate()
    assert out == b"set()\n"


class Daemon:
    """Says what the test wants, and may be away."""

    def __init__(self, *slos: dict[str, Any]) -> None:
        self.said: Any = {"now": NOW, "slos": list(slos)}
        self.port = free_port()
        self.hangs = False
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        app = web.Application()
        app.router.add_get("/api/slo/v1/slos", self._answer)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        while self.hangs:
            await asyncio.sleep(0.01)
        return web.json_response(self.said)


@contextlib.asynccontextmanager
async def daemon(*slos: dict[str, Any]) -> AsyncIterator[Daemon]:
    it = Daemon(*slos)
    await it.start()
    try:
        yield it
    finally:
        await it.stop()


async def test_nothing_from_outside_reaches_the_terminal_as_a_command() -> None:
    evil = "\x1b]0;owned\x07[red]\u202e"
    hostile = slo(f"a{evil}", service=evil, policy_state=evil, unknown=evil, window=evil)
    async with daemon(hostile) as it:
        code, out, _ = await slod("--url", it.url)
        assert code == 0 and "[red]" in out
        assert not any(c in out for c in "\x1b\x07\u202e")
        async with terminal("status", "--url", it.url) as shown:
            assert await shown.end() == 0
            assert b"\x1b]" not in shown.written and b"[red]" in shown.written


@pytest.mark.parametrize("said", [[], {"slos": [], "now": 3}, {"now": NOW, "slos": [{}]}, "x"])
async def test_what_is_no_answer_of_slod_is_said_in_one_line(said: Any) -> None:
    async with daemon() as it:
        it.said = said
        code, out, err = await slod("--url", it.url)
        assert (code, out) == (3, "")
        assert err == f"slod: {it.url} does not answer as slod does; is --url right?\n"


async def test_a_terminal_that_knows_only_ascii_or_no_colour_gets_that() -> None:
    async with daemon(slo("größe")) as it:
        _, out, _ = await slod("--url", it.url, env={"PYTHONIOENCODING": "ascii"})
        assert "gr??e" in out and "#####-----" in out
        async with terminal("status", "--url", it.url, env={"NO_COLOR": "1"}) as shown:
            assert await shown.end() == 0
            assert not re.search(rb"\x1b\[[0-9;]*3[0-9]m", shown.written)
        async with terminal("status", "--url", it.url) as shown:
            assert await shown.end() == 0
            assert b"\x1b[32m" in shown.written


# --- watched ------------------------------------------------------------------------------------


def watching(it: Daemon, *more: str) -> list[str]:
    return ["status", "--watch", "--interval", "100ms", "--url", it.url, *more]


async def test_the_picture_follows_the_numbers_the_size_and_the_daemon_that_goes_and_comes() -> (
    None
):
    async with daemon(slo("pay"), slo("ship")) as it:
        async with terminal(*watching(it), columns=130) as shown:
            found = await shown.shows(lambda f: any("ALERTS" in line for line in f))
            assert "OBJECTIVE" in found[3] and shown.written.startswith(b"\x1b[?1049h")
            it.said["slos"][0] = slo("pay", rules=firing("page"))
            await shown.shows(lambda f: "1 alert" in f[1])

            shown.resize(60, 8)
            found = await shown.shows(lambda f: len(f) == 8)
            assert all(len(line) <= 60 for line in found)
            assert "OBJECTIVE" not in found[3] and "ALERTS" in found[3]
            shown.resize(130, 12)
            await shown.shows(lambda f: len(f) == 12 and "OBJECTIVE" in f[3])

            it.said["slos"] += [slo(f"more-{n}") for n in range(20)]
            found = await shown.shows(lambda f: f[-1].startswith("and"))
            assert len(found) == 12 and found[-1].rstrip() == "and 16 more"

            await it.stop()
            found = await shown.shows(lambda f: "no fresh numbers since 20" in f[1])
            assert found[2].startswith("cannot reach the daemon: ") and "(q: quit)" in found[0]
            assert any("page 12m" in line for line in found)
            it.said["slos"][0] = slo("pay", **SPENT)
            await it.start()
            await shown.shows(lambda f: "1 exhausted" in f[1])

            shown.type(b"xq")
            assert await shown.end() == 1
            # The terminal is as it was: its own screen, a cursor, no key of ours on it.
            assert shown.written.endswith(b"\x1b[?25h\x1b[?1049l")


async def test_a_daemon_that_hangs_is_told_of_and_does_not_keep_who_wants_to_leave() -> None:
    async with daemon(slo("pay")) as it:
        async with terminal(*watching(it)) as shown:
            await shown.shows(lambda f: any("pay" in line for line in f))
            it.hangs = True
            found = await shown.shows(lambda f: "no answer yet" in f[1])
            assert any("pay" in line for line in found)
            shown.type(b"q")
            assert await shown.end() == 0
            it.hangs = False


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_whoever_ends_it_the_screen_is_given_back(number: signal.Signals) -> None:
    async with daemon(slo()) as it:
        async with terminal(*watching(it)) as shown:
            await shown.shows(lambda f: any("pay" in line for line in f))
            await it.stop()
            await shown.shows(lambda f: "cannot reach" in f[2])
            shown.child.send_signal(number)
            assert await shown.end() == 3
            assert b"\x1b[?1049l" in shown.written


async def test_scripts_get_one_line_of_json_for_each_look() -> None:
    async with daemon(slo()) as it:
        child = await asyncio.create_subprocess_exec(
            *SLOD,
            *watching(it, "--json"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert child.stdout is not None and child.stderr is not None
        assert json.loads(await child.stdout.readline()) == it.said
        await it.stop()
        assert b"cannot reach the daemon" in await child.stderr.readline()
        it.said["slos"] = [slo(**SPENT)]
        await it.start()
        for _ in range(2):  # At the second line the first look is over for sure.
            while json.loads(await child.stdout.readline()) != it.said:
                pass
        child.send_signal(signal.SIGINT)
        _, err = await child.communicate()
        assert (child.returncode, err) == (1, b"")


async def test_without_a_terminal_watching_is_a_table_after_the_other() -> None:
    async with daemon(slo()) as it:
        child = await asyncio.create_subprocess_exec(
            *SLOD, *watching(it), stdout=asyncio.subprocess.PIPE
        )
        assert child.stdout is not None
        read = b""
        while read.count(b"SLO  ") < 2:
            read += await child.stdout.readline()
        child.send_signal(signal.SIGTERM)
        await child.communicate()
        assert child.returncode == 0 and b"\x1b" not in read
        assert plain(read.decode()) == read.decode()
