"""Answers of Prometheus' API on their way: made piece by piece while they are read, since a whole
one may take more memory than the query did.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

import structlog
from aiohttp import web

from exporter.web.metrics_page import pack
from exporter.web.negotiate import accepts_gzip

log = structlog.get_logger()

JSON = "application/json"
PIECE = 64 * 1024
"""Bytes that are made at a time, at least."""
PATIENCE = 30.0
"""Seconds for which a reader may take nothing."""
SLOWEST = 64 * 1024
"""Bytes a second, sent, that a reader has to take on the average after the first `PATIENCE`: an
answer is held in memory until it is read."""
_PACKED_FROM = 32 * 1024
_HEAD, _TAIL = b'{"status":"success","data":', b"}\n"


@dataclass(frozen=True, slots=True)
class Terms:
    """`within`: seconds that a request may take until its answer begins. `gone`: whether its client
    has left; any thread may ask."""

    within: float
    gone: Callable[[], bool]


@dataclass(slots=True)
class Stream:
    """The JSON of an answer's data.

    Making a piece may take some milliseconds. `close` has to be called when no more are wanted;
    `is_whole`: there is one piece at most.
    """

    pieces: Iterator[bytes]
    close: Callable[[], None]
    is_whole: bool = False


async def send(request: web.Request, stream: Stream) -> web.StreamResponse:
    """Answer with a stream, as fast as the client reads it. One that reads too slowly is cut off in
    the middle of its answer, which it can tell from the missing end."""
    try:
        if stream.is_whole:
            return await send_whole(request, b"".join(stream.pieces))
        headers = {"Vary": "Accept-Encoding", "Content-Type": JSON}
        pieces: Iterator[bytes] = chain((_HEAD,), stream.pieces, (_TAIL,))
        if _packs(request):
            headers["Content-Encoding"] = "gzip"
            pieces = _packed(pieces)
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            await _write(response, pieces)
        except ConnectionError:
            log.debug("http.left", path=request.path)
        except TimeoutError:
            log.warning("http.cut_off", path=request.path, reason="the answer is read too slowly")
            _abort(request)
        except Exception:
            # Half an answer must not look whole; who counts failures comes after.
            _abort(request)
            raise
        return response
    finally:
        stream.close()


async def send_whole(request: web.Request, data: bytes) -> web.Response:
    """Answer with data that is JSON already."""
    body = _HEAD + data + _TAIL
    headers = {"Vary": "Accept-Encoding"}
    if len(body) >= _PACKED_FROM and _packs(request):
        headers["Content-Encoding"] = "gzip"
        body = await asyncio.to_thread(pack, body)
    return web.Response(body=body, content_type=JSON, headers=headers)


def joined(parts: Iterable[str]) -> Iterator[bytes]:
    """Parts of a text as pieces of `PIECE` bytes or a little more."""
    gathered: list[str] = []
    size = 0
    for part in parts:
        gathered.append(part)
        size += len(part)
        if size >= PIECE:
            yield "".join(gathered).encode()
            gathered, size = [], 0
    if gathered:
        yield "".join(gathered).encode()


def deadline(began: float, now: float, sent: int) -> float:
    """When the next piece has to be taken, for a reader that took so many bytes since `began`."""
    return min(now, began + sent / SLOWEST) + PATIENCE


async def _write(response: web.StreamResponse, pieces: Iterator[bytes]) -> None:
    now = asyncio.get_running_loop().time
    began, sent = now(), 0
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        async with asyncio.timeout_at(deadline(began, now(), sent)):
            await response.write(piece)
        sent += len(piece)
    await response.write_eof()


def _packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, wbits=31)
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


def _packs(request: web.Request) -> bool:
    return accepts_gzip(",".join(request.headers.getall("Accept-Encoding", [])))
