"""The incidents of a stretch of time, also those that nobody reported.

An incident is a stretch in which errors came faster than the objective allows: burn rate over 1 in
steps of five minutes (or four samples, if that is longer). Steps less than an hour apart are one
incident. It begins and ends with the samples in its first and last step whose own burn rate is
over 1, so its edges are sharp though the steps are not.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from exporter.core.incident import APART, STEP
from exporter.core.ledger import Ledger

_FINEST = 10.0
_SAMPLES = 4.0


class Stretch(NamedTuple):
    """Errors between two moments, in unix seconds; `total` counts all events."""

    start: float
    end: float
    bad: float
    total: float

    def burns(self, objective: float) -> bool:
        """Whether errors came faster than the objective allows."""
        return self.bad > (1 - objective) * self.total


def cuts(start: float, end: float, interval: float) -> list[float]:
    """Where the steps from `start` to `end` begin and end; `interval`: from sample to sample."""
    length = max(STEP, _SAMPLES * interval)
    count = max(0, ceil((end - start) / length))
    return [min(start + k * length, end) for k in range(count + 1)]


def stretches(edges: Sequence[float], readings: Iterable[tuple[float, float]]) -> list[Stretch]:
    """Each step that had bad events; `readings`: bad and total events up to each edge."""
    known = pairwise(zip(edges, readings, strict=True))
    return [
        Stretch(start, end, now[0] - before[0], now[1] - before[1])
        for (start, before), (end, now) in known
        if now[0] > before[0]
    ]


def joined(found: Iterable[Stretch], objective: float) -> list[tuple[float, float]]:
    """From the first to the last step of each incident, in ascending time."""
    out: list[tuple[float, float]] = []
    for step in found:
        if step.burns(objective):
            if out and step.start - out[-1][1] < APART:
                out[-1] = (out[-1][0], step.end)
            else:
                out.append((step.start, step.end))
    return out


def incidents(
    ledger: Ledger, objective: float, start: float, end: float, interval: float
) -> list[Stretch]:
    """All of them from `start` to `end`, the smallest included."""
    # One reading that moves on is much cheaper than as many that look for their place.
    since = ledger.since(-STEP)

    def read(edges: Sequence[float]) -> list[Stretch]:
        return stretches(edges, ((since.bad_before(e), since.total_before(e)) for e in edges))

    out = []
    for begin, until in joined(read(cuts(start, end, interval)), objective):
        grain = max(_FINEST, interval)
        first = _burning(read(_fine(begin, min(until, begin + STEP), grain)), objective)
        last = _burning(read(_fine(max(begin, until - STEP), until, grain)), objective)
        if first and last:
            begin, until = first[0].start, last[-1].end
        counts = ledger.counts(begin, until)
        out.append(Stretch(begin, until, counts.bad, counts.total))
    return out


def _fine(start: float, end: float, grain: float) -> list[float]:
    count = max(1, ceil((end - start) / grain))
    return [min(start + k * grain, end) for k in range(count)] + [end]


def _burning(found: Iterable[Stretch], objective: float) -> list[Stretch]:
    return [step for step in found if step.burns(objective)]
