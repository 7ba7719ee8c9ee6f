"""Turns of requests: how many there are at a time, and what ends one."""

from __future__ import annotations

import asyncio
import threading

import pytest

from exporter.app.prom_turn import AT_ONCE, Turns
from exporter.app.query_memory import QueryMemory
from exporter.web.prom_api import Fault
from exporter.web.prom_stream import Terms

LONG = Terms(60.0, lambda: False)


def turns(size: int = 2**20) -> tuple[Turns, QueryMemory]:
    memory = QueryMemory(lambda: size)
    return Turns(memory), memory


async def test_more_wait_for_their_turn_and_not_longer_than_they_may() -> None:
    all_, memory = turns()
    first, second = all_.next(LONG), all_.next(LONG)
    assert AT_ONCE == 2
    await first.__aenter__()
    await second.__aenter__()
    with pytest.raises(Fault, match="in query queue") as late:
        async with all_.next(Terms(0.01, lambda: False)):
            pass
    assert (late.value.kind, late.value.status) == ("timeout", 503)
    waiting = asyncio.create_task(all_.next(LONG).__aenter__())
    await asyncio.sleep(0)
    assert not waiting.done()
    await first.__aexit__(None, None, None)
    await waiting
    await second.__aexit__(None, None, None)
    assert memory.held == 0


async def test_a_client_that_leaves_ends_its_request_in_the_thread_too() -> None:
    all_, memory = turns()
    left, begun = threading.Event(), threading.Event()

    def work() -> None:
        turn.meter.take(1000)
        begun.set()
        while True:
            turn.meter.check()

    async def leave() -> None:
        await asyncio.to_thread(begun.wait)
        left.set()

    with pytest.raises(Fault, match="its client has left") as ended:
        async with all_.next(Terms(60.0, left.is_set)) as turn:
            await asyncio.gather(turn.compute(work), leave())
    assert (ended.value.kind, ended.value.status) == ("canceled", 503)
    assert memory.held == 0


async def test_a_request_whose_client_left_while_it_waited_does_nothing() -> None:
    with pytest.raises(Fault, match="its client has left"):
        async with turns()[0].next(Terms(60.0, lambda: True)):
            pytest.fail("it has a turn")


async def test_a_request_that_is_cancelled_holds_its_turn_until_its_thread_has_ended() -> None:
    all_, memory = turns()
    begun, ended = threading.Event(), threading.Event()

    async def request() -> None:
        async with all_.next(LONG) as turn:

            def work() -> None:
                begun.set()
                try:
                    while True:
                        turn.meter.check()
                finally:
                    ended.set()

            await turn.compute(work)

    task = asyncio.create_task(request())
    await asyncio.to_thread(begun.wait)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
    assert memory.held == 0


async def test_an_allocation_that_fails_is_the_failure_of_its_request() -> None:
    all_, memory = turns()

    async def request() -> None:
        async with all_.next(LONG) as turn:
            turn.meter.take(1000)
            await turn.compute(lambda: bytearray(2**60))

    with pytest.raises(MemoryError):
        await request()
    assert memory.held == 0


async def test_the_bytes_of_an_answer_are_held_until_it_is_sent() -> None:
    all_, memory = turns(2**22)
    async with all_.next(LONG) as turn:
        turn.meter.take(1000)
        stream = await turn.send(lambda: iter([b"a", b"b", b"c"]))
    assert memory.held > 1000
    assert [*stream.pieces] == [b"a", b"b", b"c"]
    stream.close()
    assert memory.held == 0
    async with all_.next(LONG) as turn:
        turn.meter.take(1000)
        stream = await turn.send(lambda: iter([b"a"]))
    # It is as small as any other answer.
    assert memory.held == 0 and stream.is_whole
