"""When an SLO has to be looked at: what could fire, and from which count of bad events on.

Theory of operation: a share of bad events over a window cannot pass a ceiling before enough bad
events came. How many is known beforehand: those before the window only become more, and of all
events in it none leaves but the oldest. So one look says up to which count of bad events nothing
can happen for a while, and until then a tick is two comparisons, however many windows there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from math import inf

from exporter.core.burn import Condition, is_burst, judge
from exporter.core.ledger import Counts, Ledger, Since
from exporter.core.query_sli import QuerySLI
from exporter.core.slo import SLO, CounterSLI, HistogramSLI, Rule

_MARGIN = 0.98
"""Readings of old points change a little when they are thinned; sums and products are rounded."""
_SOON = 900.0
_STRETCHES = 48
"""Parts of a long window that are looked through for a burst, at most."""


class Ceiling:
    """A share of bad events that must not be passed, over the time since a moment that moves on.

    `since` and `rest` read the ledger there and `slack` seconds later: for as long an answer holds,
    and the longer, the fewer events it can be sure of. `until`: when the last answer ends.
    """

    __slots__ = ("_from", "_most", "_ratio", "_rest", "_since", "slack", "until")

    def __init__(self, ratio: float, since: Since, rest: Since, slack: float) -> None:
        self.slack = slack
        self.until = -inf
        self._from = inf
        self._most = 0.0
        self._ratio = ratio * _MARGIN
        self._since = since
        self._rest = rest

    def allowed(self, now: float, start: float, bad: float, total: float) -> float:
        """Up to this count of bad events since the beginning it is not passed until `until`.

        `bad` and `total`: all events until now, those before `start` included.
        """
        if bad > self._most or not self._from <= now < self.until:
            sure = total - self._rest.total_before(start + self.slack)
            self._most = self._since.bad_before(start) + self._ratio * sure
            self._from, self.until = now, now + self.slack
        return self._most


def by_chance(slo: SLO) -> bool:
    """Whether an SLO's numbers are of single events, so that it is known how far chance takes them.

    Samples of a gauge and ratios weigh by time, and the parts of a composite as it is told.
    """
    return isinstance(slo.sli, CounterSLI | HistogramSLI) or (
        isinstance(slo.sli, QuerySLI)
        and slo.sli.error_ratio is None
        and all(scale.unit == "events" for scale in slo.sli.scales.values())
    )


def rolling(ratio: float, seconds: float, ledger: Ledger) -> Ceiling:
    """The ceiling of a rolling window."""
    slack = max(seconds / 16, min(seconds / 2, _SOON))
    return Ceiling(ratio, ledger.since(seconds), ledger.since(seconds - slack), slack)


class Watch:
    """An alert rule on a ledger; `key` names it while its windows and severity stay the same.

    `by_chance`: counts are of single events, so that chance is known.
    """

    __slots__ = (
        "_by_chance",
        "_ceilings",
        "_ledger",
        "_long",
        "_objective",
        "_short",
        "key",
        "rule",
    )

    def __init__(
        self, rule: Rule, objective: float, ledger: Ledger, *, by_chance: bool = False
    ) -> None:
        self.rule = rule
        self._by_chance = by_chance
        self.key = f"{rule.severity}/{rule.long.label}/{rule.short.label}"
        self._ledger = ledger
        self._objective = objective
        self._long = ledger.since(rule.long.seconds)
        self._short = ledger.since(rule.short.seconds)
        ratio = rule.rate * (1 - objective)
        self._ceilings = [rolling(ratio, w.seconds, ledger) for w in (rule.short, rule.long)]

    def allowed(self, now: float, bad: float, total: float) -> tuple[float, float]:
        """Up to which count of bad events the rule cannot fire, and until when that is so."""
        rule = self.rule
        short, long = self._ceilings
        # One window that is not above the rate is enough, and the long one's answer holds longer.
        most = long.allowed(now, now - rule.long.seconds, bad, total)
        if bad <= most:
            return most, long.until
        return short.allowed(now, now - rule.short.seconds, bad, total), short.until

    def judge(self, now: float, bad: float, total: float, *, firing: bool) -> Condition:
        """Whether the rule's condition holds; `bad` and `total` as in `Since`."""
        rule, counts = self.rule, self.counts(now, bad, total)
        if firing:
            burst = partial(had_burst, rule, self._objective, self._ledger.readings, now)
            known = burst if self._by_chance else None
            return judge(rule, self._objective, *counts, firing=True, burst=known)
        found = judge(rule, self._objective, *counts)
        if found is not Condition.ABOVE:
            return found
        # Asked last, since it is seldom what decides.
        coverage = self._ledger.coverage(now - rule.long.seconds, now)
        return judge(rule, self._objective, *counts, coverage=coverage)

    def counts(self, now: float, bad: float, total: float) -> tuple[Counts, Counts]:
        """The events of the long and of the short window."""
        rule = self.rule
        return (
            self._long.counts(now - rule.long.seconds, bad, total),
            self._short.counts(now - rule.short.seconds, bad, total),
        )


Readings = Callable[[Sequence[float]], Sequence[tuple[float, float]]]


def had_burst(rule: Rule, objective: float, readings: Readings, now: float) -> bool:
    """Whether the bad events before the short window came in a burst; see `burn.is_burst`.

    `readings`: bad and total events up to each of some moments, as `Ledger.readings`.
    """
    short, before = rule.short.seconds, rule.long.seconds - rule.short.seconds
    parts = min(_STRETCHES, int(before / short))
    moments = [now - short - before * k / parts for k in range(parts, -1, -1)] if parts else []
    upto = readings(moments) if moments else ()
    stretches = [
        Counts(total - was_total - (bad - was_bad), bad - was_bad)
        for (was_bad, was_total), (bad, total) in pairwise(upto)
    ]
    return is_burst(stretches, rule.end_rate * (1 - objective))
