"""What alerts say to people: their annotations."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from math import isinf

from exporter.core import policy
from exporter.core.forecast import Forecast
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
    later = f"at this rate the budget is spent in {exhausts}"
    future = "the budget is spent" if ends == 0 else later
    return {
        "summary": f"{title}: error budget burns {slow} over {rule.long.label}",
        "description": (
            f"{long.bad:.0f} bad of {long.total:.0f} events in {rule.long.label}, burn rate "
            f"{slow} there and {fast} over {rule.short.label}, both above {rule.rate:g}x. "
            f"Objective {slo.objective * 100:g}% over {slo.period.label}; {future}."
        ),
        "budget_remaining": "unknown" if left is None else f"{left:.4f}",
        "exhausts_in": exhausts,
    }


def budget(
    title: str, slo: SLO, step: BudgetStep, left: float | None, since: float
) -> dict[str, str]:
    """Of an alert on a step of the budget policy that holds since then."""
    share = "unknown" if left is None else policy.shown(left)
    said = {
        "summary": f"{title}: error budget policy is in state {step.state}",
        "description": (
            f"{share} of the error budget over {slo.period.label} is left{_why(step)}; "
            f"the gate is {'open' if step.gate_open else 'closed'}."
        ),
        "budget_remaining": "unknown" if left is None else f"{left:.4f}",
        "action": step.action,
        "owner": step.owner,
        "runbook_url": step.runbook,
    }
    if step.within is not None:
        due = datetime.fromtimestamp(since + step.within, UTC)
        said["deadline"] = due.isoformat(timespec="seconds").replace("+00:00", "Z")
    return {name: text for name, text in said.items() if text}


def _why(step: BudgetStep) -> str:
    if step.below is not None:
        return f", under {step.below:.0%}"
    if step.incident_above is not None:
        return f"; one incident has spent more than {step.incident_above:.0%} of it"
    over = step.over.label if step.over is not None else ""
    return f"; over {over} it burns faster than {step.burn_above:g}x"


def forecast(
    title: str, slo: SLO, made: Forecast, left: float | None, show: Show
) -> dict[str, str]:
    """Of the alert that the budget will be gone soon."""
    if made.middle <= 0 or (left is not None and left <= 0):
        return {
            "summary": f"{title}: the error budget is gone",
            "description": f"The budget over {slo.period.label} is gone.",
            "budget_remaining": "unknown" if left is None else f"{left:.4f}",
            "exhausts_in": show(0.0),
        }

    def within(seconds: float) -> str:
        return f"not within {slo.period.label}" if isinf(seconds) else f"in {show(seconds)}"

    return {
        "summary": f"{title}: the error budget will be gone {within(made.middle)}",
        "description": (
            f"Going by the last {made.days} days, the budget over {slo.period.label} is gone "
            f"{within(made.middle)}; with a chance of 10% already {within(made.lower)}, and of "
            f"10% only later than that: {within(made.upper)}."
        ),
        "budget_remaining": "unknown" if left is None else f"{left:.4f}",
        "exhausts_in": show(made.middle) if not isinf(made.middle) else "never",
    }


def missing(slo: SLO, silence: float, show: Show, unreadable: str) -> dict[str, str]:
    """Of the alert that no data comes; `unreadable`: why the source cannot be read, if so."""
    cause = (
        f"The source cannot be read: {unreadable}."
        if unreadable
        else "Is the target up, and do the selectors match?"
    )
    return {
        "summary": f"{slo.name}: no data for {show(silence)}",
        "description": (
            f"No sample of the SLI came {_from(slo)} for {show(silence)}. "
            f"Its alerts hold their state. {cause}"
        ),
    }


def _from(slo: SLO) -> str:
    return f"from source {slo.source}" if slo.source else "to the SLOs it is made of"
