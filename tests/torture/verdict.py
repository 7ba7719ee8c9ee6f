"""What went wrong, and how much time was free of faults."""

from __future__ import annotations

import sys
import time
from collections import Counter

_SHOWN = 5
"""Of one kind so many are printed, the others counted."""


class Verdict:
    """Collects what must not be. `begun` is the time of the run's start on the monotonic clock."""

    def __init__(self) -> None:
        self.begun = time.monotonic()
        self.kinds: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        """How often each thing was checked: a verdict about nothing is none."""
        self.texts: list[str] = []

    def wrong(self, kind: str, text: str) -> None:
        """Something is not as it must be."""
        self.kinds[kind] += 1
        if self.kinds[kind] <= _SHOWN:
            self.texts.append(f"{kind}: {text}")
            say = f"{time.monotonic() - self.begun:7.2f}  WRONG {kind}: {text}"
            print(say, file=sys.stderr, flush=True)

    def trace(self, text: str) -> None:
        """Something happened that explains what comes."""
        print(f"{time.monotonic() - self.begun:8.2f}  . {text}", flush=True)

    @property
    def ok(self) -> bool:
        """True while nothing is wrong."""
        return not self.kinds


class Calm:
    """A stopwatch that stands while a fault takes time. Faults may overlap; each has a name."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self._faults: Counter[str] = Counter()
        self._until: dict[str, float] = {}

    def begin(self, fault: str) -> None:
        """A fault takes time from now on."""
        self._faults[fault] += 1

    def end(self, fault: str) -> None:
        """It is over."""
        self._faults[fault] -= 1

    def takes(self, fault: str, seconds: float, now: float) -> None:
        """A fault that is over at once has effects for so long."""
        self._until[fault] = max(self._until.get(fault, 0.0), now + seconds)

    def calm(self, now: float) -> bool:
        """True while no fault takes time."""
        return not +self._faults and all(until <= now for until in self._until.values())

    def move(self, seconds: float, now: float) -> None:
        """So much time went by until `now`; it counts if there is no fault."""
        if self.calm(now):
            self.elapsed += seconds
