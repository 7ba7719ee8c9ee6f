"""Bodies of answers: all that are read at a time stay under one limit, and are gone at once."""

from __future__ import annotations

import asyncio
import gc
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from exporter.bodies import LEAST, MOST, Bodies, NoRoom
from exporter.config.settings import HTTP
from exporter.http import Client, TransportError

MIB = 2**20


def limited(limit: int, patience: float = 0.0) -> Bodies:
    """Bodies that may have so many bytes together."""
    some: list[Bodies] = []
    some.append(Bodies(left=lambda: 4 * limit - some[0].held, patience=patience))
    return some[0]


def test_the_limit_is_a_quarter_of_what_is_left_and_never_nothing() -> None:
    now = [0.0]
    left: list[int | None] = [None]
    some = Bodies(left=lambda: left[0], clock=lambda: now[0])
    assert some.limit == MOST
    for left[0], expected in ((160 * MIB, 40 * MIB), (0, LEAST), (10**12, MOST)):
        now[0] += 10
        assert some.limit == expected


async def test_what_is_held_already_is_theirs() -> None:
    some = limited(8 * MIB)
    with some.body() as body:
        for _ in range(8):
            await body.add(bytes(MIB))
        assert (some.held, len(body.whole())) == (8 * MIB, 8 * MIB)
    assert some.held == 0


async def test_the_largest_gives_way_to_a_small_one() -> None:
    some = limited(4 * MIB)
    with some.body() as endless, some.body() as page:
        for _ in range(4):
            await endless.add(bytes(MIB))
        await page.add(bytes(MIB))
        assert (some.held, len(page.whole())) == (MIB, MIB)
        with pytest.raises(NoRoom):
            await endless.add(b"x")
        with pytest.raises(NoRoom):
            endless.whole()
    assert some.held == 0


async def test_one_alone_over_the_limit_fails_itself() -> None:
    some = limited(2 * MIB, patience=60)
    with some.body() as body:
        await body.add(bytes(2 * MIB))
        with pytest.raises(NoRoom):
            await body.add(b"x")


async def test_a_body_waits_for_another_to_end() -> None:
    some = limited(4 * MIB, patience=60)
    with some.body() as second:
        with some.body() as first:
            await first.add(bytes(3 * MIB))
            waiting = asyncio.create_task(second.add(bytes(2 * MIB)))
            for _ in range(3):
                await asyncio.sleep(0)
            assert not waiting.done()
        await waiting
        assert len(second.whole()) == 2 * MIB


async def test_many_at_a_time_never_pass_the_limit() -> None:
    some = limited(4 * MIB)
    seen: list[int] = []

    async def fetch(parts: int) -> bool:
        try:
            with some.body() as body:
                for _ in range(parts):
                    await body.add(bytes(64 * 1024))
                    seen.append(some.held)
                    await asyncio.sleep(0)
                body.whole()
        except NoRoom:
            return False
        return True

    ended = await asyncio.gather(*(fetch(1) for _ in range(20)), *(fetch(10_000) for _ in range(9)))
    assert max(seen) <= 4 * MIB and some.held == 0
    assert ended == [True] * 20 + [False] * 9


# --- through the client ---------------------------------------------------------------------------

Write = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def answering(write: Write) -> AsyncIterator[str]:
    """A server that writes what the test says."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await write(writer)
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/metrics"
    finally:
        server.close()


async def endless(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"#" * 65536 + b"\r\n")
        await writer.drain()


async def test_nothing_of_a_body_lives_as_long_as_its_failure() -> None:
    some = limited(64 * MIB)
    client = Client(HTTP(max_body_bytes=8 * MIB), bodies=some)
    gc.disable()
    try:
        async with answering(endless) as url:
            with pytest.raises(TransportError, match="over max_body_bytes") as caught:
                await client.request("GET", url)
        assert some.held == 0
        # No frame of the failure has what was read, and no collection was needed for that.
        held = [v for f, _ in traceback.walk_tb(caught.tb) for v in f.f_locals.values()]
        assert not [v for v in held if isinstance(v, bytes) and len(v) > 1000]
    finally:
        gc.enable()
        await client.close()


async def test_many_endless_bodies_leave_room_for_a_page() -> None:
    some = limited(2 * MIB)
    client = Client(HTTP(timeout=30.0), bodies=some)

    async def page(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nup 1\n")
        await writer.drain()

    async with answering(endless) as bad, answering(page) as good:
        floods = [asyncio.create_task(client.request("GET", bad)) for _ in range(8)]
        assert (await client.request("GET", good)).body == b"up 1\n"
        ended = await asyncio.gather(*floods, return_exceptions=True)
    assert {getattr(one, "reason", "") for one in ended} == {"too_large"}
    assert some.held == 0
    await client.close()
