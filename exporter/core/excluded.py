"""The events of a ledger that lie in excluded spans: what its readings leave out."""

from __future__ import annotations

from bisect import bisect_right
from math import inf
from typing import NamedTuple

from exporter.core.curve import Curve
from exporter.core.exclusion import Span


class Part(NamedTuple):
    """What is excluded of a part of an SLO alone; each event of it counts so often."""

    weight: float
    left_out: Excluded


class Excluded:
    """Reads two curves in spans that do not overlap, in ascending order.

    What lies in spans that are over is summed up once, so an answer costs at most one span however
    many there are. `parts`: the curves hold the events of these, too.
    """

    __slots__ = ("_bad", "_starts", "_sums", "_total", "parts", "spans")

    def __init__(
        self, spans: tuple[Span, ...], bad: Curve, total: Curve, parts: tuple[Part, ...] = ()
    ) -> None:
        self.spans = spans
        self.parts = parts
        self._starts = [start for start, _ in spans]
        self._sums = [(0.0, 0.0)]
        """Bad and total events of the first so many spans."""
        self._bad = bad
        self._total = total

    def upto(self, when: float) -> tuple[float, float]:
        """Bad and total events in all spans, up to a moment."""
        bad, total = self._upto(when)
        for weight, left_out in self.parts:
            more_bad, more_total = left_out.upto(when)
            bad += weight * more_bad
            total += weight * more_total
        return bad, total

    def _upto(self, when: float) -> tuple[float, float]:
        k = bisect_right(self._starts, when) - 1
        if k < 0:
            return (0.0, 0.0)
        over = when >= self.spans[k][1]
        while len(self._sums) <= k + over:
            self._sums.append(self._after(len(self._sums) - 1, inf))
        return self._sums[k + 1] if over else self._after(k, when)

    def _after(self, k: int, when: float) -> tuple[float, float]:
        bad, total = self._sums[k]
        start, end = self.spans[k]
        end = min(end, when)
        return bad + self._bad.between(start, end), total + self._total.between(start, end)

    def changed(self, since: float) -> None:
        """Events were added from a moment on: sums of what lies behind it are good no more."""
        while len(self._sums) > 1 and self.spans[len(self._sums) - 2][1] > since:
            self._sums.pop()
        for part in self.parts:
            part.left_out.changed(since)

    def seconds(self, start: float, end: float) -> float:
        """How much of the time from `start` to `end` is excluded, in seconds."""
        return sum(max(0.0, min(b, end) - max(a, start)) for a, b in self.spans)
