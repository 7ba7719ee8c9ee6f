"""Request bodies: read with a limit, and inflated here, when somebody wants them.

aiohttp would inflate every body as it comes: before the password, beyond any limit, and where
nobody reads it. So that is switched off, and the limit holds for what comes out.
"""

from __future__ import annotations

import zlib
from urllib.parse import parse_qsl

from aiohttp import web

MOST = 256 * 1024
"""Bytes of a body, inflated or not; the longest document is a quarter of it."""
_GZIP = ("gzip", "x-gzip")
_DEFLATE = "deflate"
_GZIP_WINDOW, _ZLIB_WINDOW, _RAW_WINDOW = 31, 15, -15
_FIELDS = 10_000


class BadBody(Exception):
    """A body that cannot be used: the status of the answer, and why in one line."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


async def read_body(request: web.Request, most: int = MOST) -> bytes:
    """The body, inflated; `BadBody` if it is longer than `most` bytes or cannot be inflated."""
    encoding = ",".join(request.headers.getall("Content-Encoding", [])).strip().lower()
    if encoding not in ("", "identity", *_GZIP, _DEFLATE):
        raise BadBody(415, "the body's Content-Encoding must be gzip, deflate or none")
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        body = None
    except web.RequestPayloadError as error:
        raise BadBody(400, f"the body cannot be read: {error}") from None
    if body is not None and encoding not in ("", "identity"):
        body = inflated(body, encoding, most)
    if body is None or len(body) > most:
        raise BadBody(413, f"the body is longer than {most} bytes")
    return body


async def read_form(request: web.Request, most: int = MOST) -> list[tuple[str, str]]:
    """The fields of a form (`application/x-www-form-urlencoded`), in order; else as `read_body`."""
    body = await read_body(request, most)
    try:
        text = body.decode(request.charset or "utf-8")
    except (LookupError, ValueError):
        raise BadBody(400, "the form is not text in its charset") from None
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError:
        raise BadBody(413, f"the form has too many fields: {_FIELDS:,} at most") from None


def inflated(body: bytes, encoding: str, most: int) -> bytes | None:
    """None if it is longer than `most`: no more than that is ever inflated."""
    try:
        if encoding in _GZIP:
            return _members(body, most)
        # Zlib's format by the standard (RFC 9110, 8.4.1.2), and without its head by old clients.
        try:
            return _one(body, _ZLIB_WINDOW, most)[0]
        except zlib.error:
            return _one(body, _RAW_WINDOW, most)[0]
    except zlib.error as error:
        raise BadBody(400, f"the body is not {encoding}: {error}") from None


def _members(body: bytes, most: int) -> bytes | None:
    """A gzip body may be several, one after the other (RFC 1952, 2.2)."""
    parts: list[bytes] = []
    size = 0
    while body:
        part, body = _one(body, _GZIP_WINDOW, most - size)
        if part is None:
            return None
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _one(body: bytes, window: int, most: int) -> tuple[bytes | None, bytes]:
    """One compressed stream and what stands after it; None if it is longer than `most`."""
    inflater = zlib.decompressobj(window)
    part = inflater.decompress(body, most + 1)
    if len(part) > most:
        return None, b""
    if not inflater.eof:
        raise zlib.error("it ends too soon")
    return part, inflater.unused_data
