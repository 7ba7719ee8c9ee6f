"""How long a rule takes to notice an outage, and to let go of it when it is over.

With an error ratio e from now on and none before, steady traffic and t seconds into it, the burn
rate over a window w > t is `e * t / w / (1 - objective)`: the rule's rate is passed at
`t = (1 - objective) / e * w * rate`. After a long outage the short window falls to the rate
at which the rule ends once `short * (1 - end_rate * (1 - objective) / e)` seconds are good again.

Source: Workbook, chapter 5, "Detection time" and "Reset time".
"""

from __future__ import annotations

from exporter.core.slo import Rule

OUTAGES = (1.0, 0.1, 0.01)
"""The shares of failing events that are shown."""


def detection(rule: Rule, objective: float, error_ratio: float) -> float | None:
    """Seconds from the beginning of an outage until the rule fires; None: it never does."""
    share = _share(rule, objective, error_ratio)
    return None if share is None else share * max(rule.long.seconds, rule.short.seconds)


def reset(rule: Rule, objective: float, error_ratio: float) -> float | None:
    """Seconds from the end of an outage until the rule no longer holds; None: it never did."""
    share = _share(rule, objective, error_ratio)
    shorter = min(rule.long.seconds, rule.short.seconds)
    if share is None:
        return None
    return shorter * (1 - share * (1 - rule.hysteresis)) + rule.keep_firing_for


def _share(rule: Rule, objective: float, error_ratio: float) -> float | None:
    """The share of a window that must be bad until its burn rate is the rule's."""
    allowed = 1 - objective
    # Rules compare strictly, and the tolerance keeps rounding from turning equal into above.
    if error_ratio / allowed <= rule.rate * (1 + 1e-9):
        return None
    return rule.rate * allowed / error_ratio
