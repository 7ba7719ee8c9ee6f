"""The incident at hand: since when errors come faster than the objective allows.

Looked at in steps of five minutes by the clock: one burns when its own burn rate is over 1. Steps
that burn, less than an hour apart, are one incident.
"""

from __future__ import annotations

from math import floor

from exporter.core.ledger import Ledger

STEP = 300.0
APART = 3600.0
_PAUSE = int(APART / STEP)
_DAY = int(86_400 / STEP)


class Incident:
    """Follows one ledger; what it knows it can find out again."""

    def __init__(self, ledger: Ledger, objective: float) -> None:
        self._ledger = ledger
        self._allowed = 1 - objective
        self._first: int | None = None
        self._last = 0
        self._upto: int | None = None

    def start(self, now: float) -> float | None:
        """When the incident began that goes on, or was over less than an hour ago."""
        newest = floor(now / STEP)
        if self._upto is None or not 0 <= newest - self._upto <= _DAY:
            self._look_back(newest, now)
        else:
            for k in range(self._upto, newest + 1):
                self._note(k, now)
        self._upto = newest
        if self._first is None or newest - self._last > _PAUSE:
            return None
        return self._first * STEP

    def _note(self, k: int, now: float) -> None:
        if self._burns(k, now):
            if self._first is None or k - self._last > _PAUSE:
                self._first = k
            self._last = k

    def _look_back(self, newest: int, now: float) -> None:
        self._first, k = None, newest
        oldest = floor((now - self._ledger.horizon) / STEP)
        seen = newest
        while k >= oldest and seen - k <= _PAUSE:
            if self._burns(k, now):
                if self._first is None:
                    self._last = k
                self._first = seen = k
            k -= 1

    def _burns(self, k: int, now: float) -> bool:
        counts = self._ledger.counts(k * STEP, min((k + 1) * STEP, now))
        return counts.bad > self._allowed * counts.total
