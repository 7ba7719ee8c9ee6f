"""Finds the incidents of a history, whatever policy looked at it.

They are those of `core/incidents.py`; here every sample is known, so their edges are exact.
"""

from __future__ import annotations

from collections.abc import Sequence

from exporter.backtest.periods import History
from exporter.core.incidents import Stretch, cuts, joined, stretches


def steps(history: History, interval: float) -> list[Stretch]:
    """Each step of history that had bad events; `interval` is from one sample to the next."""
    edges = cuts(history.start, history.end, interval)
    return stretches(edges, history.ledger.readings(edges))


def incidents(history: History, objective: float, found: Sequence[Stretch]) -> list[Stretch]:
    """All incidents under an objective, in ascending time, the smallest included."""
    out: list[Stretch] = []
    for begin, until in joined(found, objective):
        start, end = _edges(history, objective, begin, until)
        counts = history.ledger.counts(start, end)
        out.append(Stretch(start, end, counts.bad, counts.total))
    return out


def _edges(history: History, objective: float, begin: float, until: float) -> tuple[float, float]:
    """From the first to the last piece that burns too fast."""

    def burns(start: float, end: float) -> bool:
        counts = history.ledger.counts(start, end)
        return Stretch(start, end, counts.bad, counts.total).burns(objective)

    pieces = list(history.ledger.pieces(begin, until))
    first = next((start for start, end in pieces if burns(start, end)), begin)
    last = next((end for start, end in reversed(pieces) if burns(start, end)), until)
    return first, max(first, last)
