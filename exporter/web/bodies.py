"""Request bodies: read with a limit, and inflated here, when somebody wants them.

aiohttp would inflate every body as it comes: before the password, beyond any limit, and where
nobody reads it. So that is switched off, and the limit holds for what comes out.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from aiohttp import web

from exporter.inflate import BadEncoding, Inflater

MOST = 256 * 1024
"""Bytes of a body, inflated or not; the longest document is a quarter of it."""
_FIELDS = 10_000


class BadBody(Exception):
    """A body that cannot be used: the status of the answer, and why in one line."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


async def read_body(request: web.Request, most: int = MOST) -> bytes:
    """The body, inflated; `BadBody` if it is longer than `most` bytes or cannot be inflated."""
    encoding = ",".join(request.headers.getall("Content-Encoding", []))
    try:
        inflater = Inflater(encoding)
    except BadEncoding as error:
        raise BadBody(415, str(error)) from None
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        body = None
    except web.RequestPayloadError as error:
        raise BadBody(400, f"the body cannot be read: {error}") from None
    if body is not None:
        try:
            body = inflated(body, inflater, most)
        except BadEncoding as error:
            raise BadBody(400, str(error)) from None
    if body is None:
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


def inflated(body: bytes, inflater: Inflater, most: int) -> bytes | None:
    """None if it is longer than `most`: no more than a step over that is ever inflated."""
    parts: list[bytes] = []
    size = 0
    for piece in inflater.pieces(body):
        parts.append(piece)
        size += len(piece)
        if size > most:
            return None
    inflater.end()
    return b"".join(parts)
