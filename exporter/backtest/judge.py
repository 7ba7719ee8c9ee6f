"""One variant's alerts on a ledger that others judge by too: the daemon's own instance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf, nan

from exporter.backtest.firm import fires_on
from exporter.backtest.variant import Variant
from exporter.backtest.whole import Whole
from exporter.core.instance import Instance
from exporter.core.slo import SLO, Rule
from exporter.core.words import Show


@dataclass(slots=True)
class Firing:
    """One alert, in unix seconds; `end` is None while it fires."""

    rule: Rule
    start: float
    end: float | None = None


class Judge(Instance):
    """Looks at the ledger when it is told to, as the daemon does at a tick."""

    def __init__(
        self, slo: SLO, variant: Variant, group: Mapping[str, str], ledger: Whole, show: Show
    ) -> None:
        super().__init__(variant.of(slo), group, slo.interval)
        self.ledger: Whole = ledger
        self.configure(self.slo)
        self.fired: list[Firing] = []
        self._show = show
        self._open: dict[str, Firing] = {}
        self._now = -inf

    def sure(self) -> tuple[float, float, float]:
        """Until when, and up to how many bad events and events, nothing changes after a look."""
        if self.gone:
            return inf, inf, inf
        if not self.alerts:
            return (*self._calm[1:], inf)
        until, bad, total = inf, inf, inf
        upto = self.ledger.upto(self._now)
        for watch in self._watches:
            alert = self.alerts.get(watch.key)
            if alert is not None and alert.below is not None:
                then = -inf  # Time alone ends it.
            elif alert is not None:
                then, most = fires_on(watch.rule, self.slo.objective, self.ledger, self._now, upto)
                total = min(total, most)
            else:
                most, then = watch.allowed(self._now, *upto)
                bad = min(bad, most)
            until = min(until, then)
        return until, bad, total

    def look(self, now: float) -> bool:
        """Step every alert; False when nothing holds and nothing can begin for a while."""
        self._now = now
        if not self.gone and self.is_calm(now):
            return False
        self.evaluate(now, self._show)
        for key, alert in list(self.alerts.items()):
            if alert.firing:
                # Nobody reads its words, and they are dearer than the alert.
                alert.worded = nan
                if key not in self._open:
                    rule = next(w.rule for w in self._watches if w.key == key)
                    self._open[key] = Firing(rule, alert.since)
                    self.fired.append(self._open[key])
            else:
                self._open.pop(key).end = now
                del self.alerts[key]
        return True
