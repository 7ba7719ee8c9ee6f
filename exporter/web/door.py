"""Bounds what a stranger can hold: how many connections, and how long each may keep slod waiting.

aiohttp waits for the end of a request's head, and for who reads an answer slowly, as long as it
takes. Here a connection that gets nowhere is cut off: within `patience` seconds of its first byte
(or of the connection itself) a request has to be complete, and after that the answer has to be
read on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

MOST = 512
"""Connections at a time; a fleet of Prometheus servers and people's browsers need far fewer."""
PATIENCE = 15.0


class Door:
    """A protocol factory around another one. `turned_away`: connections over the limit."""

    def __init__(
        self, inner: Callable[[], asyncio.Protocol], *, most: int = MOST, patience: float = PATIENCE
    ) -> None:
        self.turned_away = 0
        self.patience = patience
        self._inner = inner
        self._most = most
        self._guests: dict[asyncio.BaseTransport, _Guest] = {}

    def __call__(self) -> asyncio.Protocol:
        """A protocol for one connection."""
        return _Guest(self, self._inner())

    @property
    def guests(self) -> int:
        """How many connections there are."""
        return len(self._guests)

    def admits(self, guest: _Guest, transport: asyncio.BaseTransport) -> bool:
        """Whether there is room for one more, who then has to be let out again."""
        if len(self._guests) >= self._most:
            self.turned_away += 1
            return False
        self._guests[transport] = guest
        return True

    def let_out(self, transport: asyncio.BaseTransport) -> None:
        """The connection is over."""
        self._guests.pop(transport, None)

    def asked(self, transport: asyncio.BaseTransport | None) -> None:
        """A whole request came over this connection, and is being answered."""
        guest = self._guests.get(cast(Any, transport))
        if guest is not None:
            guest.asked = True


class _Guest(asyncio.Protocol):
    """One connection: hands everything on, and looks at the clock."""

    def __init__(self, door: Door, inner: asyncio.Protocol) -> None:
        self.asked = False
        self._door = door
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._unread = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        own = cast(asyncio.Transport, transport)
        if not self._door.admits(self, own):
            own.abort()
            return
        self._transport = own
        self._wait()
        self._inner.connection_made(own)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            if self._timer is None:
                self.asked = False
                self._wait()
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is None:
            return
        self._door.let_out(self._transport)
        if self._timer is not None:
            self._timer.cancel()
        self._inner.connection_lost(exc)

    def _wait(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._door.patience, self._look)

    def _look(self) -> None:
        """Its time is over; cut it off if it got nowhere."""
        assert self._transport is not None
        self._timer = None
        unread, before = self._transport.get_write_buffer_size(), self._unread
        self._unread = unread
        if not self.asked or (unread and unread == before):
            self._transport.abort()
        elif unread:
            self._wait()
