"""Time as a collaborator: the shells get a `Clock`, the tests move one by hand."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time in unix seconds, elapsed time in seconds, and a sleep that tests can end."""

    def now(self) -> float:
        """Unix time in seconds; may step either way when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Seconds that only ever grow; for durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` (at once for zero or less, after one turn of the loop)."""
        ...


class SystemClock:
    """The machine's clock."""

    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)

    async def sleep(self, seconds: float) -> None:
        """Sleep on the event loop."""
        await asyncio.sleep(max(0.0, seconds))
