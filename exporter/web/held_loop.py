"""Watches the event loop from a thread: how long it is held, and an answer while it is.

A probe must not wait for the loop that it asks about. While the loop is held too long, this thread
accepts the connections at the same listening sockets and answers each with 503 and the reason.
A call into C that keeps Python's lock holds this thread too; a probe then gets no answer at all.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

HELD_TOO_LONG = 10.0
"""Seconds after which the daemon is unhealthy; the slowest known work takes a tenth of that."""
EVERY = 0.1
"""Seconds between two looks. A hold is measured short by so much at most."""
_PATIENCE = 0.3
"""Seconds that one connection may keep the thread: one that is silent must not hide the others."""


class HeldLoop:
    """Runs from `start` to `stop`. `observe` gets the seconds of each hold, in the loop."""

    def __init__(
        self,
        observe: Callable[[float], None],
        *,
        limit: float = HELD_TOO_LONG,
        every: float = EVERY,
    ) -> None:
        self._observe = observe
        self._limit = limit
        self._every = every
        self._stopped = threading.Event()
        self._answered = threading.Event()
        self._waited = 0.0
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: list[socket.socket] = []
        self._context: ssl.SSLContext | None = None

    @property
    def held(self) -> float | None:
        """Seconds that the loop has been held, if that is too long; None if it is not."""
        return self._waited if self._waited > self._limit else None

    def start(self, listeners: Sequence[int], context: ssl.SSLContext | None) -> None:
        """Watch the running loop; `listeners`: file descriptors of the port's sockets."""
        self._loop = asyncio.get_running_loop()
        self._context = context
        self._listeners = [socket.socket(fileno=os.dup(number)) for number in listeners]
        for listener in self._listeners:
            listener.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="slod-held-loop", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread; its sockets are closed, or the port would stay taken."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(2 * self._every + 2 * _PATIENCE)
        for listener in self._listeners:
            listener.close()

    def _run(self) -> None:
        assert self._loop is not None  # set by start
        self._answered.set()
        last = asked = time.monotonic()
        while not self._stopped.wait(self._every):
            now = time.monotonic()
            # A process that was stopped and goes on was not held by its own work.
            step, last = min(now - last, 3 * self._every), now
            if self._answered.is_set():
                self._answered.clear()
                self._waited, asked = 0.0, now
                try:
                    self._loop.call_soon_threadsafe(self._answer, asked)
                except RuntimeError:  # the loop is closed
                    return
                continue
            self._waited += step
            if self._waited > self._limit:
                self._serve()

    def _answer(self, asked: float) -> None:
        """In the loop: it is free again."""
        self._observe(min(time.monotonic() - asked, self._waited + 3 * self._every))
        self._waited = 0.0
        self._answered.set()

    def _serve(self) -> None:
        """Answer whoever came meanwhile."""
        for listener in self._listeners:
            while not (self._stopped.is_set() or self._answered.is_set()):
                try:
                    connection, _ = listener.accept()
                except OSError:  # there is none, or it has gone
                    break
                with suppress(OSError):
                    self._refuse(connection)

    def _refuse(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(_PATIENCE)
            if self._context is not None:
                with self._context.wrap_socket(connection, server_side=True) as secure:
                    self._say(secure)
            else:
                self._say(connection)

    def _say(self, connection: socket.socket) -> None:
        # The request is read, or the client might see a reset in place of the answer.
        head = connection.recv(16_384)
        body = f"slod is not healthy: the event loop is held for {self._waited:.0f} s\n".encode()
        lines = (
            b"HTTP/1.1 503 Service Unavailable",
            b"Server: slod",
            b"Content-Type: text/plain; charset=utf-8",
            b"Content-Length: %d" % len(body),
            b"Connection: close",
        )
        connection.sendall(b"\r\n".join(lines) + b"\r\n\r\n" + body * (head[:5] != b"HEAD "))
