"""Connection limits: how many there are, in all and of one address, each with its own deadlines.

A stranger can hold no more than that: see `guest` for the deadlines of a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from exporter.memory_limit import memory_left, memory_share
from exporter.web.guest import Counting, Guest

MOST = 512
"""Connections at a time; a fleet of Prometheus servers and people's browsers need far fewer."""
BACKLOG = 2 * MOST
"""Connections that the system keeps until they are looked at. In a queue of 100, asyncio's default,
a flood leaves no place for anybody else while the loop is busy, who then tries again in seconds."""
PATIENCE = 15.0
"""Seconds for a handshake, for a head and for a body."""
READING = 30.0
"""Seconds within which some of what was sent must have been taken."""
IDLE = 75.0
"""Seconds that a connection is kept between two requests; scrapes are rarely further apart."""
_MOST_UNTAKEN = 64 * 2**20
"""Bytes of all answers that wait for their readers; a quarter of what a cgroup leaves, if less."""
_LEAST_UNTAKEN = 4 * 2**20
_UNSENT = 128 * 1024
"""Bytes of an answer that the system keeps for one connection and has not sent yet."""

log = structlog.get_logger()


class Loop(Protocol):
    """The part of an event loop that tells the time, in seconds."""

    def time(self) -> float:
        """Seconds on a clock that only goes forward."""
        ...

    def call_later(self, delay: float, callback: Callable[[], Any]) -> asyncio.TimerHandle:
        """Call it once, after so many seconds."""
        ...


class Door:
    """A protocol factory around another one, whose protocols see whole connections only.

    `tls`: handshakes are done here, since asyncio shows a server none of the connections that do
    not finish theirs. `queued` gives the bytes that the system has not delivered yet, `left` those
    of memory that the cgroup leaves.
    """

    def __init__(
        self,
        inner: Callable[[], asyncio.Protocol],
        *,
        most: int = MOST,
        patience: float = PATIENCE,
        reading: float = READING,
        tls: ssl.SSLContext | None = None,
        loop: Loop | None = None,
        queued: Callable[[asyncio.Transport], int] | None = None,
        left: Callable[[], int | None] = memory_left,
    ) -> None:
        self.inner = inner
        self.patience = patience
        self.reading = reading
        self.tls = tls
        self.loop = loop or asyncio.get_running_loop()
        self.queued = queued or _queued
        self.most = most
        self._most_of_one = max(1, most // 2)
        self.drain: Callable[[], None] = _nothing
        """Lets in who waits in the system's queue."""
        self._left = left
        self._guests: set[Guest] = set()
        self._of_one: Counter[str] = Counter()

    def __call__(self) -> asyncio.Protocol:
        """A protocol for one connection, after which those that wait are let in too."""
        self.drain()
        return Guest(self)

    @property
    def guests(self) -> int:
        """The number of connections."""
        return len(self._guests)

    def admits(self, guest: Guest) -> bool:
        """True, and counted until `let_out`, if there is room for one more of its address."""
        if len(self._guests) >= self.most or self._of_one[guest.owner] >= self._most_of_one:
            return False
        self._guests.add(guest)
        self._of_one[guest.owner] += 1
        return True

    def let_out(self, guest: Guest) -> None:
        """The connection is over."""
        if guest in self._guests:
            self._guests.discard(guest)
            self._of_one[guest.owner] -= 1
            if not self._of_one[guest.owner]:
                del self._of_one[guest.owner]

    def make_room(self, newest: Guest) -> None:
        """Cut off who has had an answer for longest, while those that wait to be taken are too many
        bytes together; never the one that was given its answer just now. A body that many read
        counts once."""
        guests = [guest for guest in self._guests if not guest.is_leaving]
        readers = Counter(id(guest.body) for guest in guests)
        bodies = {id(guest.body): guest.body for guest in guests}
        held = sum(guest.untaken for guest in guests) + sum(map(len, bodies.values()))
        if held <= _LEAST_UNTAKEN:
            return
        left = self._left()
        limit = memory_share(_MOST_UNTAKEN, None if left is None else left + held)
        limit = max(_LEAST_UNTAKEN, limit)
        others = (
            guest for guest in guests if guest is not newest and (guest.untaken or guest.body)
        )
        for guest in sorted(others, key=lambda one: one.since):
            if held <= limit:
                return
            readers[id(guest.body)] -= 1
            held -= guest.untaken + (0 if readers[id(guest.body)] else len(guest.body))
            log.warning("http.cut_off", reason="answers that are not read take too much memory")
            guest.cut()

    def close(self) -> None:
        """End all connections, those in a handshake too, which nobody else knows of."""
        for guest in list(self._guests):
            guest.cut()


class Answered(AbstractAccessLogger):
    """aiohttp's hook for the end of an answer; nothing is logged by it."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Tell the connection."""
        guest = guest_of(request)
        if guest is not None:
            guest.answered()


def guest_of(request: web.BaseRequest) -> Guest | None:
    """The connection that a request came over; None when that is over."""
    transport: object = request.transport
    return transport.guest if isinstance(transport, Counting) else None


def keep_little(listening: Iterable[Any]) -> None:
    """Let the system take little of an answer beyond what is on its way to the reader: what is in
    its buffers is this process' memory, too, and a cgroup counts it. For sockets that listen, whose
    connections inherit it."""
    for one in listening:
        with contextlib.suppress(AttributeError, OSError):  # no such option on this system
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)


def _nothing() -> None:
    pass


def _queued(transport: asyncio.Transport) -> int:
    """Bytes that are in the system's send buffer, or on their way and not confirmed."""
    try:
        import fcntl
        import termios

        reply = fcntl.ioctl(transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
    except (ImportError, AttributeError, OSError, ValueError):
        return 0  # no such question on this system, or the socket is closed
    return int.from_bytes(reply, "little")
