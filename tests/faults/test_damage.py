"""A state file that was cut or changed anywhere: loaded as it was at some save, or set aside whole.

`SLOD_CUTS` says how many places are tried of each kind (40 unless told; 1000 were).
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from exporter.app.keeper import Keeper
from exporter.core.engine import Engine
from exporter.core.outbox import Route
from exporter.errors import StateError
from exporter.store.database import Store
from tests.core.builders import ERROR, OK, T, counted, engine, feed, slo, workbook

PLACES = int(os.environ.get("SLOD_CUTS", "40"))
HOOK = Route("hook", "hook http://127.0.0.1/")
ROUNDS = 90

Counts = tuple[float, float]


def new_engine() -> Engine:
    return engine(slo(rules=workbook()), slo("other", objective=0.99), routes=[HOOK])


def page(i: int) -> dict[str, float]:
    """What the service says in round i: an outage in the middle, so that alerts wait on disk."""
    return {OK: 20.0 * i, ERROR: 10.0 * max(0, min(i - 30, 30))}


def truth(i: int) -> Counts:
    return page(i)[OK], page(i)[ERROR]


@pytest.fixture
async def files(tmp_path: Path) -> dict[str, bytes]:
    """The state file and its write-ahead log in the middle of a run, and after a clean stop."""
    whole, out = tmp_path / "s.db", dict[str, bytes]()
    of = new_engine()
    keeper = Keeper(of, Store(str(whole), now=lambda: T))
    await keeper.restore()
    for i in range(ROUNDS):
        feed(of, T + 10 * i, page(i))
        of.tick(T + 10 * i)
        assert await keeper.save() is None
        if i == ROUNDS // 2:
            # The log that far goes home, so that both files hold something.
            await keeper.close()
            of = new_engine()
            keeper = Keeper(of, Store(str(whole), now=lambda: T))
            await keeper.restore()
    out["running"] = whole.read_bytes()
    out["wal"] = Path(f"{whole}-wal").read_bytes()
    await keeper.close()
    out["stopped"] = whole.read_bytes()
    return out


SAVED: set[Counts] = {(0.0, 0.0), *(truth(i) for i in range(ROUNDS))}


class Trial:
    """One damaged file, opened as a start of slod does."""

    def __init__(self, folder: Path, main: bytes, wal: bytes | None) -> None:
        self.path = folder / "s.db"
        self.path.write_bytes(main)
        if wal is not None:
            (folder / "s.db-wal").write_bytes(wal)

    async def begins(self) -> str:
        """Starts, counts, saves, is there again: whether it was `loaded`, `aside` or `refused`."""
        of, store = new_engine(), Store(str(self.path), now=lambda: T)
        keeper = Keeper(of, store)
        try:
            await keeper.restore()
        except StateError as error:
            assert error.reason == "newer", error
            await keeper.close()
            return "refused"
        assert {counted(of), counted(of, "other")} <= SAVED
        if store.set_aside is None:
            # Whatever was cut off, the next page bridges.
            expected = truth(ROUNDS) if counted(of) != (0, 0) else None
            outcome = "loaded"
        else:
            expected, outcome = (0.0, 0.0), "aside"
            assert counted(of) == expected and of.outbox.entries() == []
            assert Path(store.set_aside).exists()
        feed(of, T + 10 * ROUNDS, page(ROUNDS))
        assert expected in (None, counted(of))
        of.tick(T + 10 * ROUNDS)
        assert await keeper.save() is None
        await keeper.close()
        again = new_engine()
        keeper = Keeper(again, Store(str(self.path), now=lambda: T))
        await keeper.restore()
        assert counted(again) == counted(of)
        await keeper.close()
        return outcome


def emptied(folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    return folder


def cuts(data: bytes, rng: random.Random) -> Iterator[int]:
    """Random places and the suspicious ones: none left, in the header, at the edges of pages."""
    yield from (0, 1, 15, 16, 24, 99, 100, 4095, 4096, 4097, len(data) - 1, len(data))
    for _ in range(PLACES):
        yield rng.randrange(len(data))


@pytest.mark.parametrize("which", ["stopped", "running", "wal", "main of running"])
async def test_a_file_cut_anywhere_is_loaded_or_set_aside(
    tmp_path: Path, files: dict[str, bytes], which: str
) -> None:
    rng, seen = random.Random(which), dict[str, int]()
    for at in cuts(files["wal" if which == "wal" else "running"], rng):
        main, wal = {
            "stopped": (files["stopped"][:at], None),
            "running": (files["running"][:at], None),
            "wal": (files["running"], files["wal"][:at]),
            "main of running": (files["running"][:at], files["wal"]),
        }[which]
        outcome = await Trial(emptied(tmp_path / "x"), main, wal).begins()
        seen[outcome] = seen.get(outcome, 0) + 1
    print(f"\n{which} cut: {seen}")
    assert seen.get("refused") is None
    assert seen["loaded"] > 0


def flips(data: bytes, rng: random.Random) -> Iterator[tuple[int, int]]:
    """Random bits, and as many of the header, which has 800."""
    yield from ((bit // 8, bit % 8) for bit in rng.sample(range(800), min(PLACES, 800)))
    for _ in range(PLACES):
        yield rng.randrange(len(data)), rng.randrange(8)


@pytest.mark.parametrize("which", ["stopped", "running", "wal"])
async def test_a_bit_that_changed_anywhere_never_changes_a_count(
    tmp_path: Path, files: dict[str, bytes], which: str
) -> None:
    rng, seen = random.Random(which), dict[str, int]()
    for at, bit in flips(files[which], rng):
        data = bytearray(files[which])
        data[at] ^= 1 << bit
        if which == "wal":
            trial = Trial(emptied(tmp_path / "x"), files["running"], bytes(data))
        else:
            trial = Trial(emptied(tmp_path / "x"), bytes(data), None)
        try:
            outcome = await trial.begins()
        except BaseException as error:
            error.add_note(f"byte {at} bit {bit} of {which}")
            raise
        seen[outcome] = seen.get(outcome, 0) + 1
    print(f"\n{which} flipped: {seen}")
    assert seen["loaded"] > 0
