"""`slod state`, `slod reload` and `slod status --removed`: on files and on a running daemon."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from exporter.app.keeper import Keeper
from exporter.app.state_tools import backup
from exporter.cli import main
from exporter.store.database import Store
from exporter.store.documents import Change, Documents
from exporter.store.schema import MIGRATIONS, VERSION
from tests.app.test_daemon import SLO, PageServer, all_counted, page, ready, running, until, write
from tests.core.builders import ERROR, OK, T, counted, engine, feed

__all__ = ["page"]


class Running:
    """A daemon's keeper on a file; the file is in use until it is closed."""

    def __init__(self, path: Path) -> None:
        self.engine = engine()
        self.store = Store(str(path), now=lambda: T)
        self.keeper = Keeper(self.engine, self.store)
        self.looks = 0

    async def start(self) -> Running:
        await self.keeper.restore()
        return self

    async def save(self, times: int = 1) -> None:
        for _ in range(times):
            at = T + 10 * self.looks
            feed(self.engine, at, {OK: 10.0 * self.looks, ERROR: 1.0 * self.looks})
            self.engine.tick(at)
            assert await self.keeper.save() is None
            self.looks += 1


def slod(*words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, as somebody runs it beside a daemon."""
    command = [sys.executable, "-m", "exporter", "state", *words]
    return subprocess.run(command, capture_output=True, text=True)


def damage(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("UPDATE snapshot SET body = x'c1'")
    db.close()


async def test_a_file_is_checked_and_mended_while_slod_runs_and_when_it_is_stopped(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"
    of = await Running(path).start()
    await of.save(5)
    for stopped in (False, True):
        if stopped:
            await of.keeper.close()
        done = slod("check", str(path))
        assert done.returncode == 0 and "1 SLOs" in done.stdout
        assert slod("repair", str(path)).returncode == 0
        damage(path)
        done = slod("check", str(path))
        assert done.returncode == 1 and "checksum" in done.stdout
        assert slod("check", str(path)).returncode == 1, "it changes nothing"
        assert slod("repair", str(path)).returncode == 1
        assert slod("repair", str(path)).returncode == 0
        done = slod("check", str(path))
        assert done.returncode == 0 and f"{1 + stopped} rows in quarantine" in done.stdout
        if not stopped:
            # What is in memory stays, and is written again.
            await of.save(40)
            assert slod("check", str(path)).returncode == 0


@pytest.mark.parametrize("content", [b"", b"a diary\n" * 99, b"SQLite format 3\0" + bytes(5000)])
@pytest.mark.parametrize("action", ["check", "repair", "dump", "backup"])
def test_what_is_no_state_file_is_one_line_and_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], action: str, content: bytes
) -> None:
    path = tmp_path / "s.db"
    more = [str(tmp_path / "to.db")] if action == "backup" else []
    assert main(["state", action, str(path), *more]) == 2
    path.write_bytes(content)
    assert main(["state", action, str(path), *more]) == 2
    said = capsys.readouterr()
    assert len(said.err.splitlines()) == 2 and "Traceback" not in said.err
    assert path.read_bytes() == content
    assert {file.name for file in tmp_path.iterdir()} <= {"s.db", "s.db.lock"}


def test_a_database_of_another_program_or_of_a_newer_slod_is_2_and_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")
    assert main(["state", "repair", str(path)]) == 2
    db.execute("PRAGMA application_id = 0x534C4F44")
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.commit()
    db.close()
    before = path.read_bytes()
    for action in ("check", "repair", "dump"):
        assert main(["state", action, str(path)]) == 2
    assert path.read_bytes() == before
    assert "another program" in capsys.readouterr().err


async def test_a_dump_shows_every_row_also_those_in_quarantine(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    of = await Running(path).start()
    documents = Documents(of.store, "event")
    await documents.write(Change({("api", "1"): b'{"a": 1}', ("api", "2"): b"\xff"}, audit=[b"{}"]))
    await of.save(40)
    of.keeper.removed.put("gone", "its definition", b"\xc1")
    await documents.quarantine({("api", "2"): "it is no document"})
    await of.save()
    rows = [json.loads(line) for line in slod("dump", str(path)).stdout.splitlines()]
    tables = {row["table"] for row in rows}
    assert tables >= {"snapshot", "journal", "document", "audit", "removed", "quarantine"}
    [kept] = [row for row in rows if row["table"] == "quarantine"]
    assert (kept["place"], kept["reason"]) == ("document", "it is no document")
    damage(path)
    rows = [json.loads(line) for line in slod("dump", str(path)).stdout.splitlines()]
    [bad] = [row for row in rows if row["table"] == "snapshot"]
    assert "checksum" in bad["bad"]
    await of.keeper.close()


async def test_a_backup_of_a_running_slod_is_restored_and_the_next_sample_bridges(
    tmp_path: Path,
) -> None:
    path, copy = tmp_path / "s.db", tmp_path / "copy.db"
    of = await Running(path).start()
    await of.save(30)
    done = slod("backup", str(path), str(copy))
    assert done.returncode == 0, done.stderr
    assert copy.stat().st_mode & 0o777 == 0o600
    assert slod("backup", str(path), str(copy)).returncode == 2, "a copy is never written over"
    assert slod("check", str(copy)).returncode == 0
    await of.save(30)
    await of.keeper.close()
    # As docs/state.md tells: stop, copy, drop what belongs to the old file, start.
    copy.rename(path)
    for suffix in ("-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)
    again = await Running(path).start()
    assert counted(again.engine) == (290, 29)
    feed(again.engine, T + 600, {OK: 600.0, ERROR: 60.0})
    assert counted(again.engine) == (600, 60)
    await again.keeper.close()


def test_a_backup_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.db"
    asyncio.run(_made(path))
    assert main(["state", "backup", str(path), str(tmp_path / "no" / "copy.db")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


async def _made(path: Path) -> None:
    of = await Running(path).start()
    await of.save(3)
    await of.keeper.close()


def test_a_file_of_an_older_slod_is_checked_as_it_would_be_read(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    db = sqlite3.connect(path)
    for statement in MIGRATIONS[0]:
        db.execute(statement)
    db.execute("PRAGMA application_id = 0x534C4F44")
    db.execute("PRAGMA user_version = 1")
    db.execute("INSERT INTO snapshot VALUES ('a', 1, x'c1')")
    db.commit()
    db.close()
    before = path.read_bytes()
    assert main(["state", "check", str(path)]) == 1
    assert path.read_bytes() == before
    assert main(["state", "repair", str(path)]) == 1
    assert main(["state", "check", str(path)]) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_repairs_still_belongs_to_whoever_runs_slod(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    asyncio.run(_made(path))
    for file in tmp_path.iterdir():
        os.chown(file, 65_534, 65_534)
    Path(f"{path}.lock").unlink()
    assert main(["state", "repair", str(path)]) == 0
    assert {file.stat().st_uid for file in tmp_path.iterdir()} == {65_534}


async def test_removed_ledgers_are_listed_and_dropped_and_a_reload_is_asked_for(
    tmp_path: Path, page: PageServer, capsys: pytest.CaptureFixture[str]
) -> None:
    one = SLO.format(objective=99)
    file = write(tmp_path, page, one, one.replace("slo.shop", "slo.other"))
    with capture_logs():
        await _asks(tmp_path, page, capsys, file, one)


async def _asks(
    tmp_path: Path,
    page: PageServer,
    capsys: pytest.CaptureFixture[str],
    file: Path,
    one: str,
) -> None:
    async with running(file) as daemon:
        url = ["--url", f"http://127.0.0.1:{daemon.port}"]

        async def run(*words: str) -> tuple[int, str, str]:
            code = await asyncio.to_thread(main, [*words, *url])
            said = capsys.readouterr()
            return code, said.out, said.err

        await until(ready(daemon))
        page.counts = {"200": 90, "500": 10}
        await until(lambda: all_counted(daemon, page))
        assert (await run("status", "--removed"))[1] == "no ledger is put away\n"
        write(tmp_path, page, one)
        assert (await run("reload"))[:2] == (0, "reloaded\n")
        code, out, _ = await run("status", "--removed")
        assert code == 0 and "slod state drop NAME" in out
        assert out.splitlines()[1].split()[:2] == ["other", "removed"]
        _, out, _ = await run("status", "--removed", "--json")
        assert json.loads(out)["removed"][0]["bad"] == 10
        assert (await run("state", "drop", "other"))[0] == 0
        code, _, err = await run("state", "drop", "other")
        assert code == 2 and len(err.splitlines()) == 1
        write(tmp_path, page)
        code, _, err = await run("reload")
        assert code == 2 and "--allow-empty" in err and len(err.splitlines()) == 1
        assert (await run("reload", "--allow-empty"))[0] == 0
    for command in (["reload"], ["status", "--removed"], ["state", "drop", "x"]):
        assert await asyncio.to_thread(main, [*command, *url]) == 3
    assert main(["reload", "--url", "nowhere"]) == 2


def test_the_function_behind_backup_says_its_size(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    asyncio.run(_made(path))
    assert backup(str(path), str(tmp_path / "c.db")) == (tmp_path / "c.db").stat().st_size
