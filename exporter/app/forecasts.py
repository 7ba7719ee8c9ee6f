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
ENOUGH = 0.04
"""At most so many each beat, and none is begun after so many seconds of work: forecasts cost about
1% of a core however many SLOs there are, and however long their periods."""

Key = tuple[str, tuple[str, ...]]


class Forecasts:
    """Runs until cancelled; `changed` is called after each few."""

    def __init__(self, engine: Engine, clock: Clock, changed: Callable[[], None]) -> None:
        self._engine = engine
        self._clock = clock
        self._changed = changed
        self._made: dict[Key, float] = {}

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
            # Its turn comes as soon as its history is there.
            if not account.behind
            for group in account.memory.instances
        ]
        self._made = {key: self._made.get(key, -EVERY) for key in every}
        due = sorted(
            (key for key, made in self._made.items() if elapsed - made >= EVERY),
            key=self._made.__getitem__,
        )
        spent = 0.0
        for key in due[:AT_ONCE]:
            begun = self._clock.monotonic()
            self._foresee(key)
            self._made[key] = elapsed
            spent += self._clock.monotonic() - begun
            if spent >= ENOUGH:
                break
            await asyncio.sleep(0)
        return bool(due)

    def _foresee(self, key: Key) -> None:
        name, group = key
        # As of a moment that all replicas agree on, whenever each of them gets to it.
        now = self._clock.now() // EVERY * EVERY
        # The same each time: another one would make the forecast jump without news.
        random = Random(crc32(repr(key).encode()))  # noqa: S311 (no secret)
        if (account := self._engine.accounts.get(name)) is None:
            return
        with self._engine.apart(name, "forecast"):
            account.foresee(group, now, random.random)
