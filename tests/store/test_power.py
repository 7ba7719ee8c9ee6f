"""The power fails at any moment of some hundreds of saves: every disk that this can leave behind
loads, and what it counts is what one of the saves counted.

`SLOD_CUTS` says how many disks are tried of each kind (150 unless told; 20,000 were).
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from pathlib import Path

import pytest

from exporter.app.keeper import Keeper
from exporter.store.database import Store
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

pytestmark = pytest.mark.skipif(not can_record(), reason="this Python hides SQLite's functions")


def counts(number: int) -> tuple[float, float]:
    """Good and bad events by the save of this number; none is like another."""
    return (10.0 * number, float(number % 3 + 2 * number)) if number else (0.0, 0.0)


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> list[Event]:
    """What some hundreds of saves do to the files, with a stop in between."""
    return asyncio.run(recorded(tmp_path_factory.mktemp("recorded") / "s.db"))


async def recorded(path: Path) -> list[Event]:
    done = 0
    with recording() as record:
        for upto in (SAVES // 4, SAVES):
            of = engine(slo(), slo("other"))
            keeper = Keeper(of, Store(str(path), now=lambda: T))
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


SAVED = {counts(number) for number in range(SAVES)}


async def start_on(folder: Path, files: Files) -> tuple[float, float]:
    """Start on such a disk; what is counted then. It saves on."""
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
        assert store.set_aside is None or found == (0, 0)
        feed(of, T + 1e5, {OK: 1e6, ERROR: 1e5})
        of.tick(T + 1e5)
        assert await keeper.save() is None
        return found
    finally:
        await keeper.close()


async def test_killed_at_any_write_every_save_that_was_over_is_there(
    tmp_path: Path, events: list[Event]
) -> None:
    rng = random.Random(1)
    for at in sorted(rng.randrange(len(events) + 1) for _ in range(CUTS)):
        found = await start_on(tmp_path / "disk", disk_after(events[:at]))
        over = max((e.place for e in events[:at] if e.what == "mark"), default=0)
        assert found in SAVED
        assert found >= counts(over), (at, over)


async def test_whatever_a_power_cut_leaves_is_one_of_the_saves(
    tmp_path: Path, events: list[Event]
) -> None:
    rng = random.Random(2)
    for _ in range(CUTS):
        at = rng.randrange(len(events) + 1)
        assert await start_on(tmp_path / "disk", disk_after_power_cut(events[:at], rng)) in SAVED, (
            at
        )
