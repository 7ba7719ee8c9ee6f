"""What the API and the terminal ask for: the numbers of now, those of before, the alerts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from exporter.app.heard import alerts_of
from exporter.clock import Clock
from exporter.config.moments import rfc3339
from exporter.core.alert import Alert
from exporter.core.apart import Apart
from exporter.core.engine import Engine
from exporter.core.history import History, burn_rates
from exporter.core.incidents import Incident
from exporter.core.instance import Instance
from exporter.core.outbox import Outbox
from exporter.core.slo import SLO
from exporter.core.status import Snapshot
from exporter.web.history_api import PointSaid, TrackSaid
from exporter.web.incidents_api import IncidentSaid


class Numbers:
    """`snapshot`: the numbers of the last tick."""

    def __init__(self, engine: Engine, clock: Clock, snapshot: Callable[[], Snapshot]) -> None:
        self._engine = engine
        self._clock = clock
        self._snapshot = snapshot

    def now(self) -> float:
        """The time, in unix seconds."""
        return self._clock.now()

    def snapshot(self) -> Snapshot:
        """The numbers, and the overrides that hold."""
        overrides = tuple(self._engine.overrides)
        return replace(self._snapshot(), now=self._clock.now(), overrides=overrides)

    def slos(self) -> Mapping[str, SLO]:
        """Every SLO by its name."""
        return {name: account.slo for name, account in self._engine.accounts.items()}

    def alerts(self) -> Iterator[Alert]:
        """Those of all SLOs, and what is said once."""
        return alerts_of(self._engine)

    def apart(self, slo: str, work: str) -> Apart:
        """See `alerts_api.Alerts`."""
        return self._engine.apart(slo, work)

    def outbox(self) -> Outbox:
        """What waits to be delivered."""
        return self._engine.outbox

    def instances(self, name: str, group: Mapping[str, str]) -> int:
        """How many instances of an SLO have these labels in their group."""
        return len(self._of(name, group))

    async def history(
        self, name: str, group: Mapping[str, str], window: float | None, moments: Sequence[float]
    ) -> list[TrackSaid]:
        """One track for each of them."""
        found: list[TrackSaid] = []
        for one in self._of(name, group):
            points = list(_points(one, History(one), window, moments))
            found.append(TrackSaid(dict(one.labels), dict(one.group), points))
            # Many groups take a while; meanwhile polls go on.
            await asyncio.sleep(0)
        return found

    async def incidents(
        self, name: str, group: Mapping[str, str], start: float, end: float
    ) -> list[IncidentSaid]:
        """Those of each of them that went on at some time from `start` to `end`."""
        out: list[IncidentSaid] = []
        watched = self._engine.accounts[name].memory.watched
        for one in self._of(name, group):
            out += [
                _incident(one, found, watched)
                for found in one.incidents.known()
                if found.start < end and found.end > start
            ]
            # Each takes a moment; meanwhile polls go on.
            await asyncio.sleep(0)
        return out

    def _of(self, name: str, group: Mapping[str, str]) -> list[Instance]:
        instances = self._engine.accounts[name].memory.instances.values()
        found = [i for i in instances if group.items() <= i.group.items()]
        return sorted(found, key=lambda i: tuple(i.group.values()))


def _incident(instance: Instance, found: Incident, watched: float | None) -> IncidentSaid:
    return IncidentSaid(
        group=dict(instance.group),
        start=rfc3339(found.start),
        end=rfc3339(found.end),
        ongoing=found.ongoing,
        bad=round(found.bad),
        total=round(found.total),
        budget_share=found.spent,
        seconds=found.end - found.start,
        before_slod=watched is None or found.start < watched,
    )


def _points(
    instance: Instance, history: History, window: float | None, moments: Sequence[float]
) -> Iterator[PointSaid]:
    objective = instance.slo.objective
    spent = history.period(moments)
    bads, totals = columns = spent if window is None else history.window(window, moments)
    rows = zip(
        moments,
        bads,
        totals,
        burn_rates(columns, objective),
        history.coverage(window, moments),
        burn_rates(spent, objective),
        strict=True,
    )
    for t, bad, total, burn, coverage, burned in rows:
        good = max(0.0, total - bad)
        sli = good / total if total > 0 else None
        left = None if burned is None else 1 - burned
        yield PointSaid(t, good, bad, sli, burn, coverage, left)
