"""Finds the incidents of a history, whatever policy looked at it.

An incident is a stretch in which errors came faster than the objective allows: burn rate over 1 in
steps of five minutes (or four samples, if that is longer), by the clock of history. Stretches less
than an hour apart are one incident. It begins and ends with the samples in its first and last
step whose own burn rate is over 1, so its edges are sharp though the steps are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from typing import NamedTuple

from exporter.backtest.periods import History

STEP = 300.0
APART = 3600.0


class Stretch(NamedTuple):
    """Errors between two moments, in unix seconds; `total` counts all events."""

    start: float
    end: float
    bad: float
    total: float


def steps(history: History, interval: float) -> list[Stretch]:
    """Each step of history that had bad events; `interval` is from one sample to the next."""
    length = max(STEP, 4 * interval)
    count = ceil((history.end - history.start) / length)
    edges = [min(history.start + k * length, history.end) for k in range(count + 1)]
    readings = pairwise(zip(edges, history.ledger.readings(edges), strict=True))
    return [
        Stretch(start, end, now[0] - before[0], now[1] - before[1])
        for (start, before), (end, now) in readings
        if now[0] > before[0]
    ]


def incidents(history: History, objective: float, found: Sequence[Stretch]) -> list[Stretch]:
    """All incidents under an objective, in ascending time, the smallest included."""
    allowed = 1 - objective
    joined: list[tuple[float, float]] = []
    for step in found:
        if step.bad > allowed * step.total:
            if joined and step.start - joined[-1][1] < APART:
                joined[-1] = (joined[-1][0], step.end)
            else:
                joined.append((step.start, step.end))
    out: list[Stretch] = []
    for begin, until in joined:
        start, end = _edges(history, allowed, begin, until)
        counts = history.ledger.counts(start, end)
        out.append(Stretch(start, end, counts.bad, counts.total))
    return out


def _edges(history: History, allowed: float, begin: float, until: float) -> tuple[float, float]:
    """From the first to the last piece that burns too fast."""

    def burns(start: float, end: float) -> bool:
        counts = history.ledger.counts(start, end)
        return counts.bad > allowed * counts.total

    pieces = list(history.ledger.pieces(begin, until))
    first = next((start for start, end in pieces if burns(start, end)), begin)
    last = next((end for start, end in reversed(pieces) if burns(start, end)), until)
    return first, max(first, last)
