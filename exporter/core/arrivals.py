"""The delay and the spacing with which samples of one instance really arrive.

Windows end at the newest sample only while a newer one is due (`Instance.as_of`). A sample of a
scrape is new at once; one that an agent writes remotely may always be a minute old, and an upstream
may scrape less often than it is polled. Both are learnt from the polls. Nothing is kept over a
restart: a few polls teach it again.
"""

from __future__ import annotations

from itertools import pairwise
from statistics import median

INTERVALS = 4
"""Samples in a row that may be missing before a window counts as one without data. With fewer, one
scrape that fails and one that is late would make short windows vanish."""
_POLLS = 6
"""Polls that are remembered. A median over five spacings bears two outages."""


class Arrivals:
    """The last polls that brought something new, `interval` seconds apart as configured."""

    __slots__ = ("_grace", "_interval", "_polls")

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._polls: list[tuple[float, float]] = []
        self._grace: float | None = None

    def note(self, at: float, newest: float) -> None:
        """Remember a poll at `at` whose newest sample was of `newest`, in unix seconds; a poll that
        brought nothing new is no arrival."""
        polls = self._polls
        if polls and newest <= polls[-1][1]:
            return
        polls.append((at, newest))
        if len(polls) > _POLLS:
            del polls[0]
        self._grace = None

    @property
    def grace(self) -> float:
        """The age in seconds up to which the newest sample of a living target may get."""
        if self._grace is None:
            spacing = [after[0] - before[0] for before, after in pairwise(self._polls)]
            lags = [max(0.0, at - newest) for at, newest in self._polls]
            usual = median(spacing) if spacing else 0.0
            self._grace = INTERVALS * max(self._interval, usual)
            self._grace += median(lags) if lags else 0.0
        return self._grace
