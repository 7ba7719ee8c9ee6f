"""The parts of the run that could make it see nothing: its plan, its files, its readers."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.config.load import parse
from tests.store.recorder import Event
from tests.torture.churn import Configuration, Ports, _made_up
from tests.torture.control import Control
from tests.torture.held import HeldBy
from tests.torture.journal import Journal
from tests.torture.plan import FAULTS, plan
from tests.torture.slod import Slod, unforeseen
from tests.torture.verdict import Verdict


def test_a_seed_gives_the_same_plan_and_another_one_another() -> None:
    assert plan(7, 120) == plan(7, 120)
    assert [str(step) for step in plan(7, 120)] == [str(step) for step in plan(7, 120)]
    assert plan(7, 120) != plan(8, 120)


def test_three_minutes_have_every_fault_in_order() -> None:
    for seed in range(5):
        steps = plan(seed, 135)
        assert {step.fault for step in steps} == FAULTS.keys()
        assert [step.at for step in steps] == sorted(step.at for step in steps)


def test_only_some_faults_are_where_they_were() -> None:
    some = {"kill", "dns"}
    assert plan(3, 120, ["kill", "dns"]) == [s for s in plan(3, 120) if s.fault in some]


def test_every_configuration_that_is_not_broken_on_purpose_can_be_read(tmp_path: Path) -> None:
    slod = Slod(tmp_path, Verdict())
    ports = Ports(slod.port, (1, 2, 3, 4), (5, 6), 7, 8, (9, 10))
    configuration = Configuration(slod, ports)
    rng = random.Random(1)
    for _ in range(30):
        for what in ("take one away", "add one", "edit", "many at once", "targets come and go"):
            configuration._change(what, rng)  # noqa: SLF001
        assert parse(configuration.text(), "slod.toml").slos
    assert len({_made_up(rng) for _ in range(30)}) > 20


def test_what_the_run_says_arrives_in_slod(tmp_path: Path) -> None:
    control, there = Control(tmp_path, make=True), Control(tmp_path)
    control.offset, control.disk = -3600.5, 13
    control.resolve({"a.torture": {"addresses": ["127.0.0.1"]}})
    assert (there.offset, there.disk) == (-3600.5, 13)
    assert there.resolved("a.torture")["addresses"] == ["127.0.0.1"] and not there.resolved("b")


def commit(pages: int) -> Event:
    return Event("write", "s.db-wal", 0, bytes(4) + pages.to_bytes(4, "big") + bytes(16))


def test_a_save_is_safe_once_it_was_synced(tmp_path: Path) -> None:
    import pickle

    state, record = tmp_path / "state", tmp_path / "disk"
    state.mkdir()
    journal = Journal(record)
    journal.begin(state)

    def did(*events: Event) -> None:
        with record.open("ab") as file:
            for event in events:
                file.write(pickle.dumps((event.what, event.name, event.place, event.data)))
        journal.read()

    did(commit(0), commit(3), commit(4))
    assert (journal.saves, journal.safe) == (2, 0)
    did(Event("sync", "s.db-wal"), commit(5))
    assert (journal.saves, journal.safe) == (3, 2)
    with record.open("ab") as file:
        file.write(pickle.dumps(("sync", "s.db-wal", 0, b""))[:-3])
    journal.read()
    assert journal.safe == 2, "half of it is no event yet"
    assert set(journal.cut(random.Random(1))) <= {"s.db-wal"} and journal.saves == 2


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ('{"event": "part.failed", "part": "tick"}', True),
        ('{"event": "x", "exception": "Traceback"}', True),
        ("Traceback (most recent call last):", True),
        ("RuntimeWarning: coroutine was never awaited", True),
        ('{"event": "source.failed", "error": "Error: refused"}', False),
        ("slod: config.toml:1: not TOML", False),
    ],
)
def test_an_error_that_nobody_foresaw_is_seen_in_the_log(line: str, wrong: bool) -> None:
    assert bool(unforeseen(line)) is wrong


def works() -> None:
    """Half a second of a CPU."""
    begun = time.thread_time()
    while time.thread_time() - begun < 0.5:
        sum(range(1000))


@pytest.mark.parametrize("holds", [works, lambda: time.sleep(0.5)])
async def test_a_hold_of_the_loop_is_noted_with_what_did_it(
    tmp_path: Path, holds: Callable[[], None]
) -> None:
    file = tmp_path / "held.jsonl"
    HeldBy(file).start()
    await asyncio.sleep(0.1)
    holds()
    async with asyncio.timeout(20):
        while not file.exists():
            await asyncio.sleep(0.01)
    line = json.loads(file.read_text().splitlines()[-1])
    assert line["held"] > 0.25 and "test_a_hold" in str(line["stacks"])
