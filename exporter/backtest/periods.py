"""The objective's periods in a stretch of history, and what the budget of one of them is."""

from __future__ import annotations

from exporter.backtest.whole import Whole
from exporter.core.incidents import spent
from exporter.core.ledger import Counts
from exporter.core.slo import Period, Window

_NEARLY = 0.01
"""A period that misses so much of its length at the beginning of history is whole all the same:
the first sample is a baseline, and may have come late."""


class History:
    """What a ledger holds from `start` to `end`, in unix seconds, seen by periods."""

    def __init__(self, ledger: Whole, period: Period, start: float, end: float) -> None:
        self.ledger = ledger
        self.period = period
        self.start, self.end = start, end

    def ending(self, when: float) -> Counts:
        """The events of the period up to a moment, as far as history knows them."""
        return self.ledger.counts(self.period.start(when), when)

    def spent(self, bad: float, objective: float, when: float) -> float:
        """The share of a period's budget that so many bad events up to a moment are."""
        return spent(self.ledger, objective, self.period, bad, when) or 0.0

    def peak(self, start: float, end: float, seconds: float, objective: float) -> float:
        """The highest burn rate of a window of so many seconds that ends between two moments."""
        ends = [start, *self.ledger.moments(start, end), end]
        after = self.ledger.readings(ends)
        before = self.ledger.readings([when - seconds for when in ends])
        ratios = (
            (b[0] - a[0]) / (b[1] - a[1]) for a, b in zip(before, after, strict=True) if b[1] > a[1]
        )
        return max(ratios, default=0.0) / (1 - objective)

    def whole(self) -> list[Counts]:
        """Whole periods that had events, newest first: calendar ones, or of the window's length,
        end to end, counted back from the end of history."""
        out: list[Counts] = []
        end = self.end if isinstance(self.period, Window) else self.period.start(self.end)
        while end > self.start:
            # Of a calendar: the period that the moment before belongs to.
            begin = self.period.start(end if isinstance(self.period, Window) else end - 1)
            if begin < self.start - _NEARLY * (end - begin):
                break
            counts = self.ledger.counts(begin, end)
            if counts.total > 0:
                out.append(counts)
            end = begin
        return out
