"""When an upstream had samples at all, by one batch of them: found once for all the SLOs that the
batch is for, since each of them asks.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence
from math import inf
from operator import itemgetter
from typing import Any

_time = itemgetter(0)


class Presence:
    """`series`: the samples of each, (unix seconds, value) in ascending time; none is empty."""

    def __init__(self, series: Collection[Sequence[tuple[float, Any]]]) -> None:
        self._series = series
        self._known: dict[float, tuple[float, float]] = {}
        self.newest = max((samples[-1][0] for samples in series), default=0.0)
        """The time of the newest sample; 0 without any."""

    def around(self, when: float) -> tuple[float, float]:
        """The times of the newest sample up to a moment and of the oldest one after it; infinity
        away where there is none."""
        found = self._known.get(when)
        if found is None:
            before, after = -inf, inf
            for samples in self._series:
                k = bisect_right(samples, when, key=_time)
                if k:
                    before = max(before, samples[k - 1][0])
                if k < len(samples):
                    after = min(after, samples[k][0])
            found = self._known[when] = (before, after)
        return found
