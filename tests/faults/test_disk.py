"""Disks that are full, read-only, slow, or hold a file that is not ours: slod says so, and counts.

Full and read-only ones are small file systems of their own, where whoever runs the tests may mount.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sqlite3
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from exporter.store.schema import VERSION
from tests.faults.victim import Slod
from tests.real.servers import eventually, fetch
from tests.real.shop import Shop

SAVING = "slod_state_saving"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    shop = Shop(tmp_path)
    await shop.add()
    yield shop
    await shop.stop()


@contextlib.contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A file system in memory; skipped where mounting is not allowed."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "slod-test", str(folder)], capture_output=True
    )
    if done.returncode != 0:
        pytest.skip(f"cannot mount: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@contextlib.asynccontextmanager
async def running(slod: Slod, shop: Shop) -> AsyncIterator[None]:
    """Started, with a baseline and some events on disk; killed at the end unless it was stopped."""
    slod.start()
    try:
        await eventually(slod.ready, "ready")
        await slod.saves()
        shop.serve(shop.pods[0], "200", 10)
        await slod.agrees(shop)
        yield
    finally:
        await slod.stop(kill=True)


def is_saving(slod: Slod, wanted: bool) -> object:
    async def look() -> bool:
        return await slod.value(SAVING) == float(wanted)

    return look


async def test_a_disk_that_fills_up_costs_no_event_and_the_state_is_whole_once_there_is_room(
    tmp_path: Path, shop: Shop
) -> None:
    with mounted(tmp_path / "disk", "size=320k") as disk:
        slod = Slod(tmp_path, "full", state=disk / "s.db")
        async with running(slod, shop):
            for served in range(2):
                hog = disk / "hog"
                with contextlib.suppress(OSError), hog.open("wb", buffering=0) as file:
                    while True:
                        file.write(bytes(4096))
                await eventually(is_saving(slod, False), "the disk is full")
                shop.serve(shop.pods[0], "500", 3 + served)
                await slod.agrees(shop)
                assert b"in memory only: disk_full" in (await fetch(f"{slod.url}/-/ready"))[1]
                hog.unlink()
                await eventually(is_saving(slod, True), "there is room again")
            await slod.stop(kill=True)
            shop.serve(shop.pods[0], "200", 5)
            slod.start()
            await slod.agrees(shop)
            await slod.stop()
        assert "Traceback" not in slod.log.read_text()


async def test_a_folder_that_is_read_only_is_told_in_one_line(tmp_path: Path, shop: Shop) -> None:
    with mounted(tmp_path / "disk", "ro,size=64k") as disk:
        slod = Slod(tmp_path, "ro", state=disk / "s.db")
        slod.start()
        assert await slod.exits() == 1
        [line] = slod.log.read_text().splitlines()
        assert "Read-only file system" in line and "check [state] path" in line


async def test_while_somebody_holds_the_file_slod_counts_and_answers_and_saves_later(
    tmp_path: Path, shop: Shop
) -> None:
    slod = Slod(tmp_path, "slow")
    async with running(slod, shop):
        with contextlib.closing(sqlite3.connect(slod.state, isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            await eventually(is_saving(slod, False), "it cannot save")
            shop.serve(shop.pods[0], "500", 7)
            await slod.agrees(shop)
            assert b"in memory only: locked" in (await fetch(f"{slod.url}/-/ready"))[1]
            other.execute("ROLLBACK")
        await eventually(is_saving(slod, True), "it saves again")
        await slod.stop(kill=True)
        slod.start()
        await slod.agrees(shop)


async def test_a_slow_disk_delays_saves_only(tmp_path: Path, shop: Shop) -> None:
    """Somebody holds the file again and again, shorter than a save waits."""
    slod, rng = Slod(tmp_path, "slow"), random.Random(5)
    async with running(slod, shop):

        async def others() -> None:
            with contextlib.closing(sqlite3.connect(slod.state, isolation_level=None)) as other:
                while True:
                    other.execute("BEGIN IMMEDIATE")
                    await asyncio.sleep(rng.uniform(0.1, 1.0))
                    other.execute("COMMIT")
                    await asyncio.sleep(0.2)

        slow = asyncio.create_task(others())
        try:
            for _ in range(3):
                shop.serve(shop.pods[0], "500", 7)
                await slod.agrees(shop)
            await slod.saves()
        finally:
            slow.cancel()
            await asyncio.gather(slow, return_exceptions=True)
        assert await slod.stop() == 0
    assert "state.cannot_save" not in slod.log.read_text()


async def test_a_file_of_a_newer_slod_is_refused_in_one_line_and_stays_as_it_is(
    tmp_path: Path, shop: Shop
) -> None:
    slod = Slod(tmp_path, "newer")
    with contextlib.closing(sqlite3.connect(slod.state, isolation_level=None)) as db:
        db.execute("CREATE TABLE journal (x)")
        db.execute(f"PRAGMA application_id = {0x534C4F44}")
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    before = slod.state.read_bytes()
    slod.start()
    assert await slod.exits() == 1
    [line] = slod.log.read_text().splitlines()
    assert "newer slod" in line and "another [state] path" in line
    assert slod.state.read_bytes() == before
    assert {p.name for p in tmp_path.glob("newer.db*")} <= {"newer.db", "newer.db.lock"}
