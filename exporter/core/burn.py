"""Whether a rule's condition holds: above, below, or not known.

Source: Workbook, chapter 5, "Multiwindow, multi-burn-rate alerts".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from math import erfc, exp, lgamma, log, log1p, sqrt

from exporter.core.ledger import Counts
from exporter.core.slo import Rule

_MAX_TERMS = 10_000
_PRECISION = 1e-12
_NORMAL = 1e7
"""From this variance on the normal distribution serves as well as the binomial one (de Moivre), and
the continued fraction would need too many terms."""

CHANCE = 2.5
"""Standard deviations by which a window's bad events must be under the end rate. An alert looks
some hundred times a day; with two, a steady burn at the rate ends and fires anew 14 times in two
days, with three the recovery of a service that goes on failing a little is noticed hours late."""
_BURST = 3.0
_BURST_EVENTS = 2.0
"""Standard deviations and events above the end rate from which bad events came in a burst: it has
to be told from the fullest of a dozen stretches in which one or two are usual."""
_NONE = 0.5
"""Bad events under this are none: a window's edge inside a sample leaves a part of one."""
_ONE = 1.0
"""Fewer events tell nothing: they are a part of what came over a much longer time."""


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
    burst: Callable[[], bool] | None = None,
) -> Condition:
    """Both windows above the rate: `ABOVE`. One of them surely not: `BELOW`.

    A window without events is neither, so it decides nothing: silence is not health.

    Args:
        rule: The rule.
        objective: The SLO's, a ratio.
        long: Events of the long window.
        short: Events of the short window.
        firing: Whether it fires already. What must be there for a rule to begin does not matter
            then, and it ends at its end rate.
        coverage: The share of the long window that has data; of too little nothing is known yet.
        burst: Whether the bad events of the long window came in a burst, see `is_burst`. Without
            it a rule ends where the burn rate is at the end rate, by chance or not.
    """
    burns = (long.burn_rate(objective), short.burn_rate(objective))
    if firing:
        if burst is None or rule.hysteresis == 0:
            over = any(burn is not None and burn <= rule.end_rate for burn in burns)
        else:
            over = _is_over(rule.end_rate * (1 - objective), long, short, burst)
        if over:
            return Condition.BELOW
        return Condition.UNKNOWN if None in burns else Condition.ABOVE
    if any(burn is not None and burn <= rule.rate for burn in burns):
        return Condition.BELOW
    if long.total < rule.min_events or long.bad < rule.min_bad_events:
        return Condition.BELOW if long.total > 0 else Condition.UNKNOWN
    if None in burns:
        return Condition.UNKNOWN
    if rule.confidence is not None:
        chance = chance_of_at_least(long.bad, long.total, rule.rate * (1 - objective))
        if chance > 1 - rule.confidence:
            return Condition.BELOW
    return Condition.ABOVE if coverage >= rule.min_coverage else Condition.UNKNOWN


def _is_over(ratio: float, long: Counts, short: Counts, burst: Callable[[], bool]) -> bool:
    """Whether one of the windows has fewer bad events than this error ratio brings by chance.

    Few events never are: where a window has none at all, it is over when those before it were more
    than the ratio explains. A steady trickle pauses now and then, an outage ends.
    """
    for counts in (long, short):
        mean = counts.total * ratio
        if counts.total > 0 and counts.bad <= mean - CHANCE * _deviation(mean, ratio):
            return True
    if long.total >= _ONE and long.bad < _NONE:
        return True
    return short.total >= _ONE and short.bad < _NONE and burst()


def is_burst(stretches: Sequence[Counts], ratio: float) -> bool:
    """Whether a stretch of time has more bad events than the ratio brings by chance."""
    for counts in stretches:
        mean = counts.total * ratio
        if counts.bad >= mean + _BURST * _deviation(mean, ratio) + _BURST_EVENTS:
            return True
    return False


def _deviation(mean: float, ratio: float) -> float:
    """The standard deviation of a binomial count with this mean."""
    return sqrt(mean * max(0.0, 1 - ratio))


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
