"""What the JSON endpoints share: answers, refusals in one line, and bodies read with a limit.

A room of the API is a `Part`: its routes, and its share of the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakSet

import msgspec
from aiohttp import web

from exporter.config.texts import text_fault
from exporter.errors import ConfigError, NotFound, StateError
from exporter.web.bodies import BadBody, read_body

PREFIX = "/api/"
ROOT = "/api/slo/v1"
JSON = "application/json"
_ASKED_FIRST = (JSON, "application/x-ndjson")
"""Content types that a browser sends to another origin only once that has agreed."""
NOT_SIMPLE = "X-Requested-With"
"""With this header a browser asks the server first, so a page of another origin cannot send it."""

USER: ContextVar[str] = ContextVar("user", default="")
"""Who the request at hand is from, where basic auth is in force; set for every request."""

_LONGEST = 64 * 1024
_LONGEST_NAME = 200
_LONGEST_WHY = 1000
_MOST_RECORDS = 10_000

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_READING: WeakSet[Handler] = WeakSet()

_encode = msgspec.json.Encoder(order="sorted").encode


@dataclass(frozen=True, slots=True)
class Part:
    """`paths` and `schemas` are fragments of an OpenAPI 3.1 document, paths written whole."""

    routes: Sequence[web.AbstractRouteDef]
    paths: Mapping[str, Any]
    schemas: Mapping[str, Any] = field(default_factory=dict)


class Refusal(web.HTTPException):
    """Raised by a handler: a status and, in one line, why."""

    def __init__(self, status: int, why: str, headers: Mapping[str, str] | None = None) -> None:
        self.status_code = status
        super().__init__(headers=headers, text=_line(why), content_type=JSON)


def answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """Anything that msgspec can encode; what is not finite becomes null."""
    return web.Response(
        status=status, body=_encode(value) + b"\n", content_type=JSON, headers=headers
    )


def refused(status: int, why: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """`{"error": why}`, as an answer."""
    return web.Response(status=status, text=_line(why), content_type=JSON, headers=headers)


async def read_object(request: web.Request) -> dict[str, Any]:
    """The body, which must be one JSON object; a `Refusal` says what is wrong with it."""
    try:
        body = await read_body(request, _LONGEST)
    except BadBody as error:
        raise Refusal(error.status, str(error)) from None
    if not body:
        raise Refusal(400, "the body is empty; send a JSON object")
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Refusal(400, f"the body is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise Refusal(400, "the body must be a JSON object")
    return found


def who(said: str, missing: str) -> str:
    """Who it is by the password, where there are any, or else by their own word."""
    name = USER.get() or said.strip()
    if not name:
        raise Refusal(400, missing)
    if fault := text_fault(name, _LONGEST_NAME):
        raise Refusal(400, f"the name of who it is {fault}")
    return name


def who_and_why(request: web.Request) -> tuple[str, str]:
    """`?by=NAME&why=REASON`, for what is taken back."""
    by = who(request.query.get("by", ""), "say who: ?by=NAME&why=REASON")
    why = request.query.get("why", "").strip()
    if fault := text_fault(why, _LONGEST_WHY):
        raise Refusal(400, f"say why: ?by=NAME&why=REASON; it {fault}")
    return by, why


def limit(request: web.Request) -> int:
    """`?limit=`, how many records are wanted."""
    text = request.query.get("limit", "100")
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= _MOST_RECORDS):
        raise Refusal(400, f"limit: must be from 1 to {_MOST_RECORDS}, not {text!r}")
    return int(text)


def by_whom(raw: Mapping[str, Any], key: str, *, asked: bool = True) -> str:
    """Who it is, where the body says so under this key; `asked`: somebody it must be."""
    said = raw.get(key)
    name = said if isinstance(said, str) else ""
    if not asked and not USER.get() and not name.strip():
        return ""
    return who(name, f"the key {key!r} is missing: who says so?")


@contextmanager
def refusing(missing: str = "", wrong: int = 400) -> Iterator[None]:
    """Around a change: what cannot be is refused with `wrong`, what is not there with `missing`,
    and what was not done because it could not be written down with 503."""
    try:
        yield
    except NotFound:
        raise Refusal(404, missing) from None
    except ConfigError as error:
        raise Refusal(wrong, str(error)) from None
    except StateError as error:
        why = f"nothing was changed, since it could not be written down: {error}"
        raise Refusal(503, why) from None


@contextmanager
def reading() -> Iterator[None]:
    """Around what is read from disk."""
    try:
        yield
    except StateError as error:
        raise Refusal(503, str(error)) from None


def changes(handler: Handler) -> Handler:
    """For handlers that change something: refuse what a browser sends without asking first.

    Who may change something at all is `callers`' affair, and holds for every path. This is a second
    lock on the same door, for browsers that send no `Origin`.
    """

    async def guarded(request: web.Request) -> web.StreamResponse:
        if request.content_type not in _ASKED_FIRST and NOT_SIMPLE not in request.headers:
            raise Refusal(415, f"send Content-Type: {JSON}, or a header {NOT_SIMPLE}")
        return await handler(request)

    return guarded


def reads(handler: Handler) -> Handler:
    """For handlers of a POST that change nothing: a question may be too long for an address."""

    async def reading(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    _READING.add(reading)
    return reading


def only_reads(handler: object) -> bool:
    """True for what `reads` gave."""
    return handler in _READING


def _line(why: str) -> str:
    return _encode({"error": " ".join(why.split())}).decode() + "\n"
