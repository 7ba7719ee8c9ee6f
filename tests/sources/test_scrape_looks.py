"""What counts as a look at a target, and what a look tells of its processes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from exporter.config.settings import Duration
from exporter.config.settings import ScrapeSource as Settings
from exporter.core.sample import Batch, Target
from exporter.core.selector import Query, parse_selector
from exporter.http import Client
from exporter.sources.base import Poll
from exporter.sources.scrape import ScrapeSource
from tests.sources.kit import Polls, running, serving
from tests.support import ManualClock

M = parse_selector("m")
INTERVAL = 10.0


def source(*targets: str, clock: ManualClock, **more: object) -> ScrapeSource:
    settings = Settings(name="app", targets=targets, interval=Duration(INTERVAL), **more)  # type: ignore[arg-type]
    return ScrapeSource(settings, Client(settings), clock)


def batch_of(poll: Poll) -> Batch:
    assert poll.batch is not None
    return poll.batch


async def beat(polls: Polls, clock: ManualClock) -> Poll:
    """The next poll of the only target."""
    seen = len(polls.all)
    await clock.until_sleeping()
    await clock.advance(INTERVAL)
    return (await polls.count(seen + 1))[-1]


@asynccontextmanager
async def raw(answer: Callable[[], bytes], *, reset: bool) -> AsyncIterator[str]:
    """A server that writes these bytes and closes or resets the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer())
        await writer.drain()
        if reset:
            connection: socket.socket = writer.get_extra_info("socket")
            linger = struct.pack("ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/metrics"
    finally:
        server.close()
        await server.wait_closed()


async def test_a_port_that_nobody_listens_on_is_a_look_that_saw_no_process() -> None:
    clock = ManualClock(1000.0)
    query = Query("up")
    asked = source("127.0.0.1:1", clock=clock)
    async with running(asked, [M, query]) as polls:
        [poll] = await polls.count(1)
    assert poll.error is not None and poll.error.reason == "refused"
    batch = batch_of(poll)
    assert (batch.at, batch.own_clock, batch.failed) == (1000.0, True, {query})
    assert batch.readings == {M: []}
    assert batch.targets == {"http://127.0.0.1:1/metrics": Target(down=True)}


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://255.255.255.255:1/metrics", "unreachable"),
        ("http://no-such-host.invalid/metrics", "dns"),
    ],
)
async def test_a_network_that_fails_is_no_look(url: str, reason: str) -> None:
    async with running(source(url, clock=ManualClock()), [M]) as polls:
        [poll] = await polls.count(1)
    assert poll.error is not None
    assert (poll.error.reason, poll.batch) == (reason, None)


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("cut", [b"m 123", b"m 1\nn", b""])
async def test_an_answer_without_a_length_that_breaks_off_is_no_look(
    cut: bytes, *, reset: bool
) -> None:
    head, pages = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n", [b"m 5\nn 1\n", cut]
    clock = ManualClock()
    async with raw(lambda: head + (pages.pop(0) if pages else b"m 6\nn 1\n"), reset=reset) as url:
        async with running(source(url, clock=clock), [M]) as polls:
            [first] = await polls.count(1)
            broken = await beat(polls, clock)
            third = await beat(polls, clock)
    assert first.error is None
    assert broken.error is not None
    assert broken.batch is None
    assert broken.error.reason == "truncated" and url in str(broken.error)
    assert batch_of(third).readings[M][0].samples[0][1] == 6.0


async def test_of_a_page_without_a_last_line_feed_all_but_the_last_line_counts() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text='m{a="1"} 1\nm{a="2"} 12')

    async with serving(answer) as url, running(source(url, clock=ManualClock()), [M]) as polls:
        [poll] = await polls.count(1)
    assert (poll.error, poll.refused) == (None, {"no_newline_at_end": 1})
    assert len(batch_of(poll).readings[M]) == 1


async def test_of_chunks_too() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b'm{a="1"} 1\nm{a="2"} 12')
        return response

    async with serving(answer) as url, running(source(url, clock=ManualClock()), [M]) as polls:
        [poll] = await polls.count(1)
    assert poll.refused == {"no_newline_at_end": 1}
    assert len(batch_of(poll).readings[M]) == 1


async def test_a_page_that_passes_processes_on_tells_the_starts_of_all_and_the_types() -> None:
    text = """# TYPE m counter
m{instance="a",job="x"} 1
m 2
process_start_time_seconds{instance="a",job="x"} 7 990000
process_start_time_seconds{instance="b"} 8
process_start_time_seconds 9
"""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=text)

    async with serving(answer) as url:
        page = f"{url}/metrics"
        async with running(source(page, clock=ManualClock(1000.0)), [M]) as polls:
            [poll] = await polls.count(1)
        async with running(source(page, clock=ManualClock(), target_labels=()), [M]) as polls:
            [alone] = await polls.count(1)
    batch = batch_of(poll)
    assert {t: list(known.starts) for t, known in batch.targets.items()} == {
        page: [(1000.0, 9.0)],
        f'{page}{{instance="a",job="x"}}': [(990.0, 7.0)],
        f'{page}{{instance="b"}}': [(1000.0, 8.0)],
    }
    relayed, own = (reading.series for reading in batch.readings[M])
    assert (relayed.target, relayed.page) == (f'{page}{{instance="a",job="x"}}', page)
    assert (own.target, own.page) == (page, "")
    assert batch.types == {"m": "counter"}
    assert {r.series.target for r in batch_of(alone).readings[M]} == {page}
    assert batch_of(alone).targets == {page: Target()}
