"""Packed bodies: whole whatever their cuts, in small steps, and never by half."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.settings import HTTP
from exporter.http import Client, TransportError
from exporter.inflate import STEP, BadEncoding, Inflater
from tests.sources.kit import serving

LARGE = bytes(40 * 2**20)


def raw(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def members(data: bytes) -> bytes:
    half = len(data) // 2
    return b"".join(gzip.compress(part, mtime=0) for part in (data[:half], b"", data[half:]))


Pack = Callable[[bytes], bytes]
PACKERS: dict[str, list[Pack]] = {
    "identity": [bytes],
    "gzip": [lambda data: gzip.compress(data, mtime=0), members],
    "deflate": [zlib.compress, raw],
}


def inflated(encoding: str, parts: Sequence[bytes]) -> bytes:
    inflater = Inflater(encoding)
    pieces = [piece for part in parts for piece in inflater.pieces(part)]
    inflater.end()
    if not inflater.is_plain:
        assert all(len(piece) <= STEP for piece in pieces)
    return b"".join(pieces)


@given(
    st.sampled_from([(name, pack) for name, packers in PACKERS.items() for pack in packers]),
    st.one_of(st.binary(max_size=300), st.just(bytes(3 * STEP)), st.just(b"ab" * STEP)),
    st.lists(st.integers(0, 2000), max_size=6),
)
def test_a_body_is_what_was_packed_whatever_its_cuts(
    packing: tuple[str, Pack], data: bytes, cuts: list[int]
) -> None:
    encoding, pack = packing
    packed = pack(data)
    edges = pairwise([0, *sorted(cuts), len(packed)])
    parts = [packed[a:b] for a, b in edges]
    assert inflated(encoding, parts) == data


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", PACKERS["gzip"][0]), *(("deflate", p) for p in PACKERS["deflate"])],
)
def test_a_body_by_half_is_none(encoding: str, pack: Pack) -> None:
    packed = pack(b"shop_requests_total 12345\n" * 20)
    for end in range(1, len(packed)):
        with pytest.raises(BadEncoding):
            inflated(encoding, [packed[:end]])


def test_an_empty_body_is_empty_in_any_encoding() -> None:
    for encoding in PACKERS:
        assert inflated(encoding, []) == inflated(encoding, [b"", b""]) == b""


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "zstd", "nonsense"])
def test_what_was_not_asked_for_is_refused(encoding: str) -> None:
    with pytest.raises(BadEncoding, match="gzip, deflate or none"):
        Inflater(encoding)


def test_what_stands_behind_a_body_is_no_body() -> None:
    for packed in (gzip.compress(b"a", mtime=0) + b"more", zlib.compress(b"a") + b"more"):
        with pytest.raises(BadEncoding):
            inflated("gzip" if packed[0] == 0x1F else "deflate", [packed])


def test_members_without_end_are_read_in_slices() -> None:
    assert inflated("gzip", [gzip.compress(b"", mtime=0) * 50_000]) == b""


async def test_others_have_their_turn_while_a_bomb_is_inflated() -> None:
    async def bomb(request: web.Request) -> web.Response:
        assert request.headers["Accept-Encoding"] == "gzip"
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    packed, turns = gzip.compress(LARGE, mtime=0), 0
    client = Client(HTTP())
    async with serving(bomb) as url:
        task = asyncio.create_task(others())
        answer = await client.request("GET", url)
        task.cancel()
        await client.close()
    assert answer.body == LARGE
    assert turns >= len(LARGE) / STEP


async def test_an_answer_by_half_or_in_another_encoding_says_so() -> None:
    async def answer(request: web.Request) -> web.Response:
        name = request.query["as"]
        return web.Response(body=gzip.compress(b"m 1\n")[:-3], headers={"Content-Encoding": name})

    client = Client(HTTP())
    async with serving(answer) as url:
        for name, why in (("gzip", "ends too soon"), ("br", "gzip, deflate or none")):
            with pytest.raises(TransportError, match=why) as caught:
                await client.request("GET", f"{url}/?as={name}")
            assert caught.value.reason == "bad_encoding"
    await client.close()
