"""A state file with bad rows starts all the same: each goes to quarantine, the rest counts."""

from __future__ import annotations

import sqlite3
from math import inf, nan
from pathlib import Path
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from exporter.app import state_bodies
from exporter.app.keeper import Keeper
from exporter.app.state_tools import check
from exporter.core.engine import Engine
from exporter.core.outbox import Route
from exporter.store.database import Store
from exporter.store.documents import Change, Documents
from exporter.store.schema import checksum
from tests.core.builders import ERROR, OK, T, counted, engine, feed, slo, workbook

HOOK = Route("hook", "hook http://127.0.0.1/")
ROUNDS = 50
GOOD, BAD = 10.0 * (ROUNDS - 1), 10.0 * (ROUNDS - 1)


def new_engine() -> Engine:
    return engine(slo("one", rules=workbook()), slo("two", rules=workbook()), routes=[HOOK])


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """A file with snapshots, a journal, notifications, documents, all that was said."""
    path = tmp_path / "s.db"
    of, store = new_engine(), Store(str(path), now=lambda: T)
    keeper = Keeper(of, store)
    await keeper.restore()
    await Documents(store, "event").write(Change({("api", "1"): b"{}"}, audit=[b"made"]))
    for i in range(ROUNDS):
        feed(of, T + 60 * i, {OK: 10.0 * i, ERROR: 10.0 * i})
        keeper.note(of.tick(T + 60 * i).said, T + 60 * i)
        assert await keeper.save() is None
    await keeper.close()
    return path


def tamper(path: Path, *statements: tuple[str, Any]) -> None:
    """Write rows as damage, another program or an older slod may have left them."""
    db = sqlite3.connect(path, isolation_level=None)
    db.create_function("checksum", -1, checksum)
    schema = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()

    def allow(change: str) -> None:
        db.execute("PRAGMA writable_schema = ON")
        for name, sql in schema:
            if sql and not name.startswith("sqlite_"):
                text = sql.replace(" NOT NULL", "") if change == "null" else sql
                db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (text, name))
        db.execute("PRAGMA writable_schema = RESET")

    allow("null")
    for statement, values in statements:
        assert db.execute(statement, values).rowcount > 0, statement
    allow("whole")
    db.close()


async def restored(path: Path) -> tuple[Engine, Keeper]:
    of = new_engine()
    keeper = Keeper(of, Store(str(path), now=lambda: T + 1e4))
    await keeper.restore()
    return of, keeper


ONE = "WHERE rowid = (SELECT min(rowid) FROM {table})"
DAMAGE = [
    ("snapshot", "slo = 'one'", column, value)
    for column, value in (
        ("body", None), ("body", "text"), ("body", 1), ("body", b"\xc1"), ("body", b""),
        ("seq", None), ("seq", -1), ("seq", 1 << 62), ("seq", "x"), ("seq", 1.5),
        ("slo", None), ("slo", b"one"), ("slo", 5),
    )
] + [
    (table, "", column, value)
    for table, columns in {
        "journal": ("body",),
        "outbox": ("body", "id", "endpoint", "attempts", "due", "place"),
        "document": ("body", "id", "origin", "kind"),
        "said": ("body", "at"),
    }.items()
    for column in columns
    for value in (None, b"\xff\xfe", -(1 << 62), 1e300)
]  # fmt: skip


@pytest.mark.parametrize(("table", "where", "column", "value"), DAMAGE)
async def test_one_bad_row_goes_to_quarantine_and_the_rest_counts(
    path: Path, table: str, where: str, column: str, value: object
) -> None:
    found = where or f"rowid = (SELECT max(rowid) FROM {table})"
    tamper(path, (f"UPDATE {table} SET {column} = ? WHERE {found}", (value,)))
    told, in_quarantine = check(str(path))
    assert (len(told.bad) >= 1, in_quarantine) == (True, 0)
    with capture_logs() as log:
        of, keeper = await restored(path)
    assert counted(of, "two") == (GOOD, BAD) or table == "journal"
    assert counted(of, "one") == ((GOOD, BAD) if table != "snapshot" else (0, 0)) or (
        table == "journal" and counted(of, "one") == (GOOD - 10, BAD - 10)
    )
    assert keeper.quarantined == len(told.bad)
    assert [line for line in log if line["event"] == "state.quarantined"]
    assert not [line for line in log if line["event"] == "state.set_aside"]
    # It saves on, whatever numbers were in the row.
    feed(of, T + 60 * ROUNDS, {OK: 10.0 * ROUNDS, ERROR: 10.0 * ROUNDS})
    keeper.note(of.tick(T + 60 * ROUNDS).said, T)
    assert await keeper.save() is None
    await keeper.close()
    told, in_quarantine = check(str(path))
    assert (told.bad, in_quarantine) == ([], keeper.quarantined)
    again, keeper = await restored(path)
    for name in ("one", "two"):
        assert counted(again, name) == counted(of, name)
    assert counted(again, "two") == (10.0 * ROUNDS, 10.0 * ROUNDS)
    await keeper.close()


