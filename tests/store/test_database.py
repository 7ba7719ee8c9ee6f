"""The state file: what is saved is there again, what cannot be used is set aside untouched."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from exporter.errors import StateError
from exporter.store.contents import Loaded, OutboxRow
from exporter.store.database import Store
from exporter.store.save import Save
from exporter.store.schema import VERSION

NOW = 1_700_000_000.0


@asynccontextmanager
async def opened(path: Path | str) -> AsyncIterator[tuple[Store, Loaded]]:
    store = Store(str(path), now=lambda: NOW)
    try:
        yield store, await store.open()
    finally:
        await store.close()


async def contents(path: Path) -> Loaded:
    async with opened(path) as (_, loaded):
        return loaded


async def test_what_was_saved_is_there_again(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    row = OutboxRow("1", "hook", b"body", 2, 5.5)
    async with opened(path) as (store, loaded):
        assert loaded == Loaded()
        await store.save(Save(b"first", {"a": b"A", "b": b"B"}, outbox_put=[row]))
        await store.save(Save(b"second"))
        assert await store.size() > 0
    loaded = await contents(path)
    assert {k: v for k, (_, v) in loaded.snapshots.items()} == {"a": b"A", "b": b"B"}
    assert [body for _, body in loaded.journal] == [b"second"]
    assert loaded.outbox == [row]


async def test_the_journal_keeps_what_the_oldest_snapshot_lacks(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with opened(path) as (store, _):
        await store.save(Save(b"1", {"a": b"A1", "b": b"B1"}))
        await store.save(Save(b"2", {"a": b"A2"}))
        await store.save(Save(b"3"))
        await store.save(Save(None, {"b": b"B4"}))
        await store.save(Save(b"5", forget=["a"]))
    loaded = await contents(path)
    [(since, body)] = loaded.snapshots.values()
    assert body == b"B4"
    assert [(seq > since, body) for seq, body in loaded.journal] == [(True, b"5")]


async def test_the_outbox_keeps_its_order_and_a_retry_its_place(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    rows = [OutboxRow(str(i), "hook", b"", 0, 0.0) for i in range(5)]
    async with opened(path) as (store, _):
        await store.save(Save(outbox_put=rows))
        await store.save(
            Save(outbox_put=[OutboxRow("1", "hook", b"", 1, 9.0)], outbox_delete=["3"])
        )
    assert [(r.id, r.attempts) for r in (await contents(path)).outbox] == [
        ("0", 0), ("1", 1), ("2", 0), ("4", 0),
    ]  # fmt: skip


async def test_a_whole_save_replaces_everything(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    async with opened(path) as (store, _):
        await store.save(Save(b"1", {"a": b"A"}, outbox_put=[OutboxRow("1", "e", b"", 0, 0)]))
        await store.save(Save(None, {"b": b"B"}, replace_all=True))
    loaded = await contents(path)
    assert (list(loaded.snapshots), loaded.journal, loaded.outbox) == (["b"], [], [])


async def test_memory_keeps_nothing() -> None:
    async with opened(":memory:") as (store, _):
        await store.save(Save(b"1", {"a": b"A"}))
        assert await store.size() == 0
    async with opened(":memory:") as (_, loaded):
        assert loaded == Loaded()


@pytest.mark.parametrize("content", [b"a diary, not a database\n" * 50, b"\0" * 5000, b"x"])
async def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(content)
    async with opened(path) as (store, loaded):
        assert loaded == Loaded()
        await store.save(Save(b"1", {"a": b"A"}))
        assert store.set_aside == f"{path}.corrupt-20231114T221320Z"
        assert Path(store.set_aside).read_bytes() == content
    assert list((await contents(path)).snapshots) == ["a"]


async def test_a_database_of_another_program_is_set_aside_untouched(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.commit()
    other.close()
    before = path.read_bytes()
    async with opened(path) as (store, _):
        assert store.set_aside is not None
        assert ".foreign-" in store.set_aside
        assert Path(store.set_aside).read_bytes() == before


async def test_a_second_file_set_aside_in_the_same_second_gets_a_name_of_its_own(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"
    for _ in range(2):
        path.write_bytes(b"no database" * 100)
        await contents(path)
    assert len(list(tmp_path.glob("s.db.corrupt-*"))) == 2


async def test_a_file_of_a_newer_slod_is_refused_and_stays(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    await contents(path)
    db = sqlite3.connect(path)
    db.execute(f"PRAGMA user_version = {VERSION + 1}")
    db.close()
    with pytest.raises(StateError, match="newer slod"):
        await contents(path)
    assert [p.name for p in tmp_path.glob("s.db.*-*")] == []


async def test_a_second_daemon_on_the_file_is_refused(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.db"):
        with pytest.raises(StateError, match="another slod"):
            await contents(tmp_path / "s.db")


async def test_a_missing_folder_is_told_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="make it"):
        await contents(tmp_path / "none" / "s.db")


async def test_a_file_cut_anywhere_is_loaded_or_set_aside_and_serves_again(tmp_path: Path) -> None:
    whole = tmp_path / "whole.db"
    async with opened(whole) as (store, _):
        for i in range(30):
            await store.save(Save(bytes([i]) * 500, {f"slo{i % 5}": bytes([i]) * 3000}))
    data = whole.read_bytes()
    rng = random.Random(1)
    for at in [0, 1, 15, 16, 99, 100, *(rng.randrange(len(data)) for _ in range(60))]:
        path = tmp_path / f"cut{at}.db"
        path.write_bytes(data[:at])
        async with opened(path) as (store, loaded):
            assert set(loaded.snapshots) <= {f"slo{i}" for i in range(5)}
            await store.save(Save(b"1", {"a": b"A"}))
        assert "a" in (await contents(path)).snapshots


CHILD = """
import asyncio, sys
from exporter.store.contents import OutboxRow
from exporter.store.database import Store
from exporter.store.save import Save

