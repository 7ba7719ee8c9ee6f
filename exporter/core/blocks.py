"""The older points of a curve: packed blocks, oldest first, each ending where the next one begins.

A block remembers how much had come after it when it was thinned last. That only grows, and with it
the tolerance; so a block is worth thinning again when it has grown by a good part, which makes the
work for each point logarithmic in its age.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from operator import gt
from typing import Any

from exporter.core.amounts import MOST_TOTAL, is_time
from exporter.core.packed import Place, Points, locate, pack, piece, polyline, records, unpack, walk

BLOCK = 256
"""The most points of a block."""
_SMALL = 96
"""A block of fewer records joins its neighbour; one full of jumps has half of its points."""
_OVERHEAD = 8 + 8 + 4 + 4  # a block's place in the columns


class Blocks:
    """One buffer with all blocks, and columns that say where each begins."""

    __slots__ = ("_after", "_bases", "_ends", "_packed", "_ramp", "_starts", "size")

    def __init__(self, ramp: float) -> None:
        self.size = 0
        """Points in all blocks."""
        self._ramp = ramp
        self._starts = array("d")
        self._bases = array("d")
        self._after = array("f")
        self._ends = array("I")  # of each block's bytes in the buffer
        self._packed = b""

    def __len__(self) -> int:
        return len(self._ends)

    def _block(self, k: int) -> bytes:
        return self._packed[self._ends[k - 1] if k else 0 : self._ends[k]]

    @property
    def first(self) -> tuple[float, float]:
        """Time and count of the oldest point."""
        return self._starts[0], self._bases[0]

    @property
    def nbytes(self) -> int:
        """Memory, in bytes."""
        return len(self._packed) + _OVERHEAD * len(self)

    # --- reading --------------------------------------------------------------------------------

    def index(self, when: float) -> int:
        """The block that a moment lies in; -1 before the first one."""
        return bisect_right(self._starts, when) - 1

    def locate(self, k: int, when: float) -> Place:
        """The record of a block that a moment lies in."""
        return locate(self._block(k), when - self._starts[k])

    def walk(self, k: int, place: Place, when: float) -> Place | None:
        """The same, found by a few steps from an earlier place; None where that is too far."""
        return walk(self._block(k), place, when - self._starts[k])

    def piece(
        self, k: int, place: Place, when: float, end: tuple[float, float]
    ) -> tuple[float, float, float, float]:
        """The straight piece at a place that a moment lies in: see `packed.piece`."""
        first = self._starts[k], self._bases[k]
        if k + 1 < len(self):
            end = self._starts[k + 1], self._bases[k + 1]
        return piece(self._block(k), first, place, self._ramp, when, end)

    def polyline(self, low: int) -> tuple[list[float], list[float]]:
        """Times and counts of all points from a block on, without the one where the last ends."""
        times, counts = [], []
        for k in range(low, len(self)):
            some = polyline(self._starts[k], self._bases[k], self._block(k), self._ramp)
            # The last point of a block is the first of the next, which is known exactly.
            times += [self._starts[k], *some[0][:-1]]
            counts += [self._bases[k], *some[1][:-1]]
        return times, counts

    # --- writing --------------------------------------------------------------------------------

    def push(self, points: Points) -> None:
        """One more block at the end; its first point is the last one of the block before."""
        self._insert(len(self), points, 0.0)

    def points(self, low: int, high: int, end: tuple[float, float]) -> Points:
        """All points of the blocks from `low` (included) to `high` (not included).

        `end`: time and count where the last block of all ends.
        """
        out = Points([self._starts[low]], [self._bases[low]], [0.0])
        for k in range(low, high):
            some = unpack(self._starts[k], self._bases[k], self._block(k), self._ramp)
            out.times.extend(some.times)
            out.counts.extend(some.counts)
            out.errors.extend(some.errors)
            # Known exactly: packing rounds the last point of a block like all others.
            if k + 1 < len(self):
                out.times[-1], out.counts[-1] = self._starts[k + 1], self._bases[k + 1]
            else:
                out.times[-1], out.counts[-1] = end
        return out

    def replace(self, low: int, high: int, points: Points, total: float) -> int:
        """Other points in place of those blocks, thinned for a count of `total` now; returns how
        many blocks they make."""
        self.drop(low, high)
        times, counts, errors = points
        n = len(times) - 1
        parts = -(-n // BLOCK)
        for part in range(parts):
            some = slice(part * n // parts, (part + 1) * n // parts + 1)
            block = Points(times[some], counts[some], errors[some])
            self._insert(low + part, block, total - block.counts[-1])
        return parts

    def drop(self, low: int, high: int) -> None:
        """Forget those blocks."""
        self.size -= sum(records(self._block(k)) for k in range(low, high))
        self._splice(low, high, [])
        for column in (self._starts, self._bases, self._after):
            del column[low:high]

    def shift(self, seconds: float) -> None:
        """Move every point in time."""
        self._starts = array("d", (t + seconds for t in self._starts))

    def due(self, end: float, total: float, growth: float) -> list[tuple[int, int]]:
        """Runs of blocks that are worth thinning, newest first.

        `end`: the count where the last block ends. `total`: the count now.
        """
        out: list[tuple[int, int]] = []
        high = None
        for k in range(len(self) - 1, -1, -1):
            after = total - (self._bases[k + 1] if k + 1 < len(self) else end)
            # What has become small joins the next one that is thinned.
            small = high is not None and records(self._block(k)) < _SMALL
            if after > growth * self._after[k] or small:
                high = high or k + 1
            elif high is not None:
                out.append((k + 1, high))
                high = None
        if high is not None:
            out.append((0, high))
        return out

    def _insert(self, k: int, points: Points, after: float) -> None:
        start, base = points.times[0], points.counts[0]
        rest = Points(points.times[1:], points.counts[1:], points.errors[1:])
        block = pack(start, base, rest, self._ramp)
        self._starts.insert(k, start)
        self._bases.insert(k, base)
        self._after.insert(k, after)
        self._splice(k, k, [block])
        self.size += records(block)

    def _splice(self, low: int, high: int, blocks: Sequence[bytes]) -> None:
        """Other blocks in place of those."""
        begin = self._ends[low - 1] if low else 0
        end = self._ends[high - 1] if high else 0
        new = b"".join(blocks)
        self._packed = self._packed[:begin] + new + self._packed[end:]
        ends = list(accumulate(map(len, blocks), initial=begin))[1:]
        grown = begin + len(new) - end
        self._ends = (
            self._ends[:low]
            + array("I", ends)
            + array("I", (at + grown for at in self._ends[high:]))
        )

    # --- keeping --------------------------------------------------------------------------------

    def dump(self) -> tuple[object, ...]:
        """All there is, as bytes."""
        columns = (self._starts, self._bases, self._after, self._ends)
        return (*(column.tobytes() for column in columns), self._packed)

    def load(
        self, starts: object, bases: object, after: object, ends: object, packed: object
    ) -> None:
        """Take back what `dump` gave; `ValueError` when it is not that."""
        if not isinstance(packed, bytes):
            raise ValueError("the blocks of a curve are not bytes")
        self._starts, self._bases = column("d", starts), column("d", bases)
        self._after, self._ends = column("f", after), column("I", ends)
        if len(self._ends) != len(self._starts):
            raise ValueError("the blocks of a curve differ in number")
        if list(self._ends) != sorted(self._ends) or (self._ends or [0])[-1] != len(packed):
            raise ValueError("the blocks of a curve do not end where they should")
        check_points(self._starts, self._bases)
        check_points(self._starts, self._after)
        self._packed = packed
        self.size = sum(records(self._block(k)) for k in range(len(self)))


def check_points(times: Sequence[float], counts: Sequence[float]) -> None:
    """Check columns of a curve; `ValueError` unless they are of one length, the times ascend and
    all counts can be ones.

    One that is not finite would be in every number that is computed from the curve.
    """
    if len(times) != len(counts):
        raise ValueError("the columns of a curve differ in length")
    if not all(map(is_time, times)) or any(map(gt, times, times[1:])):
        raise ValueError("the times of a curve do not ascend")
    if not all(-MOST_TOTAL <= count <= MOST_TOTAL for count in counts):
        raise ValueError("a count of a curve is none")


def column(kind: str, raw: object) -> array[Any]:
    """Numbers from bytes; `ValueError` when they are not."""
    if not isinstance(raw, bytes):
        raise ValueError("a column of a curve is not bytes")
    out = array(kind)
    out.frombytes(raw)
    return out
