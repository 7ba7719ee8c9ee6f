"""One SLO instance at many moments at once: what a graph or a range query asks for.

Every value is a difference of two readings of the ledger, as it is for now (`instance`). The points
are unpacked once, and the moments pass over them once.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import inf
from operator import sub

from exporter.core.excluded import Excluded
from exporter.core.instance import Instance
from exporter.core.ledger import Polyline
from exporter.core.slo import Window
from exporter.core.weave import interpolated

Columns = tuple[list[float], list[float]]
"""Bad events and all events, by moment."""
_EVENTS, _COVERED = (0, 1), 2
"""The ledger's polylines."""


class History:
    """Reads an instance at moments in ascending order, in unix seconds, as long as nothing is added
    to its ledger."""

    def __init__(self, instance: Instance) -> None:
        self._instance = instance
        self._since = inf
        self._lines: dict[int, Polyline] = {}

    @property
    def first(self) -> float:
        """The oldest moment of which something is known; plus infinity while there is none."""
        return self._instance.ledger.first

    def events(self, moments: Sequence[float]) -> tuple[list[float | None], list[float | None]]:
        """Good and bad events since the beginning, whether excluded or not: the counter. None
        before anything is known."""
        known = [when >= self.first for when in moments]
        bads, totals = (interpolated(*self._line(k, moments), moments) for k in _EVENTS)
        return (
            [t - b if k else None for t, b, k in zip(totals, bads, known, strict=True)],
            [b if k else None for b, k in zip(bads, known, strict=True)],
        )

    def window(self, seconds: float, moments: Sequence[float]) -> Columns:
        """The events in the window of a length that ends at each moment."""
        ends = self._as_of(moments)
        return self._between([when - seconds for when in ends], ends)

    def period(self, moments: Sequence[float]) -> Columns:
        """The events of the objective's period that ends, or runs, at each moment."""
        ends = self._as_of(moments)
        return self._between(self.starts(ends), ends)

    def coverage(self, seconds: float | None, moments: Sequence[float]) -> list[float]:
        """The share of the window of a length, or of the period (None) so far, that ends at each
        moment, for which there is data."""
        ends = self._as_of(moments)
        starts = self.starts(ends) if seconds is None else [when - seconds for when in ends]
        line = self._line(_COVERED, starts)
        before, after = (interpolated(*line, self._known(at)) for at in (starts, ends))
        return [
            min(1.0, max(0.0, (b - a) / (end - start))) if end > start else 0.0
            for a, b, start, end in zip(before, after, starts, ends, strict=True)
        ]

    def age(self, moments: Sequence[float]) -> list[float | None]:
        """How many seconds of the period that ends, or runs, at each moment lie behind the first
        data. None before anything is known."""
        first, ends = self.first, self._as_of(moments)
        return [
            end - max(start, first) if end >= first else None
            for start, end in zip(self.starts(ends), ends, strict=True)
        ]

    def excluded(self, moments: Sequence[float]) -> list[float]:
        """How much of the period so far is left out at each moment, in seconds."""
        ledger = self._instance.ledger
        return [ledger.excluded(a, b) for a, b in zip(self.starts(moments), moments, strict=True)]

    def starts(self, moments: Sequence[float]) -> list[float]:
        """Where the objective's period begins that ends, or runs, at each moment."""
        period = self._instance.slo.period
        if isinstance(period, Window):
            return [when - period.seconds for when in moments]
        out: list[float] = []
        start, end = inf, -inf
        for when in moments:
            # Calendars are slow to ask, and many moments lie in one period.
            if not start <= when < end:
                start = period.start(when)
                end = start + period.length(when)
            out.append(start)
        return out

    # --- inside ---------------------------------------------------------------------------------

    def _between(self, starts: Sequence[float], ends: Sequence[float]) -> Columns:
        # What the ledger has forgotten is not known, and no events at all would look like health.
        starts, ends = self._known(starts), self._known(ends)
        columns = []
        for which in _EVENTS:
            line = self._line(which, starts)
            before, after = interpolated(*line, starts), interpolated(*line, ends)
            if (exclusion := self._instance.ledger.exclusion) is not None:
                before = _kept(before, starts, exclusion, which)
                after = _kept(after, ends, exclusion, which)
            found = list(map(sub, after, before))
            # By the last bit of a sum, or where points are rounded.
            columns.append([max(0.0, v) for v in found] if min(found, default=0.0) < 0 else found)
        return columns[0], columns[1]

    def _known(self, moments: Sequence[float]) -> Sequence[float]:
        """The moments, each or the oldest one that is known."""
        first = self.first
        if not moments or moments[0] >= first:
            return moments
        return [max(first, when) for when in moments]

    def _line(self, which: int, moments: Sequence[float]) -> Polyline:
        if moments and moments[0] < self._since:
            self._since = moments[0]
            self._lines.clear()
        if which not in self._lines:
            self._lines[which] = self._instance.ledger.polyline(which, self._since)
        return self._lines[which]

    def _as_of(self, moments: Sequence[float]) -> Sequence[float]:
        seen = self._instance.seen
        if seen is None or not moments or moments[-1] <= seen:
            return moments
        # Only after it is there anything to think about.
        known = bisect_right(moments, seen)
        later = map(self._instance.as_of, moments[known:])
        return [*moments[:known], *later]


def _kept(
    counts: Sequence[float], moments: Sequence[float], exclusion: Excluded, which: int
) -> list[float]:
    return [c - exclusion.upto(when)[which] for c, when in zip(counts, moments, strict=True)]


def burn_rates(columns: Columns, objective: float) -> list[float | None]:
    """`(bad / total) / (1 - objective)` by moment; None while there are no events."""
    allowed = 1 - objective
    bads, totals = columns
    return [
        bad / total / allowed if total > 0 else None
        for bad, total in zip(bads, totals, strict=True)
    ]
