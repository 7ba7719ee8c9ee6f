"""One instance of an SLO, which is the SLO itself or one of its groups: a ledger and its alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isinf

from exporter.core import policy
from exporter.core.alert import Alert, to_say
from exporter.core.burn import Condition, judge
from exporter.core.ledger import Counts, Ledger
from exporter.core.notification import Notification
from exporter.core.slo import SLO, BudgetStep, Rule, Window
from exporter.core.status import RuleStatus, SLOStatus, WindowStatus

BURN, POLICY, MISSING = "ErrorBudgetBurn", "ErrorBudgetPolicy", "SLIDataMissing"
_POLICY_SEVERITY = "ticket"


class Instance:
    """Counts, alert states and budget state of one SLO instance.

    `debt`: derived events that came out negative and are still to be taken back. `seen`: when data
    came last, in unix seconds.
    """

    def __init__(self, slo: SLO, group: Mapping[str, str], interval: float) -> None:
        self.group = group
        self.debt = 0.0
        self.seen: float | None = None
        self.alerts: dict[str, Alert] = {}
        self._configure(slo)
        self.ledger = Ledger(self._horizon(), interval)

    def configure(self, slo: SLO) -> None:
        """Take another objective, labels or policy; the history stays."""
        self._configure(slo)
        self.ledger.horizon = self._horizon()

    def _configure(self, slo: SLO) -> None:
        self.slo = slo
        self.labels = {**slo.labels, **self.group}
        self._rules: list[tuple[str, Rule]] = [
            (f"{r.severity}/{r.long.label}/{r.short.label}", r) for r in slo.rules
        ]

    def _horizon(self) -> float:
        longest = max((w.seconds for w in self.slo.windows), default=0.0)
        # The longest calendar period of a unit is a little over its nominal length.
        return max(longest, self.slo.period.nominal * (1.0 if self._rolling else 1.06))

    @property
    def _rolling(self) -> bool:
        return isinstance(self.slo.period, Window)

    def is_over(self, now: float) -> bool:
        """Whether a group has been silent for longer than any window reaches."""
        return bool(self.group) and now - (self.seen or 0.0) > self.ledger.horizon

    # --- reading --------------------------------------------------------------------------------

    def as_of(self, now: float, patience: float) -> float:
        """The moment windows end at: the newest data, or now once it is older than `patience`.

        An upstream's samples are some seconds old when they come; a window that ended now would
        be empty at its right edge, and one of a few seconds empty altogether.
        """
        last = self.seen
        return last if last is not None and last <= now <= last + patience else now

    def window(self, window: Window, now: float) -> Counts:
        """The events of an alert window."""
        return self.ledger.window(window.seconds, now)

    def period(self, now: float) -> Counts:
        """The events of the objective's period."""
        period = self.slo.period
        if isinstance(period, Window):
            return self.ledger.window(period.seconds, now)
        return self.ledger.counts(period.start(now), now)

    def status(self, now: float) -> SLOStatus:
        """All there is to say about it at `now`."""
        slo, ledger = self.slo, self.ledger
        start = slo.period.start(now)
        counts = self.period(now)
        windows = [
            WindowStatus(
                w.label, w.seconds, *self.window(w, now), ledger.coverage(now - w.seconds, now)
            )
            for w in slo.windows
        ]
        windows.append(
            WindowStatus(slo.period.label, now - start, *counts, ledger.coverage(start, now))
        )
        left = policy.remaining(counts, slo.objective)
        every = ledger.all
        step = self._step(left)
        return SLOStatus(
            slo=slo,
            labels=self.labels,
            good_total=every.good,
            bad_total=every.bad,
            windows=tuple(windows),
            budget_remaining=left,
            budget_remaining_events=policy.remaining_events(counts, slo.objective),
            exhaustion_seconds=self._exhaustion(left, now),
            rules=tuple(self._rule_status(key, rule) for key, rule in self._rules),
            policy_state=step.state if step else policy.OK,
            states=(policy.OK, *(s.state for s in slo.steps)),
            gate_open=step.gate_open if step else True,
            ledger_bytes=ledger.nbytes,
        )

    def _rule_status(self, key: str, rule: Rule) -> RuleStatus:
        alert = self.alerts.get(key)
        firing = alert is not None and alert.firing
        since = alert.since if alert is not None and firing else None
        return RuleStatus(
            rule.severity, rule.long.label, rule.short.label, rule.rate, firing, since
        )

    def _exhaustion(self, left: float | None, now: float) -> float | None:
        """By the fastest rule's long window (1h in the workbook): recent, yet no single minute."""
        fastest = min((r.long for r in self.slo.rules), key=lambda w: w.seconds, default=None)
        counts = self.window(fastest, now) if fastest else self.period(now)
        burn = counts.burn_rate(self.slo.objective)
        return policy.exhaustion(left, burn, self.slo.period.length(now))

    # --- deciding -------------------------------------------------------------------------------

    def evaluate(self, now: float, show: Callable[[float], str]) -> list[Notification]:
        """Step every alert and the budget policy; return what is to be said.

        `now`: see `as_of`. `show`: writes seconds as a duration, for people.
        """
        objective = self.slo.objective
        counts = self.period(now)
        left = policy.remaining(counts, objective)
        for key, rule in self._rules:
            long, short = self.window(rule.long, now), self.window(rule.short, now)
            condition = judge(rule, objective, long, short)
            alert = self.alerts.get(key)
            if alert is None or not alert.firing:
                if condition is not Condition.ABOVE:
                    continue
                # Made anew each time: the SLO's labels may have changed since it last fired.
                alert = self.alerts[key] = Alert(self.rule_labels(rule), {}, rule.long.seconds)
            alert.step(condition, now)
            if alert.firing:
                alert.annotations = self._burn_annotations(rule, long, short, left, now, show)
        self._end_orphans(now)
        self._follow_policy(left, now)
        return to_say(self.alerts.values())

    def rule_labels(self, rule: Rule) -> dict[str, str]:
        """What identifies the alert of a rule."""
        return {
            **self.labels,
            "alertname": BURN,
            "slo": self.slo.name,
            "service": self.slo.service,
            "severity": rule.severity,
            "long_window": rule.long.label,
            "short_window": rule.short.label,
        }

    def _end_orphans(self, now: float) -> None:
        """A rule or step that the configuration no longer has cannot fire on."""
        keep = {key for key, _ in self._rules} | {_policy_key(s) for s in self.slo.steps}
        for key, alert in self.alerts.items():
            if key not in keep or self.is_over(now):
                alert.step(Condition.BELOW, now)

    def _follow_policy(self, left: float | None, now: float) -> None:
        if left is None:
            return
        current = self._step(left)
        state = current.state if current else policy.OK
        for step in self.slo.steps:
            key = _policy_key(step)
            alert = self.alerts.get(key)
            if alert is None or not alert.firing:
                if step.state != state:
                    continue
                labels = {
                    **self.labels,
                    "alertname": POLICY,
                    "slo": self.slo.name,
                    "service": self.slo.service,
                    "severity": _POLICY_SEVERITY,
                    "state": step.state,
                }
                # Slower than any rule's window, yet said beside a page: another message altogether.
                alert = self.alerts[key] = Alert(labels, {}, 0.0)
            alert.step(Condition.ABOVE if step.state == state else Condition.BELOW, now)
            if alert.firing:
                alert.annotations = {
                    "summary": f"{self.title}: error budget policy is in state {state}",
                    "description": (
                        f"{left:.1%} of the error budget over {self.slo.period.label} is left, "
                        f"under {step.below:.0%}; the gate is "
                        f"{'open' if step.gate_open else 'closed'}."
                    ),
                    "budget_remaining": f"{left:.4f}",
                }

    def _step(self, left: float | None) -> BudgetStep | None:
        """The budget policy's step; without events the one whose alert holds."""
        if left is not None:
            return policy.current_step(self.slo.steps, left)
        firing = {key for key, alert in self.alerts.items() if alert.firing}
        return next((s for s in self.slo.steps if _policy_key(s) in firing), None)

    @property
    def title(self) -> str:
        """The name for people: the SLO and its group."""
        group = ",".join(f"{k}={v}" for k, v in self.group.items())
        return f"{self.slo.name}{{{group}}}" if group else self.slo.name

    def _burn_annotations(
        self,
        rule: Rule,
        long: Counts,
        short: Counts,
        left: float | None,
        now: float,
        show: Callable[[float], str],
    ) -> dict[str, str]:
        objective = self.slo.objective
        burns = [counts.burn_rate(objective) for counts in (long, short)]
        slow, fast = ("unknown" if b is None else f"{b:.1f}x" for b in burns)
        ends = self._exhaustion(left, now)
        exhausts = "never" if ends is None or isinf(ends) else show(ends)
        budget = "unknown" if left is None else f"{left:.4f}"
        return {
            "summary": f"{self.title}: error budget burns {slow} over {rule.long.label}",
            "description": (
                f"{long.bad:.0f} bad of {long.total:.0f} events in {rule.long.label}, burn rate "
                f"{slow} there and {fast} over {rule.short.label}, both above {rule.rate:g}x. "
                f"Objective {objective * 100:g}% over {self.slo.period.label}; at this rate the "
                f"budget is spent in {exhausts}."
            ),
            "budget_remaining": budget,
            "exhausts_in": exhausts,
        }


def _policy_key(step: BudgetStep) -> str:
    return f"{POLICY}/{step.state}"
