"""Whether a rule's condition holds: above, below, or not known.

Source: Workbook, chapter 5, "Multiwindow, multi-burn-rate alerts".
"""

from __future__ import annotations

from enum import Enum
from math import erfc, exp, lgamma, log, log1p, sqrt

from exporter.core.ledger import Counts
from exporter.core.slo import Rule

_MAX_TERMS = 10_000
_PRECISION = 1e-12
_NORMAL = 1e7
"""From this variance on the normal distribution serves as well as the binomial one (de Moivre), and
the continued fraction would need too many terms."""


class Condition(Enum):
    """What the two windows say together."""

    ABOVE = "above"
    BELOW = "below"
    UNKNOWN = "unknown"


def judge(
    rule: Rule,
    objective: float,
    long: Counts,
    short: Counts,
    *,
    firing: bool = False,
    coverage: float = 1.0,
) -> Condition:
    """Both windows above the rate: `ABOVE`. One of them surely not: `BELOW`.

    A window without events is neither, so it decides nothing: silence is not health. `coverage`:
    the share of the long window that has data; of too little of it nothing is known yet. What must
    be there for a rule to begin does not matter to one that is `firing`.
    """
    burns = (long.burn_rate(objective), short.burn_rate(objective))
    limit = rule.end_rate if firing else rule.rate
    if any(burn is not None and burn <= limit for burn in burns):
        return Condition.BELOW
    if firing:
        return Condition.UNKNOWN if None in burns else Condition.ABOVE
    if long.total < rule.min_events or long.bad < rule.min_bad_events:
        return Condition.BELOW if long.total > 0 else Condition.UNKNOWN
    if None in burns:
        return Condition.UNKNOWN
    if rule.confidence is not None:
        chance = chance_of_at_least(long.bad, long.total, rule.rate * (1 - objective))
        if chance > 1 - rule.confidence:
            return Condition.BELOW
    return Condition.ABOVE if coverage >= rule.min_coverage else Condition.UNKNOWN


def chance_of_at_least(bad: float, total: float, ratio: float) -> float:
    """The chance to see so many bad events of all if the true error ratio were `ratio`.

    Below 1 - c it says that the lower bound of the one-sided Clopper-Pearson interval at confidence
    c is above `ratio` (Clopper, Pearson, 1934): P(X >= bad) = I_ratio(bad, total - bad + 1).
    """
    if bad <= 0 or ratio >= 1:
        return 1.0
    if ratio <= 0:
        return 0.0
    variance = total * ratio * (1 - ratio)
    if variance > _NORMAL:
        return 0.5 * erfc((bad - 0.5 - total * ratio) / sqrt(2 * variance))
    return _incomplete_beta(bad, max(0.0, total - bad) + 1, ratio)


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function (DLMF 8.17), by its continued fraction 8.17.22."""
    if x > (a + 1) / (a + b + 2):
        return 1.0 - _incomplete_beta(b, a, 1.0 - x)
    front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x)) / a
    # Lentz's method (DLMF 3.10(iii)); it needs about sqrt(max(a, b)) terms.
    numerator = 1.0
    denominator = fraction = 1.0 / (1.0 - (a + b) * x / (a + 1))
    for m in range(1, _MAX_TERMS):  # pragma: no branch (it converges long before)
        step = 0.0
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            denominator = 1.0 / (1.0 + term * denominator)
            numerator = 1.0 + term / numerator
            step = numerator * denominator
            fraction *= step
        if abs(step - 1.0) < _PRECISION:
            break
    return front * fraction
