"""The account of one SLO: what it knows, how it takes batches, what it decides about its alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from typing import Any

from exporter.core import words
from exporter.core.alert import Alert, to_say
from exporter.core.apart import Failure
from exporter.core.burn import Condition
from exporter.core.composite import gather, leave_out
from exporter.core.events import Group
from exporter.core.exclusion import Exclusion, Span, merged
from exporter.core.forecast import Forecast
from exporter.core.instance import MISSING, Instance, patience
from exporter.core.intake import Intake
from exporter.core.long_work import Steps, at_once
from exporter.core.memory import Memory
from exporter.core.notification import Notification
from exporter.core.sample import Batch
from exporter.core.slo import SLO, CompositeSLI
from exporter.core.taken import Taken
from exporter.core.words import Show

_SLIDE = 1.0
"""Seconds between two evaluations of windows that only time moves: the shortest window there is."""


class Account:
    """One SLO. `failures`: exceptions nobody foresaw, by what was computed; see `apart`."""

    def __init__(self, slo: SLO) -> None:
        self.slo = slo
        self.memory = Memory(slo)
        self.patience = patience(slo)
        self.failures: dict[str, Failure] = {}
        self._fault: str | None = slo.fault or None
        self.behind = False
        """Its history is being fetched; it decides nothing before that is there."""
        self.unreadable = ""
        """Why its source cannot be read; empty where it can."""
        self._intake = Intake(self.memory, self.patience)
        self._dirty = False
        self._watched_since = inf
        self._still_until = -inf
        """Until then no window moves unless data come."""
        self._excluded: tuple[Span, ...] = ()

    @property
    def fault(self) -> str | None:
        """Why it cannot be computed, in one line; None while it can."""
        if self._fault is not None or not self.failures:
            return self._fault
        return next(iter(self.failures.values())).text

    @fault.setter
    def fault(self, fault: str | None) -> None:
        """A foreseen reason; None takes back what was said before, but no failure."""
        self._fault = fault

    def configure(self, slo: SLO) -> None:
        """Take another objective, labels or policy for the same SLI; the history stays."""
        if slo.fault != self.slo.fault:
            self.fault = slo.fault or None
        self.slo = self.memory.slo = slo
        self.patience = self.memory.places.patience = patience(slo)
        self._dirty = True
        self._intake = Intake(self.memory, self.patience)
        for instance in self.memory.instances.values():
            instance.configure(slo)

    def exclude(self, exclusions: tuple[Exclusion, ...]) -> None:
        """Leave this time out from now on; takes the place of what was excluded before."""
        self.memory.exclude(exclusions)
        labels = {**self.slo.labels, "slo": self.slo.name, "service": self.slo.service}
        self._excluded = merged(s for e in exclusions if e.covers(labels) for s in e.spans)
        self._dirty = True

    def take(self, batch: Batch) -> Taken:
        """The same as `taking`, at once."""
        return at_once(self.taking(batch))

    def gone(self, batch: Batch) -> int:
        """How many series of a batch's targets are known and not in it; see `Intake`."""
        return self._intake.gone(batch)

    def taking(self, batch: Batch) -> Steps[Taken]:
        """Count what a batch brings, exactly once however often it is brought; see `Intake`."""
        if self.slo.fault:
            return Taken(skipped=True)
        newest = self.memory.newest
        taken = yield from self._intake.taking(batch)
        if not (taken.skipped or taken.bucket_missing):
            self.fault = taken.fault
            self._dirty = self._dirty or batch.complete
            if batch.complete:
                # What an earlier run has counted did not come with this poll.
                came: Iterable[Group] = ((),) if self.memory.newest != newest else ()
                self._note_arrivals(taken.sights if self.slo.group_by else came, batch.at)
            if self.slo.group_by:
                has_data = bool(taken.sights or taken.over_cap)
                self.memory.note_groups(batch, taken.sights, has_data=has_data)
        return taken

    def _note_arrivals(self, groups: Iterable[Group], at: float) -> None:
        """Learn how late the samples of these come."""
        for group in groups:
            instance = self.memory.instances[group]
            if instance.seen is not None:
                instance.arrivals.note(at, instance.seen)

    def gather(self, others: Mapping[str, Account], now: float) -> None:
        """Take what the parts of a composite have counted; `others` are all accounts there are."""
        assert isinstance(self.slo.sli, CompositeSLI)  # or it has a source
        parts = {name: others[name] for name, _ in self.slo.sli.parts}
        if any(part.behind for part in parts.values()):
            # What would be history then is better read once.
            self.behind = True
            return
        before = self.memory.polled
        memories = {name: part.memory for name, part in parts.items()}
        self.behind = not gather(self.memory, memories, self.patience)
        leave_out(self.memory, memories)
        self.fault = None
        if self.memory.polled != before and not self.behind:
            self._dirty = True
            self._note_arrivals(((),), now)

    def evaluate(self, now: float, show: Show) -> Iterator[Notification]:
        """Step every alert of every instance; yields what is to be said."""
        if self.memory.watched is None and self.memory.newest > 0 and not self.behind:
            self.memory.do("watched", now)
        if self._dirty:
            self._dirty = False
            # Fresh samples are not overdue before another interval is over.
            self._still_until = now + self.slo.interval
            since = self._watched_since
            for group, instance in self.memory.instances.items():
                at = instance.as_of(now, since)
                if not instance.is_calm(at):
                    yield from self._evaluate(group, instance, at, show)
        elif now >= self._still_until and not self.behind:
            yield from self._slide(now, show)
        yield from self.watch_for_data(now, show)

    def evaluate_again(self) -> None:
        """Step the alerts at the next tick even if no samples come until then."""
        self._dirty = True

    def _slide(self, now: float, show: Show) -> Iterator[Notification]:
        """Evaluate the instances whose samples are overdue: their windows move with time alone."""
        since, until = self._watched_since, now + self.patience
        for group, instance in self.memory.instances.items():
            overdue = instance.overdue(since)
            if now <= overdue:
                until = min(until, overdue)
                continue
            until = min(until, now + _SLIDE)
            if not instance.is_calm(now):
                yield from self._evaluate(group, instance, now, show)
        self._still_until = until

    def _evaluate(
        self, group: Group, instance: Instance, at: float, show: Show
    ) -> list[Notification]:
        if group and not instance.gone and self.memory.places.is_over(group, at):
            self.memory.do("gone", group, True)
        before = {key: _state(alert) for key, alert in instance.alerts.items()}
        out = instance.evaluate(at, show)
        for key, alert in instance.alerts.items():
            if before.get(key) != _state(alert):
                self.memory.note_alert(group, key, alert)
        return out

    def as_of(self, now: float) -> float:
        """Return the moment that windows of the SLO as a whole end at; see `Instance.as_of`."""
        newest = self.memory.newest
        found = (i for i in self.memory.instances.values() if i.seen == newest)
        return next((instance.as_of(now) for instance in found), now)

    def foresee(self, group: Group, now: float, random: Callable[[], float]) -> None:
        """Make the forecast of an instance anew, unless its numbers are not those of now."""
        instance = self.memory.instances.get(group)
        if instance is not None and not self.behind and self.fault is None:
            self.foretell(group, instance.foresee(instance.as_of(now), random))

    def foretell(self, group: Group, made: Forecast | None) -> None:
        """Take this forecast of an instance from now on."""
        self.memory.instance(group).foretell(made)
        self._dirty = True

    def watch_anew(self, now: float) -> None:
        """Nobody looked until now, so data may have come."""
        self._watched_since = now
        self.clock_was_set()

    def clock_was_set(self) -> None:
        """Evaluate again at the next tick, whatever time it is then."""
        self._still_until = -inf

    def watch_for_data(self, now: float, show: Show) -> list[Notification]:
        """Step the alert of data that is missing; returns what is to be said."""
        # Our clock may have been set back.
        if now < self._watched_since:
            self.watch_anew(now)
        if any(start <= now < end for start, end in self._excluded):
            # Nobody expects data of what is taken down on purpose.
            self._watched_since = now
        newest, alert = self.memory.newest, self.memory.missing
        silence = now - max(newest, self._watched_since)
        missing = silence > self.patience
        if alert is None and not missing:
            return []
        if alert is None or not alert.firing:
            if not missing:
                return []
            alert = self.memory.missing = Alert(
                {
                    **self.slo.labels,
                    "alertname": MISSING,
                    "slo": self.slo.name,
                    "service": self.slo.service,
                    "severity": "ticket",
                },
                {},
            )
        before = _state(alert)
        # Right after a restart nothing is known yet: what fired before fires on.
        present = Condition.BELOW if now - newest <= self.patience else Condition.UNKNOWN
        alert.step(Condition.ABOVE if missing else present, now)
        if missing:
            alert.annotations = words.missing(self.slo, silence, show, self.unreadable)
        out = to_say([alert])
        if _state(alert) != before:
            self.memory.note_alert(None, MISSING, alert)
        return out

    def unknown(self, now: float, show: Show) -> str | None:
        """Why its numbers are not those of now, in a few words; None when they are."""
        if self.fault is not None:
            return f"it cannot be computed: {self.fault}"
        if self.behind:
            return "its history is being fetched"
        newest = self.memory.newest
        if newest <= 0:
            return f"there is no data yet{self._because()}"
        if now - newest <= self.patience or any(a <= now < b for a, b in self._excluded):
            return None
        return f"there is no data for {show(now - newest)}{self._because()}"

    def _because(self) -> str:
        why = self.unreadable
        return f"; the source {self.slo.source} cannot be read ({why})" if why else ""

    def alerts(self) -> Iterable[Alert]:
        """Every alert that fires or did."""
        for instance in self.memory.instances.values():
            yield from instance.alerts.values()
        if self.memory.missing is not None:
            yield self.memory.missing


def _state(alert: Alert) -> tuple[Any, ...]:
    return (alert.state, alert.since, alert.said, alert.ended)
