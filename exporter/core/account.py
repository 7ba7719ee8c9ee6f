"""The account of one SLO: what is remembered of its series, and its instances.

Every change of what must survive a restart goes through one of the `_do_*` operations below and is
written to `log` as it happens. A restart loads the last dump and does the logged operations again:
the same code, so the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from exporter.core import events
from exporter.core.alert import Alert, State, to_say
from exporter.core.burn import Condition
from exporter.core.events import Gain, Group, Term
from exporter.core.instance import MISSING, Instance
from exporter.core.notification import Notification
from exporter.core.sample import Batch, Reading, Target
from exporter.core.series import (
    Facts,
    Increase,
    Known,
    Last,
    increases,
    is_birth,
    relabelled,
    restarted,
)
from exporter.core.slo import SLO, GaugeSLI, HistogramSLI, QuerySLI

FORGET_AFTER = 86_400.0
"""A target or series that was silent for so long (a day, in seconds) is a new one when it returns."""

_MIN_PATIENCE = 300.0

Op = tuple[Any, ...]


@dataclass(slots=True)
class _TargetState:
    """`series`: for each term the newest sample of each series, by its key."""

    last: float
    started: float | None
    series: list[dict[str, Last]]


@dataclass(slots=True)
class Taken:
    """What came of one batch for one SLO."""

    facts: Facts = field(default_factory=Facts)
    skipped: bool = False
    """A want was not answered; the next batch bridges."""
    over_cap: set[Group] = field(default_factory=set)
    bucket_missing: bool = False
    """No series of the threshold's bucket, though the histogram is there: are there other bounds?"""


