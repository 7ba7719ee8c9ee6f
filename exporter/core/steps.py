"""The budget policy of one SLO instance: which of its steps hold, and the alert of each.

An alert that fires is the state: it is kept with the instance, so that a restart finds it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from exporter.core import policy, words
from exporter.core.alert import Alert
from exporter.core.burn import Condition
from exporter.core.current_incident import CurrentIncident, Incidents
from exporter.core.ledger import Ledger, Since
from exporter.core.slo import MIN_COVERAGE, SLO, BudgetStep, Window
from exporter.core.status import StepStatus
from exporter.core.watch import Ceiling, rolling
from exporter.core.words import Show

POLICY = "ErrorBudgetPolicy"


class Steps:
    """`labels`: of the instance. `period`: the events of the objective's period. `alerts`: all of
    the instance's, by key. `incidents`: those of the ledger."""

    def __init__(
        self,
        slo: SLO,
        labels: Mapping[str, str],
        ledger: Ledger,
        period: Since,
        alerts: dict[str, Alert],
        incidents: Incidents,
    ) -> None:
        self.keys = {_key(step) for step in slo.steps}
        self._slo = slo
        self._labels = {**labels, "alertname": POLICY, "slo": slo.name, "service": slo.service}
        self._alerts = alerts
        self._incident = CurrentIncident(slo, ledger, incidents)
        self._ledger = ledger
        allowed = 1 - slo.objective
        self._burns = {
            step: (step.over, ledger.since(step.over.seconds), _ceiling(step, allowed, ledger))
            for step in slo.steps
            if step.over is not None
        }
        # One incident that spent so much leaves at most the rest.
        levels = [step.below for step in slo.steps if step.below is not None]
        levels += [1 - s.incident_above for s in slo.steps if s.incident_above is not None]
        self._spends = bool(levels)
        ratio = (1 - max(levels, default=-inf)) * allowed
        self._rolls = isinstance(slo.period, Window)
        if isinstance(slo.period, Window):
            self._ceiling = rolling(ratio, slo.period.seconds, ledger)
        else:
            # Until it ends a calendar period only gains events.
            self._ceiling = Ceiling(ratio, period, period, 0.0)

    def allowed(
        self, now: float, start: float, end: float, bad: float, total: float
    ) -> tuple[float, float]:
        """Up to which count of bad events no step begins, and until when that is so; the period
        that `now` lies in is from `start` to `end`."""
        most, until = inf, inf
        if self._spends:
            most = self._ceiling.allowed(now, start, bad, total)
            until = self._ceiling.until if self._rolls else end
        for window, _, ceiling in self._burns.values():
            most = min(most, ceiling.allowed(now, now - window.seconds, bad, total))
            until = min(until, ceiling.until)
        return most, until

    def state(self, left: float | None) -> BudgetStep | None:
        """The policy's state; None above all steps. `left`: the share of budget that remains."""
        steps = self._slo.steps
        before = next((s for s in steps if s.below is not None and self._holds(s)), None)
        return policy.current_step(steps, left, before, self._slo.hysteresis)

    def follow(
        self,
        title: str,
        left: float | None,
        span: tuple[float, float],
        upto: tuple[float, float],
        now: float,
        silent: float | None,
        show: Show,
    ) -> None:
        """Step the alert of each step. `left`: of the whole period's budget. `span`: the period's
        age and length, see `SLOStatus`. `upto` as in `Ledger.upto`, `silent` as in `words.hold`.

        That of a state goes on in all worse ones: what gets worse is not resolved.
        """
        current = self.state(left)
        for step in self._slo.steps:
            condition = self._judge(step, current, left, upto, now)
            key = _key(step)
            alert = self._alerts.get(key)
            if alert is None or not alert.firing:
                if condition is not Condition.ABOVE:
                    continue
                labels = {**self._labels, "severity": step.severity, "state": step.state}
                # Slower than any rule's window, yet said beside a page: another message altogether.
                alert = self._alerts[key] = Alert(labels, {}, 0.0)
            is_over = alert.step(condition, now) and not alert.firing
            if not is_over and not alert.needs_words(now):
                continue
            if left is not None or not alert.annotations:
                of = words.part_of_period(self._slo, *span, show)
                stage = words.Stage.OVER if is_over else _stage(step, current)
                alert.annotations = words.budget(
                    title, self._slo, step, stage, left, alert.since, of
                )
            if is_over:
                words.ended(alert, now)
                continue
            # What is left of the budget is known without new data, and still true.
            known = condition is Condition.ABOVE
            note = "" if known else words.no_events((step.over or self._slo.period).label)
            words.hold(alert, note, None if known else silent, left, show)
            alert.worded = now

    def status(self, current: BudgetStep | None) -> tuple[StepStatus, ...]:
        """All steps, lowest first; `current`: the policy's state."""
        out = []
        for step in self._slo.steps:
            alert = self._alerts.get(_key(step))
            since = alert.since if alert is not None and alert.firing else None
            holds = step is current if step.below is not None else since is not None
            due = since + step.within if since is not None and step.within is not None else None
            out.append(StepStatus(step, holds, since if holds else None, due if holds else None))
        return tuple(out)

    def _holds(self, step: BudgetStep) -> bool:
        alert = self._alerts.get(_key(step))
        return alert is not None and alert.firing

    def _judge(
        self,
        step: BudgetStep,
        current: BudgetStep | None,
        left: float | None,
        upto: tuple[float, float],
        now: float,
    ) -> Condition:
        if step.incident_above is not None:
            return self._judge_incident(step, step.incident_above, now)
        if step.below is None:
            return self._judge_burn(step, upto, now)
        if left is None:
            return Condition.UNKNOWN
        return Condition.ABOVE if _is_in(step, current) else Condition.BELOW

    def _judge_incident(self, step: BudgetStep, most: float, now: float) -> Condition:
        """A review that is due stays due until its deadline, also when the incident is over."""
        alert = self._alerts.get(_key(step))
        if alert is not None and alert.firing and step.within is not None:
            if now < alert.since + step.within:
                return Condition.ABOVE
        spent = self._incident.spent(now)
        if spent is None:
            return Condition.UNKNOWN
        return Condition.ABOVE if spent > most else Condition.BELOW

    def _judge_burn(self, step: BudgetStep, upto: tuple[float, float], now: float) -> Condition:
        window, since, _ = self._burns[step]
        burn = since.counts(now - window.seconds, *upto).burn_rate(self._slo.objective)
        if burn is None:
            return Condition.UNKNOWN
        holds = self._holds(step)
        if burn <= (step.burn_above or 0.0) * (1 - self._slo.hysteresis * holds):
            return Condition.BELOW
        if not holds and self._ledger.coverage(now - window.seconds, now) < MIN_COVERAGE:
            return Condition.UNKNOWN
        return Condition.ABOVE


def _stage(step: BudgetStep, current: BudgetStep | None) -> words.Stage:
    worse = step.below is not None and step is not current
    return words.Stage.WORSE if worse else words.Stage.HOLDS


def _is_in(step: BudgetStep, current: BudgetStep | None) -> bool:
    """Check that the policy is in this step's state or a worse one."""
    if current is None or current.below is None or step.below is None:
        return False
    return current.below <= step.below


def _ceiling(step: BudgetStep, allowed: float, ledger: Ledger) -> Ceiling:
    assert step.over is not None  # or it would be another step
    assert step.burn_above is not None
    return rolling(step.burn_above * allowed, step.over.seconds, ledger)


def _key(step: BudgetStep) -> str:
    return f"{POLICY}/{step.state}"
