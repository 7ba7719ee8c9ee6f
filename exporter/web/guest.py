"""One connection of the port: hands everything on, and looks at the clock.

It is in one of five phases. Handshake, head and body of a request have a deadline of `patience`
seconds each; while slod makes its answer, and between two requests, there is none. In every phase
whoever is sent something has to take some of it within `reading` seconds. What the system's own
send buffer holds counts as not taken: for a stream of short messages that buffer would last for
hours. aiohttp itself only knows of the time between two requests.
"""

from __future__ import annotations

import asyncio
import ssl
from enum import Enum, auto
from typing import TYPE_CHECKING, Any, cast

import structlog

from exporter.web.peers import owner

if TYPE_CHECKING:
    from exporter.web.door import Door

log = structlog.get_logger()

_LOOKS = 3
"""A connection is looked at so many times in the shorter of its two limits."""
_LARGE = 16 * 1024
"""Bytes of a part from which on it may be too much for the memory of all answers."""
_BAD_REQUEST = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_END_OF_HEAD = b"\r\n\r\n"


class Phase(Enum):
    """What a connection is at."""

    HANDSHAKE = auto()
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    IDLE = auto()


class Guest(asyncio.Protocol):
    """One connection: hands everything on, and looks at the clock."""

    def __init__(self, door: Door) -> None:
        self.owner = ""
        self.phase = Phase.HEAD
        self._door = door
        self._inner: asyncio.Protocol | None = None
        self._raw: asyncio.Transport | None = None
        self._transport: asyncio.Transport | None = None
        self._shaking: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline: float | None = None
        self._early = b""
        self._ends_clean = True
        self._answered = False
        self._written = self._taken = 0
        self._moved = 0.0
        self.since = 0.0
        """When it was given the oldest answer that it has not taken yet."""
        self.body = b""
        """The answer that it is reading, which others may read, too; empty if it is small."""
        self.is_leaving = False
        """True once it is cut off."""

    # --- what the transport tells -------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Count it, and begin at once or with a handshake."""
        raw = cast(asyncio.Transport, transport)
        self.owner = owner(raw.get_extra_info("peername"))
        if not self._door.admits(self):
            raw.abort()
            return
        self._raw = raw
        self._moved = self._door.loop.time()
        self._watch()
        if self._door.tls is None:
            self._enter(Phase.HEAD)
            self._begin(raw)
        else:
            self._enter(Phase.HANDSHAKE)
            raw.pause_reading()
            self._shaking = asyncio.ensure_future(self._shake(raw, self._door.tls))

    def data_received(self, data: bytes) -> None:
        """Hand it on."""
        if self._raw is None:
            return
        if self._inner is None:
            # A fast client's request can be there before the task of the handshake goes on.
            self._early += data
            return
        self._ends_clean = data.endswith(_END_OF_HEAD)
        if self.phase is Phase.IDLE:
            self._enter(Phase.HEAD)
        try:
            self._inner.data_received(data)
        except Exception as error:  # noqa: BLE001 - see below
            # What the server chokes on is the stranger's affair: no traceback, and one answer.
            log.debug("http.unreadable", error=repr(error))
            if self._transport is not None:
                self._transport.write(_BAD_REQUEST)
                self._transport.close()

    def eof_received(self) -> bool | None:
        """Hand it on."""
        return self._inner.eof_received() if self._inner is not None else None

    def pause_writing(self) -> None:
        """Hand it on."""
        if self._inner is not None:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Hand it on."""
        if self._inner is not None:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room for another one."""
        if self._raw is None:
            return
        self._over()
        if self._inner is not None:
            self._inner.connection_lost(exc)

    # --- what the server tells ----------------------------------------------------------------

    def head_came(self) -> None:
        """A request's head is whole."""
        self._answered = False
        self._enter(Phase.BODY)

    def body_came(self) -> None:
        """A request is whole."""
        if self.phase is Phase.BODY:
            self._enter(Phase.IDLE if self._answered else Phase.ANSWER)

    def answered(self) -> None:
        """A request was answered, as far as the transport's buffer."""
        self._answered = True
        self.body = b""
        if self.phase is not Phase.BODY:
            self._enter(Phase.IDLE)

    @property
    def untaken(self) -> int:
        """Bytes of answers that wait in this process' memory."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def reads(self, body: bytes) -> None:
        """An answer begins that is given to the transport in pieces."""
        self.body = body
        self.since = self._door.loop.time()
        self._door.make_room(self)

    def writes(self, size: int) -> None:
        """So many bytes are about to be given to the transport."""
        self._written += size
        if not self.untaken and not self.body:
            self.since = self._door.loop.time()

    def wrote(self, size: int) -> None:
        """So many bytes were given to the transport."""
        if size >= _LARGE and self.untaken:
            self._door.make_room(self)

    def cut(self) -> None:
        """End the connection at once."""
        self.is_leaving = True
        if self._raw is not None:
            self._raw.abort()
        if self._shaking is not None and self._inner is None:
            # Its protocol is asyncio's own until the handshake is done.
            self._over()

    # --- the clock ----------------------------------------------------------------------------

    def _enter(self, phase: Phase) -> None:
        self.phase = phase
        waiting = phase in (Phase.HANDSHAKE, Phase.HEAD, Phase.BODY)
        # What came last may be the beginning of another request's head.
        begun = phase is Phase.IDLE and not self._ends_clean
        limited = waiting or begun
        self._deadline = self._door.loop.time() + self._door.patience if limited else None

    def _watch(self) -> None:
        door = self._door
        self._timer = door.loop.call_later(min(door.patience, door.reading) / _LOOKS, self._look)

    def _look(self) -> None:
        """Cut the connection off if it got nowhere."""
        now = self._door.loop.time()
        unread = self._unread()
        taken = self._written - unread
        if not unread or taken > self._taken:
            self._taken, self._moved = taken, now
        late = self._deadline is not None and now >= self._deadline
        if late or now - self._moved >= self._door.reading:
            self.cut()
        else:
            self._watch()

    def _unread(self) -> int:
        if self._transport is None or self._raw is None:
            return 0
        return self._transport.get_write_buffer_size() + self._door.queued(self._raw)

    # --- begin and end ------------------------------------------------------------------------

    async def _shake(self, raw: asyncio.Transport, context: ssl.SSLContext) -> None:
        loop, patience = asyncio.get_running_loop(), self._door.patience
        try:
            transport = await loop.start_tls(
                raw, self, context, server_side=True, ssl_handshake_timeout=patience
            )
        except Exception as error:  # noqa: BLE001 - see below
            # Whatever a stranger sent in place of a handshake is the stranger's affair.
            log.debug("tls.handshake_failed", error=str(error))
            self.cut()
            return
        if transport is None or self._raw is None:  # asyncio has none for a lost connection
            self._over()
            return
        self._enter(Phase.HEAD)
        self._begin(transport)

    def _begin(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._inner = self._door.inner()
        self._inner.connection_made(cast(asyncio.Transport, Counting(transport, self)))
        early, self._early = self._early, b""
        if early:
            self.data_received(early)

    def _over(self) -> None:
        self._raw = None
        self.body = b""
        self._door.let_out(self)
        if self._timer is not None:
            self._timer.cancel()


class Counting:
    """A transport that tells its guest how many bytes are written."""

    def __init__(self, transport: asyncio.Transport, guest: Guest) -> None:
        self.guest = guest
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Count, and hand on."""
        self.guest.writes(len(data))
        self._transport.write(data)
        self.guest.wrote(len(data))

    def writelines(self, parts: Any) -> None:
        """Count, and hand on."""
        pieces = list(parts)
        size = sum(map(len, pieces))
        self.guest.writes(size)
        self._transport.writelines(pieces)
        self.guest.wrote(size)
