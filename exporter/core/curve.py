"""A cumulative count over time: exact at the head, in few points further back.

Theory of operation
-------------------
The curve is a polyline: points (time, count so far), a straight line between two of them, flat
before the first and after the last. Events between two samples are taken to be spread evenly
between them, so fresh points are exact, and `between(a, b)` is the difference of two readings.

Old points are thinned (`thinning`): a point may go when the line between the neighbours that stay
is wrong there by no more than a tolerance. The tolerance is relative to what came *after* the
point, as the buckets of an exponential histogram are (Datar, Gionis, Indyk, Motwani, 2002): a
window whose left edge lies at x holds all that came after x, so an error of at most
`eps * after(x)` at x is a relative error of at most eps in the window. `after` only grows, so a
bound that held when a point went holds for good, at every moment, for every window length.

Each segment carries a bound of its own error. A later merge adds it to the new one, and leaves
alone what would exceed the tolerance.

The newest points are plain doubles (the head); older ones are sealed in blocks of packed columns.
The head's first point is the last one of the last block. What is kept depends only on what was
added, never on when somebody looked: two that were told the same know the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from math import inf

from exporter.core.blocks import Blocks, check_points, column
from exporter.core.edge import Edge
from exporter.core.packed import Points
from exporter.core.thinning import EXACT, Tolerance, thinned
from exporter.core.weave import weave

HEAD = 64
"""The head is sealed down to half of this when it is full."""
_GROWTH = 3.0
"""A block is thinned again once so many times as much came after it."""
_OLD = 4.0
"""So many times the tolerance holds for points that are older than the reach."""
# Counts up to 2**53 are exact as doubles; the slopes of equal ramps still differ in the last bits.
_COLLINEAR = 1e-9
# Blocks keep milliseconds: points closer together than this could fall onto each other.
_FINEST = 0.002


class Curve:
    """One cumulative count; times are unix seconds, amounts any non-negative number.

    `ramp`: the usual time from one sample to the next. `grain`: changes closer together than this
    many seconds share a point. `max_points`: past it the tolerance gives way, so that memory is
    bounded whatever comes. `horizon`: readings further back than this from the newest point are
    not asked for; those further back than `reach` may be wrong by a few times the tolerance.
    `phase`: how many points earlier the head is sealed for the first time, so that many curves do
    not do so at once.
    """

    __slots__ = (
        "_edges", "_full", "blocks", "counts", "grain", "horizon",
        "max_points", "reach", "seals", "times", "tolerance", "total",
    )  # fmt: skip

    def __init__(
        self,
        tolerance: Tolerance = EXACT,
        *,
        ramp: float = 10.0,
        grain: float = 0.0,
        max_points: int = 8192,
        horizon: float = inf,
        reach: float = inf,
        phase: int = 0,
    ) -> None:
        self.tolerance = tolerance
        self.grain = max(grain, _FINEST)
        self.max_points = max_points
        self.horizon = horizon
        self.reach = reach
        self.total = 0.0
        """All that was ever added; forgetting old points does not lessen it."""
        self.seals = 0
        """How often points went from the head into blocks; until then only the head changes."""
        self.times = array("d")
        self.counts = array("d")
        self._full = HEAD - phase % (HEAD // 2)
        self.blocks = Blocks(ramp)
        self._edges: list[Edge] = []

    # --- reading --------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self.blocks.size + len(self.times)

    @property
    def last(self) -> float:
        """The time of the newest point; minus infinity while there is none."""
        return self.times[-1] if self.times else -inf

    @property
    def first(self) -> float:
        """The time of the oldest point still known; plus infinity while there is none."""
        if self.blocks:
            return self.blocks.first[0]
        return self.times[0] if self.times else inf

    @property
    def nbytes(self) -> int:
        """Memory of the points, in bytes, with what Python adds to each block."""
        return self.blocks.nbytes + 16 * len(self.times)

    def at(self, when: float) -> float:
        """The count at a moment."""
        return self.total if when >= self.last else Edge(self).at(when)

    def polyline(self, since: float) -> tuple[Sequence[float], Sequence[float]]:
        """Times and counts of the points that readings from `since` on need."""
        if not self.blocks or since >= self.times[0]:
            return self.times, self.counts
        first = max(0, self.blocks.index(since))
        times, counts = self.blocks.polyline(first)
        return [*times, *self.times], [*counts, *self.counts]

    def between(self, start: float, end: float) -> float:
        """What was added from `start` to `end`."""
        return self.at(end) - self.at(start)

    def edge(self) -> Edge:
        """A reading that is asked for again and again, a little later each time."""
        edge = Edge(self)
        self._edges.append(edge)
        return edge

    def unwatch(self) -> None:
        """Nobody asks the edges that were given out any more."""
        self._edges.clear()

    # --- writing --------------------------------------------------------------------------------

    def add(self, start: float, end: float, amount: float) -> None:
        """Spread `amount` evenly over the time from `start` to `end`, in any order of time."""
        if amount == 0.0:
            return
        start = min(start, end - _FINEST)
        if not self.times or start >= self.times[-1]:
            self._append(start, end, amount)
        elif start >= self.times[0] or not self.blocks:
            self._spoil(start)
            self.total += amount
            weave(self.times, self.counts, None, (start, end, amount), self.grain)
            self.counts[-1] = self.total
        else:
            # Rare: a target comes back after longer than the head reaches.
            self._weave_into_blocks(start, end, amount)
        if len(self.times) >= self._full:
            self._full = HEAD
            self._seal()

    def _append(self, start: float, end: float, amount: float) -> None:
        times, counts = self.times, self.counts
        if not times or start > times[-1] + self.grain:
            times.append(start)
            counts.append(self.total)
        elif len(times) > 1:
            before, low = times[-2], counts[-2]
            expected = (self.total - low) / (times[-1] - before) * (end - times[-1])
            # The same slope goes on, or the last segment is still shorter than the grain.
            if abs(amount - expected) <= _COLLINEAR * amount or end - before <= self.grain:
                self._spoil(before)
                times[-1] = end
                counts[-1] = self.total = self.total + amount
                return
        self.total += amount
        times.append(end)
        counts.append(self.total)

    def _weave_into_blocks(self, start: float, end: float, amount: float) -> None:
        self._spoil(-inf)
        low = max(0, self.blocks.index(start))
        points = self.blocks.points(low, len(self.blocks), self._joint)
        points.times.extend(self.times[1:])
        points.counts.extend(self.counts[1:])
        points.errors.extend([0.0] * (len(self.times) - 1))
        self.total += amount
        weave(*points, (start, end, amount), self.grain)
        points.counts[-1] = self.total
        head = max(0, len(points.times) - HEAD // 2)
        # Only exact segments may stand in the head, which keeps no errors.
        while head < len(points.times) - 1 and max(points.errors[head + 1 :]) > 0.0:
            head += 1
        old = Points(*(values[: head + 1] for values in points))
        self.blocks.replace(low, len(self.blocks), old, 0.0)
        self.times, self.counts = (array("d", values[head:]) for values in points[:2])
        if self.blocks:  # Where points are few, all of them are in the head again.
            self._thin()

    # --- blocks ---------------------------------------------------------------------------------

    @property
    def _joint(self) -> tuple[float, float]:
        """Where the blocks end and the head begins."""
        return self.times[0], self.counts[0]

    def _seal(self) -> None:
        """Move the older half of the head into a block, and thin what is worth it."""
        self.seals += 1
        n = HEAD // 2
        self.blocks.push(
            Points(self.times[: n + 1].tolist(), self.counts[: n + 1].tolist(), [0.0] * (n + 1))
        )
        del self.times[:n]
        del self.counts[:n]
        for edge in self._edges:
            if edge.block < 0 and edge.start < self.times[0]:
                edge.spoil()
        self._drop(self.times[-1] - self.horizon)
        self._thin()
        while self.blocks.size > self.max_points:
            self._squeeze()

    def _drop(self, before: float) -> None:
        """Forget points that only readings before a moment need; counts stay as they are."""
        done = self.blocks.index(before)
        if done > 0:
            self.blocks.drop(0, done)
            for edge in self._edges:
                edge.moved(0, done, 0)

    def _thin(self) -> None:
        """Thin the blocks behind which much has come since they were thinned last."""
        tolerance, blocks = self.tolerance, self.blocks
        eps, loose, floor = tolerance.eps, max(tolerance.loose, tolerance.eps), 0.0
        if tolerance.steady:
            time, count = blocks.first
            floor = eps * tolerance.steady * (self.total - count) / (self.times[-1] - time)
        for low, high in blocks.due(self.counts[0], self.total, _GROWTH):
            old = max(low, min(high, blocks.index(self.times[-1] - self.reach)))
            for start, end, times in ((old, high, 1.0), (low, old, _OLD)):
                if start < end:
                    self._rethin(start, end, times * eps, max(loose, times * eps), times * floor)

    def _rethin(self, low: int, high: int, eps: float, loose: float, floor: float) -> None:
        points = self.blocks.points(low, high, self._joint)
        points = thinned(points, self.total, eps, loose, floor)
        parts = self.blocks.replace(low, high, points, self.total)
        for edge in self._edges:
            edge.moved(low, high, parts)

    def _squeeze(self) -> None:
        """Memory before accuracy: thin everything until it fits."""
        eps = max(self.tolerance.eps, 5e-5)
        points = self.blocks.points(0, len(self.blocks), self._joint)
        while len(points.times) > self.max_points * 3 // 4:
            eps *= 2
            points = thinned(points, self.total, eps, eps, 0.0)
        self.blocks.replace(0, len(self.blocks), points, self.total)
        self._spoil(-inf)

    def shift(self, seconds: float) -> None:
        """Move every point in time, after the clock that dated them was set."""
        self.times = array("d", (t + seconds for t in self.times))
        self.blocks.shift(seconds)
        self._spoil(-inf)

    def _spoil(self, since: float) -> None:
        """Readings after a moment are not what they were."""
        for edge in self._edges:
            if edge.end > since:
                edge.spoil()

    # --- keeping --------------------------------------------------------------------------------

    def dump(self) -> tuple[object, ...]:
        """All there is, as plain values and bytes."""
        return (self.total, self.times.tobytes(), self.counts.tobytes(), *self.blocks.dump())

    def load(self, dumped: tuple[object, ...]) -> None:
        """Take back what `dump` gave; `ValueError` when it is not that."""
        total, times, counts, *blocks = dumped
        if len(blocks) == 3:
            blocks = _first_format(*blocks)
        if not isinstance(total, float) or len(blocks) != 5:
            raise ValueError("not a curve")
        self.total = total
        self.times, self.counts = column("d", times), column("d", counts)
        check_points(self.times, self.counts)
        check_points((0.0,), (total,))
        self.blocks.load(*blocks)
        if self.blocks:
            self._full = HEAD
        self._spoil(-inf)


def _first_format(starts: object, bases: object, packed: object) -> list[object]:
    """Blocks as they were kept before they knew when they were thinned."""
    if not isinstance(packed, list) or not all(isinstance(block, bytes) for block in packed):
        raise ValueError("the blocks of a curve are not bytes")
    ends = array("I", accumulate(map(len, packed)))
    return [starts, bases, bytes(4 * len(packed)), ends.tobytes(), b"".join(packed)]
