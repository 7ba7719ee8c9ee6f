"""What alerts say to people: their annotations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from math import isinf

from exporter.core import policy
from exporter.core.alert import Alert
from exporter.core.forecast import Forecast
from exporter.core.ledger import Counts
from exporter.core.slo import SLO, BudgetStep, Rule
from exporter.core.timestamps import rfc3339

Show = Callable[[float], str]
"""Writes seconds as a duration, for people."""
_NOTE = " Note: "
"""In a description: what follows is of now, the numbers before it are those the alert fired by."""


def burn(
    title: str,
    slo: SLO,
    rule: Rule,
    counts: tuple[Counts, Counts],
    left: float | None,
    ends: float | None,
    show: Show,
    *,
    firing: bool = True,
) -> dict[str, str]:
    """Of an alert on a burn rate; `counts` of the long and the short window, `ends`: in how many
    seconds the budget is spent, None where that is not known."""
    long, _ = counts
    over = f"so it is over: it ends at {rule.end_rate:.4g}x"
    limit = _limit(rule, slo, counts, show) if firing else over
    future = _future(slo, ends, show)
    slow, fast = (f"{some.burn_rate(slo.objective) or 0.0:.1f}x" for some in counts)
    return {
        "summary": f"{title}: error budget burns {slow} over {rule.long.label}",
        "description": (
            f"{long.bad:.0f} bad of {long.total:.0f} events in {rule.long.label}, burn rate "
            f"{slow} there and {fast} over {rule.short.label}, {limit}. "
            f"Objective {slo.objective * 100:g}% over {slo.period.label}; {future}."
        ),
        "budget_remaining": _left(left),
        "exhausts_in": _exhausts_in(ends, show),
    }


def _limit(rule: Rule, slo: SLO, counts: tuple[Counts, Counts], show: Show) -> str:
    """How the burn rates stand to those at which the rule fires and ends."""
    lower = min(some.burn_rate(slo.objective) or 0.0 for some in counts)
    if lower > rule.rate:
        return f"both above {rule.rate:g}x"
    if lower > rule.end_rate:
        return f"it fired above {rule.rate:g}x and ends at {rule.end_rate:.4g}x"
    kept = show(rule.keep_firing_for)
    return f"it ends when one was at most {rule.end_rate:.4g}x for {kept}"


def _future(slo: SLO, ends: float | None, show: Show) -> str:
    if ends is None:
        return "how long the budget lasts is not known"
    if isinf(ends):
        fastest = min((rule.long for rule in slo.rules), key=lambda window: window.seconds)
        return f"over the last {fastest.label} nothing of the budget was spent"
    return (
        "the budget is spent" if ends == 0 else f"at this rate the budget is spent in {show(ends)}"
    )


def _left(left: float | None) -> str:
    return "unknown" if left is None else f"{left:.4f}"


def _exhausts_in(ends: float | None, show: Show) -> str:
    if ends is None:
        return "unknown"
    return "never" if isinf(ends) else show(ends)


def hold(alert: Alert, note: str, silent: float | None, left: float | None, show: Show) -> None:
    """Say of a firing alert why it holds, beside the numbers by which it fired.

    `note`: why it holds although samples come, empty where its numbers are those of now. `silent`:
    since when no sample came, in unix seconds. `left`: what remains of the budget.
    """
    if silent is not None:
        note = f"there has been no data since {rfc3339(silent)}, so the alert holds its state"
        alert.silent = silent if alert.silent is None else alert.silent
    elif not note:
        alert.silent = None
    texts = noted(alert.annotations, note)
    if note and left is not None:
        texts["budget_remaining"] = _left(left)
        if left <= 0 and "exhausts_in" in texts:
            texts["exhausts_in"] = show(0.0)
    alert.annotations = texts


def ended(alert: Alert, now: float) -> None:
    """Say of an alert that has ended for how long there was no data before."""
    note = ""
    if alert.silent is not None:
        note = f"there was no data from {rfc3339(alert.silent)} to {rfc3339(now)}"
    alert.annotations, alert.silent = noted(alert.annotations, note), None


def noted(annotations: Mapping[str, str], note: str) -> dict[str, str]:
    """Return the annotations with this note in place of the one before; an empty one is none."""
    description, _, _ = annotations.get("description", "").partition(_NOTE)
    return {**annotations, "description": description + (note and f"{_NOTE}{note}.")}


def no_events(label: str) -> str:
    """The note of an alert whose window is empty, though samples come."""
    return f"there are no events in the last {label}, so the alert holds its state"


NO_FORECAST = "there is no forecast of the last hours, so the alert holds its state"
"""The note of an alert whose forecast is too old."""


def group_is_gone(since: float | None) -> str:
    """The note of an alert that ended with its group."""
    when = f" since {rfc3339(since)}" if since is not None else ""
    return f"the alert ends because its group is gone: its targets answer without it{when}"


def part_of_period(slo: SLO, age: float, length: float, show: Show) -> str:
    """How much of the period lies behind an SLO whose data are younger: `2m of 30d`; else empty."""
    return f"{show(age)} of {slo.period.label}" if age < length else ""


class Stage(Enum):
    """How a step of the budget policy stands: it holds, a worse state does, it has ended."""

    HOLDS = "is in state"
    WORSE = "is worse than"
    OVER = "has left state"


def budget(
    title: str,
    slo: SLO,
    step: BudgetStep,
    stage: Stage,
    left: float | None,
    since: float,
    part: str,
) -> dict[str, str]:
    """Of an alert on a step of the budget policy that held since then; `part`: how much of the
    period lies behind it, empty where that is all."""
    whole = f"of the error budget over {slo.period.label}"
    share = f"{policy.shown(left)} {whole} is left" if left is not None else ""
    share += f" after {part}" if share and part else ""
    gate = f"; the gate is {'open' if step.gate_open else 'closed'}"
    said = {
        "summary": f"{title}: error budget policy {stage.value} {step.state}",
        "description": (
            f"{share or f'Nothing is known {whole}'}{_why(step, stage)}"
            f"{gate if stage is Stage.HOLDS else ''}."
        ),
        "budget_remaining": _left(left),
        "action": step.action,
        "owner": step.owner,
        "runbook_url": step.runbook,
    }
    if step.within is not None:
        said["deadline"] = rfc3339(since + step.within)
    return {name: text for name, text in said.items() if text}


def _why(step: BudgetStep, stage: Stage) -> str:
    over = stage is Stage.OVER
    if step.below is not None:
        return f", {'no longer ' if over else ''}under {step.below:.0%}"
    if step.incident_above is not None:
        least = f"{step.incident_above:.0%} of it"
        return f"; {'no' if over else 'one'} incident has spent more than {least}"
    window = step.over.label if step.over is not None else ""
    return (
        f"; over {window} it {'no longer ' if over else ''}burns faster than {step.burn_above:g}x"
    )


def forecast(
    title: str, slo: SLO, made: Forecast, left: float | None, show: Show
) -> dict[str, str]:
    """Of the alert that the budget will be gone soon."""
    if made.middle <= 0 or (left is not None and left <= 0):
        return {
            "summary": f"{title}: the error budget is gone",
            "description": f"The budget over {slo.period.label} is gone.",
            "budget_remaining": _left(left),
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
        "budget_remaining": _left(left),
        "exhausts_in": _exhausts_in(made.middle, show),
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
