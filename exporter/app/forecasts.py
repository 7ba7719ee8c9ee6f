"""Makes forecasts anew, again and again: a few SLOs at a time, so that nothing waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from random import Random
from zlib import crc32

from exporter.clock import Clock
from exporter.core.engine import Engine

EVERY = 600.0
"""Seconds between two forecasts of an SLO, at least."""
BEAT = 5.0
AT_ONCE = 4
"""So many each beat, so that forecasts cost about 1% of a core however many SLOs there are."""


class Forecasts:
    """Runs until cancelled; `changed` is called after each few."""

    def __init__(self, engine: Engine, clock: Clock, changed: Callable[[], None]) -> None:
        self._engine = engine
        self._clock = clock
        self._changed = changed
        self._made: dict[tuple[str, tuple[str, ...]], float] = {}

    async def run(self) -> None:
        """Those made longest ago first."""
        while True:
            await self._clock.sleep(BEAT)
            if await self._make(self._clock.monotonic()):
                self._changed()

    async def _make(self, elapsed: float) -> bool:
        every = [
            (name, group)
            for name, account in self._engine.accounts.items()
            for group in account.memory.instances
        ]
        self._made = {key: self._made.get(key, -EVERY) for key in every}
        due = sorted(
            (key for key, made in self._made.items() if elapsed - made >= EVERY),
            key=self._made.__getitem__,
        )
        for name, group in due[:AT_ONCE]:
            now = self._clock.now()
            # The same for whoever forecasts from the same numbers within the hour.
            seed = crc32(repr((name, group, now // 3600)).encode())
            if (account := self._engine.accounts.get(name)) is not None:
                account.foresee(group, now, Random(seed).random)  # noqa: S311 (no secret)
            self._made[name, group] = elapsed
            await asyncio.sleep(0)
        return bool(due)