async def main():
    store = Store(sys.argv[1], now=lambda: 0.0)
    await store.open()
    for i in range(1, 10**6):
        body = i.to_bytes(8, "big")
        snapshots = {"a": body} if i == 1 or i % 50 == 0 else {}
        await store.save(Save(body, snapshots, outbox_put=[OutboxRow("n", "e", body, i, 0.0)]))
        print(i, flush=True)

asyncio.run(main())
"""


async def test_after_kill_9_the_file_holds_one_of_the_saves_whole(tmp_path: Path) -> None:
    rng = random.Random(2)
    for _ in range(5):
        path = tmp_path / f"{rng.random()}.db"
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        told = 0
        for _ in range(rng.randrange(20, 300)):
            told = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        child.wait()
        told = max([told, *(int(line) for line in child.stdout.read().split()[:-1])])
        child.stdout.close()
        loaded = await contents(path)
        [row] = loaded.outbox
        newest = loaded.journal[-1][1] if loaded.journal else loaded.snapshots["a"][1]
        assert row.body == newest
        assert row.attempts == int.from_bytes(newest, "big") >= told
        since = loaded.snapshots["a"][0]
        assert [seq for seq, _ in loaded.journal if seq > since] == list(
            range(since + 1, row.attempts + 1)
        )


async def test_a_disk_that_refuses_loses_nothing_that_was_saved_and_serves_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"
    async with opened(path) as (store, _):
        await store.save(Save(b"1", {"a": b"A"}))
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")  # as somebody's backup might
        with pytest.raises(StateError) as caught:
            await store.save(Save(b"2", {"a": b"B"}))
        assert caught.value.reason == "locked"
        other.execute("ROLLBACK")
        other.close()
        await store.save(Save(b"3", {"a": b"C"}))
    assert (await contents(path)).snapshots["a"][1] == b"C"


async def test_saves_of_many_do_not_meet_in_one_thread(tmp_path: Path) -> None:
    async with opened(tmp_path / "s.db") as (store, _):
        await asyncio.gather(*(store.save(Save(b"x", {"a": bytes([i])})) for i in range(20)))
    assert (await contents(tmp_path / "s.db")).snapshots["a"][1] == bytes([19])
