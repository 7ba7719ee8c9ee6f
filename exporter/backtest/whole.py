"""A ledger that keeps every point, for as long as one SLO is replayed; several may judge by it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from sys import maxsize

from exporter.core.curve import Curve
from exporter.core.edge import Edge
from exporter.core.ledger import Ledger
from exporter.core.weave import line

_NEARBY = 64


class Whole(Ledger):
    """Exact as far back as it goes: at least 32 bytes for each sample."""

    __slots__ = ()

    _bad: Kept
    _total: Kept

    def __init__(self) -> None:
        super().__init__(0.0, 0.0)
        self._bad, self._total, self._covered = Kept(), Kept(), Kept()

    def unwatch(self) -> None:
        """Others ask by the same names."""

    def moments(self, start: float, end: float) -> Sequence[float]:
        """When events ended between two moments."""
        times = self._total.times
        return times[bisect_right(times, start) : bisect_left(times, end)]

    def readings(self, moments: Sequence[float]) -> Sequence[tuple[float, float]]:
        """As `Ledger.readings`; half a million points are read on from the last one."""
        return list(zip(self._bad.readings(moments), self._total.readings(moments), strict=True))

    @property
    def total(self) -> float:
        """Every event so far."""
        return self._total.total

    def extend(
        self, start: float, ends: Sequence[float], bad: Sequence[float], total: Sequence[float]
    ) -> None:
        """Events end to end, the first from `start` on, where all so far ended; `bad` and `total`
        are the ledger's counts after each."""
        self._bad.extend(start, ends, bad)
        self._total.extend(start, ends, total)


class Kept(Curve):
    """A curve whose points all stay in its head."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__()
        self._full = maxsize

    def edge(self) -> Edge:
        """As `Curve.edge`."""
        edge = _Near(self)
        self._edges.append(edge)
        return edge

    def _append(self, start: float, end: float, amount: float) -> None:
        if start > self.last:
            self.times.append(start)
            self.counts.append(self.total)
        self.total += amount
        self.times.append(end)
        self.counts.append(self.total)

    def extend(self, start: float, ends: Sequence[float], counts: Sequence[float]) -> None:
        """Straight on from `start` to these points."""
        if start > self.last:
            self.times.append(start)
            self.counts.append(self.total)
        self.times.extend(ends)
        self.counts.extend(counts)
        self.total = counts[-1]

    def readings(self, moments: Sequence[float]) -> Iterator[float]:
        """`at` each of many moments, in ascending order."""
        times, counts = self.times, self.counts
        size, i = len(times), 0
        for when in moments:
            i = bisect_right(times, when, i)
            if 0 < i < size:
                begin, low = times[i - 1], counts[i - 1]
                slope = (counts[i] - low) / (times[i] - begin)
                yield low + slope * (when - begin)
            else:
                yield self.total if i else counts[0] if size else 0.0


class _Near(Edge):
    """Looks for its next piece where the last one was: half a million points are a long way."""

    __slots__ = ("_low",)

    def __init__(self, curve: Kept) -> None:
        super().__init__(curve)
        self._low = 0

    def seek(self, when: float) -> None:
        """As `Edge.seek`."""
        times, counts = self._curve.times, self._curve.counts
        if not times or not times[0] <= when < times[-1]:
            super().seek(when)
            return
        # Points are put in, never taken away: what was before a moment stays there.
        low = self._low if times[self._low] <= when else 0
        high = min(low + _NEARBY, len(times))
        i = bisect_right(times, when, low, high)
        if i == high:
            i = bisect_right(times, when, high)
        self._low = i - 1
        self.start, self.end, self.level, self.slope = line(
            times[i - 1], counts[i - 1], times[i], counts[i]
        )
