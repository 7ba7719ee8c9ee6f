"""Events in the order they ended, on their way into a ledger."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, islice
from math import inf
from operator import add, eq

from exporter.backtest.whole import Whole
from exporter.core.runs import Row


class Coming:
    """What a batch brought; where it is end to end, as of one target, whole stretches go in at
    once."""

    def __init__(self, ledger: Whole, rows: Sequence[Row]) -> None:
        self._ledger = ledger
        self._rows = rows
        self._done = 0
        starts, ends, good, bad = zip(*rows, strict=True) if rows else ((), (), (), ())
        self._ends: tuple[float, ...] = ends
        self._bads = list(accumulate(bad, initial=ledger.bad))
        self._totals = list(accumulate(map(add, good, bad), initial=ledger.total))
        self._end_to_end = all(map(eq, islice(starts, 1, None), ends))

    def upto(self, when: float) -> None:
        """Add all that ended up to a moment."""
        low = self._done
        high = self._done = bisect_right(self._ends, when, low)
        if low == high:
            return
        if not (self._end_to_end and low):
            alone = low + 1 if self._end_to_end else high
            for row in self._rows[low:alone]:
                self._ledger.add(*row)
            low = alone
        if low < high:
            bad, total = self._bads[low + 1 : high + 1], self._totals[low + 1 : high + 1]
            self._ledger.extend(self._ends[low - 1], self._ends[low:high], bad, total)

    def exceeds(self, bad: float, total: float) -> float:
        """When the ledger's bad events, or all of them, become more than so many; minus infinity
        if they are that already, infinity if they do not."""
        over = min(
            bisect_right(self._bads, bad, self._done), _over(self._totals, total, self._done)
        )
        if over == self._done:
            return -inf
        return self._ends[over - 1] if over < len(self._bads) else inf


def _over(counts: Sequence[float], most: float, low: int) -> int:
    return len(counts) if most == inf else bisect_right(counts, most, low)
