"""When a series that is read off a ledger has samples: as if it were scraped as often as the SLO's
source is polled, at whole multiples of that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from itertools import repeat
from math import ceil, floor

LONGEST_STEP = 60.0
"""However rarely a source is polled: a lookback of five minutes always finds a sample."""
MOST = 11_000
"""Samples of one series for one selector; where there would be more, every n-th is taken."""


class Ticks:
    """The newest multiples of steps at some moments, found once for all series of a query."""

    def __init__(self, now: float) -> None:
        self.now = now
        self.size = 0
        """Numbers that are kept."""
        self._known: dict[tuple[float, int], tuple[Sequence[float], list[float]]] = {}

    def at(self, step: float, moments: Sequence[float]) -> list[float]:
        """Ascending; from now on, now."""
        # The moments are kept beside what was found, so that their id is not another's.
        known = self._known.get((step, id(moments)))
        if known is None:
            now = self.now
            found = [now if when >= now else floor(when / step) * step for when in moments]
            known = self._known[step, id(moments)] = (moments, found)
            self.size += len(found)
        return known[1]


class Grid:
    """`step`: seconds between samples. There are none before `first` nor after now."""

    def __init__(self, step: float, first: float, ticks: Ticks) -> None:
        self.step = min(max(step, 1.0), LONGEST_STEP)
        self._first = first
        self._ticks = ticks

    def at(self, moments: Sequence[float], lookback: float) -> Sequence[float | None]:
        """The time of the newest sample at each moment, if it is not too old by then; from now on
        that is now."""
        times = self._ticks.at(self.step, moments)
        # Nothing is known at the beginning; and at the end, what is newest is too old at last.
        early = bisect_left(times, self._first)
        late = len(times)
        while late > early and moments[late - 1] - times[late - 1] >= lookback:
            late -= 1
        if early == 0 and late == len(times):
            return times
        return [*repeat(None, early), *times[early:late], *repeat(None, len(times) - late)]

    def within(self, moments: Sequence[float], length: float) -> list[float]:
        """The times of all samples in (moment - length, moment] of each moment, ascending."""
        step = self.step
        spans = _union(moments, length, self._first, self._ticks.now)
        many = sum(int((end - start) / step) + 1 for start, end in spans)
        step *= ceil(many / MOST) if many > MOST else 1
        return [
            k * step
            for start, end in spans
            for k in range(floor(start / step) + 1, floor(end / step) + 1)
        ]


def _union(
    moments: Sequence[float], length: float, first: float, last: float
) -> list[tuple[float, float]]:
    """Where the stretches of a length before each moment are, in so far as something is known."""
    # A sample at the very first moment belongs to what is known.
    low, out = first - 1e-6, list[tuple[float, float]]()
    for when in moments:
        start, end = max(when - length, low), min(when, last)
        if end <= start:
            continue
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return out
