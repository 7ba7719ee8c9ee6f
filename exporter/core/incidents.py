"""The incidents of a ledger: bursts of errors, told from the background by one test.

History is cut into segments of constant error ratio (`segments`). The background of a segment is
the ratio that half of all events of the period up to its end lie under. A segment is high when its
ratio is over twice the allowed one and over twice the background. Neighbouring high segments are
one incident when they cost at least `WORTH` of the period's budget.

First in steps of five minutes over all of history, in which neighbouring steps that the objective
allows count as one; then in minutes around what was found. So the answer hardly depends on how the
ledger is thinned, nor on where history begins and ends: the penalty is that of one period, and
background and budget look back from the incident itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil, floor, log
from typing import NamedTuple, Protocol

from exporter.core.ledger import Counts, Polyline
from exporter.core.segments import segments
from exporter.core.slo import Period

WORTH = 0.01
"""The share of the period's budget that an incident costs at least."""
_STEP = 60.0
"""Seconds; finer edges say nothing to people. Shorter ones for periods under 12 hours."""
_STEPS = 720
"""So many steps a period has at least, if samples are close enough."""
_COARSE = 5
"""Steps of one cell of the first pass, if samples are close enough."""
_MOST = 2500
"""Cells of the first pass in a period: some 0.1 s. Where errors are many and change all the time,
which is where few cells are joined, its steps are longer."""
_AROUND = 2
"""Cells of the first pass on either side of an edge that the second pass looks into."""
_PRICE = 3.0
"""A cut costs so many times the logarithm of the period's steps."""
_BAD = 0
"""The polyline of bad events."""
_NOTHING = 1e-6
"""Events; fewer are a rounding of differences of large counts."""


class Readable(Protocol):
    """What incidents are found in: a ledger."""

    @property
    def first(self) -> float:
        """See `Ledger.first`."""
        ...

    def readings(self, moments: Sequence[float]) -> Sequence[tuple[float, float]]:
        """See `Ledger.readings`."""
        ...

    def counts(self, start: float, end: float) -> Counts:
        """See `Ledger.counts`."""
        ...

    def polyline(self, which: int, since: float) -> Polyline:
        """See `Ledger.polyline`."""
        ...


class Stretch(NamedTuple):
    """Errors between two moments, in unix seconds; `total` counts all events."""

    start: float
    end: float
    bad: float
    total: float

    @property
    def ratio(self) -> float:
        """Bad events of all; 0 without events."""
        return self.bad / self.total if self.total > 0 else 0.0


class Incident(NamedTuple):
    """A burst of errors between two moments, in unix seconds.

    `spent`: the share of the period's budget, see `spent`. `ongoing`: no event came after it.
    """

    start: float
    end: float
    bad: float
    total: float
    spent: float
    ongoing: bool


def budget(ledger: Readable, objective: float, period: Period, when: float) -> float:
    """Return the bad events that the objective allows in the time of a whole period up to `when`.

    Where the ledger knows less than a period, what it knows is stretched to a whole one. 0 where
    nothing is known.
    """
    length = period.length(when)
    begin = max(when - length, ledger.first)
    if begin >= when:
        return 0.0
    return (1 - objective) * ledger.counts(begin, when).total * length / (when - begin)


def spent(
    ledger: Readable, objective: float, period: Period, bad: float, when: float
) -> float | None:
    """Return the share of the period's budget (see `budget`) that bad events up to `when` cost.

    None where no event is known.

    It is a number of the past: neither later traffic nor who asks changes it.
    """
    allowed = budget(ledger, objective, period, when)
    return bad / allowed if allowed > 0 else None


def incidents(
    ledger: Readable, objective: float, period: Period, interval: float, now: float
) -> list[Incident]:
    """Return all incidents up to `now`, in ascending time.

    Args:
        ledger: the counts; read as far back as it knows.
        objective: a ratio such as 0.999.
        period: of the objective.
        interval: the usual seconds from one sample to the next.
        now: in unix seconds; when the newest data came, or later.
    """
    search = Search(ledger, objective, period, interval)
    out = []
    for run in search.bursts(now):
        # What anybody reads off the ledger for that time, to the last bit.
        counts = ledger.counts(run.start, run.end)
        share = spent(ledger, objective, period, counts.bad, run.end)
        if share is not None and share >= WORTH:
            after = ledger.counts(run.end, now).total
            out.append(Incident(*run[:2], counts.bad, counts.total, share, after <= _NOTHING))
    return out


