"""The ledger: what every number is a difference of two points of.

Cumulative bad and total events and covered time, each a `Curve`. Any window that ends at any
moment, a graph, an incident, a deploy: `counts(start, end)`. There is no second arithmetic.
"""

from __future__ import annotations

from typing import NamedTuple

from exporter.core.curve import EXACT, Curve, Segment, Tolerance

_MAX_POINTS = 8192
"""Past so many points (about 48 KiB) the error bound gives way to memory."""

# Together 0.1% of the budget spent, and under 1% of an alert window's burn rate. Errors are rare
# and matter most, so nearly all of the allowance goes to them.
_BAD_EPS = 0.0008
_TOTAL_EPS = 0.0001
_TOTAL_LOOSE = 0.008


class Counts(NamedTuple):
    """Events of a stretch of time; fractions come from a window's edge inside a sample."""

    good: float
    bad: float

    @property
    def total(self) -> float:
        """All valid events."""
        return self.good + self.bad

    @property
    def error_ratio(self) -> float | None:
        """Bad events of all; None while there are none."""
        total = self.good + self.bad
        return self.bad / total if total > 0 else None

    def burn_rate(self, objective: float) -> float | None:
        """`(bad / total) / (1 - objective)`; None while there are no events."""
        ratio = self.error_ratio
        return None if ratio is None else ratio / (1 - objective)


class Ledger:
    """Good and bad events over time, at most `horizon` seconds back.

    `interval`: the usual seconds from one sample to the next; changes of several targets within
    half of it share a point.
    """

    __slots__ = ("_bad", "_covered", "_edges", "_total", "horizon")

    def __init__(self, horizon: float, interval: float) -> None:
        self.horizon = horizon
        grain = interval / 2
        total = Tolerance(_TOTAL_EPS, _TOTAL_LOOSE, 2 * horizon)
        self._bad = Curve(Tolerance(_BAD_EPS), ramp=interval, grain=grain, max_points=_MAX_POINTS)
        self._total = Curve(total, ramp=interval, grain=grain, max_points=_MAX_POINTS)
        self._covered = Curve(EXACT, ramp=interval, grain=grain, max_points=_MAX_POINTS // 8)
        self._edges: dict[float, tuple[_Edge, _Edge]] = {}

    # --- writing --------------------------------------------------------------------------------

    def add(self, start: float, end: float, good: float, bad: float) -> None:
        """Events spread evenly over the time from `start` to `end`, in unix seconds."""
        self._total.add(start, end, good + bad)
        self._bad.add(start, end, bad)

    def cover(self, start: float, end: float) -> None:
        """There is data for this stretch."""
        self._covered.add(start, end, end - start)

    def forget(self, now: float) -> None:
        """Drop what no window reaches any more."""
        for curve in self._curves:
            curve.drop_before(now - self.horizon)

    def shift(self, seconds: float) -> None:
        """Move all of it in time, after the clock that dated it was set."""
        for curve in self._curves:
            curve.shift(seconds)

    # --- reading --------------------------------------------------------------------------------

    @property
    def all(self) -> Counts:
        """Every event since the beginning; never falls."""
        return Counts(self._total.total - self._bad.total, self._bad.total)

    @property
    def nbytes(self) -> int:
        """Memory of the points, in bytes."""
        return sum(curve.nbytes for curve in self._curves)

    def counts(self, start: float, end: float) -> Counts:
        """The events from `start` to `end`."""
        bad = max(0.0, self._bad.between(start, end))
        return Counts(max(0.0, self._total.between(start, end) - bad), bad)

    def window(self, seconds: float, now: float) -> Counts:
        """The same for a window of fixed length that moves on from call to call: cheaper."""
        edges = self._edges.get(seconds)
        if edges is None:
            edges = self._edges[seconds] = (_Edge(self._bad), _Edge(self._total))
        bad = max(0.0, self._bad.at(now) - edges[0].at(now - seconds))
        return Counts(max(0.0, self._total.at(now) - edges[1].at(now - seconds) - bad), bad)

    def coverage(self, start: float, end: float) -> float:
        """The share of the time from `start` to `end` for which there is data, 0 to 1."""
        if end <= start:
            return 0.0
        return min(1.0, max(0.0, self._covered.between(start, end) / (end - start)))

    # --- keeping --------------------------------------------------------------------------------

    def dump(self) -> list[tuple[object, ...]]:
        """All there is, as plain values and bytes."""
        return [curve.dump() for curve in self._curves]

    def load(self, dumped: list[tuple[object, ...]]) -> None:
        """Take back what `dump` gave; `ValueError` when it is not that."""
        for curve, columns in zip(self._curves, dumped, strict=True):
            curve.load(columns)

    @property
    def _curves(self) -> tuple[Curve, Curve, Curve]:
        return (self._bad, self._total, self._covered)


class _Edge:
    """The left edge of a moving window: stays on one straight piece for many ticks."""

    __slots__ = ("_curve", "_piece", "_version")

    def __init__(self, curve: Curve) -> None:
        self._curve = curve
        self._piece = Segment(0.0, 0.0, 0.0, 0.0)
        self._version = -1

    def at(self, when: float) -> float:
        piece, curve = self._piece, self._curve
        if self._version != curve.version or not piece.start <= when < piece.end:
            if when >= curve.last:
                return curve.total
            piece = self._piece = curve.segment(when)
            self._version = curve.version
        return piece.at(when)
