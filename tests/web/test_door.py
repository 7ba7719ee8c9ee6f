"""Connections that would hold something for ever: on a clock that the test moves where it is about
time, against a server with little patience where it is about sockets."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
from aiohttp import web

from exporter.web.door import Door
from exporter.web.exposition import Family
from exporter.web.guest import Guest
from tests.web.kit import serving
from tests.web.test_tls import certificate, config

WHOLE = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
BOUND = 20.0
"""Seconds after which a connection that ought to be closed surely is not."""


# --- on a clock that is moved --------------------------------------------------------------------


class Timer:
    def __init__(self, at: float, callback: Callable[[], Any]) -> None:
        self.at = at
        self.callback = callback
        self.over = False

    def cancel(self) -> None:
        self.over = True


class Time:
    """The part of a loop that the door uses."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], Any]) -> Any:
        self.timers.append(Timer(self.now + delay, callback))
        return self.timers[-1]

    def go_on(self, seconds: float) -> None:
        end = self.now + seconds
        while True:
            due = [t for t in self.timers if not t.over and t.at <= end]
            if not due:
                break
            first = min(due, key=lambda timer: timer.at)
            first.over, self.now = True, first.at
            first.callback()
        self.now = end


class Wire:
    """A transport whose reader takes what the test lets it take."""

    def __init__(self, peer: Any = ("192.0.2.7", 1234)) -> None:
        self.peer = peer
        self.open = True
        self.buffered = self.queued = 0
        self.protocol: Guest | None = None

    def get_extra_info(self, name: str) -> Any:
        return self.peer if name == "peername" else None

    def write(self, data: bytes) -> None:
        self.buffered += len(data)

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def abort(self) -> None:
        self.open = False
        if self.protocol is not None:
            self.protocol.connection_lost(None)


class Server(asyncio.Protocol):
    """What is behind the door."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.data += data


class Room:
    """A door, its clock, and who came in."""

    def __init__(self, **limits: Any) -> None:
        self.time = Time()
        self.servers: list[Server] = []
        self.door = Door(
            self.serve, loop=self.time, queued=lambda wire: cast(Any, wire).queued, **limits
        )

    def serve(self) -> Server:
        self.servers.append(Server())
        return self.servers[-1]

    def comes(self, peer: Any = ("192.0.2.7", 1234)) -> tuple[Wire, Guest]:
        wire, guest = Wire(peer), cast(Guest, self.door())
        wire.protocol = guest
        guest.connection_made(cast(Any, wire))
        return wire, guest


@pytest.mark.parametrize("pieces", [[b""], [b"GET / HT"], [b"G", b"E", b"T"]])
def test_a_head_has_fifteen_seconds_however_it_drips(pieces: list[bytes]) -> None:
    room = Room()
    wire, guest = room.comes()
    for piece in pieces:
        guest.data_received(piece)
        room.time.go_on(4)
    room.time.go_on(14.9 - 4 * len(pieces))
    assert wire.open
    room.time.go_on(5)
    assert not wire.open
    assert room.door.guests == 0


def test_a_body_has_fifteen_seconds_more_and_an_answer_all_the_time() -> None:
    room = Room()
    wire, guest = room.comes()
    guest.data_received(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n")
    guest.head_came()
    room.time.go_on(14.9)
    guest.data_received(b"1")
    assert wire.open
    room.time.go_on(5)
    assert not wire.open

    wire, guest = room.comes()
    guest.data_received(WHOLE)
    guest.head_came()
    guest.body_came()
    room.time.go_on(10_000)
    assert wire.open
    guest.answered()
    room.time.go_on(10_000)  # how long it is kept between two requests is aiohttp's affair
    assert wire.open


def test_a_body_that_is_not_read_is_limited_too() -> None:
    room = Room()
    wire, guest = room.comes()
    guest.head_came()
    guest.answered()  # refused, before its body was there
    room.time.go_on(20)
    assert not wire.open
    wire, guest = room.comes()
    guest.head_came()
    guest.answered()
    guest.body_came()
    guest.data_received(b"GET ")
    room.time.go_on(20)
    assert not wire.open


@pytest.mark.parametrize("at_once", [True, False])
def test_the_head_of_a_further_request_is_limited_too(at_once: bool) -> None:
    room = Room()
    wire, guest = room.comes()
    guest.data_received(WHOLE + b"GET " * at_once)
    guest.head_came()
    guest.body_came()
    room.time.go_on(100)
    guest.answered()
    if not at_once:
        room.time.go_on(100)
        guest.data_received(b"GET ")
    assert wire.open
    room.time.go_on(20)
    assert not wire.open


@pytest.mark.parametrize("where", ["buffered", "queued"])
def test_a_reader_who_takes_nothing_for_thirty_seconds_is_cut_off(where: str) -> None:
    """Also while the stream grows, and where the system's buffer takes it all."""
    room = Room()
    wire, guest = room.comes()
    guest.data_received(WHOLE)
    guest.head_came()
    guest.body_came()
    transport = room.servers[0].transport

    def told(taken: int) -> None:
        transport.write(b"x" * 10)
        setattr(wire, where, getattr(wire, where) + (10 if where == "queued" else 0) - taken)
        if where == "queued":
            wire.buffered = 0
        room.time.go_on(1)

    for _ in range(100):
        told(10)
    for _ in range(100):
        told(2)  # slow, and always further behind
    assert wire.open
    for _ in range(29):
        told(0)
    assert wire.open
    for _ in range(6):
        told(0)
    assert not wire.open