class Search:
    """Looks for bursts in one ledger, see `incidents`."""

    def __init__(self, ledger: Readable, objective: float, period: Period, interval: float) -> None:
        self._ledger = ledger
        self._objective = objective
        self._period = period
        self._step = max(interval, min(_STEP, period.nominal / _STEPS))
        self._coarse = self._step * max(1, min(_COARSE, floor(_COARSE * _STEP / self._step)))
        self._penalty = _PRICE * log(period.nominal / self._step + 1)

    def bursts(self, now: float) -> list[Stretch]:
        """All runs of high segments up to `now` that may be worth it, with the edges of samples."""
        ledger, first = self._ledger, self._ledger.first
        if first >= now:
            return []
        found, coarse = self._first_pass(first, now)
        runs = [run for run in self._runs(found) if self._cost(run) >= WORTH / 2]
        if not runs:
            return []
        points, _ = ledger.polyline(_BAD, first)
        for reach, fine in ((_AROUND * coarse, self._step), (_AROUND * self._step, 0.0)):
            moments = {first, now, *(edge for one in found for edge in one[:2])}
            for edge in {edge for run in runs for edge in run[:2]}:
                begin, until = max(first, edge - reach), min(now, edge + reach)
                if fine:
                    moments.update(_grid(begin, until, fine))
                elif near := points[bisect_right(points, begin) : bisect_left(points, until)]:
                    # Only there does the pace of errors change.
                    moments -= {edge} - {first, now}
                    moments.update(near)
            found = self._segments(_cells(ledger, sorted(moments)))
            runs = list(self._runs(found))
        return runs

    def is_fresh(self, start: float, now: float, within: float) -> bool:
        """Whether errors since `start` alone have a burst that was over less than `within` seconds
        ago: over twice what the objective allows. Silence for as long tells nothing, so then too.
        """
        if self._ledger.counts(now - within, now).total <= _NOTHING:
            return True
        found, _ = self._first_pass(start, now)
        return any(one.end > now - within and self._burns(one) for one in found)

    def _first_pass(self, start: float, now: float) -> tuple[list[Stretch], float]:
        """The segments in coarse steps, and how long those are."""
        coarse = self._coarse
        most = _MOST * max(1.0, (now - start) / self._period.nominal)
        while True:
            cells = _cells(self._ledger, _grid(start, now, coarse))
            cells = _joined(cells, 1 - self._objective)
            if len(cells) <= most:
                return self._segments(cells), coarse
            coarse *= 2

    def _segments(self, cells: Sequence[Stretch]) -> list[Stretch]:
        """Cells put together where their error ratio is the same."""
        begins = segments([c.bad for c in cells], [c.total for c in cells], self._penalty)
        return [
            _sum(cells[begin:end]) for begin, end in pairwise([*begins, len(cells)]) if begin < end
        ]

    def _runs(self, found: Sequence[Stretch]) -> Iterator[Stretch]:
        """Neighbouring high segments, each run put together."""
        run: list[Stretch] = []
        for k, segment in enumerate(found):
            if self._is_high(segment, found[: k + 1]):
                run.append(segment)
            elif run:
                yield _sum(run)
                run = []
        if run:
            yield _sum(run)

    def _cost(self, run: Stretch) -> float:
        """The share of the period's budget."""
        return spent(self._ledger, self._objective, self._period, run.bad, run.end) or 0.0

    def _is_high(self, segment: Stretch, upto: Sequence[Stretch]) -> bool:
        return self._burns(segment) and segment.ratio > _twice(self._background(upto))

    def _burns(self, segment: Stretch) -> bool:
        return segment.ratio > _twice(1 - self._objective)

    def _background(self, upto: Sequence[Stretch]) -> float:
        """The ratio that half of the events of the period up to the last segment's end lie under.

        The part of the period before its first events counts as events without errors: an outage of
        the first hours, or after a long silence, is no background.
        """
        end = upto[-1].end
        since = end - self._period.length(end)
        inside = [one for one in upto if one.end > since]
        parts = [
            (one.ratio, one.total * min(1.0, (one.end - since) / (one.end - one.start)))
            for one in inside
        ]
        length, known = end - since, end - max(since, inside[0].start)
        events = sum(weight for _, weight in parts)
        whole = events * length / known
        under, ratio = whole - events, 0.0
        for ratio_above, weight in sorted(parts):
            if under >= whole / 2:
                break
            ratio = ratio_above
            under += weight
        return ratio


def _twice(ratio: float) -> float:
    """Twice a ratio, or halfway to 1 where that is less: no ratio is beyond all outages."""
    return min(2 * ratio, (1 + ratio) / 2)


def _grid(start: float, end: float, step: float) -> list[float]:
    """From `start` to `end` with every multiple of a step between, whoever asks from where."""
    inside = range(floor(start / step) + 1, ceil(end / step))
    return [start, *(k * step for k in inside), end]


def _cells(ledger: Readable, edges: Sequence[float]) -> list[Stretch]:
    """What came between neighbouring edges, where anything came."""
    out = []
    for (start, before), (end, after) in pairwise(zip(edges, ledger.readings(edges), strict=True)):
        total = after[1] - before[1]
        if total > _NOTHING:
            out.append(Stretch(start, end, min(total, max(0.0, after[0] - before[0])), total))
    return out


def _joined(cells: Sequence[Stretch], allowed: float) -> list[Stretch]:
    """Neighbours that the objective allows as one: no incident begins or ends between them."""
    out: list[Stretch] = []
    calm = False
    for cell in cells:
        before, calm = calm, cell.bad <= allowed * cell.total
        if before and calm:
            out[-1] = _sum((out[-1], cell))
        else:
            out.append(cell)
    return out


def _sum(parts: Sequence[Stretch]) -> Stretch:
    bad, total = sum(p.bad for p in parts), sum(p.total for p in parts)
    return Stretch(parts[0].start, parts[-1].end, bad, total)
