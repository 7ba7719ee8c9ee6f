"""The incident at hand: the one that goes on, or was over less than an hour ago.

It is one of those that `incidents` finds in all of history. Since budget policies ask at every
tick, and all of history takes a while, it is looked for every few minutes, and only where the last
day alone has a burst that fresh. One that no event came after goes on: silence is not health.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from exporter.core.incidents import Incident, Search, budget, incidents, spent
from exporter.core.ledger import Ledger
from exporter.core.slo import SLO

APART = 3600.0
"""Seconds for which an incident that is over is still at hand."""
_EVERY = 300.0
"""Seconds between two looks; meanwhile one that goes on costs what came since its beginning."""
_RECENT = 86_400.0
"""Seconds before now in which a fresh burst shows, however long it has been going on."""


class Incidents:
    """The one and only list of the incidents of a ledger; every reader takes it from here."""

    def __init__(self, slo: SLO, ledger: Ledger) -> None:
        self._slo = slo
        self._ledger = ledger
        self._place: tuple[float, ...] = ()
        self._found: Sequence[Incident] = ()

    def known(self) -> Sequence[Incident]:
        """Return all there are, in ascending time.

        While nothing came since it was asked last, they are what they were. Otherwise it takes some
        0.1 s.
        """
        ledger, slo = self._ledger, self._slo
        place = (*ledger.all, ledger.first)
        if place != self._place:
            self._found = incidents(ledger, slo.objective, slo.period, slo.interval, ledger.last)
            self._place = place
        return self._found


class CurrentIncident:
    """Follows one ledger; what it knows it can find out again."""

    def __init__(self, slo: SLO, ledger: Ledger, found: Incidents) -> None:
        self._slo = slo
        self._ledger = ledger
        self._incidents = found
        self._every = min(_EVERY, slo.period.nominal / 100)
        self._looked: int | None = None
        self._incident: Incident | None = None

    def spent(self, now: float) -> float | None:
        """The share of the period's budget that the incident at hand has spent; 0 without one, None
        while no event is known."""
        slo, ledger = self._slo, self._ledger
        if budget(ledger, slo.objective, slo.period, now) <= 0:
            return None
        slot = floor(now / self._every)
        if slot != self._looked:
            self._looked, self._incident = slot, self._look(now)
        incident = self._incident
        if incident is None:
            return 0.0
        if incident.ongoing:
            bad = ledger.counts(incident.start, now).bad
            return spent(ledger, slo.objective, slo.period, bad, now)
        return incident.spent if now - incident.end < APART else 0.0

    def _look(self, now: float) -> Incident | None:
        slo = self._slo
        search = Search(self._ledger, slo.objective, slo.period, slo.interval)
        if not search.is_fresh(max(now - _RECENT, self._ledger.first), now, APART):
            return None
        found = [one for one in self._incidents.known() if one.ongoing or now - one.end < APART]
        return max(found, key=lambda one: one.spent, default=None)
