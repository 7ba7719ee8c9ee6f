"""What can go wrong on the way to an HTTP answer, as one exception with a reason."""

from __future__ import annotations

import asyncio
import traceback
from types import TracebackType

from exporter.errors import ConfigError, SlodError
from exporter.lean import aiohttp
from exporter.printable import printable
from exporter.redaction import readable


class TransportError(SlodError):
    """No usable HTTP answer; `reason` is one of `timeout`, `refused` (nobody listens there),
    `unreachable`, `dns`, `tls`, `reset`, `cut_short`, `too_large`, `redirect`, `bad_http`,
    `bad_encoding`, `bad_url`, `config`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class translated:  # noqa: N801 - reads as a statement: `with translated(where):`
    """Turns whatever aiohttp and asyncio raise into one `TransportError`."""

    def __init__(self, where: str) -> None:
        self._where = where

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: object, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        # What was read must not live as long as somebody remembers the failure.
        traceback.clear_frames(trace)
        if isinstance(error, (TransportError, asyncio.CancelledError)):
            return
        reason = _reason(error)
        if reason is None:
            return
        raise TransportError(reason, f"{self._where}: {_text(reason, error)}") from error


def _reason(error: BaseException) -> str | None:
    kinds: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
        (ConfigError, "config"),
        (TimeoutError, "timeout"),
        (aiohttp.ClientSSLError, "tls"),
        (aiohttp.ClientConnectorDNSError, "dns"),
        (aiohttp.ClientConnectorError, "unreachable"),
        (aiohttp.InvalidURL, "bad_url"),
        (aiohttp.ClientPayloadError, "bad_encoding"),
        (aiohttp.ClientResponseError, "bad_http"),
        (aiohttp.ClientError, "reset"),
        (OSError, "reset"),
        (ValueError, "bad_url"),
    )
    if isinstance(error, aiohttp.ClientPayloadError) and "not completed" in str(error):
        return "cut_short"
    if isinstance(error, aiohttp.ClientOSError) and isinstance(
        error.__cause__, ConnectionResetError
    ):
        return "reset"
    if isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, ConnectionRefusedError
    ):
        # Nobody listens there, which says more than a network that fails.
        return "refused"
    for kind, reason in kinds:
        if isinstance(error, kind):
            return reason
    return None


def _text(reason: str, error: BaseException) -> str:
    if reason == "timeout":
        return "no whole answer within the timeout"
    if reason == "bad_url":
        # The library's words quote parts of the address, which may be parts of a password.
        return "not an address that can be used"
    return printable(readable(" ".join(str(error).split())))[:200] or type(error).__name__
