"""The ledger: what every number is a difference of two points of.

Cumulative bad and total events and covered time, each a `Curve`. Any window that ends at any
moment, a graph, an incident, a deploy: `counts(start, end)`. There is no second arithmetic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from exporter.core.curve import Curve
from exporter.core.edge import Edge
from exporter.core.excluded import Excluded, Part
from exporter.core.exclusion import Span
from exporter.core.thinning import EXACT, Tolerance
from exporter.core.weave import interpolated

_MAX_POINTS = 8192
"""Past so many points (about 48 KiB) the error bound gives way to memory."""

# Together 0.1% of the budget spent, and under 1% of an alert window's burn rate. Errors are rare
# and matter most, so nearly all of the allowance goes to them.
_BAD_EPS = 0.00085
_TOTAL_EPS = 0.0001
_TOTAL_LOOSE = 0.008

HISTORY = 2.0
"""So many times as far as windows reach is kept, for graphs: a month ago there was a budget too,
that of the month before."""


Polyline = tuple[Sequence[float], Sequence[float]]


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
    """Good and bad events over time; windows reach `horizon` seconds back, from any moment in the
    last so many seconds.

    `interval`: the usual seconds from one sample to the next; changes of several targets within
    half of it share a point.
    """

    __slots__ = ("_bad", "_covered", "_since", "_total", "exclusion")

    def __init__(self, horizon: float, interval: float, phase: int = 0) -> None:
        self._since: dict[float, Since] = {}
        self.exclusion: Excluded | None = None
        """What is left out wherever it is read; None for nothing."""
        total = Tolerance(_TOTAL_EPS, _TOTAL_LOOSE, 2 * horizon)
        self._bad, self._total, self._covered = (
            Curve(
                tolerance,
                ramp=interval,
                grain=interval / 2,
                max_points=most,
                horizon=HISTORY * horizon,
                reach=horizon,
                phase=phase,
            )
            for tolerance, most in (
                (Tolerance(_BAD_EPS), _MAX_POINTS),
                (total, _MAX_POINTS),
                (EXACT, _MAX_POINTS // 8),
            )
        )

    @property
    def horizon(self) -> float:
        """How far back windows reach, in seconds."""
        return self._total.reach

    @horizon.setter
    def horizon(self, seconds: float) -> None:
        for curve in self._curves:
            curve.reach, curve.horizon = seconds, HISTORY * seconds

    # --- writing --------------------------------------------------------------------------------

    def add(self, start: float, end: float, good: float, bad: float) -> None:
        """Events spread evenly over the time from `start` to `end`, in unix seconds."""
        if self.exclusion is not None:
            self.exclusion.changed(start)
        self._total.add(start, end, good + bad)
        self._bad.add(start, end, bad)

    def cover(self, start: float, end: float) -> None:
        """There is data for this stretch."""
        self._covered.add(start, end, end - start)

    def shift(self, seconds: float) -> None:
        """Move all of it in time, after the clock that dated it was set."""
        for curve in self._curves:
            curve.shift(seconds)
        if self.exclusion is not None:
            self.exclude(self.exclusion.spans, self.exclusion.parts)

    def exclude(self, spans: tuple[Span, ...], parts: tuple[Part, ...] = ()) -> None:
        """Leave out what lies in these spans (and no others) wherever it is read from now on, and
        what came from parts of it, see `Excluded`."""
        left_out = Excluded(spans, self._bad, self._total, parts)
        self.exclusion = left_out if spans or parts else None
        self.unwatch()

    def events_in(self, spans: tuple[Span, ...]) -> Excluded:
        """The events in these spans, whether they count or not."""
        return Excluded(spans, self._bad, self._total)

    # --- reading --------------------------------------------------------------------------------

    @property
    def all(self) -> Counts:
        """Every event since the beginning, excluded or not; never falls."""
        return Counts(self._total.total - self._bad.total, self._bad.total)

    @property
    def bad(self) -> float:
        """Every bad event since the beginning that is not excluded."""
        if self.exclusion is None:
            return self._bad.total
        return self._bad.total - self.exclusion.upto(self._bad.last)[0]

    @property
    def nbytes(self) -> int:
        """Memory of the points, in bytes."""
        return sum(curve.nbytes for curve in self._curves)

    @property
    def seals(self) -> int:
        """Changes whenever more than the newest points did: a good moment to be saved whole."""
        return sum(curve.seals for curve in self._curves)

    def counts(self, start: float, end: float) -> Counts:
        """The events from `start` to `end`, as far as they are known."""
        start, end = self._known(start, end)
        return _difference(self.upto(start), self.upto(end))

    def unadjusted(self, start: float, end: float) -> Counts:
        """The same as if nothing were excluded."""
        start, end = self._known(start, end)
        return _difference(
            (self._bad.at(start), self._total.at(start)), (self._bad.at(end), self._total.at(end))
        )

    def _known(self, *moments: float) -> tuple[float, float]:
        """Two moments, each or the oldest one that is known."""
        first = self.first
        start, end = (max(first, moment) for moment in moments)
        return start, end

    def excluded(self, start: float, end: float) -> float:
        """How many seconds from `start` to `end` are excluded."""
        return self.exclusion.seconds(start, end) if self.exclusion is not None else 0.0

    def upto(self, now: float) -> tuple[float, float]:
        """Bad and total events up to a moment; only their differences mean anything."""
        bad, total = self._bad.at(now), self._total.at(now)
        if self.exclusion is None:
            return bad, total
        out = self.exclusion.upto(now)
        return bad - out[0], total - out[1]

    def readings(self, moments: Sequence[float]) -> Sequence[tuple[float, float]]:
        """`upto` at each of some moments, in ascending order; the points are unpacked once."""
        bad, total = (
            interpolated(*curve.polyline(moments[0]), moments) for curve in (self._bad, self._total)
        )
        if self.exclusion is None:
            return list(zip(bad, total, strict=True))
        out = map(self.exclusion.upto, moments)
        return [(b - o[0], t - o[1]) for b, t, o in zip(bad, total, out, strict=True)]

    def polyline(self, which: int, since: float) -> Polyline:
        """Times and counts of bad events (0), of all events (1), or of the seconds with data (2):
        what readings from `since` on need."""
        return self._curves[which].polyline(since)

    @property
    def first(self) -> float:
        """The oldest moment of which all is known; plus infinity while there is none.

        Curves forget what is older than `HISTORY` asks for, each by its own blocks, and the one of
        few points last. A moment of which one has forgotten something is not known.
        """
        oldest = min(self._total.first, self._covered.first)
        firsts = [curve.blocks.first for curve in self._curves if curve.blocks]
        return max([oldest, *(time for time, count in firsts if count > 0.0)])

    @property
    def last(self) -> float:
        """When the newest event came; minus infinity before the first."""
        return self._total.last

    def since(self, name: float) -> Since:
        """The events since a moment that moves on; one for each name, a window's length say."""
        since = self._since.get(name)
        if since is None:
            since = self._since[name] = Since(self._bad.edge(), self._total.edge(), self.exclusion)
        return since

    def unwatch(self) -> None:
        """Nobody asks by those names any more."""
        self._since.clear()
        for curve in (self._bad, self._total):
            curve.unwatch()

    def window(self, seconds: float, now: float) -> Counts:
        """The events of a window of fixed length that moves on from call to call."""
        return self.since(seconds).counts(now - seconds, *self.upto(now))

    def coverage(self, start: float, end: float) -> float:
        """The share of the time from `start` to `end` for which there is data, 0 to 1."""
        return self.coverages((start,), end)[0]

    def coverages(self, starts: Sequence[float], end: float) -> list[float]:
        """The same from each of some moments on."""
        first = self.first
        covered = self._covered.at(max(end, first))
        # Mostly there is data all the time, and all moments lie on one straight piece.
        since = Edge(self._covered)
        return [
            min(1.0, max(0.0, (covered - since.at(max(start, first))) / (end - start)))
            if end > start
            else 0.0
            for start in starts
        ]

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


def _difference(start: tuple[float, float], end: tuple[float, float]) -> Counts:
    bad = max(0.0, end[0] - start[0])
    return Counts(max(0.0, end[1] - start[1] - bad), bad)


class Since:
    """The events since a moment that moves on; `bad` and `total` are `Ledger.upto(now)`."""

    __slots__ = ("_bad", "_excluded", "_total")

    def __init__(self, bad: Edge, total: Edge, excluded: Excluded | None) -> None:
        self._bad = bad
        self._total = total
        self._excluded = excluded

    def counts(self, start: float, bad: float, total: float) -> Counts:
        """Good and bad events from `start` to now."""
        bad = max(0.0, bad - self.bad_before(start))
        return Counts(max(0.0, total - self.total_before(start) - bad), bad)

    def bad_before(self, start: float) -> float:
        """Bad events up to `start`."""
        bad = self._bad.at(start)
        return bad if self._excluded is None else bad - self._excluded.upto(start)[0]

    def total_before(self, start: float) -> float:
        """All events up to `start`."""
        total = self._total.at(start)
        return total if self._excluded is None else total - self._excluded.upto(start)[1]
