"""A part that fails is counted, said once, and tried again; health is about vital parts alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

import pytest
from structlog.testing import capture_logs

from exporter.supervisor import AGAIN_AND_AGAIN, LOGGED_EVERY, Supervisor
from tests.support import ManualClock


class Sick(Exception):
    def __str__(self) -> str:
        raise RuntimeError


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_work_is_done_again_after_a_pause_that_grows(clock: ManualClock) -> None:
    counts: Counter[str] = Counter()
    supervisor = Supervisor(clock, lambda part: counts.update([part]))
    begun: list[float] = []

    async def work() -> None:
        begun.append(clock.monotonic())
        if len(begun) < 9:
            raise ValueError("again")

    with capture_logs() as logs:
        task = supervisor.start("source:a", work)
        await clock.until_sleeping()
        await clock.advance(400)
        await task
    pauses = [b - a for a, b in pairwise(begun)]
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert counts == {"source:a": 8}
    (line,) = [one for one in logs if one["event"] == "part.failed"]
    assert line["part"] == "source:a" and line["error"] == "ValueError: again"
    assert "in work" in line["exception"]
    assert not supervisor.tasks


async def test_each_kind_of_error_is_said_once_until_the_part_works(clock: ManualClock) -> None:
    supervisor = Supervisor(clock)
    errors = [ValueError("1"), ValueError("2"), KeyError("3"), Sick()]

    def fail() -> int:
        with capture_logs() as logs:
            for error in errors:
                with supervisor.part("room"):
                    raise error
        return sum(one["event"] == "part.failed" for one in logs)

    assert fail() == 3
    assert fail() == 0
    await clock.advance(LOGGED_EVERY)
    assert fail() == 3
    with supervisor.part("room"):
        pass
    assert fail() == 3


async def test_a_fault_that_many_details_of_a_part_meet_is_said_once(clock: ManualClock) -> None:
    supervisor = Supervisor(clock)

    def fail(*targets: str) -> int:
        with capture_logs() as logs:
            for target in targets:
                with supervisor.part("source:a", target):
                    raise ValueError
        return sum(one["event"] == "part.failed" for one in logs)

    assert fail("x", "y", "z") == 1
    supervisor.works("source:a", "x")
    assert fail("x") == 0
    for target in "xyz":
        supervisor.works("source:a", target)
    assert fail("x") == 1


async def test_nothing_is_remembered_of_a_part_that_has_ended(clock: ManualClock) -> None:
    supervisor = Supervisor(clock)

    async def work() -> None:
        raise ValueError

    task = supervisor.start("source:a", work, "x")
    await clock.until_sleeping()
    assert supervisor.pausing("source:a", "x")
    task.cancel()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    assert not supervisor.pausing("source:a", "x")


async def test_a_cancelled_part_ends_also_where_it_fails_at_that(clock: ManualClock) -> None:
    supervisor = Supervisor(clock)

    async def clean() -> None:
        await asyncio.Event().wait()

    async def unclean() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("while tidying up")

    tasks = [supervisor.start("a", clean), supervisor.start("b", unclean)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert not supervisor.tasks


async def test_a_cancellation_of_something_else_is_a_failure(clock: ManualClock) -> None:
    counts: Counter[str] = Counter()
    supervisor = Supervisor(clock, lambda part: counts.update([part]))

    async def work() -> None:
        if not counts:
            other: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            other.cancel()
            await other

    task = supervisor.start("a", work)
    await clock.until_sleeping()
    await clock.advance(1)
    await task
    assert counts == {"a": 1}


@pytest.mark.parametrize(
    ("part", "healthy"),
    [
        ("tick", False),
        ("saving", False),
        ("supervisor", False),
        ("source:a", True),
        ("slo:a", True),
    ],
)
async def test_only_vital_parts_make_it_unhealthy_and_only_again_and_again(
    clock: ManualClock, part: str, healthy: bool
) -> None:
    supervisor = Supervisor(clock)
    for _ in range(AGAIN_AND_AGAIN - 1):
        supervisor.failed(part, ValueError())
    assert supervisor.unhealthy() == []
    supervisor.failed(part, ValueError())
    assert (supervisor.unhealthy() == []) == healthy
    supervisor.works(part)
    assert supervisor.unhealthy() == []


async def test_a_failure_that_cannot_be_counted_is_the_supervisors_own(clock: ManualClock) -> None:
    def broken(part: str) -> None:
        raise RuntimeError(part)

    supervisor = Supervisor(clock, broken)
    for _ in range(AGAIN_AND_AGAIN):
        assert supervisor.failed("source:a", ValueError()) == 60
    assert supervisor.unhealthy() == ["supervisor failed 3 times in a row"]


async def test_what_is_remembered_of_failures_is_bounded(
    clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("exporter.supervisor._MOST_DETAILS", 2)
    supervisor = Supervisor(clock)
    with capture_logs() as logs:
        for number in range(5):
            supervisor.failed("request:/", ValueError(), str(number))
            supervisor.works("request:/", "9")
    assert [one["of"] for one in logs if one["event"] == "part.failed"] == ["0"]
    supervisor.failed("tick", ValueError())
    assert [supervisor.pausing("request:/", str(n)) for n in range(5)] == [True] * 2 + [False] * 3
    assert supervisor.pausing("tick")
    await clock.advance(1)
    assert not supervisor.pausing("tick")
