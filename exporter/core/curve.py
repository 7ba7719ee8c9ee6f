"""A cumulative count over time: exact at the head, in few points further back.

Theory of operation
-------------------
The curve is a polyline: points (time, count so far), a straight line between two of them, flat
before the first and after the last. Events between two samples are taken to be spread evenly
between them, so fresh points are exact, and `between(a, b)` is the difference of two readings.

Old points are thinned by the swinging door (Bristol, 1987): a point may go when the line between
the neighbours that stay is wrong there by no more than a tolerance. The tolerance is relative to
what came *after* the point, as the buckets of an exponential histogram are (Datar, Gionis, Indyk,
Motwani, 2002): a window whose left edge lies at x holds all that came after x, so an error of at
most `eps * after(x)` at x is a relative error of at most eps in the window. `after` only grows,
so a bound that held when a point went holds for good, at every moment, for every window length.

Each segment carries a bound of its own error. A later merge adds it to the new one, and leaves
alone what would exceed the tolerance.

The newest points are plain doubles (the head); older ones are sealed in blocks of packed columns.
The head's first point is the last one of the last block.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from math import inf
from typing import NamedTuple

from exporter.core.packed import Points, pack, records, unpack

HEAD = 64
"""The head is sealed down to half of this when it is full."""
_BLOCK = 128
_SLACK = 160
"""How many points may gather before the curve is thinned again."""
# Counts up to 2**53 are exact as doubles; the slopes of equal ramps still differ in the last bits.
_COLLINEAR = 1e-9
# Blocks keep milliseconds: points closer together than this could fall onto each other.
_FINEST = 0.002


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How wrong a reading may be, as a share of all that came after it.

    `eps` holds always. With `steady`, up to `eps` of what so many seconds bring on average is
    tolerated too, while it stays under `loose` of what came after: enough for a denominator, which
    matters to the long period as a whole, and to short windows only roughly.
    """

    eps: float
    loose: float = 0.0
    steady: float = 0.0


EXACT = Tolerance(0.0)


class Segment(NamedTuple):
    """A straight piece of the curve: from `start` (included) to `end` (not included)."""

    start: float
    end: float
    level: float
    slope: float

    def at(self, when: float) -> float:
        """The count at a moment inside; a flat piece may begin or end at infinity."""
        return self.level + self.slope * (when - self.start) if self.slope else self.level