class Account:
    """Takes batches for one SLO, keeps its series, and feeds its instances."""

    def __init__(self, slo: SLO) -> None:
        self.slo = slo
        self.terms = events.terms(slo.sli)
        self._derived = events.derives(slo.sli)
        self.since: float | None = None
        self.polled: float | None = None
        self.bucket_known = False
        """The threshold is known to be a bucket bound."""
        self.fault: str | None = None
        """Why this SLO cannot be computed, in one line; None while it can."""
        self.instances: dict[Group, Instance] = {}
        self.log: list[Op] = []
        self.dirty = True
        self.missing: Alert | None = None
        """The alert that there is no data."""
        self._watched_since: float | None = None
        self._targets: dict[str, _TargetState] = {}
        if not slo.group_by:
            self._instance(())

    @property
    def patience(self) -> float:
        """Seconds without a sample after which data counts as missing; Prometheus looks back 5m."""
        return max(4 * self.slo.interval, _MIN_PATIENCE)

    @property
    def targets(self) -> Iterable[str]:
        """The targets that were observed and are not forgotten."""
        return self._targets.keys()

    def configure(self, slo: SLO) -> None:
        """Take another objective, labels or policy for the same SLI; the history stays."""
        self.slo = slo
        self.dirty = True
        for instance in self.instances.values():
            instance.configure(slo)

    # --- taking a batch -------------------------------------------------------------------------

    def take(self, batch: Batch) -> Taken:
        """Count what a batch brings, exactly once however often it is brought."""
        taken = Taken()
        if any(term.want in batch.failed for term in self.terms):
            taken.skipped = True
            return taken
        if batch.own_clock and self.polled is not None and batch.at < self.polled - 1.0:
            # Our own clock was set back: what it dated before moves along.
            self._do("shift", batch.at - self.polled)
        readings = self._readings(batch, taken)
        if taken.bucket_missing:
            return taken
        gains: list[Gain] = []
        seen: dict[Group, set[float]] = {}
        for index, term, reading in readings:
            group = tuple(reading.series.labels.get(name, "") for name in self.slo.group_by)
            new = self._gains(index, term, reading, batch, group, taken.facts)
            if group not in self.instances and len(self.instances) >= self.slo.max_groups:
                taken.over_cap.add(group)
                continue
            seen.setdefault(group, set()).update(time for time, _ in reading.samples)
            gains += new
        self._book(gains, seen)
        self._observe(batch, readings)
        self._do("polled", max(batch.at, self.polled or batch.at))
        self.dirty = True
        return taken

    def _readings(self, batch: Batch, taken: Taken) -> list[tuple[int, Term, Reading]]:
        """The readings that matter, each with its term; a classic histogram before a native one."""
        by_term = [
            [r for r in batch.readings.get(term.want, ()) if r.samples] for term in self.terms
        ]
        if isinstance(self.slo.sli, HistogramSLI):
            bucket, count, native = by_term
            if bucket or (count and self.bucket_known):
                by_term[2] = []
                self.bucket_known = True
                self.fault = None
            elif native:
                by_term[1] = []
            elif count:
                taken.bucket_missing = True
        return [
            (index, term, reading)
            for index, (term, found) in enumerate(zip(self.terms, by_term, strict=True))
            for reading in found
        ]

    def _gains(
        self,
        index: int,
        term: Term,
        reading: Reading,
        batch: Batch,
        group: Group,
        facts: Facts,
    ) -> list[Gain]:
        sli, series = self.slo.sli, reading.series
        state = self._targets.get(series.target)
        last = state.series[index].get(series.key) if state else None
        if isinstance(sli, GaugeSLI | QuerySLI):
            since = last.time if last else None
            if isinstance(sli, GaugeSLI):
                out, newest = events.gauge_gains(sli, reading, group, since, self.patience)
            else:
                out, newest = events.query_gains(term, reading, group, since, self.slo.interval)
            facts.samples += sum(since is None or t > since for t, _ in reading.samples)
            if newest is None:
                self._do("lost", series.target, index, series.key)
            elif newest != since:
                self._do("series", series.target, index, series.key, newest, 0.0, 0.0, None)
            return out
        return [
            events.gain(term.role, group, i.start, i.end, i.amount, self._under(i, reading))
            for i in self._increases(index, reading, batch, state, last, facts)
        ]

    def _under(self, increase: Increase, reading: Reading) -> float:
        sli = self.slo.sli
        good_if = sli.good_if if isinstance(sli, HistogramSLI) else ()
        good = all(m.matches(reading.series.labels.get(m.label, "")) for m in good_if)
        return increase.under if good else 0.0

    def _increases(
        self,
        index: int,
        reading: Reading,
        batch: Batch,
        state: _TargetState | None,
        last: Last | None,
        facts: Facts,
    ) -> list[Increase]:
        series = reading.series
        target = batch.targets.get(series.target)
        known = Known(state.last, state.started) if state else None
        born: float | None = None
        if last is None:
            if state is not None:
                last = self._go_on(index, reading, batch, state, target)
            if last is None and is_birth(reading, known, target, self.polled, self.since or 0.0):
                born = self._birth_begins(reading, known)
        sli = self.slo.sli
        out, newest = increases(
            reading,
            last,
            born=born,
            restarted=restarted(known, target),
            threshold=sli.threshold if isinstance(sli, HistogramSLI) else 0.0,
            facts=facts,
        )
        if newest is not None and newest is not last:
            self._do("series", series.target, index, series.key, *newest)
        return out

    def _go_on(
        self,
        index: int,
        reading: Reading,
        batch: Batch,
        state: _TargetState,
        target: Target | None,
    ) -> Last | None:
        """The newest sample under another name, where the target changed its labels."""
        olds = state.series[index]
        first = reading.samples[0][0]
        if not olds or reading.created is not None or any(o.time >= first for o in olds.values()):
            return None
        target_name = reading.series.target
        present = {
            r.series.key
            for r in batch.readings.get(self.terms[index].want, ())
            if r.series.target == target_name and r.samples[-1:] and r.samples[-1][0] >= first
        }
        if not present.isdisjoint(olds):
            return None
        started = target.started if target else None
        if started is not None and any(started > old.time for old in olds.values()):
            return None
        found = relabelled(reading, list(olds.items()), reading.series.key)
        if found is None:
            return None
        self._do("lost", target_name, index, found[0])
        return found[1]

    def _birth_begins(self, reading: Reading, known: Known | None) -> float:
        """One sample before the first; the series came to be some time after."""
        times = [time for time, _ in reading.samples[:2]]
        spacing = times[1] - times[0] if len(times) > 1 else self.slo.interval
        begin = times[0] - spacing
        return max(begin, known.last) if known and known.last < times[0] else begin

    def _book(self, gains: list[Gain], seen: Mapping[Group, set[float]]) -> None:
        by_group: dict[Group, list[Gain]] = {}
        for gain in gains:
            by_group.setdefault(gain.group, []).append(gain)
        for group, times in seen.items():
            instance = self._instance(group)
            found, debt = events.settle(by_group.get(group, ()), self._derived, instance.debt)
            for start, end, good, bad in found:
                self._do("events", group, start, end, good, bad)
            if debt != instance.debt:
                self._do("debt", group, debt)
            fresh = sorted(t for t in times if instance.seen is None or t > instance.seen)
            if fresh:
                begin = fresh[0] if instance.seen is None else instance.seen
                for start, end in self._stretches([begin, *fresh]):
                    self._do("cover", group, start, end)

    def _stretches(self, times: list[float]) -> list[tuple[float, float]]:
        """Stretches with a sample at least every `patience` seconds."""
        out = [(times[0], times[0])]
        for start, end in pairwise(times):
            if end - start <= self.patience:
                out[-1] = (out[-1][0], end)
            else:
                out.append((end, end))
        return out

    def _observe(self, batch: Batch, readings: list[tuple[int, Term, Reading]]) -> None:
        last: dict[str, float] = {}
        if batch.own_clock:
            last = dict.fromkeys(batch.targets, batch.at)
        for _, _, reading in readings:
            target = reading.series.target
            last[target] = max(last.get(target, 0.0), reading.samples[-1][0])
        for target, time in last.items():
            facts = batch.targets.get(target)
            self._do("target", target, time, facts.started if facts else None)

    # --- operations -----------------------------------------------------------------------------

    def _do(self, name: str, *args: Any) -> None:
        self.log.append((name, *args))
        self._operations[name](self, *args)

    def replay(self, log: Iterable[Op]) -> None:
        """Do logged operations again, after a restart."""
        for name, *args in log:
            self._operations[name](self, *(tuple(a) if isinstance(a, list) else a for a in args))
        self.dirty = True

    def _do_polled(self, at: float) -> None:
        if self.since is None:
            self.since = at
        self.polled = at

    def _do_target(self, target: str, last: float, started: float | None) -> None:
        state = self._target(target)
        state.last = max(state.last, last)
        state.started = started if started is not None else state.started

    def _do_series(self, target: str, index: int, key: str, *last: Any) -> None:
        self._target(target).series[index][key] = Last(*last)

    def _do_lost(self, target: str, index: int, key: str) -> None:
        self._target(target).series[index].pop(key, None)

    def _do_events(self, group: Group, start: float, end: float, good: float, bad: float) -> None:
        self._instance(group).ledger.add(start, end, good, bad)

    def _do_cover(self, group: Group, start: float, end: float) -> None:
        instance = self._instance(group)
        instance.seen = end
        if end > start:
            instance.ledger.cover(start, end)

    def _do_debt(self, group: Group, debt: float) -> None:
        self._instance(group).debt = debt

    def _do_shift(self, seconds: float) -> None:
        self.polled = self.polled + seconds if self.polled is not None else None
        self.since = self.since + seconds if self.since is not None else None
        for state in self._targets.values():
            state.last += seconds
            for series in state.series:
                for key, last in series.items():
                    series[key] = last._replace(time=last.time + seconds)
        for instance in self.instances.values():
            instance.ledger.shift(seconds)
            instance.seen = instance.seen + seconds if instance.seen is not None else None

    def _do_forget(self, now: float) -> None:
        """Drop what was silent for a day and what no window reaches."""
        for target, state in list(self._targets.items()):
            if now - state.last > FORGET_AFTER:
                del self._targets[target]
                continue
            for series in state.series:
                for key in [k for k, s in series.items() if now - s.time > FORGET_AFTER]:
                    del series[key]
        for group, instance in list(self.instances.items()):
            instance.ledger.forget(now)
            if self.slo.group_by and instance.seen is not None:
                if now - instance.seen > instance.ledger.horizon:
                    del self.instances[group]

    def _do_alert(
        self, group: Group | None, key: str, labels: Any, annotations: Any, *rest: Any
    ) -> None:
        speed, state, since, said, ended = rest
        alert = Alert(labels, annotations, speed, State(state), since, said, ended)
        if group is None:
            self.missing = alert
        else:
            self._instance(group).alerts[key] = alert

    _operations: Mapping[str, Callable[..., None]] = {
        "polled": _do_polled,
        "target": _do_target,
        "series": _do_series,
        "lost": _do_lost,
        "events": _do_events,
        "cover": _do_cover,
        "debt": _do_debt,
        "shift": _do_shift,
        "forget": _do_forget,
        "alert": _do_alert,
    }

    def forget(self, now: float) -> None:
        """Drop what is too old to matter; call it once in a while."""
        self._do("forget", now)

    # --- deciding -------------------------------------------------------------------------------

    def evaluate(self, now: float, show: Callable[[float], str]) -> list[Notification]:
        """Step every alert of every instance; return what is to be said."""
        out: list[Notification] = []
        if self.dirty:
            self.dirty = False
            for group, instance in self.instances.items():
                before = {key: _state(alert) for key, alert in instance.alerts.items()}
                out += instance.evaluate(instance.as_of(now, self.patience), show)
                for key, alert in instance.alerts.items():
                    if before.get(key) != _state(alert):
                        self.log.append(("alert", group, key, *alert_values(alert)))
        return out + self._watch_for_data(now, show)

    def _watch_for_data(self, now: float, show: Callable[[float], str]) -> list[Notification]:
        if self._watched_since is None:
            self._watched_since = now
        newest = max((i.seen or 0.0 for i in self.instances.values()), default=0.0)
        silence = now - max(newest, self._watched_since)
        alert = self.missing
        missing = silence > self.patience
        if missing:
            # Windows go on sliding while nothing comes.
            self.dirty = True
        if alert is None:
            if not missing:
                return []
            alert = self.missing = Alert(
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
        alert.step(Condition.ABOVE if missing else Condition.BELOW, now)
        if missing:
            alert.annotations = {
                "summary": f"{self.slo.name}: no data for {show(silence)}",
                "description": (
                    f"No sample of the SLI came from source {self.slo.source} for {show(silence)}. "
                    "Its alerts hold their state. Is the target up, and do the selectors match?"
                ),
            }
        out = to_say([alert])
        if _state(alert) != before:
            self.log.append(("alert", None, MISSING, *alert_values(alert)))
        return out

    def alerts(self) -> Iterable[Alert]:
        """Every alert that fires or did."""
        for instance in self.instances.values():
            yield from instance.alerts.values()
        if self.missing is not None:
            yield self.missing

    # --- parts ----------------------------------------------------------------------------------

    def _instance(self, group: Group) -> Instance:
        instance = self.instances.get(group)
        if instance is None:
            labels = dict(zip(self.slo.group_by, group, strict=True))
            instance = self.instances[group] = Instance(self.slo, labels)
        return instance

    def _target(self, target: str) -> _TargetState:
        state = self._targets.get(target)
        if state is None:
            state = self._targets[target] = _TargetState(0.0, None, [{} for _ in self.terms])
        return state

    # --- keeping --------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """All that must survive a restart, as plain values."""
        return {
            "since": self.since,
            "polled": self.polled,
            "bucket_known": self.bucket_known,
            "missing": alert_values(self.missing) if self.missing else None,
            "targets": [
                (name, t.last, t.started, [[(k, *s) for k, s in d.items()] for d in t.series])
                for name, t in self._targets.items()
            ],
            "instances": [
                (
                    group,
                    i.debt,
                    i.seen,
                    i.ledger.dump(),
                    [(key, *alert_values(a)) for key, a in i.alerts.items()],
                )
                for group, i in self.instances.items()
            ],
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take back what `dump` gave; `ValueError` or `TypeError` when it is not that."""
        self.since, self.polled = dumped["since"], dumped["polled"]
        self.bucket_known = dumped["bucket_known"]
        if dumped["missing"]:
            self._do_alert(None, MISSING, *dumped["missing"])
        for name, last, started, series in dumped["targets"]:
            columns = [{k: Last(*s) for k, *s in one} for one in series]
            self._targets[name] = _TargetState(last, started, columns)
        for group, debt, seen, ledger, alerts in dumped["instances"]:
            instance = self._instance(tuple(group))
            instance.debt, instance.seen = debt, seen
            instance.ledger.load(ledger)
            for key, *values in alerts:
                self._do_alert(tuple(group), key, *values)


def _state(alert: Alert) -> tuple[Any, ...]:
    return (alert.state, alert.since, alert.said, alert.ended)


def alert_values(alert: Alert) -> tuple[Any, ...]:
    """An alert as plain values, in the order of its fields."""
    return (
        dict(alert.labels),
        dict(alert.annotations),
        alert.speed,
        alert.state.value,
        alert.since,
        alert.said,
        alert.ended,
    )
