"""Reloads that are asked for at the same time: one after the other, and many that wait as one.

Whoever asks wants what the file says now. A reload that has begun may have read it already, so it
cannot count for those who ask later; one that still waits will read it, and counts for all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

_STOPPING = "slod is stopping"


class Reloads:
    """Calls `reload`, which takes whether a file without SLOs may take the place of one with some,
    and answers None, or why the old configuration stays."""

    def __init__(self, reload: Callable[[bool], Awaitable[str | None]]) -> None:
        self._reload = reload
        self._allow_empty = False
        self._running = asyncio.Lock()
        self._waiting: asyncio.Task[str | None] | None = None
        self._tasks: set[asyncio.Task[str | None]] = set()
        self._stopped = False

    async def __call__(self, allow_empty: bool = False) -> str | None:
        """The answer of the next reload to begin. It goes on also if its asker goes away.
        `allow_empty`: holds when one of those who wait for it says so."""
        if self._stopped:
            return _STOPPING
        self._allow_empty |= allow_empty
        if self._waiting is None:
            self._waiting = task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        waiting, caller = self._waiting, asyncio.current_task()
        try:
            return await asyncio.shield(waiting)
        except asyncio.CancelledError:
            if waiting.cancelled() and not (caller and caller.cancelling()):
                return _STOPPING
            raise

    async def stop(self) -> None:
        """End those under way, and begin no other: what they change is stopped next."""
        self._stopped = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> str | None:
        async with self._running:
            allow_empty, self._allow_empty, self._waiting = self._allow_empty, False, None
            return await self._reload(allow_empty)
