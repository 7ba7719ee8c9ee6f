"""One instance of an SLO, which is the SLO itself or one of its groups: a ledger and its alerts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from math import inf
from zlib import crc32

from exporter.core import policy, words
from exporter.core.alert import Alert, to_say
from exporter.core.arrivals import INTERVALS, Arrivals
from exporter.core.burn import Condition
from exporter.core.burn_alerts import BurnAlerts
from exporter.core.current_incident import Incidents
from exporter.core.exclusion import Exclusion, merged
from exporter.core.forecast import Forecast, forecast, past
from exporter.core.foresight import Foresight
from exporter.core.ledger import Ledger, Since
from exporter.core.notification import Notification
from exporter.core.reopen import reopens
from exporter.core.slo import SLO, Window
from exporter.core.status import SLOStatus, WindowStatus
from exporter.core.steps import Steps
from exporter.core.words import Show

MISSING = "SLIDataMissing"
_NEVER = (inf, -inf, 0.0)
_MIN_PATIENCE = 300.0
"""Prometheus looks back for as long, so a gap up to this is none to its users either."""


class Instance:
    """Counts, alert states and budget state of one SLO instance.

    `debts`, `grown`: see `events.Debt`. `seen`: when data came last, in unix seconds. `gone`: the
    group's series are gone from targets that answer, so nothing of it is an alert any more.
    """

    def __init__(self, slo: SLO, group: Mapping[str, str], interval: float) -> None:
        self.group = group
        self.debts: list[tuple[float, float]] = []
        self.grown = 0
        self.seen: float | None = None
        self.gone = False
        self.arrivals = Arrivals(slo.interval)
        self.alerts: dict[str, Alert] = {}
        self._forecast: Forecast | None = None
        self.slo = slo
        # Spread by the name, so that not all ledgers of a fleet are thinned at the same tick.
        phase = crc32("/".join((slo.name, *group.values())).encode())
        self.ledger = Ledger(horizon(slo), interval, phase)
        self.configure(slo)

    def configure(self, slo: SLO) -> None:
        """Take another objective, labels or policy; the history stays."""
        if self._forecast is not None and (slo.objective, slo.period) != (
            self.slo.objective,
            self.slo.period,
        ):
            self._forecast = None  # It was about another budget.
        if slo.interval != self.slo.interval:
            self.arrivals = Arrivals(slo.interval)
        self.slo = slo
        self.labels = {**slo.labels, **self.group}
        self.patience = patience(slo)
        self._soon = INTERVALS * slo.interval
        self.ledger.horizon = horizon(slo)
        self.ledger.unwatch()
        self._burns = BurnAlerts(slo, self.labels, self.ledger, self.alerts)
        self._watches = self._burns.watches
        self._windows: list[tuple[Window, Since]] = [
            (w, self.ledger.since(w.seconds)) for w in slo.windows
        ]
        fastest = min((rule.long.seconds for rule in slo.rules), default=None)
        self._fastest = None if fastest is None else (fastest, self.ledger.since(fastest))
        period = slo.period
        self._period = self.ledger.since(period.seconds if isinstance(period, Window) else 0.0)
        self._bounds = (0.0, 0.0)
        self.incidents = Incidents(slo, self.ledger)
        self._steps = Steps(
            slo, self.labels, self.ledger, self._period, self.alerts, self.incidents
        )
        self._foresight = Foresight(slo, self.labels, self.alerts, self._forecast)
        self._keys = self._burns.keys | self._steps.keys | self._foresight.keys
        self._calm = _NEVER
        """From when until when, and up to how many bad events, nothing can happen."""

    def foresee(self, now: float, random: Callable[[], float]) -> Forecast | None:
        """Make a forecast; see `forecast.forecast`. None where too little is known."""
        found = past(self.slo, self.ledger, now)
        return forecast(found, self.slo.objective, random) if found is not None else None

    def foretell(self, made: Forecast | None) -> None:
        """Take this forecast from now on."""
        self._forecast = self._foresight.made = made

    def exclude(self, exclusions: Iterable[Exclusion]) -> None:
        """Leave out the time of those that are meant for it; takes the place of earlier ones."""
        labels = {**self.labels, "slo": self.slo.name, "service": self.slo.service}
        spans = merged(s for e in exclusions if e.covers(labels) for s in e.spans)
        self.ledger.exclude(spans, ex.parts if (ex := self.ledger.exclusion) else ())
        self.configure(self.slo)

    def shift(self, seconds: float) -> None:
        """Move everything in time, after the clock that dated it was set."""
        self.ledger.shift(seconds)
        self.seen = self.seen + seconds if self.seen is not None else None
        self.arrivals = Arrivals(self.slo.interval)
        for alert in self.alerts.values():
            alert.shift(seconds)
        self.configure(self.slo)

    def is_over(self, now: float) -> bool:
        """Whether a group has been silent for longer than any window reaches."""
        return bool(self.group) and now - (self.seen or 0.0) > self.ledger.horizon

    @property
    def debt(self) -> float:
        """Derived events that came out negative and are still to be taken back."""
        return sum(amount for _, amount in self.debts)

    # --- reading --------------------------------------------------------------------------------

    @property
    def grace(self) -> float:
        """For how many seconds after the newest sample the next one is not overdue."""
        return min(self.arrivals.grace, self.patience)

    def as_of(self, now: float, since: float = -inf) -> float:
        """Return the moment that windows end at: the newest sample, or `now` once the next one is
        overdue. `since`: see `overdue`.

        An upstream's samples are some seconds old when they come; a window that ended now would be
        empty at its right edge, and one of a few seconds empty altogether. A window that stood
        still for longer would call the past the present: a target that is gone has no burn rate.
        """
        last = self.seen
        # Mostly the newest sample is so young that nothing else matters; this is asked often.
        if last is not None and last <= now <= last + self._soon:
            return last
        return last if last is not None and last <= now <= self.overdue(since) else now

    def overdue(self, since: float = -inf) -> float:
        """Return when the sample after the newest one is overdue, in unix seconds; minus infinity
        without a sample. `since`: nobody waited for it before this moment."""
        return -inf if self.seen is None else max(self.seen, since) + self.grace

    def _start(self, now: float) -> float:
        """Where the objective's period begins that `now` lies in."""
        period = self.slo.period
        if isinstance(period, Window):
            return period.start(now)
        start, end = self._bounds
        if not start <= now < end:
            start = period.start(now)
            self._bounds = (start, start + period.length(now))
        return start

    def _age(self, now: float, start: float) -> float:
        """How many seconds of the period that began at `start` lie behind the first data."""
        return max(0.0, now - max(start, self.ledger.first))

    def status(self, now: float) -> SLOStatus:
        """All there is to say about it at `now`."""
        slo, ledger, upto = self.slo, self.ledger, self.ledger.upto(now)
        start = self._start(now)
        counts = self._period.counts(start, *upto)
        *covered, whole = ledger.coverages(
            [*(now - w.seconds for w, _ in self._windows), start], now
        )
        windows = [
            WindowStatus(w.label, w.seconds, *since.counts(now - w.seconds, *upto), share)
            for (w, since), share in zip(self._windows, covered, strict=True)
        ]
        windows.append(WindowStatus(slo.period.label, now - start, *counts, whole))
        left = policy.remaining(counts, slo.objective)
        age, length = self._age(now, start), slo.period.length(now)
        of_whole = policy.of_whole_period(left, age, length)
        every = ledger.all
        state = self._steps.state(of_whole) if not self.gone else None
        steps = self._steps.status(state)
        lower, middle, upper = self._foresight.interval(
            now, self._exhaustion(of_whole, now, upto), burns=self._burns.fire
        )
        return SLOStatus(
            slo=slo,
            labels=self.labels,
            good_total=every.good,
            bad_total=every.bad,
            windows=tuple(windows),
            age=age,
            length=length,
            young=ledger.first > start,
            budget_remaining=left,
            whole_remaining=of_whole,
            budget_remaining_events=policy.remaining_events(counts, slo.objective),
            exhaustion_lower=lower,
            exhaustion_seconds=middle,
            exhaustion_upper=upper,
            rules=self._burns.status(),
            policy_state=state.state if state else policy.OK,
            steps=steps,
            gate_open=all(s.step.gate_open for s in steps if s.holds),
            reopens=reopens(slo, ledger, [s for s in steps if s.holds], (start, age, length), now),
            ledger_bytes=ledger.nbytes,
            excluded_seconds=(excluded := ledger.excluded(start, now)),
            budget_unadjusted=policy.remaining(ledger.unadjusted(start, now), slo.objective)
            if excluded
            else left,
        )

    def _exhaustion(
        self, left: float | None, now: float, upto: tuple[float, float]
    ) -> float | None:
        """By the fastest rule's long window (1h in the workbook): recent, yet no single minute."""
        if self._fastest is None:
            counts = self._period.counts(self._start(now), *upto)
        else:
            seconds, since = self._fastest
            counts = since.counts(now - seconds, *upto)
        burn = counts.burn_rate(self.slo.objective)
        return policy.exhaustion(left, burn, self.slo.period.length(now))

    # --- deciding -------------------------------------------------------------------------------

    def is_calm(self, now: float) -> bool:
        """Whether `evaluate` would do nothing: no alert holds, and none can begin."""
        if self.alerts or self._foresight.looms(now):
            return False
        since, until, bad = self._calm
        return (since <= now < until and self.ledger.bad <= bad) or self._look(now)

    def _look(self, now: float) -> bool:
        """Find out for how long and for how many bad events nothing can happen."""
        bad, total = self.ledger.upto(now)
        start = self._start(now)
        allowed, until = self._steps.allowed(now, start, self._bounds[1], bad, total)
        for watch in self._watches:
            most, then = watch.allowed(now, bad, total)
            allowed, until = min(allowed, most), min(until, then)
        self._calm = (now, until, allowed)
        return self.ledger.bad <= allowed

    def evaluate(self, now: float, show: Show) -> list[Notification]:
        """Step every alert and the budget policy; return what is to be said.

        `now`: see `as_of`. `show`: writes seconds as a duration, for people.
        """
        if self.gone or self.is_over(now):
            self._end_all(now)
            return to_say(self.alerts.values())
        upto = self.ledger.upto(now)
        start = self._start(now)
        period = self._period.counts(start, *upto)
        age, length = self._age(now, start), self.slo.period.length(now)
        left = policy.remaining(period, self.slo.objective)
        left = policy.of_whole_period(left, age, length)
        # Windows end at the newest sample until the next one is overdue, see `as_of`.
        silent = self.seen if self.seen is not None and now > self.seen else None
        ends = partial(self._exhaustion, left, now, upto)
        self._burns.follow(self.title, left, ends, upto, now, silent, show)
        self._end_orphans(now)
        self._steps.follow(self.title, left, (age, length), upto, now, silent, show)
        self._foresight.follow(self.title, left, now, silent, show)
        return to_say(self.alerts.values())

    def _end_orphans(self, now: float) -> None:
        """A rule or step that the configuration no longer has cannot fire on."""
        for key, alert in self.alerts.items():
            if key not in self._keys:
                alert.step(Condition.BELOW, now)

    def _end_all(self, now: float) -> None:
        """The group is gone; no sample can end its alerts any more."""
        for alert in self.alerts.values():
            if alert.step(Condition.BELOW, now):
                alert.annotations = words.noted(alert.annotations, words.group_is_gone(self.seen))

    @property
    def title(self) -> str:
        """The name for people: the SLO and its group."""
        group = ",".join(f"{k}={v}" for k, v in self.group.items())
        return f"{self.slo.name}{{{group}}}" if group else self.slo.name


def patience(slo: SLO) -> float:
    """Return the seconds without a sample after which data counts as missing."""
    return max(4 * slo.interval, _MIN_PATIENCE)


def horizon(slo: SLO) -> float:
    """How far back the ledger must reach, in seconds."""
    windows = [*slo.windows, *(step.over for step in slo.steps if step.over is not None)]
    longest = max((w.seconds for w in windows), default=0.0)
    # The longest calendar period of a unit is a little over its nominal length.
    slack = 1.0 if isinstance(slo.period, Window) else 1.06
    return max(longest, slo.period.nominal * slack)
