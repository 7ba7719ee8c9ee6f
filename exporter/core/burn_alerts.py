"""The alerts of one SLO instance on its burn rate: one for each rule."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from exporter.core import policy, words
from exporter.core.alert import Alert
from exporter.core.burn import Condition
from exporter.core.ledger import Ledger
from exporter.core.slo import SLO, Rule
from exporter.core.status import RuleStatus
from exporter.core.watch import Watch, by_chance
from exporter.core.words import Show

BURN = "ErrorBudgetBurn"


class BurnAlerts:
    """`labels`: of the instance. `alerts`: all of the instance's, by key."""

    def __init__(
        self, slo: SLO, labels: Mapping[str, str], ledger: Ledger, alerts: dict[str, Alert]
    ) -> None:
        self.watches = [
            Watch(rule, slo.objective, ledger, by_chance=by_chance(slo)) for rule in slo.rules
        ]
        self.keys = {watch.key for watch in self.watches}
        self._slo = slo
        self._labels = {**labels, "alertname": BURN, "slo": slo.name, "service": slo.service}
        self._alerts = alerts

    @property
    def fire(self) -> bool:
        """Whether one of them does."""
        return any(w.key in self._alerts and self._alerts[w.key].firing for w in self.watches)

    def follow(
        self,
        title: str,
        left: float | None,
        ends: Callable[[], float | None],
        upto: tuple[float, float],
        now: float,
        silent: float | None,
        show: Show,
    ) -> None:
        """Step the alert of each rule.

        `ends`: computes in how many seconds the budget is spent. `upto`: as in `Ledger.upto`.
        `silent`: as in `words.hold`.
        """
        for watch in self.watches:
            alert = self._alerts.get(watch.key)
            firing = alert is not None and alert.firing
            if not firing:
                if upto[0] <= watch.allowed(now, *upto)[0]:
                    continue
            condition = watch.judge(now, *upto, firing=firing)
            if alert is None or not firing:
                if condition is not Condition.ABOVE:
                    continue
                # Made anew each time: the SLO's labels may have changed since it last fired.
                alert = self._alerts[watch.key] = Alert(
                    self._of(watch.rule), {}, watch.rule.long.seconds
                )
            if alert.step(condition, now, watch.rule.keep_firing_for) and not alert.firing:
                alert.annotations = self._words(
                    title, watch, left, ends(), upto, now, show, firing=False
                )
                words.ended(alert, now)
            if alert.held:
                alert.calm = self._is_calm(watch.rule, upto, now)
            if alert.needs_words(now):
                # Old numbers that were above the limit tell more than windows that run empty.
                known = condition is not Condition.UNKNOWN and (
                    silent is None or not alert.annotations
                )
                if known:
                    alert.annotations = self._words(title, watch, left, ends(), upto, now, show)
                note = "" if known else words.no_events(watch.rule.short.label)
                words.hold(alert, note, silent, left, show)
                alert.worded = now

    def _is_calm(self, rule: Rule, upto: tuple[float, float], now: float) -> bool:
        """Check that the fastest of all short windows burns no faster than a rule's end rate."""
        fastest = min(self.watches, key=lambda watch: watch.rule.short.seconds)
        burn = fastest.counts(now, *upto)[1].burn_rate(self._slo.objective)
        return burn is not None and burn <= rule.end_rate

    def _of(self, rule: Rule) -> dict[str, str]:
        """What identifies the alert of a rule."""
        return {
            **self._labels,
            "severity": rule.severity,
            "long_window": rule.long.label,
            "short_window": rule.short.label,
        }

    def _words(
        self,
        title: str,
        watch: Watch,
        left: float | None,
        ends: float | None,
        upto: tuple[float, float],
        now: float,
        show: Show,
        *,
        firing: bool = True,
    ) -> dict[str, str]:
        slo, counts = self._slo, watch.counts(now, *upto)
        if ends is None:
            # There may be no events in the fastest rule's window, but there are in this one's.
            burn = counts[0].burn_rate(slo.objective)
            ends = policy.exhaustion(left, burn, slo.period.length(now))
        return words.burn(title, slo, watch.rule, counts, left, ends, show, firing=firing)

    def status(self) -> tuple[RuleStatus, ...]:
        """All rules."""
        return tuple(self._status(watch.key, watch.rule) for watch in self.watches)

    def _status(self, key: str, rule: Rule) -> RuleStatus:
        alert = self._alerts.get(key)
        firing = alert is not None and alert.firing
        since = alert.since if alert is not None and firing else None
        return RuleStatus(
            rule.severity,
            rule.long.label,
            rule.short.label,
            rule.rate,
            firing,
            since,
            alert.below if alert is not None and firing else None,
        )
