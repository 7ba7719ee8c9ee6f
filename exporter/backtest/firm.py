"""For how long an alert fires on whatever comes: the counterpart of `core/watch.py`.

A share of bad events over a window cannot fall under a floor before enough events came: of the bad
ones in it none leaves but the oldest. So one look says up to which count of all events, and until
when, it surely fires on.
"""

from __future__ import annotations

from math import inf

from exporter.backtest.whole import Whole
from exporter.core.slo import Rule

_MARGIN = 1.02
_SLACKS = (2, 8)
"""A part of the window; the longer, the fewer bad events can be sure of."""


def fires_on(
    rule: Rule, objective: float, ledger: Whole, now: float, upto: tuple[float, float]
) -> tuple[float, float]:
    """Until when, and up to how many events ever, a rule that is above now stays above; minus
    infinity where it has to be looked at again. `upto`: see `Ledger.upto`."""
    until, total = inf, inf
    ratio = rule.end_rate * (1 - objective) * _MARGIN
    for window in (rule.short, rule.long):
        for part in _SLACKS:
            slack = window.seconds / part
            left = ledger.since(window.seconds - slack)
            sure = upto[0] - left.bad_before(now + slack - window.seconds)
            most = ledger.since(window.seconds).total_before(now - window.seconds) + sure / ratio
            if most > upto[1]:
                break
        until, total = min(until, now + slack), min(total, most)
    return until, total
