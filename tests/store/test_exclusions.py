"""Exclusions in the state file: all or nothing, damage noticed, older files brought along."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from exporter.errors import StateError
from exporter.store.database import Save
from exporter.store.exclusions import Change, ExclusionTable
from exporter.store.schema import APPLICATION_ID, MIGRATIONS, checksum
from tests.store.test_database import opened

ONE, TWO = ("api", "1"), ("config", "1")


async def test_what_was_written_is_there_again_and_the_record_only_grows(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.db") as (store, _):
        table = ExclusionTable(store)
        await table.write(Change({ONE: b"a", TWO: b"b"}, audit=[b"first", b"second"]))
        await table.write(Change({TWO: b"c"}, drop=[ONE], audit=[b"third"]))
        # Whatever happens to the ledgers.
        await store.save(Save(None, {"a": b"A"}, replace_all=True))
    async with opened(tmp_path / "s.db") as (store, _):
        table = ExclusionTable(store)
        assert await table.load() == {TWO: b"c"}
        assert await table.audit(10) == [(3, b"third"), (2, b"second"), (1, b"first")]
        assert await table.audit(1) == [(3, b"third")]


async def test_a_change_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.db") as (store, _):
        table = ExclusionTable(store)
        await table.write(Change({ONE: b"a"}))
        other = sqlite3.connect(tmp_path / "s.db")
        other.execute("ALTER TABLE exclusion_audit RENAME TO away")
        other.close()
        with pytest.raises(StateError, match="cannot use the state file"):
            await table.write(Change({ONE: b"b"}, audit=[b"x"]))
        assert await table.load() == {ONE: b"a"}


async def test_memory_keeps_them_while_it_runs() -> None:
    async with opened(":memory:") as (store, _):
        table = ExclusionTable(store)
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
        assert await ExclusionTable(store).load() == {}


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
            assert await ExclusionTable(store).load() == {}


async def test_a_file_without_the_tables_is_set_aside(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.db"):
        pass
    db = sqlite3.connect(tmp_path / "s.db")
    db.execute("DROP TABLE exclusion")
    db.close()
    async with opened(tmp_path / "s.db") as (store, _):
        assert store.set_aside is not None
        assert await ExclusionTable(store).load() == {}
