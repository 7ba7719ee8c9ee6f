"""What is said of a backtest, in the table and on the page alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import floor
from typing import NamedTuple

from exporter.backtest.result import Backtest, Fired, Incident, Outcome
from exporter.charts.figures import burn, lasting, minute, number, plural, ratio, share
from exporter.config.duration import approximate
from exporter.core.alert import PAGE

FEW = 3
"""Fewer periods than that are an anecdote."""


class Case(NamedTuple):
    """An incident with its alerts, or alerts that belong to none."""

    incident: Incident | None
    alerts: tuple[Fired, ...]

    @property
    def start(self) -> float:
        """When the first of it began."""
        if self.incident is not None:
            return self.incident.start
        return min(alert.start for alert in self.alerts)


def cases(outcome: Outcome) -> list[Case]:
    """Alerts by incident in order of time; those without one are cases of their own."""
    of: dict[int, list[Fired]] = {i: [] for i in range(len(outcome.incidents))}
    alone: list[Case] = []
    for alert in sorted(outcome.alerts, key=lambda alert: alert.start):
        if alert.incident is None:
            alone.append(Case(None, (alert,)))
        else:
            of[alert.incident].append(alert)
    found = [Case(outcome.incidents[i], tuple(alerts)) for i, alerts in of.items()]
    return sorted(found + alone, key=lambda case: case.start)


def severities(outcomes: Iterable[Outcome]) -> list[str]:
    """Of all alerts there were, pages first, also where there were none."""
    found = {PAGE} | {alert.severity for outcome in outcomes for alert in outcome.alerts}
    return sorted(found, key=lambda severity: (severity != PAGE, severity))


def count(outcome: Outcome, severity: str) -> int:
    """How many alerts of it fired."""
    return sum(alert.severity == severity for alert in outcome.alerts)


def as_configured(result: Backtest) -> Iterator[Outcome]:
    """The configured objective with each policy; what is configured itself first."""
    objective = result.outcomes[0].objective
    return (outcome for outcome in result.outcomes if outcome.objective == objective)


def name(result: Backtest) -> str:
    """The SLO, with its group."""
    group = ",".join(f"{label}={value}" for label, value in result.group.items())
    return f"{result.slo}{{{group}}}" if group else result.slo


def recommendation(result: Backtest) -> str:
    """What objective history supports, and what that rests on; a sentence."""
    found, period = result.recommendation, result.period
    if not found.periods:
        return f"No recommendation: history has no whole period of {period} with events in it."
    whole = f"{plural(found.periods, 'whole period')} of {period}"
    if found.objective is None:
        return f"No recommendation: of {whole} none kept any usual objective."
    few = "; so few are an anecdote" if found.periods < FEW else ""
    return (
        f"Recommended objective: {ratio(found.objective)}, "
        f"the tightest met in {found.met} of {whole}{few}."
    )


# --- figures --------------------------------------------------------------------------------------


def rule(alert: Fired) -> str:
    """The windows of an alert's rule and its rate."""
    return f"{alert.long}/{alert.short} over {burn(alert.rate)}"


def paging(incident: Incident) -> str:
    """How an incident was noticed."""
    if incident.detected is None:
        return "not paged"
    end = "page not over" if incident.reset is None else f"reset in {approximate(incident.reset)}"
    return f"paged after {approximate(incident.detected)}, {end}"


def facts(result: Backtest) -> Sequence[tuple[str, str]]:
    """About the history itself: a word and what it is."""
    total = result.good + result.bad
    bad = f", of which {number(result.bad)} bad: {share(result.bad / total)}" if total else ""
    told = f"{plural(result.resets, 'reset')}, {plural(result.births, 'birth')}"
    known = floor(result.coverage * 1000) / 10
    span = f"{minute(result.start)} to {minute(result.end)} UTC"
    return (
        ("history", f"{span}, {lasting(result.end - result.start)}; data for {known:.4g}% of it"),
        ("events", f"{number(total)}{bad}; {told}"),
    )
