"""Bytes of the bodies that are read at the moment: all of them together stay under one limit.

A body that finds no room waits for the others to end. If that takes too long, the largest one gives
way: so an endless answer never keeps out the small ones, and bodies never wait for each other.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from io import BytesIO
from typing import Self

from exporter.memory_limit import memory_left, memory_share

MOST = 64 * 2**20
"""Bytes of all bodies together where no cgroup has a limit: one of `max_body_bytes` by default."""
LEAST = 2**20
"""Bytes of all bodies together where next to nothing is left: with less no page could be read, and
slod would be silent in place of being killed."""
_PATIENCE = 1.0
"""Seconds that a body waits for room: what can be read at all is read by then, mostly."""
_LIMIT_HOLDS = 5.0
"""Seconds until the cgroup's files are read again, which takes some 0.1 ms."""


class NoRoom(Exception):
    """The bodies under way are too many bytes, and this one is the largest of them."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"the answers that are read at the moment have over {limit} bytes together, and this "
            "one is the largest"
        )


class Bodies:
    """All bodies under way.

    Args:
        left: bytes of memory that are left, None without a limit.
        patience: seconds that a body waits for room.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        left: Callable[[], int | None] = memory_left,
        patience: float = _PATIENCE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._left = left
        self._patience = patience
        self._clock = clock
        self._open: set[Body] = set()
        self._held = 0
        self._waiting: deque[tuple[asyncio.Future[None], int]] = deque()
        self._limit = MOST
        self._limit_until = -1.0

    @property
    def held(self) -> int:
        """Bytes of all bodies under way."""
        return self._held

    @property
    def limit(self) -> int:
        """Bytes that they may have together."""
        now = self._clock()
        if now >= self._limit_until:
            self._limit_until = now + _LIMIT_HOLDS
            left = self._left()
            # What is held already is not left any more, and yet theirs.
            own = None if left is None else left + self._held
            self._limit = max(LEAST, memory_share(MOST, own))
        return self._limit

    def body(self) -> Body:
        """Return a new body, as a context: at its end all of its bytes are given back."""
        return Body(self)

    async def take(self, body: Body, size: int) -> None:
        """Take room for more bytes of a body; `NoRoom` if there is none."""
        self._open.add(body)
        while self._held + size > self.limit:
            alone = body.size + size > self.limit
            room = not alone and await self._room(size)
            if body.evicted:
                # For another one, while it waited.
                break
            if not room:
                largest = max(self._open, key=lambda one: one.size + size * (one is body))
                if largest is body:
                    raise NoRoom(self.limit)
                largest.evict()
        if body.evicted:
            raise NoRoom(self.limit)
        self._held += size

    def give(self, size: int) -> None:
        """Give back room, to those that wait longest first."""
        self._held -= size
        free = self.limit - self._held
        while self._waiting and self._waiting[0][1] <= free:
            future, wanted = self._waiting.popleft()
            free -= wanted
            if not future.done():
                future.set_result(None)

    def forget(self, body: Body) -> None:
        """The body is no longer under way."""
        self._open.discard(body)

    async def _room(self, size: int) -> bool:
        """Wait until there may be room, and return whether that came in time."""
        entry = (asyncio.get_running_loop().create_future(), size)
        self._waiting.append(entry)
        try:
            async with asyncio.timeout(self._patience):
                await entry[0]
        except TimeoutError:
            return False
        finally:
            if entry in self._waiting:
                self._waiting.remove(entry)
        return True


class Body:
    """One body; see `Bodies.body`."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        # Hands over its bytes without a copy, and can be emptied while others refer to it.
        self._buffer = BytesIO()
        self.size = 0
        self.evicted = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._release()

    async def add(self, part: bytes) -> None:
        """Add what came; `NoRoom` if that is too much."""
        # It may have had to give way while nothing came.
        if self.evicted:
            raise NoRoom(self._bodies.limit)
        await self._bodies.take(self, len(part))
        self.size += len(part)
        self._buffer.write(part)

    def whole(self) -> bytes:
        """Return all that was added; `NoRoom` if it had to give way meanwhile."""
        if self.evicted:
            raise NoRoom(self._bodies.limit)
        return self._buffer.getvalue()

    def evict(self) -> None:
        """Give way to another body."""
        self.evicted = True
        self._release()

    def _release(self) -> None:
        # Emptied by hand: the traceback of a failure may hold this body for long.
        self._buffer.close()
        self._bodies.forget(self)
        size, self.size = self.size, 0
        if size:
            self._bodies.give(size)
