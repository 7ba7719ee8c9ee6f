"""A reading of a curve at a moment that moves on, as the left edge of a window does."""

from __future__ import annotations

from bisect import bisect_right
from math import inf
from typing import TYPE_CHECKING

from exporter.core.packed import Place
from exporter.core.weave import line

if TYPE_CHECKING:  # A curve knows its edges too.
    from exporter.core.curve import Curve


class Edge:
    """Stays on one straight piece for many ticks.

    The piece goes from `start` (included) to `end` (not included), and the count at a moment in it
    is `level + slope * (moment - start)`.
    """

    __slots__ = ("_curve", "_place", "block", "end", "level", "slope", "start")

    def __init__(self, curve: Curve) -> None:
        self.start, self.end = inf, -inf
        self.level = self.slope = 0.0
        self.block = -1
        """Which block it lies in; -1 in the head, or nowhere yet."""
        self._curve = curve
        self._place = Place(0, 0, 0)

    def at(self, when: float) -> float:
        """The count at a moment."""
        if not self.start <= when < self.end:
            self.seek(when)
        return self.level + self.slope * (when - self.start)

    def seek(self, when: float) -> None:
        """Go to the piece that a moment lies in."""
        curve = self._curve
        times, counts, blocks = curve.times, curve.counts, curve.blocks
        k = -1
        if not times or when >= times[-1]:
            # Open to the right: good for this one moment.
            found = (when, when, curve.total, 0.0)
        elif when >= times[0]:
            i = bisect_right(times, when)
            found = line(times[i - 1], counts[i - 1], times[i], counts[i])
        elif (k := blocks.index(when)) >= 0:
            near = (
                blocks.walk(k, self._place, when)
                if k == self.block and self.start <= when
                else None
            )
            self._place = near or blocks.locate(k, when)
            found = blocks.piece(k, self._place, when, (times[0], counts[0]))
        else:
            time, count = blocks.first if blocks else (times[0], counts[0])
            found = (when, time, count, 0.0)
        self.start, self.end, self.level, self.slope = found
        self.block = k

    def spoil(self) -> None:
        """The piece is not what it was."""
        self.start, self.end, self.block = inf, -inf, -1

    def moved(self, low: int, high: int, parts: int) -> None:
        """So many blocks stand in place of those from `low` to `high` now."""
        if self.block >= high:
            self.block += parts - (high - low)
        elif self.block >= low:
            self.spoil()
