"""Connections that wait in the system's queue, taken out of it many at a time.

uvloop takes one connection in each turn of its loop, where asyncio takes as many as there are.
Turns take long while slod is busy, and a flood would then keep everybody else waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Sequence

_AT_ONCE = 64
"""Connections that are taken in one turn; each costs some 0.1 ms."""


class Backlog:
    """The queue of a server.

    Args:
        server: it listens.
        protocol: makes the protocol of one connection.
    """

    def __init__(self, server: asyncio.Server, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._protocol = protocol
        # The loop's own cannot be accepted from; these stand for the same queues.
        self._sockets: Sequence[socket.socket] = [
            socket.socket(fileno=os.dup(one.fileno())) for one in server.sockets
        ]
        self._tasks: set[asyncio.Task[object]] = set()

    def drain(self) -> None:
        """Let those in that wait; to be called when one was let in."""
        loop = asyncio.get_running_loop()
        for listening in self._sockets:
            for _ in range(_AT_ONCE):
                try:
                    connection, _ = listening.accept()
                except OSError:
                    # None is left, or no descriptor is; the loop itself says the latter.
                    break
                connection.setblocking(False)
                task = loop.create_task(self._let_in(connection))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Take no more."""
        sockets, self._sockets = self._sockets, ()
        for listening in sockets:
            listening.close()

    async def _let_in(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):  # it may have gone again
            await loop.connect_accepted_socket(self._protocol, connection)
