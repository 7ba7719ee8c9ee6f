"""Answers of Prometheus' API that are made while they are read, and readers that do not read."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from exporter.web import prom_json, prom_stream
from exporter.web.prom_stream import PIECE, SLOWEST, Stream, deadline, send
from tests.web.kit import serving
from tests.web.test_door import BOUND, is_cut_off

ASK = b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"


class Source:
    """An answer, and whether it was let go of."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.closed = asyncio.Event()
        self._pieces = pieces

    def route(self) -> web.RouteDef:
        async def answer(request: web.Request) -> web.StreamResponse:
            return await send(request, Stream(self._pieces, self.closed.set))

        return web.get("/stream", answer)


async def is_let_go(source: Source) -> bool:
    async with asyncio.timeout(BOUND):
        await source.closed.wait()
    return True


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_an_answer_of_many_pieces_is_one_document(encoding: str) -> None:
    series = [({"a": str(k)}, [1.0, 2.5, 3.0] * 2000, [0.5, 1.0, 1e300] * 2000) for k in range(9)]
    source = Source(prom_json.matrix(series))
    async with (
        serving(routes=[source.route()]) as server,
        aiohttp.ClientSession(auto_decompress=False) as session,
    ):
        url = f"http://127.0.0.1:{server.port}/stream"
        async with session.get(url, headers={"Accept-Encoding": encoding}) as answer:
            assert answer.status == 200
            assert answer.headers["Content-Type"] == "application/json"
            assert answer.headers["Vary"] == "Accept-Encoding"
            body = await answer.read()
    said = json.loads(gzip.decompress(body) if encoding == "gzip" else body)
    assert said["status"] == "success" and said["data"]["resultType"] == "matrix"
    times = [(1, "0.5"), (2.5, "1"), (3, "1e+300")] * 2000
    for (own, _, _), row in zip(series, said["data"]["result"], strict=True):
        assert row["metric"] == own
        assert [(at, value) for at, value in row["values"]] == times
    assert await is_let_go(source)


async def test_who_takes_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prom_stream, "PATIENCE", 0.1)
    source = Source(repeat(b"x" * PIECE))
    async with serving(routes=[source.route()], patience=BOUND) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(ASK)
        assert await is_let_go(source)
        assert await is_cut_off(reader)
        writer.close()


async def test_who_takes_a_little_now_and_then_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prom_stream, "PATIENCE", 0.1)
    monkeypatch.setattr(prom_stream, "SLOWEST", 10**12)
    source = Source(repeat(b"x" * PIECE))
    async with serving(routes=[source.route()], patience=BOUND) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(ASK)
        async with asyncio.timeout(BOUND):
            while not source.closed.is_set():
                await reader.read(10)
                await asyncio.sleep(0)
        writer.close()


def test_a_reader_has_to_keep_up_with_a_rate_and_never_to_pause_for_long() -> None:
    assert deadline(100.0, 100.0, 0) == 130.0
    # Twice as fast as it has to be: only pauses count.
    assert deadline(100.0, 200.0, 200 * SLOWEST) == 230.0
    # Half as fast: its time is up when what it took should have taken no longer.
    assert deadline(100.0, 200.0, 50 * SLOWEST) == 180.0


async def test_what_a_client_left_is_let_go() -> None:
    source = Source(repeat(b"x" * PIECE))
    async with serving(routes=[source.route()]) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(ASK)
        await reader.readexactly(1000)
        writer.close()
        assert await is_let_go(source)


async def test_an_answer_that_fails_half_way_is_not_taken_for_a_whole_one() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"[" + b"1," * PIECE
        raise MemoryError

    source = Source(pieces())
    failures: list[tuple[str, str]] = []

    def failed(route: str, error: BaseException) -> None:
        failures.append((route, type(error).__name__))

    async with (
        serving(routes=[source.route()], failed=failed) as server,
        aiohttp.ClientSession() as session,
    ):
        with pytest.raises(aiohttp.ClientError):
            async with session.get(f"http://127.0.0.1:{server.port}/stream") as answer:
                await answer.read()
        assert await is_let_go(source)
    assert failures == [("/stream", "MemoryError")]


@pytest.mark.parametrize(
    ("pieces", "data"),
    [
        (prom_json.single("scalar", 1.5, 2.0), {"resultType": "scalar", "result": [1.5, "2"]}),
        (prom_json.single("string", 1.0, "x"), {"resultType": "string", "result": [1, "x"]}),
        (prom_json.vector(1.0, []), {"resultType": "vector", "result": []}),
        (prom_json.matrix([]), {"resultType": "matrix", "result": []}),
        (prom_json.listed([]), []),
        (prom_json.listed(["a", {"b": 1}]), ["a", {"b": 1}]),
        (prom_json.listed([], "groups"), {"groups": []}),
        (prom_json.listed([1, 2], "groups"), {"groups": [1, 2]}),
    ],
)
def test_small_answers_are_one_piece(pieces: Iterator[bytes], data: Any) -> None:
    (piece,) = pieces
    assert json.loads(piece) == data


def test_pieces_of_a_large_answer_have_about_the_same_size() -> None:
    series = [({"a": str(k)}, float(k)) for k in range(20_000)]
    pieces = [*prom_json.vector(1.0, series)]
    assert len(pieces) > 5
    assert all(PIECE <= len(piece) < 1.1 * PIECE for piece in pieces[:-1])
    assert len(json.loads(b"".join(pieces))["result"]) == 20_000
