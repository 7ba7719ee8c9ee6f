"""What alerts say to people: their annotations."""

from __future__ import annotations

from collections.abc import Callable
from math import isinf

from exporter.core.ledger import Counts
from exporter.core.slo import SLO, BudgetStep, Rule

Show = Callable[[float], str]
"""Writes seconds as a duration, for people."""


def burn(
    title: str,
    slo: SLO,
    rule: Rule,
    counts: tuple[Counts, Counts],
    left: float | None,
    ends: float | None,
    show: Show,
) -> dict[str, str]:
    """Of an alert on a burn rate; `counts` of the long and the short window, `ends` in seconds."""
    long, _ = counts
    burns = [some.burn_rate(slo.objective) for some in counts]
    slow, fast = ("unknown" if b is None else f"{b:.1f}x" for b in burns)
    exhausts = "never" if ends is None or isinf(ends) else show(ends)
    return {
        "summary": f"{title}: error budget burns {slow} over {rule.long.label}",
        "description": (
            f"{long.bad:.0f} bad of {long.total:.0f} events in {rule.long.label}, burn rate "
            f"{slow} there and {fast} over {rule.short.label}, both above {rule.rate:g}x. "
            f"Objective {slo.objective * 100:g}% over {slo.period.label}; at this rate the "
            f"budget is spent in {exhausts}."
        ),
        "budget_remaining": "unknown" if left is None else f"{left:.4f}",
        "exhausts_in": exhausts,
    }


def budget(title: str, slo: SLO, step: BudgetStep, left: float | None) -> dict[str, str]:
    """Of an alert on a state of the budget policy."""
    share = "unknown" if left is None else f"{left:.1%}"
    return {
        "summary": f"{title}: error budget policy is in state {step.state}",
        "description": (
            f"{share} of the error budget over {slo.period.label} is left, "
            f"under {step.below:.0%}; the gate is {'open' if step.gate_open else 'closed'}."
        ),
        "budget_remaining": "unknown" if left is None else f"{left:.4f}",
    }


def missing(slo: SLO, silence: float, show: Show) -> dict[str, str]:
    """Of the alert that no data comes."""
    return {
        "summary": f"{slo.name}: no data for {show(silence)}",
        "description": (
            f"No sample of the SLI came from source {slo.source} for {show(silence)}. "
            "Its alerts hold their state. Is the target up, and do the selectors match?"
        ),
    }
