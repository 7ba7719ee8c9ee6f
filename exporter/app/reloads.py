"""Reloads that are asked for at the same time: one after the other, and many that wait as one.

Whoever asks wants what the file says now. A reload that has begun may have read it already, so it
cannot count for those who ask later; one that still waits will read it, and counts for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress


class Reloads:
    """Calls `reload`, which answers None, or why the old configuration stays."""

    def __init__(self, reload: Callable[[], Awaitable[str | None]]) -> None:
        self._reload = reload
        self._running = asyncio.Lock()
        self._waiting: asyncio.Task[str | None] | None = None
        self._tasks: set[asyncio.Task[str | None]] = set()
        self._stopped = False

    async def __call__(self) -> str | None:
        """The answer of the next reload to begin. It goes on also if its asker goes away."""
        if self._stopped:
            return "slod is stopping"
        if self._waiting is None:
            self._waiting = task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(self._waiting)

    async def stop(self) -> None:
        """End those under way, and begin no other: what they change is stopped next."""
        self._stopped = True
        for task in list(self._tasks):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> str | None:
        async with self._running:
            self._waiting = None
            return await self._reload()
