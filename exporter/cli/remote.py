"""Asking the running daemon over its own API."""

from __future__ import annotations

import asyncio
import getpass
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from exporter.errors import SlodError
from exporter.redaction import readable, redact

if TYPE_CHECKING:
    from exporter.http import Response

URL = "http://127.0.0.1:9947"
ROOT = "/api/slo/v1"
_REFUSALS = (400, 403, 404, 409, 413, 415, 421)
"""Statuses with which slod says why not; with any other it could not be asked."""


class Unreachable(SlodError):
    """The daemon gave no usable answer."""


class Refused(SlodError):
    """The daemon answered that what was asked cannot be done, and why."""


def ask(
    base: str,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: object = None,
) -> Any:
    """What the daemon answers, read from JSON; `path` is below the root of the API. `Unreachable`,
    or `Refused`, also when `base` cannot be the address of a daemon."""
    answer = request(base, method, ROOT + path, query=query, body=body)
    reason = _reason(answer.body)
    if answer.status in _REFUSALS and reason is not None:
        raise Refused(reason)
    if not 200 <= answer.status < 300:
        shown = reason or " ".join(answer.body.decode("utf-8", "replace").split())[:200]
        raise Unreachable(f"{redact(base)} answered {answer.status}: {shown}")
    try:
        return json.loads(answer.body) if answer.body else None
    except ValueError:
        raise Unreachable(f"{redact(base)} does not answer as slod does; is --url right?") from None


def request(
    base: str,
    method: str,
    path: str,
    *,
    query: Mapping[str, str] | None = None,
    body: object = None,
) -> Response:
    """What the daemon answers, whatever its status. `Unreachable` when there is no answer,
    `Refused` when `base` cannot be the address of a daemon."""
    from exporter.config.settings import HTTP
    from exporter.http import Client

    _check(base)
    url = f"{base.rstrip('/')}{path}" + (f"?{urlencode(query)}" if query else "")

    async def exchange() -> Response:
        client = Client(HTTP())
        try:
            return await client.request(
                method,
                url,
                headers={"Content-Type": "application/json"},
                body=None if body is None else json.dumps(body).encode(),
            )
        finally:
            await client.close()

    try:
        return asyncio.run(exchange())
    except SlodError as error:
        raise Unreachable(
            f"cannot reach the daemon: {error}; is it running, and is --url right?"
        ) from None


def me() -> str:
    """Who runs this, by the system's word."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise Refused("who are you? this system has no name for you; say it") from None


def _check(base: str) -> None:
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise Refused(f"{readable(base)!r} is not the URL of a daemon; write it like {URL}")


def _reason(body: bytes) -> str | None:
    """Why it was refused, if it was slod that said so."""
    try:
        return str(json.loads(body)["error"])
    except (ValueError, TypeError, KeyError):
        return None
