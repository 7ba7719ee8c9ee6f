"""Documents in the state file: all or nothing, damage noticed, older files brought along."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from exporter.errors import StateError
from exporter.store.documents import Change, Documents
from exporter.store.save import Save
from exporter.store.schema import APPLICATION_ID, MIGRATIONS, checksum
from tests.store.test_database import opened

ONE, TWO = ("api", "1"), ("config", "1")


async def test_what_was_written_is_there_again_and_the_record_only_grows(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.db") as (store, _):
        table = Documents(store, "exclusion")
        await table.write(Change({ONE: b"a", TWO: b"b"}, audit=[b"first", b"second"]))
        await table.write(Change({TWO: b"c"}, drop=[ONE], audit=[b"third"]))
        # Whatever happens to the ledgers.
        await store.save(Save(None, {"a": b"A"}, replace_all=True))
    async with opened(tmp_path / "s.db") as (store, _):
        table = Documents(store, "exclusion")
        assert await table.load() == {TWO: b"c"}
        assert await table.audit(10) == [(3, b"third"), (2, b"second"), (1, b"first")]
        assert await table.audit(1) == [(3, b"third")]


async def test_a_change_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.db") as (store, _):
        table = Documents(store, "exclusion")
        await table.write(Change({ONE: b"a"}))
        other = sqlite3.connect(tmp_path / "s.db")
        other.execute("ALTER TABLE audit RENAME TO away")
        other.close()
        with pytest.raises(StateError, match="cannot use the state file"):
            await table.write(Change({ONE: b"b"}, audit=[b"x"]))
        assert await table.load() == {ONE: b"a"}


async def test_memory_keeps_them_while_it_runs() -> None:
    async with opened(":memory:") as (store, _):
        table = Documents(store, "exclusion")
        await table.write(Change({ONE: b"a"}, audit=[b"x"]))
        assert (await table.load(), await table.audit(1)) == ({ONE: b"a"}, [(1, b"x")])


async def test_a_file_from_before_there_were_exclusions_is_brought_along(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "s.db")
    for statements in MIGRATIONS[:2]:
        for statement in statements:
            db.execute(statement)
    db.execute("INSERT INTO snapshot VALUES ('a', 1, ?, ?)", (b"A", checksum(b"A", "a", 1)))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 2")
    db.commit()
    db.close()
    async with opened(tmp_path / "s.db") as (store, loaded):
        assert store.set_aside is None
        assert loaded.snapshots == {"a": (1, b"A")}
        assert await Documents(store, "exclusion").load() == {}


async def test_a_schema_that_is_no_text_any_more_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with opened(path):
        pass
    whole = path.read_bytes()
    at = whole.index(b"CREATE TRIGGER")
    for i in range(at, at + 60, 6):
        path.write_bytes(whole[:i] + bytes([whole[i] ^ 0x80]) + whole[i + 1 :])
        async with opened(path) as (store, loaded):
            assert loaded.snapshots == {}
            assert await Documents(store, "exclusion").load() == {}


async def test_a_file_without_the_tables_is_set_aside(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.db"):
        pass
    db = sqlite3.connect(tmp_path / "s.db")
    db.execute("DROP TABLE document")
    db.close()
    async with opened(tmp_path / "s.db") as (store, _):
        assert store.set_aside is not None
        assert await Documents(store, "exclusion").load() == {}


async def test_what_older_files_keep_of_exclusions_moves_and_damage_stays_damage(
    tmp_path: Path,
) -> None:
    db = sqlite3.connect(tmp_path / "s.db")
    for statements in MIGRATIONS[:3]:
        for statement in statements:
            db.execute(statement)
    rows = [("api", "1", b"a", 0), ("config", "1", b"b", 1)]
    db.executemany(
        "INSERT INTO exclusion VALUES (?, ?, ?, ?)",
        ((o, i, body, checksum(body, o, i) + off) for o, i, body, off in rows),
    )
    db.executemany(
        "INSERT INTO exclusion_audit VALUES (?, ?, ?)",
        ((seq, b"x", checksum(b"x", seq) + seq - 1) for seq in (1, 2)),
    )
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA user_version = 3")
    db.commit()
    db.close()
    async with opened(tmp_path / "s.db") as (store, _):
        table = Documents(store, "exclusion")
        assert await table.load() == {ONE: b"a"}
        [(key, reason)] = await table.quarantined()
        assert (key, store.quarantined) == ("config/1", 1)
        assert "checksum" in reason
        assert await table.audit(10) == [(2, None), (1, b"x")]


async def test_a_document_that_cannot_be_used_is_moved_to_quarantine(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.db") as (store, _):
        table = Documents(store, "event")
        await table.write(Change({ONE: b"a", TWO: b"b"}))
        await table.quarantine({ONE: "its time is none", ("no", "such"): "it is not there"})
        assert await table.load() == {TWO: b"b"}
        assert await table.quarantined() == [("api/1", "its time is none")]
        assert await Documents(store, "override").quarantined() == []
        assert store.quarantined == 1


async def test_kinds_are_kept_apart(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.db") as (store, _):
        one, other = Documents(store, "event"), Documents(store, "override")
        await one.write(Change({ONE: b"a"}, audit=[b"x"]))
        await other.write(Change({ONE: b"b"}, audit=[b"y"]))
        await one.write(Change(drop=[ONE]))
        assert (await one.load(), await other.load()) == ({}, {ONE: b"b"})
        assert await other.audit(10) == [(2, b"y")]


async def test_what_was_said_is_kept_for_a_year_and_a_month(tmp_path: Path) -> None:
    day = 86_400.0
    async with opened(tmp_path / "s.db") as (store, _):
        await store.save(Save(None, said=[(day, b"first"), (2 * day, b"second")]))
        assert await store.said(0, 2 * day) == [b"first"]
        await store.save(Save(None, {"a": b"A"}, replace_all=True))
        await store.save(Save(None, said=[(401.5 * day, b"third")]))
    db = sqlite3.connect(tmp_path / "s.db")
    db.execute("UPDATE said SET body = x'00' WHERE body = ?", (b"third",))
    db.commit()
    db.close()
    async with opened(tmp_path / "s.db") as (store, _):
        assert await store.said(0, 500 * day) == [b"second"]