class Curve:
    """One cumulative count; times are unix seconds, amounts any non-negative number.

    `ramp`: the usual time from one sample to the next. `grain`: changes closer together than this
    many seconds share a point. `max_points`: past it the tolerance gives way, so that memory is
    bounded whatever comes.
    """

    __slots__ = (
        "_bases", "_blocks", "_count", "_limit", "_size", "_starts", "_time",
        "grain", "max_points", "ramp", "tolerance", "total", "version",
    )  # fmt: skip

    def __init__(
        self,
        tolerance: Tolerance = EXACT,
        *,
        ramp: float = 10.0,
        grain: float = 0.0,
        max_points: int = 8192,
    ) -> None:
        self.tolerance = tolerance
        self.ramp = ramp
        self.grain = max(grain, _FINEST)
        self.max_points = max_points
        self.total = 0.0
        """All that was ever added; forgetting old points does not lessen it."""
        self.version = 0
        """Changes whenever a segment that was handed out may be wrong from now on."""
        self._time = array("d")
        self._count = array("d")
        self._starts = array(
            "d"
        )  # of each block: its first point, which is the previous one's last
        self._bases = array("d")
        self._blocks: list[bytes] = []
        self._size = 0  # points in blocks
        self._limit = _SLACK

    # --- reading --------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._size + len(self._time)

    @property
    def last(self) -> float:
        """The time of the newest point; minus infinity while there is none."""
        return self._time[-1] if self._time else -inf

    @property
    def first(self) -> float:
        """The time of the oldest point still known; plus infinity while there is none."""
        if self._starts:
            return self._starts[0]
        return self._time[0] if self._time else inf

    @property
    def nbytes(self) -> int:
        """Memory of the points, in bytes, with what Python adds to each block."""
        packed = sum(len(b) + 33 + 8 + 16 for b in self._blocks)
        return packed + 16 * len(self._time)

    def at(self, when: float) -> float:
        """The count at a moment."""
        if not self._time or when >= self._time[-1]:
            return self.total
        return self.segment(when).at(when)

    def between(self, start: float, end: float) -> float:
        """What was added from `start` to `end`."""
        return self.at(end) - self.at(start)

    def segment(self, when: float) -> Segment:
        """The straight piece that a moment lies in."""
        times: array[float] | list[float] = self._time
        counts: array[float] | list[float] = self._count
        if not times or when >= times[-1]:
            return Segment(self.last, inf, self.total, 0.0)
        if when < times[0]:
            block = bisect_right(self._starts, when) - 1
            if block < 0:
                oldest = self._bases[0] if self._bases else self._count[0]
                return Segment(-inf, self.first, oldest, 0.0)
            start, base = self._starts[block], self._bases[block]
            times, counts, _ = unpack(start, base, self._blocks[block], self.ramp)
            # Rounding may have moved the block's end before `when`, by a few milliseconds.
            i = min(bisect_right(times, when), len(times) - 1)
            if i == 0:
                return _segment(start, base, times[0], counts[0])
        else:
            i = bisect_right(times, when)
        return _segment(times[i - 1], counts[i - 1], times[i], counts[i])

    # --- writing --------------------------------------------------------------------------------

    def add(self, start: float, end: float, amount: float) -> None:
        """Spread `amount` evenly over the time from `start` to `end`, in any order of time."""
        if amount == 0.0:
            return
        start = min(start, end - _FINEST)
        if start < self.last:
            self._weave(start, end, amount)
        else:
            self._append(start, end, amount)
        if len(self._time) >= HEAD:
            self._seal()
            if self._size > self._limit:
                self.thin()

    def _append(self, start: float, end: float, amount: float) -> None:
        times, counts = self._time, self._count
        if not times or start > times[-1] + self.grain:
            times.append(start)
            counts.append(self.total)
        elif len(times) > 1:
            before, low = times[-2], counts[-2]
            expected = (self.total - low) / (times[-1] - before) * (end - times[-1])
            # The same slope goes on, or the last segment is still shorter than the grain.
            if abs(amount - expected) <= _COLLINEAR * amount or end - before <= self.grain:
                times[-1] = end
                counts[-1] = self.total = self.total + amount
                self.version += 1
                return
        self.total += amount
        times.append(end)
        counts.append(self.total)

    def _weave(self, start: float, end: float, amount: float) -> None:
        """Add among the points there are: targets take turns, a straggler comes late."""
        if start < self._time[0] and self._blocks:
            # Rare: a target comes back after longer than the head reaches.
            points = self._unseal()
        else:
            points = Points(list(self._time), list(self._count), [0.0] * len(self._time))
        self._ensure(points, start)
        self._ensure(points, end)
        times, counts, _ = points
        first = bisect_right(times, start)
        after = bisect_left(times, end, first)
        per_second = amount / (end - start)
        for i in range(first, after):
            counts[i] += per_second * (times[i] - start)
        for i in range(after, len(counts)):
            counts[i] += amount
        # An end within a grain of the last point has none of its own; the total is exact even so.
        self.total += amount
        counts[-1] = self.total
        self.version += 1
        if self._size:
            self._time, self._count = array("d", times), array("d", counts)
        else:
            self._store(points)

    def _ensure(self, points: Points, when: float) -> None:
        """Have a point at a moment, unless one stands within a grain of it."""
        times, counts, errors = points
        i = bisect_left(times, when)
        if i < len(times) and times[i] - when <= self.grain:
            return
        if i > 0 and when - times[i - 1] <= self.grain:
            if i == len(times) > 1 and when - times[i - 2] <= self.grain:
                times[-1] = when
            return
        if i == 0:
            count = counts[0]
        elif i == len(times):
            count = counts[-1]
        else:
            count = _segment(times[i - 1], counts[i - 1], times[i], counts[i]).at(when)
        times.insert(i, when)
        counts.insert(i, count)
        errors.insert(i, errors[i] if 0 < i < len(errors) else 0.0)

    # --- blocks ---------------------------------------------------------------------------------

    def _seal(self) -> None:
        """Move the older half of the head into a block."""
        n = HEAD // 2
        points = Points(list(self._time[1 : n + 1]), list(self._count[1 : n + 1]), [0.0] * n)
        self._push_block(self._time[0], self._count[0], points)
        del self._time[:n]
        del self._count[:n]

    def _push_block(self, start: float, base: float, points: Points) -> None:
        self._starts.append(start)
        self._bases.append(base)
        block = pack(start, base, points, self.ramp)
        self._blocks.append(block)
        self._size += records(block)

    def _unseal(self) -> Points:
        """Every point, oldest first; the blocks are empty afterwards."""
        times, counts, errors = [self.first], [self.at(self.first)], [0.0]
        for start, base, block in zip(self._starts, self._bases, self._blocks, strict=True):
            some = unpack(start, base, block, self.ramp)
            times += some.times
            counts += some.counts
            errors += some.errors
        times += self._time[1:]
        counts += self._count[1:]
        errors += [0.0] * (len(self._time) - 1)
        self._starts, self._bases, self._blocks, self._size = array("d"), array("d"), [], 0
        return Points(times, counts, errors)

    def _store(self, points: Points) -> None:
        """Take points as the whole curve: the newest as the head, the others in blocks."""
        times, counts, errors = points
        head = max(0, len(times) - HEAD // 2)
        # Only exact segments may stand in the head, which keeps no errors.
        while head < len(times) - 1 and max(errors[head + 1 :]) > 0.0:
            head += 1
        for low in range(0, head, _BLOCK):
            some = slice(low + 1, min(low + _BLOCK, head) + 1)
            block = Points(times[some], counts[some], errors[some])
            self._push_block(times[low], counts[low], block)
        self._time, self._count = array("d", times[head:]), array("d", counts[head:])
        self.version += 1

    # --- forgetting -----------------------------------------------------------------------------

    def drop_before(self, when: float) -> None:
        """Forget points that only readings before `when` need; counts stay as they are."""
        done = bisect_right(self._starts, when) - 1
        if done > 0:
            self._size -= sum(records(b) for b in self._blocks[:done])
            del self._starts[:done]
            del self._bases[:done]
            del self._blocks[:done]

    def shift(self, seconds: float) -> None:
        """Move every point in time, after the clock that dated them was set."""
        self._time = array("d", (t + seconds for t in self._time))
        self._starts = array("d", (t + seconds for t in self._starts))
        self.version += 1

    def thin(self) -> None:
        """Drop the points that the tolerance allows; past `max_points` the tolerance gives way."""
        if not self._blocks:
            return
        eps = self.tolerance.eps
        points = _thinned(self._unseal(), self.tolerance, eps)
        while len(points.times) > self.max_points:
            eps = max(eps * 2, 1e-4)
            points = _thinned(points, self.tolerance, eps)
        self._store(points)
        self._limit = self._size + _SLACK

    # --- keeping --------------------------------------------------------------------------------

    def dump(self) -> tuple[object, ...]:
        """All there is, as plain values and bytes."""
        arrays = (self._time, self._count, self._starts, self._bases)
        return (self.total, *(a.tobytes() for a in arrays), list(self._blocks))

    def load(self, dumped: tuple[object, ...]) -> None:
        """Take back what `dump` gave; `ValueError` when it is not that."""
        total, *columns, blocks = dumped
        arrays = [array("d") for _ in range(4)]
        for column, raw in zip(arrays, columns, strict=True):
            if not isinstance(raw, bytes):
                raise ValueError("a column of a curve is not bytes")
            column.frombytes(raw)
        if not (isinstance(total, float) and isinstance(blocks, list)):
            raise ValueError("not a curve")
        self.total = total
        self._time, self._count, self._starts, self._bases = arrays
        self._blocks = [bytes(b) for b in blocks]
        if not len(self._blocks) == len(self._starts) == len(self._bases):
            raise ValueError("the blocks of a curve differ in number")
        self._size = sum(records(b) for b in self._blocks)
        self._limit = self._size + _SLACK
        self.version += 1


def _segment(start: float, low: float, end: float, high: float) -> Segment:
    return Segment(start, end, low, (high - low) / (end - start))


def _thinned(points: Points, tolerance: Tolerance, eps: float) -> Points:
    """The swinging door over all points; the first and the last one stay."""
    times, counts, errors = points
    newest = counts[-1]
    loose = max(tolerance.loose, eps)
    floor = eps * tolerance.steady * (newest - counts[0]) / (times[-1] - times[0])
    out = Points([times[0]], [counts[0]], [0.0])
    anchor, last = 0, len(times) - 1
    while anchor < last:
        # How far can one straight line reach from the anchor?
        from_time, from_count = times[anchor], counts[anchor]
        lowest, highest = -inf, inf
        end = anchor + 1
        for i in range(anchor + 1, last):
            after = newest - counts[i]
            allowed = max(eps * after, min(loose * after, floor))
            slack = allowed - max(errors[i], errors[i + 1])
            if slack < 0.0:
                break
            span, rise = times[i] - from_time, counts[i] - from_count
            lowest = max(lowest, (rise - slack) / span)
            highest = min(highest, (rise + slack) / span)
            if lowest > highest:
                break
            slope = (counts[i + 1] - from_count) / (times[i + 1] - from_time)
            if lowest <= slope <= highest:
                end = i + 1
        slope = (counts[end] - from_count) / (times[end] - from_time)
        inside = range(anchor + 1, end)
        off = [abs(from_count + slope * (times[k] - from_time) - counts[k]) for k in inside]
        out.times.append(times[end])
        out.counts.append(counts[end])
        out.errors.append(max(off, default=0.0) + max(errors[anchor + 1 : end + 1]))
        anchor = end
    return out
