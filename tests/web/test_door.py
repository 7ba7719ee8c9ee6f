"""Connections that would hold something for ever, against a server with little patience."""

from __future__ import annotations

import asyncio
import socket

import pytest

from exporter.web.exposition import Family
from tests.web.kit import serving

WHOLE = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
BOUND = 20.0
"""Seconds after which a connection that ought to be closed surely is not."""


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port)


async def is_cut_off(reader: asyncio.StreamReader) -> bool:
    """Reads to the end, which comes or the test fails."""
    async with asyncio.timeout(BOUND):
        try:
            while await reader.read(2**16):
                pass
        except ConnectionResetError:
            pass
    return True


@pytest.mark.parametrize("said", [b"", b"GET /-/healthy HT", WHOLE[:-2]])
async def test_a_request_that_does_not_end_in_time_is_cut_off(said: bytes) -> None:
    async with serving(patience=0.1) as server:
        reader, writer = await connected(server.port)
        writer.write(said)
        assert await is_cut_off(reader)
        writer.close()


async def test_who_does_not_read_a_large_answer_is_cut_off_and_others_are_served_meanwhile() -> (
    None
):
    large = Family.of("large", "gauge", "x" * 20_000_000, [("", 1.0)])
    async with serving(patience=0.1, page=lambda: [large]) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as deaf:
            deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(BOUND):
                while not server.guests:
                    await asyncio.sleep(0.01)
                while server.guests:
                    assert await answered(server.port)
                    await asyncio.sleep(0.01)


async def answered(port: int) -> bool:
    reader, writer = await connected(port)
    writer.write(WHOLE.replace(b"Host: x", b"Host: x\r\nConnection: close"))
    answer = await reader.read()
    writer.close()
    await writer.wait_closed()
    return answer.startswith(b"HTTP/1.1 200 ")


async def test_a_connection_that_asked_and_waits_may_ask_again_later() -> None:
    async with serving(patience=0.05) as server:
        reader, writer = await connected(server.port)
        for _ in range(3):
            writer.write(WHOLE)
            assert (await reader.readuntil(b"healthy.\n")).startswith(b"HTTP/1.1 200 ")
            # Longer than its patience: the time a waiting connection has is another one.
            other, closing = await connected(server.port)
            assert await is_cut_off(other)
            closing.close()
        writer.close()


async def test_over_the_limit_connections_are_turned_away_and_room_is_made_again() -> None:
    async with serving(connections=2) as server:
        held = [await connected(server.port) for _ in range(2)]
        for _, writer in held:
            writer.write(WHOLE)
        for reader, _ in held:
            await reader.readuntil(b"healthy.\n")
        reader, writer = await connected(server.port)
        assert await is_cut_off(reader)
        writer.close()
        held[0][1].close()
        await held[0][1].wait_closed()
        async with asyncio.timeout(BOUND):
            while not await answered(server.port):
                await asyncio.sleep(0.01)
        held[1][1].close()