def test_one_address_has_half_of_the_connections() -> None:
    room = Room(most=4)
    mine = [room.comes(("192.0.2.1", port)) for port in range(3)]
    assert [wire.open for wire, _ in mine] == [True, True, False]
    others = [room.comes(("192.0.2.2", port)) for port in range(3)]
    assert [wire.open for wire, _ in others] == [True, True, False]
    assert not room.comes(("192.0.2.3", 1))[0].open  # none is left
    mine[0][0].abort()
    assert room.door.guests == 3
    assert room.comes(("192.0.2.3", 1))[0].open


def test_addresses_of_one_ipv6_network_count_as_one_and_those_of_ipv4_as_written_there() -> None:
    room = Room(most=4)
    network = [room.comes((f"2001:db8::{n}", n, 0, 0))[0] for n in range(1, 4)]
    assert [wire.open for wire in network] == [True, True, False]
    mapped = [room.comes((f"::ffff:192.0.2.{n}", n, 0, 0))[0] for n in (1, 2)]
    assert all(wire.open for wire in mapped)


# --- on sockets ----------------------------------------------------------------------------------


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


LONG = b"Content-Type: application/json\r\nContent-Length: 100\r\n"
BODY = WHOLE[:-2].replace(b"GET /-/healthy", b"POST /api/slo/v1/events") + LONG + b"\r\n"


@pytest.mark.parametrize(
    "sent", [b"", b"GET /-/healthy HT", WHOLE[:-2], BODY, BODY + b"{", WHOLE + WHOLE[:-2]]
)
async def test_a_request_that_does_not_end_in_time_is_cut_off(sent: bytes) -> None:
    async with serving(patience=0.1) as server:
        reader, writer = await connected(server.port)
        writer.write(sent)
        assert await is_cut_off(reader)
        writer.close()


