"""What tests share: a clock that only the test moves, patience with the machine meanwhile, and the
same beats in every run.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import sys
from collections.abc import Callable
from contextvars import ContextVar
from types import FrameType
from typing import Any

from yarl import URL

from exporter.http import Client, Response
from exporter.sources import beats

unhurried: ContextVar[bool] = ContextVar("unhurried", default=False)
"""Whether a poll may take as long as the source's timeout, however short its interval. A poll that
a busy machine keeps longer than that fails, and on a clock that the test moves none comes after it
by itself. Set it before the daemon's task is made."""
_request = Client.request


async def _patient(self: Client, *args: Any, within: float | None = None, **more: Any) -> Response:
    return await _request(self, *args, within=None if unhurried.get() else within, **more)


Client.request = _patient  # type: ignore[method-assign]

phase = beats.phase
"""The product's own."""


def _steady(target: str) -> float:
    """Not by the port, which is another in each run; nor so near to the beginning of an interval
    that a test which moves its clock by one finds the next beat too near to the last."""
    return 0.05 + 0.9 * phase(URL(target).path)


beats.phase = _steady


def instructions(work: Callable[[], object]) -> int:
    """How many instructions of Python some work takes: on any machine the same."""
    many = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal many
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        many += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return many


class ManualClock:
    """A clock for tests: `advance` wakes the sleepers in order and lets them run."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._elapsed = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> float:
        """The wall time the test has set."""
        return self._now

    def monotonic(self) -> float:
        """Seconds since the test began; never steps back."""
        return self._elapsed

    def step(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator does; no sleeper notices."""
        self._now += seconds

    async def sleep(self, seconds: float) -> None:
        """Wait until the test has advanced this far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._elapsed + seconds, next(self._order), future))
        await future

    @property
    def sleeping(self) -> int:
        """How many tasks wait on this clock."""
        return sum(not f.done() for _, _, f in self._sleepers)

    def wakes_within(self, seconds: float) -> bool:
        """Whether anybody would wake if the test advanced so far."""
        end = self._elapsed + seconds
        return any(due <= end and not f.done() for due, _, f in self._sleepers)

    async def until_sleeping(self, count: int = 1) -> None:
        """Return when at least `count` tasks wait on this clock: their real I/O is over."""
        while self.sleeping < count:
            await asyncio.sleep(0.001)

    async def advance(self, seconds: float) -> None:
        """Move time on; whoever is due in between wakes at its own moment."""
        end = self._elapsed + seconds
        while self._sleepers and self._sleepers[0][0] <= end:
            due, _, future = heapq.heappop(self._sleepers)
            if future.done():
                continue
            self._now += due - self._elapsed
            self._elapsed = due
            future.set_result(None)
            for _ in range(20):
                await asyncio.sleep(0)
        self._now += end - self._elapsed
        self._elapsed = end
        for _ in range(20):
            await asyncio.sleep(0)
