"""What is remembered of one SLO, and the only ways to change it.

Every change of what must survive a restart is one of the operations below, written to `log` as it
is done. A restart loads the last dump and does the logged operations again: the same code, so the
same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from exporter.core import target_state
from exporter.core.alert import Alert, State
from exporter.core.events import Group
from exporter.core.exclusion import Exclusion
from exporter.core.group_presence import Sights
from exporter.core.instance import MISSING, Instance, horizon, patience
from exporter.core.ledger import HISTORY as MEMORY
from exporter.core.places import Places
from exporter.core.sample import Batch
from exporter.core.series import Last
from exporter.core.slo import SLO
from exporter.core.state_check import check_dump, check_operation
from exporter.core.tally import Tally
from exporter.core.target_state import LOST, TargetState

FORGET_AFTER = 86_400.0
"""A target or series that was silent for so long (a day, in seconds) is new when it returns."""

Op = tuple[Any, ...]


class Memory:
    """All that must survive a restart of one SLO.

    `since`, `polled`: the first and newest poll, `watched`: since when alerts are decided; None
    before. `newest`: when data came last. `missing`: the alert that there is none. `bucket_known`:
    the threshold was seen to be a bucket bound.
    """

    def __init__(self, slo: SLO) -> None:
        self.slo = slo
        self.log: list[Op] = []
        self.since: float | None = None
        self.polled: float | None = None
        self.newest = 0.0
        self.watched: float | None = None
        self.bucket_known = False
        self.missing: Alert | None = None
        self.instances: dict[Group, Instance] = {}
        self.places = Places(self.instances, patience(slo))
        self.targets: dict[str, TargetState] = {}
        self.tally: Tally | None = None
        """Not kept: what `explain` tells of each series; begins with the first batch."""
        self._exclusions: tuple[Exclusion, ...] = ()
        self._interval = slo.interval
        """What the ledgers were made with; their packed points are read with it for ever."""
        # Parts of a composite are kept as if they were series of one term.
        self._terms = max(1, len(slo.sli.wants()))
        if not slo.group_by:
            self.instance(())

    def instance(self, group: Sequence[str]) -> Instance:
        """The instance of a group, made when it is new."""
        # The file gives lists back.
        group = tuple(group)
        instance = self.instances.get(group)
        if instance is None:
            labels = dict(zip(self.slo.group_by, group, strict=True))
            instance = self.instances[group] = Instance(self.slo, labels, self._interval)
            if self._exclusions:
                instance.exclude(self._exclusions)
        return instance

    def exclude(self, exclusions: tuple[Exclusion, ...]) -> None:
        """Leave this time out, also of instances that are still to come. Not kept: whoever knows
        the exclusions says them again after a restart."""
        if exclusions or self._exclusions:
            self._exclusions = exclusions
            for instance in self.instances.values():
                instance.exclude(exclusions)

    def admits(self, group: Group) -> bool:
        """Whether a group has a place or there is a free one."""
        return self.places.admits(group, self.slo.max_groups)

    def note_groups(self, batch: Batch, sights: Sights, *, has_data: bool) -> None:
        """Remember which groups were there at a poll, and drop those for which there is no room."""
        for group in self.places.note(batch, sights, has_data=has_data):
            self.do("gone", group, False)
        for group in self.places.overflow(self.slo.max_groups, batch.at):
            self.do("drop", group)

    @property
    def reach(self) -> float:
        """Seconds that the ledgers of its instances remember; what is older cannot be counted."""
        return MEMORY * horizon(self.slo)

    @property
    def seals(self) -> int:
        """See `Ledger.seals`."""
        return sum(instance.ledger.seals for instance in self.instances.values())

    def do(self, name: str, *args: Any) -> None:
        """Do an operation and write it down."""
        self.log.append((name, *args))
        self._operations[name](self, *args)

    def note_alert(self, group: Group | None, key: str, alert: Alert) -> None:
        """Write down an alert that has changed; group None is the SLO as a whole."""
        self.log.append(("alert", group, key, *alert.values()))

    def drop_alerts(self) -> None:
        """Forget every alert, also that there is no data."""
        self.missing = None
        for instance in self.instances.values():
            instance.alerts.clear()

    def replay(self, log: Iterable[Op]) -> None:
        """Do logged operations again, after a restart; `ValueError` for one that never was."""
        for op in log:
            check_operation(op)
            name, *args = op
            self._operations[name](self, *args)

    # --- operations -----------------------------------------------------------------------------

    def _do_polled(self, at: float) -> None:
        if self.since is None:
            self.since = at
        self.polled = at

    def _do_watched(self, now: float) -> None:
        self.watched = now

    def _do_bucket(self, known: bool) -> None:
        self.bucket_known = known

    def _do_target(
        self, target: str, last: float, started: float | None, down: bool = False
    ) -> None:
        state = self._target(target)
        state.last = max(state.last, last)
        state.started = started if started is not None else state.started
        state.down = down

    def _do_process(
        self, target: str, belief: int, troubled: Iterable[Any], others: Iterable[float] = ()
    ) -> None:
        state = self._target(target)
        state.belief = belief
        state.troubled = tuple((when, weight) for when, weight in troubled)
        state.others = tuple(others)

    def _do_series(self, target: str, index: int, key: str, *last: Any) -> None:
        self._target(target).series[index][key] = Last(*last)

    def _do_lost(self, target: str, index: int, key: str) -> None:
        series = self._target(target).series[index]
        if self.tally is not None:
            self.tally.lost((index, target, key), series[key])
        series[key] = series[key]._replace(value=LOST)

    def _do_events(self, group: Group, start: float, end: float, good: float, bad: float) -> None:
        self.instance(group).ledger.add(start, end, good, bad)

    def _do_cover(self, group: Group, start: float, end: float) -> None:
        instance = self.instance(group)
        instance.seen = end
        self.newest = max(self.newest, end)
        if end > start:
            instance.ledger.cover(start, end)

    def _do_debt(self, group: Group, debt: float) -> None:
        # As it was written before its parts had times.
        self._do_debts(group, [(0.0, debt)] if debt else [], 0)

    def _do_debts(self, group: Group, entries: Iterable[Any], grown: int) -> None:
        instance = self.instance(group)
        instance.debts = [(time, amount) for time, amount in entries]
        instance.grown = grown

    def _do_shift(self, seconds: float) -> None:
        self.polled = self.polled + seconds if self.polled is not None else None
        self.since = self.since + seconds if self.since is not None else None
        self.watched = self.watched + seconds if self.watched is not None else None
        target_state.shift_targets(self.targets, seconds)
        self.newest += seconds
        for instance in self.instances.values():
            instance.shift(seconds)
        if self.missing is not None:
            self.missing.shift(seconds)

    def _do_forget(self, now: float) -> None:
        """Drop what was silent for a day of polls, and alerts that are past."""
        # Not a day of ours: what was missed while slod was away is still to be bridged.
        forgot = self.tally.forgot if self.tally is not None else None
        target_state.forget_targets(self.targets, (self.polled or 0.0) - FORGET_AFTER, forgot)
        if self.missing is not None and self.missing.is_past(now):
            self.missing = None
        for group, instance in list(self.instances.items()):
            alerts = instance.alerts
            for key in [key for key, alert in alerts.items() if alert.is_past(now)]:
                del alerts[key]
            if instance.is_over(now) and not any(a.firing for a in instance.alerts.values()):
                self._do_drop(group)

    def _do_gone(self, group: Sequence[str], gone: bool) -> None:
        self.instance(group).gone = gone

    def _do_drop(self, group: Sequence[str]) -> None:
        """Drop a group with all its history."""
        del self.instances[tuple(group)]
        self.places.forget(tuple(group))

    def _do_alert(
        self, group: Group | None, key: str, labels: Any, annotations: Any, *rest: Any
    ) -> None:
        speed, state, since, said, ended, *below = rest  # `below` since 0.2
        alert = Alert(labels, annotations, speed, State(state), since, said, ended, *below)
        if group is None:
            self.missing = alert
        else:
            self.instance(group).alerts[key] = alert

    _operations: Mapping[str, Callable[..., None]] = {
        "polled": _do_polled,
        "watched": _do_watched,
        "bucket": _do_bucket,
        "target": _do_target,
        "process": _do_process,
        "series": _do_series,
        "lost": _do_lost,
        "events": _do_events,
        "cover": _do_cover,
        "debt": _do_debt,
        "debts": _do_debts,
        "shift": _do_shift,
        "forget": _do_forget,
        "gone": _do_gone,
        "drop": _do_drop,
        "alert": _do_alert,
    }

    def _target(self, target: str) -> TargetState:
        state = self.targets.get(target)
        if state is None:
            state = self.targets[target] = TargetState(0.0, None, [{} for _ in range(self._terms)])
        return state

    # --- keeping --------------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """All that must survive a restart, as plain values."""
        return {
            "since": self.since,
            "polled": self.polled,
            "watched": self.watched,
            "bucket_known": self.bucket_known,
            "interval": self._interval,
            "missing": self.missing.values() if self.missing else None,
            "targets": target_state.dump_targets(self.targets),
            "instances": [
                (
                    group,
                    (i.debts, i.grown),
                    i.seen,
                    i.ledger.dump(),
                    [(key, *a.values()) for key, a in i.alerts.items()],
                )
                for group, i in self.instances.items()
            ],
            "gone": [group for group, i in self.instances.items() if i.gone],
        }

    def load(self, dumped: Mapping[str, Any]) -> None:
        """Take back what `dump` gave; `ValueError` or `TypeError` when it is not that."""
        check_dump(dumped)
        self.since, self.polled = dumped["since"], dumped["polled"]
        self.watched = dumped.get("watched", self.since)
        self.bucket_known = dumped["bucket_known"]
        self._interval = dumped["interval"]
        self.instances.clear()
        if dumped["missing"]:
            self._do_alert(None, MISSING, *dumped["missing"])
        self.targets.update(target_state.load_targets(dumped["targets"]))
        for group, debt, seen, ledger, alerts in dumped["instances"]:
            instance = self.instance(group)
            if isinstance(debt, float | int):
                self._do_debt(group, debt)
            else:
                self._do_debts(group, *debt)
            instance.seen = seen
            self.newest = max(self.newest, seen or 0.0)
            instance.ledger.load(ledger)
            for key, *values in alerts:
                self._do_alert(group, key, *values)
        for group in dumped.get("gone", ()):
            self._do_gone(group, True)
