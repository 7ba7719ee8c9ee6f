"""Large answers go out piece by piece, as fast as their reader takes them.

aiohttp hands a whole body to the transport, and before Python 3.12.9 it joins it with the head, so
that each slow reader of a page would hold a copy of its own. In pieces all of them hold one body.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from exporter.web.door import guest_of

PIECE = 64 * 1024
"""Bytes that are handed on at a time; what is no more than that goes out whole."""


class Pieces(Payload):
    """A body that is written in pieces; the next one once there is room for it."""

    def __init__(self, body: bytes) -> None:
        super().__init__(body)
        self._body = body
        self._size = len(body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the whole body as text."""
        return self._body.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write all of it."""
        body = memoryview(self._body)
        for start in range(0, len(body), PIECE):
            await writer.write(body[start : start + PIECE])


async def in_pieces(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Send a large body in pieces, and have its memory counted. To be called before an answer's
    head is written."""
    if not isinstance(response, web.Response) or not isinstance(response.body, bytes):
        return
    if response.compression and "Content-Encoding" in response.headers:
        return  # a page for people, which aiohttp has made small already
    body = response.body
    if len(body) > PIECE:
        response.body = Pieces(body)
        if (guest := guest_of(request)) is not None:
            guest.reads(body)
