"""The power fails at any moment of some hundreds of saves: every disk that this can leave behind
loads, and what it counts is what one of the saves counted, none that was synced is lost.

`SLOD_CUTS` says how many disks are tried of each kind (150 unless told; 10,000 were).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from exporter.app.keeper import Keeper
from exporter.store.database import SYNC_EVERY, Store
from tests.core.builders import ERROR, OK, T, counted, engine, feed, slo
from tests.store.recorder import (
    Event,
    Files,
    can_record,
    disk_after,
    disk_after_power_cut,
    recording,
)

CUTS = int(os.environ.get("SLOD_CUTS", "150"))
SAVES = 400

Counts = tuple[float, float]

pytestmark = pytest.mark.skipif(not can_record(), reason="this Python hides SQLite's functions")


def counts(number: int) -> Counts:
    """Good and bad events by the save of this number; none is like another."""
    return (10.0 * number, float(number % 3 + 2 * number)) if number else (0.0, 0.0)


SAVED = {counts(number) for number in range(SAVES)}


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """What some hundreds of saves do to the files, with a stop in between."""
    folder = tmp_path_factory.mktemp("recorded")
    with contextlib.chdir(folder):
        events = asyncio.run(recorded(folder / "s.db"))
    # A file whose name the recorder does not keep alive is made under any name, and here.
    assert {path.name for path in folder.iterdir()} == {"s.db", "s.db.lock"}
    return events


async def recorded(path: Path) -> list[Event]:
    done = 0
    with recording() as record:
        for upto in (SAVES // 4, SAVES):
            of = engine(slo(), slo("other"))
            store = Store(str(path), now=lambda: T)
            keeper = Keeper(of, store)
            await keeper.restore()
            for number in range(done, upto):
                good, bad = counts(number)
                feed(of, T + 10 * number, {OK: good, ERROR: bad})
                of.tick(T + 10 * number)
                assert await keeper.save() is None
                record.mark(number)
            done = upto
            await keeper.close()
    return record.events


async def start_on(folder: Path, files: Files) -> tuple[Counts, bool]:
    """Start on such a disk; what is counted then, and whether the file was used. It saves on."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    of = engine(slo(), slo("other"))
    store = Store(str(folder / "s.db"), now=lambda: T)
    keeper = Keeper(of, store)
    await keeper.restore()
    try:
        assert store.quarantined == 0
        found = counted(of)
        assert found == counted(of, "other")
        feed(of, T + 1e5, {OK: 1e6, ERROR: 1e5})
        of.tick(T + 1e5)
        assert await keeper.save() is None
        return found, store.set_aside is None
    finally:
        await keeper.close()


def places(events: Sequence[Event], rng: random.Random) -> Iterable[int]:
    """Where to cut: anywhere, and half of the time around what is done to the file itself."""
    rare = [at for at, e in enumerate(events) if e.what != "mark" and not e.name.endswith("-wal")]
    for number in range(CUTS):
        near = rng.choice(rare) + rng.randrange(-3, 4)
        yield min(len(events), max(0, near if number % 2 else rng.randrange(len(events) + 1)))


def newest(events: Iterable[Event]) -> Counts:
    """Counts of the newest save that was over."""
    return counts(max((event.place for event in events if event.what == "mark"), default=0))


def synced(events: Sequence[Event]) -> Counts:
    """Counts of the newest save that was over before the log was synced last."""
    last = max((at for at, e in enumerate(events) if (e.what, e.name) == SYNC), default=0)
    return newest(events[:last])


SYNC = ("sync", "s.db-wal")


async def test_killed_at_any_write_every_save_that_was_over_is_there(
    tmp_path: Path, events: list[Event]
) -> None:
    for at in places(events, random.Random(1)):
        found, used = await start_on(tmp_path / "disk", disk_after(events[:at]))
        assert found in SAVED and found >= newest(events[:at]), at
        assert used or found == (0, 0)


async def test_whatever_a_power_cut_leaves_is_one_of_the_saves(
    tmp_path: Path, events: list[Event]
) -> None:
    rng = random.Random(2)
    for at in places(events, rng):
        files = disk_after_power_cut(events[:at], rng)
        found, used = await start_on(tmp_path / "disk", files)
        assert found in SAVED and found >= synced(events[:at]), at
        assert used or synced(events[:at]) == (0, 0), at


def test_a_power_cut_costs_some_saves_at_most(events: list[Event]) -> None:
    saved = synced_upto = behind = 0
    for event in events:
        if event.what == "mark":
            saved = event.place
            behind = max(behind, saved - synced_upto)
        elif (event.what, event.name) == SYNC:
            synced_upto = saved
    assert SYNC_EVERY - 2 < behind <= SYNC_EVERY


async def test_the_recorder_shows_what_a_disk_that_lies_would_lose(
    tmp_path: Path, events: list[Event]
) -> None:
    """Without the syncs it promises, the same cuts do lose saves: what is above can fail."""
    rng, lost = random.Random(3), 0
    for at in list(places(events, rng))[:60]:
        lying = [event for event in events[:at] if event.what != "sync"]
        found, _ = await start_on(tmp_path / "disk", disk_after_power_cut(lying, rng))
        lost += found < synced(events[:at])
    assert lost > 0
