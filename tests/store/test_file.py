"""The state file as a file: whose it is, what becomes of it while slod runs, who may read it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.app.keeper import Keeper
from exporter.errors import StateError
from exporter.store.database import Store
from exporter.store.documents import Change, Documents
from exporter.store.save import Save
from tests.core.builders import ERROR, OK, T, counted, engine, feed
from tests.store.test_database import contents, opened


@pytest.mark.parametrize("way", ["symlink", "hard link", "lock deleted", "symlink, lock deleted"])
async def test_no_way_leads_a_second_slod_into_the_file(tmp_path: Path, way: str) -> None:
    path, other = tmp_path / "s.db", tmp_path / "sub" / "other.db"
    other.parent.mkdir()
    async with opened(path) as (store, _):
        await store.save(Save(b"1", {"a": b"A"}))
        if "symlink" in way:
            other.symlink_to(path)
        elif way == "hard link":
            os.link(path, other)
        else:
            other = path
        if "deleted" in way:
            Path(f"{path}.lock").unlink()
        with pytest.raises(StateError, match="another slod") as caught:
            await contents(other)
        assert caught.value.reason == "in_use"
        await store.save(Save(b"2", {"a": b"B"}))
    assert (await contents(path)).snapshots["a"][1] == b"B"


async def test_nobody_else_may_read_what_slod_writes(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    await contents(path)
    for file in tmp_path.iterdir():
        file.chmod(0o644)
    async with opened(path) as (store, _):
        await store.save(Save(b"1", {"a": b"A"}))
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert set(modes) == {"s.db", "s.db-wal", "s.db-shm", "s.db.lock"}
    assert set(modes.values()) == {0o600}


async def test_what_is_no_regular_file_is_refused_in_one_line(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "s.db")
    with pytest.raises(StateError, match="no regular file"):
        await contents(tmp_path / "s.db")


def delete(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink()


def delete_alone(path: Path) -> None:
    path.unlink()


def delete_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def replace(path: Path) -> None:
    delete(path)
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE bookmarks (url TEXT)")
    db.close()


def cut(path: Path) -> None:
    os.truncate(path, 0)


def cut_short(path: Path) -> None:
    os.truncate(path, 1000)


def overwrite(path: Path) -> None:
    with path.open("rb+") as file:
        file.write(b"\0" * path.stat().st_size)


WAYS = [delete, delete_alone, delete_log, replace, cut, cut_short, overwrite]


@pytest.mark.parametrize("harm", WAYS)
async def test_a_file_that_goes_is_noticed_at_the_next_save_and_made_anew_by_the_one_after(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    path = tmp_path / "s.db"
    of = engine()
    store = Store(str(path), now=lambda: T)
    keeper = Keeper(of, store)
    await keeper.restore()
    documents = Documents(store, "event")
    await documents.load()
    await documents.write(Change({("api", "1"): b"one"}, audit=[b"made"]))
    for i in range(40):
        feed(of, T + 10 * i, {OK: 10.0 * i, ERROR: float(i)})
        of.tick(T + 10 * i)
        assert await keeper.save() is None
    harm(path)
    # Nothing happened since, and it is looked at all the same.
    error = await keeper.save()
    assert error is not None and keeper.degraded == error.reason
    assert error.reason in ("gone", "replaced", "cut")
    with pytest.raises(StateError):
        await documents.write(Change({("api", "2"): b"not written down"}))
    feed(of, T + 400, {OK: 400.0, ERROR: 40.0})
    of.tick(T + 400)
    assert await keeper.save() is None
    assert keeper.degraded is None
    await documents.write(Change({("api", "3"): b"three"}))
    assert path.stat().st_mode & 0o777 == 0o600
    shutil.copytree(tmp_path, tmp_path / "killed")
    await keeper.close()
    for folder in (tmp_path, tmp_path / "killed"):
        again = engine()
        store = Store(str(folder / "s.db"), now=lambda: T)
        keeper = Keeper(again, store)
        await keeper.restore()
        assert store.set_aside is None
        assert counted(again) == (400, 40)
        documents = Documents(store, "event")
        assert await documents.load() == {("api", "1"): b"one", ("api", "3"): b"three"}
        copied = harm in (delete, delete_alone, delete_log, replace)
        assert (await documents.audit(9) != []) == copied
        await keeper.close()


async def test_a_file_that_another_slod_made_in_its_place_is_left_to_that_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"
    async with opened(path) as (store, _):
        await store.save(Save(b"1", {"a": b"A"}))
        delete(path)
        Path(f"{path}.lock").unlink()
        async with opened(path) as (second, _):
            await second.save(Save(b"1", {"b": b"B"}))
            for _ in range(2):
                with pytest.raises(StateError) as caught:
                    await store.save(Save(b"2", {"a": b"A"}, replace_all=True))
                assert caught.value.reason == "in_use"
            await second.save(Save(b"2", {"b": b"C"}))
    assert (await contents(path)).snapshots["b"][1] == b"C"


@pytest.mark.parametrize("rest", [False, True])
async def test_a_file_that_was_cut_to_nothing_is_noticed_at_the_start(
    tmp_path: Path, rest: bool
) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(b"")
    if rest:
        Path(f"{path}-wal").write_bytes(b"what was not brought home yet")
    async with opened(path) as (store, loaded):
        assert store.emptied and loaded.snapshots == {}
        await store.save(Save(b"1", {"a": b"A"}))
        if rest:
            assert store.set_aside is not None
            kept = Path(f"{store.set_aside}-wal").read_bytes()
            assert kept == b"what was not brought home yet"
    async with opened(path) as (store, loaded):
        assert not store.emptied and "a" in loaded.snapshots
