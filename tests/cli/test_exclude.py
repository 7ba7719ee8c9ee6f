"""`slod exclude` against a daemon of this process, as somebody in a shell uses it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from exporter.app.daemon import Daemon
from exporter.cli import main
from exporter.cli.exclude import moment
from tests.app.test_daemon import SLO, PageServer, page, running, write
from tests.app.test_exclusions import rewrite

__all__ = ["page"]

Slod = Callable[..., Awaitable[tuple[int, str, str]]]
TIME = ["--start", "2026-11-20T10:00:00Z", "--duration", "2h"]


@pytest.fixture
async def slod(
    tmp_path: Path,
    page: PageServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Slod]:
    """Runs a command against a daemon: exit code, what it printed, what it complained of."""
    monkeypatch.setenv("LOGNAME", "anna")
    async with running(write(tmp_path, page, SLO.format(objective=99))) as daemon:

        async def command(*args: str) -> tuple[int, str, str]:
            capsys.readouterr()
            url = f"http://127.0.0.1:{daemon.port}"
            code = await asyncio.to_thread(main, ["exclude", *args, "--url", url])
            lines = capsys.readouterr()
            # The daemon of this process logs to the same place.
            out = [ln for ln in lines.out.splitlines() if "[info" not in ln and "[debug" not in ln]
            return code, "\n".join(out), lines.err

        yield command


async def test_add_list_remove_and_the_record(slod: Slod) -> None:
    code, out, err = await slod("add", "--slos", "shop", *TIME, "--reason", "outage of a provider")
    assert (code, err) == (0, "")
    ident, _, said = out.partition(": ")
    assert said == "excluded 2026-11-20T10:00:00+00:00 to 2026-11-20T12:00:00+00:00, for shop"

    code, out, _ = await slod("list")
    head, row = out.splitlines()
    assert code == 0
    assert head.split() == ["ID", "FROM", "SLOS", "WHEN", "EXCLUDED", "BY", "REASON"]
    assert row.startswith(f"{ident}  api   shop  2026-11-20T10:00:00+00:00 to ")
    assert row.endswith("anna  outage of a provider")
    code, out, _ = await slod("list", "--format", "json")
    assert [e["id"] for e in json.loads(out)] == [ident]

    assert (await slod("remove", ident, "--why", "was ours"))[:2] == (
        0,
        f"{ident}: removed; its time counts again",
    )
    assert (await slod("list"))[:2] == (0, "no exclusions")
    _, out, _ = await slod("audit")
    assert [line.split()[1:3] for line in out.splitlines()] == [
        ["WHO", "ACTION"],
        ["anna", "removed"],
        ["anna", "added"],
    ]
    assert out.splitlines()[1].endswith(f"{ident}  was ours")


async def test_one_that_recurs_says_when_it_comes_next(slod: Slod) -> None:
    rule = ["--rrule", "FREQ=WEEKLY;BYDAY=SU", "--timezone", "Europe/Berlin"]
    when = ["--start", "2190-01-03 02:00", "--duration", "2h"]
    code, out, _ = await slod("add", "--slos", "shop", *when, *rule, "--reason", "r")
    assert code == 0
    assert "excluded FREQ=WEEKLY;BYDAY=SU, next 2190-01-03T01:00:00Z, for shop" in out


async def test_one_that_is_not_applied_is_listed_with_the_reason(
    tmp_path: Path, page: PageServer, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path, page, SLO.format(objective=99))

    async def command(daemon: Daemon, *args: str) -> str:
        capsys.readouterr()
        url = f"http://127.0.0.1:{daemon.port}"
        assert await asyncio.to_thread(main, ["exclude", *args, "--url", url]) == 0
        return capsys.readouterr().out

    async with running(file) as daemon:
        out = await command(daemon, "add", "--slos", "{a='b'}", *TIME, "--reason", "r")
        ident = next(ln for ln in out.splitlines() if ": excluded " in ln).partition(":")[0]
    rewrite(tmp_path, "{a='b'}", "{a=~'(?!b)'}")
    async with running(file) as daemon:
        lines = [ln for ln in (await command(daemon, "list")).splitlines() if ident in ln]
        assert "quarantined" in lines[-2]
        assert lines[-1].startswith(f"{ident} is not applied, its time counts: slos: bad regular ")


async def test_an_exclusion_for_no_slo_is_made_and_warned_of(slod: Slod) -> None:
    code, out, err = await slod("add", "--slos", '{service="x"}', *TIME, "--reason", "r")
    assert code == 0 and "for {service=" in out
    assert err.startswith("slod: warning: it is for no SLO there is; ")


@pytest.mark.parametrize(
    ("args", "error"),
    [
        (
            ["add", "--slos", "shop", "--start", "soon", "--reason", "r"],
            "--start: not a time: 'soon'",
        ),
        (
            ["add", "--slos", "shop", "--start=-2x", "--reason", "r"],
            "--start: not a duration: '2x'",
        ),
        (["add", "--slos", "shop", "--start", "now", "--reason", "r"], "exactly one of 'end' and"),
        (["add", "--slos", "{a", *TIME, "--reason", "r"], "slos: not label matchers"),
        (
            ["add", "--slos", "shop", *TIME, "--reason", "r", "--rrule", "x"],
            "rrule: a recurrence rule",
        ),
        (["remove", "x/y", "--why", "r"], "there is no exclusion 'x/y'"),
        (["audit", "--limit", "0"], "limit: must be from 1"),
    ],
)
async def test_what_cannot_be_done_is_one_line_and_exits_with_2(
    slod: Slod, args: list[str], error: str
) -> None:
    code, _, err = await slod(*args)
    assert code == 2
    assert err.startswith("slod: ") and error in err and len(err.splitlines()) <= 2


@pytest.mark.parametrize("action", [["list"], ["remove", "x", "--why", "y"], ["audit"]])
def test_without_a_daemon_it_exits_with_3(
    action: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["exclude", *action, "--url", "http://127.0.0.1:1"]) == 3
    err = capsys.readouterr().err
    assert err.startswith("slod: cannot reach the daemon: ") and len(err.splitlines()) == 1


async def test_something_else_that_answers_exits_with_3(
    page: PageServer, capsys: pytest.CaptureFixture[str]
) -> None:
    url = page.url.removesuffix("/metrics")
    assert await asyncio.to_thread(main, ["exclude", "list", "--url", url]) == 3
    assert capsys.readouterr().err == f"slod: {url} answered 404: 404: Not Found\n"


NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "zoned", "expected"),
    [
        ("now", False, "2026-11-20T12:00:00+00:00"),
        ("-2h", False, "2026-11-20T10:00:00+00:00"),
        ("+30m", True, "2026-11-20T12:30:00+00:00"),
        ("2026-11-20T10:00:00Z", True, "2026-11-20T10:00:00Z"),
        ("2026-11-20 10:00", True, "2026-11-20 10:00"),
    ],
)
def test_times_are_resolved_where_they_are_typed(text: str, zoned: bool, expected: str) -> None:
    assert moment(text, NOW, zoned=zoned) == expected


def test_a_time_without_a_zone_is_one_of_this_machine() -> None:
    here = datetime.fromisoformat(moment("2026-11-20 10:00", NOW, zoned=False))
    assert here.tzinfo is not None
    assert here.replace(tzinfo=None) == datetime(2026, 11, 20, 10)
    assert here == datetime(2026, 11, 20, 10).astimezone()


@pytest.mark.parametrize("action", [[], ["add"], ["list"], ["remove"], ["audit"]])
def test_the_help_has_an_example(action: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["exclude", *action, "--help"])
    assert stopped.value.code == 0
    assert "example" in capsys.readouterr().out
