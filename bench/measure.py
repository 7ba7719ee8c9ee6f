"""What every benchmark shares: a row of the result, and ways to measure."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

Unit = Literal["s", "B", "share"]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure, smaller being better, in seconds, bytes, or as a share (0.01 is 1%).

    `peer`: who does the same, `theirs` what it needed in the same run; None where nobody was
    measured. `cited`: `theirs` was seen elsewhere. `goal`: what it should be at most. `scales`:
    a faster machine makes it smaller, so that two machines' figures can be compared by yardstick.
    """

    name: str
    ours: float
    unit: Unit
    goal: float | None = None
    peer: str | None = None
    theirs: float | None = None
    cited: bool = False
    scales: bool = True

    @property
    def measured(self) -> bool:
        """Whether the peer was measured in this run."""
        return self.theirs is not None and not self.cited

    @property
    def ratio(self) -> float | None:
        """How many times better: than the peer, else than the goal; None with neither."""
        other = self.theirs if self.theirs is not None else self.goal
        return None if other is None else other / max(self.ours, 1e-12)

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None when there is none."""
        return None if self.goal is None else self.ours <= self.goal


def timed(
    work: Callable[[], object], times: int, before: Callable[[], object] = lambda: None
) -> float:
    """Median seconds of one call, after one that is not counted; `before` each, not counted."""
    before()
    work()
    gc.collect()
    taken = []
    for _ in range(times):
        before()
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return median(taken)


def yardstick() -> float:
    """Seconds this machine needs for a fixed piece of Python, at its best."""

    def work() -> float:
        table = {n: float(n) for n in range(1000)}
        return sum(table[n] * 1.5 for n in range(1000) for _ in range(20))

    best = min(timed(work, 5) for _ in range(5))
    return float(f"{best:.3g}")


def cpu_seconds(pid: int) -> float:
    """Processor time of a process with all its threads, to the nanosecond.

    Linux makes a process' CPU clock out of its id; see `MAKE_PROCESS_CPUCLOCK` in the kernel's
    posix-timers.h, and clock_getcpuclockid(3).
    """
    return time.clock_gettime((~pid << 3) | 2)


def resident(pid: int) -> int:
    """Bytes of a process that are in memory, shared pages included."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