@pytest.mark.parametrize("value", [nan, inf, -inf, 1e300, None, "x", [], 10**30 * 1.0])
async def test_a_number_that_is_none_costs_its_slo_the_rest_of_the_journal_and_no_other(
    path: Path, value: object
) -> None:
    db = sqlite3.connect(path)
    (first, last) = db.execute("SELECT min(seq), max(seq) FROM journal").fetchone()
    since = dict(db.execute("SELECT slo, seq FROM snapshot"))
    middle = max(since["one"] + 2, first)
    (body,) = db.execute("SELECT body FROM journal WHERE seq = ?", (middle,)).fetchone()
    db.close()
    assert middle < last
    logs = msgspec.msgpack.decode(body)
    op = next(op for op in logs["one"] if op[0] == "events")
    op[4] = value
    body = msgspec.msgpack.encode(logs)
    row = (body, checksum(body, middle), middle)
    tamper(path, ("UPDATE journal SET body = ?, crc = ? WHERE seq = ?", row))
    of, keeper = await restored(path)
    assert counted(of, "two") == (GOOD, BAD)
    good, _ = counted(of, "one")
    assert 0 < good < GOOD
    feed(of, T + 60 * ROUNDS, {OK: 10.0 * ROUNDS, ERROR: 10.0 * ROUNDS})
    assert counted(of, "one") == counted(of, "two") == (10.0 * ROUNDS, 10.0 * ROUNDS)
    # Killed before anything was saved: the same once more, and nothing twice.
    await keeper.close()
    again, keeper = await restored(path)
    assert (counted(again, "one")[0], counted(again, "two")) == (good, (GOOD, BAD))
    assert keeper.quarantined == 1
    await keeper.close()


async def test_a_dump_with_a_number_that_is_none_costs_its_slo_alone(path: Path) -> None:
    db = sqlite3.connect(path)
    seq, body = db.execute("SELECT seq, body FROM snapshot WHERE slo = 'one'").fetchone()
    db.close()
    codec, dump = msgspec.msgpack.decode(body)
    dump["state"]["instances"][0][3][1][0] = inf
    body = msgspec.msgpack.encode((codec, dump))
    row = (body, checksum(body, "one", seq))
    tamper(path, ("UPDATE snapshot SET body = ?, crc = ? WHERE slo = 'one'", row))
    of, keeper = await restored(path)
    assert (counted(of, "one"), counted(of, "two")) == ((0, 0), (GOOD, BAD))
    assert keeper.quarantined == 1
    await keeper.close()


async def test_an_index_that_differs_from_its_table_is_made_anew(path: Path) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA writable_schema = ON")
    (name,) = db.execute(
        "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = 'said' AND sql != ''"
    ).fetchone()
    sql = "CREATE INDEX said_at ON said (seq)"
    db.execute("UPDATE sqlite_master SET sql = ? WHERE name = ?", (sql, name))
    db.execute("PRAGMA writable_schema = RESET")
    assert db.execute("PRAGMA integrity_check(1)").fetchone()[0] != "ok"
    db.close()
    of, keeper = await restored(path)
    assert counted(of, "one") == (GOOD, BAD)
    assert keeper.quarantined == 0
    await keeper.close()


async def test_announcements_with_a_time_that_is_none_are_left_out(path: Path) -> None:
    bad = [["key", {"a": "b"}, {}, nan, T, T, True, True, None, []]]
    body = msgspec.msgpack.encode(bad)
    row = (body, checksum(body, "notices", "", ""))
    db = sqlite3.connect(path)
    db.execute("DELETE FROM document WHERE kind = 'notices'")
    db.execute("INSERT INTO document VALUES ('notices', '', '', ?, ?)", row)
    db.commit()
    db.close()
    of, keeper = await restored(path)
    assert list(of.notices.alerts()) == []
    assert keeper.quarantined == 1
    await keeper.close()
    for wrong in ([1], [["k", {}, {}, 1, 2, 3, True]], [["k", {"a": 1}, {}, 1, 2, 3, 0, 0, 0, []]]):
        with pytest.raises(state_bodies.UNREADABLE):
            state_bodies.read_notices(msgspec.msgpack.encode(wrong))