@pytest.mark.parametrize(
    "target", [b"http://[]@/metrics", b"//[]@/metrics", b"p://[]@", b"http://[", b"*", b"\xff"]
)
async def test_a_target_that_is_no_address_gets_an_answer_and_no_traceback(
    target: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
    assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4"))
    assert not [one for one in caplog.records if one.exc_info and one.name != "aiohttp.server"]


async def test_who_does_not_read_a_large_answer_is_cut_off_and_others_are_served_meanwhile() -> (
    None
):
    large = Family.of("large", "gauge", "x" * 20_000_000, [("", 1.0)])
    async with serving(reading=0.1, page=lambda: [large]) as server:
        with socket.create_connection(("127.0.0.1", server.port)) as deaf:
            deaf.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(BOUND):
                while not server.guests:
                    await asyncio.sleep(0.01)
                while server.guests:
                    assert await answered(server.port)
                    await asyncio.sleep(0.01)


async def test_a_flood_leaves_places_in_the_queue_while_the_loop_is_busy() -> None:
    async with serving() as server:
        with contextlib.ExitStack() as stack:
            # Nothing is awaited, so nobody is let in meanwhile.
            for _ in range(200):
                address = ("127.0.0.1", server.port)
                stack.enter_context(socket.create_connection(address, timeout=BOUND))
        assert await answered(server.port)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_who_waits_in_the_queue_is_let_in_within_a_few_turns(loop: str) -> None:
    """uvloop by itself takes one connection a turn: a flood would keep others waiting for long."""

    async def work() -> None:
        async with serving() as server:
            with contextlib.ExitStack() as stack:
                for _ in range(200):
                    address = ("127.0.0.1", server.port)
                    stack.enter_context(socket.create_connection(address, timeout=BOUND))
                for _ in range(30):
                    await asyncio.sleep(0)
                assert server.guests == 200
                assert await answered(server.port)

    if loop == "uvloop":
        pytest.importorskip("uvloop").run(work())
    else:
        asyncio.run(work())


@pytest.mark.parametrize("changes", [True, False])
async def test_answers_that_nobody_reads_have_room_together_and_the_oldest_gives_way(
    changes: bool,
) -> None:
    """Each 20 MB are less than all may have together, which is 64 MiB; whoever reads is served. A
    page that is the same for all takes its memory once."""
    large = Family.of("large", "gauge", "x" * 20_000_000, [("", 1.0)])
    turn = itertools.count()
    page = {"page": lambda: [large], "version": lambda: next(turn) if changes else 0}
    async with serving(**page) as server, asyncio.timeout(BOUND):
        with contextlib.ExitStack() as stack:
            deaf = []
            for _ in range(6):
                one = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
                one.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
                deaf.append(one)
                # Its answer has come before the next one asks.
                await asyncio.to_thread(one.recv, 1)
            while server.guests != (3 if changes else 6):
                await asyncio.sleep(0.01)
            reader, writer = await connected(server.port)
            writer.write(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert len(await reader.read()) > 20_000_000
            writer.close()
            await writer.wait_closed()
            while server.guests != (2 if changes else 6):
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
    async with serving(connections=4) as server:
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


async def test_handshakes_are_counted_and_have_their_time_too(tmp_path: Path) -> None:
    certificate(tmp_path, "s")
    context = ssl.create_default_context(cafile=str(tmp_path / "s.crt"))
    async with serving(web_config=config(tmp_path), connections=8, patience=0.2) as server:
        squatters = [await connected(server.port) for _ in range(20)]
        squatters[0][1].write(b"\x16\x03\x01")  # the beginning of a handshake
        squatters[1][1].write(WHOLE)  # no handshake at all
        await asyncio.gather(*(is_cut_off(reader) for reader, _ in squatters))
        for _, writer in squatters:
            writer.close()
        async with asyncio.timeout(BOUND):
            while server.guests:
                await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
        writer.write(WHOLE)
        assert (await reader.readuntil(b"healthy.\n")).startswith(b"HTTP/1.1 200 ")
        writer.write(WHOLE[:-2])
        assert await is_cut_off(reader)
        writer.close()


async def test_squatters_over_tls_are_never_more_than_the_limit(tmp_path: Path) -> None:
    certificate(tmp_path, "s")
    async with serving(web_config=config(tmp_path), connections=8) as server:
        squatters = [await connected(server.port) for _ in range(20)]
        gone = [r for r, _ in squatters[4:]]
        await asyncio.gather(*(is_cut_off(reader) for reader in gone))
        assert server.guests == 4
        for _, writer in squatters:
            writer.close()


async def test_a_stopped_server_holds_no_connection_not_even_one_in_its_handshake(
    tmp_path: Path,
) -> None:
    certificate(tmp_path, "s")
    async with serving(web_config=config(tmp_path)) as server:
        reader, writer = await connected(server.port)
        async with asyncio.timeout(BOUND):
            while not server.guests:
                await asyncio.sleep(0.01)
        await server.stop()
        assert await is_cut_off(reader)
        assert server.guests == 0
        writer.close()


@pytest.mark.parametrize("accepts", ["", "gzip", "deflate"])
async def test_a_large_answer_is_the_same_packed_or_not(accepts: str) -> None:
    text = "".join(f"{n}\n" for n in range(50_000))

    async def large(_: web.Request) -> web.Response:
        response = web.Response(text=text)
        response.enable_compression()
        return response

    async with serving(routes=[web.get("/large", large)]) as server:
        async with aiohttp.ClientSession(headers={"Accept-Encoding": accepts}) as session:
            for method, body in (("GET", text), ("HEAD", "")):
                url = f"http://127.0.0.1:{server.port}/large"
                async with session.request(method, url) as answer:
                    assert answer.headers.get("Content-Encoding", "") == accepts
                    assert await answer.text() == body
