"""Counts batches; large ones beside the event loop, so that no target can hold it.

A page of thousands of series that nobody knows takes seconds to explain. What is long for one SLO
runs in a thread of its own; what is short is done in the loop, which goes on in between: thousands
of ways to a thread and back would take a turn of the loop each, and minutes on a bad day. Until all
is over nobody else may change the engine: whoever wants to waits for `idle`, and then does so
before the next await. Readers of instances need not wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from exporter.core.engine import Engine
from exporter.core.sample import Batch
from exporter.core.taken import Taken

LARGE = 200
"""Series of a batch that are counted at once, and those that are gone from it: for each SLO some
100 us a series at worst. One SLO with more has its long part done in the thread."""
_SLICE = 0.02
"""Seconds for which the loop is held at a time."""


class Counting:
    """The only way of batches into an engine that lives in an event loop."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="slod-counting")
        self._free = asyncio.Event()
        self._free.set()

    async def idle(self) -> None:
        """Wait until the engine may be changed: until the next await of the caller."""
        while not self._free.is_set():
            await self._free.wait()

    async def ingest(self, batch: Batch) -> Mapping[str, Taken]:
        """As the engine's; it may be changed when this returns, until the next await."""
        await self.idle()
        if not self._is_large(batch):
            return self._engine.ingest(batch)
        self._free.clear()
        # Cancelled or not, what was begun is counted to its end.
        task = asyncio.ensure_future(self._in_steps(batch))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task])
            raise

    def _is_large(self, batch: Batch) -> bool:
        """Of a process that is new, all series are touched that were known of the one before."""
        left = LARGE - sum(map(len, batch.readings.values()))
        for account in self._engine.accounts.values():
            if left < 0:
                break
            if account.slo.source == batch.source:
                left -= account.gone(batch)
        return left < 0

    async def _in_steps(self, batch: Batch) -> Mapping[str, Taken]:
        loop, steps = asyncio.get_running_loop(), self._engine.ingesting(batch)
        until = loop.time() + _SLICE
        try:
            step = next(steps)
            while True:
                try:
                    if step.series > LARGE:
                        await loop.run_in_executor(self._thread, step.work)
                    else:
                        step.work()
                except Exception as error:  # noqa: BLE001 - raised where the step was yielded
                    step = steps.throw(error)
                else:
                    step = next(steps)
                if loop.time() >= until:
                    await asyncio.sleep(0)
                    until = loop.time() + _SLICE
        except StopIteration as end:
            counted: dict[str, Taken] = end.value
            return counted
        finally:
            self._free.set()
