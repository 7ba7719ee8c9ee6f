"""The budget over time of one outcome, with its incidents and alerts beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from exporter.backtest import words
from exporter.backtest.result import Backtest, Fired, Incident, Outcome
from exporter.charts import figures
from exporter.charts.frame import Bar, Lane, budget_chart, severity_class
from exporter.core.alert import PAGE


def chart(result: Backtest, outcome: Outcome, ident: str) -> str:
    """One `<svg>`; `ident` makes its ids different from those of others on the page."""
    known = [left for left in (outcome.lowest, outcome.remaining) if left is not None]
    incidents = Lane(
        "incidents" if outcome.incidents else "",
        [_incident(incident) for incident in outcome.incidents],
        band=True,
    )
    return budget_chart(
        _title(result, outcome),
        _description(outcome),
        (result.start, result.end),
        outcome.burn_down,
        min(known, default=None),
        [incidents, *_lanes(outcome.alerts, result.end)],
        ident,
    )


def _title(result: Backtest, outcome: Outcome) -> str:
    return (
        f"Error budget left over {result.period} at {figures.ratio(outcome.objective)}, "
        f"{words.name(result)}"
    )


def _description(outcome: Outcome) -> str:
    if not outcome.burn_down:
        return "No history."
    alerts = [
        f"{words.count(outcome, severity):,} {severity}" for severity in words.severities([outcome])
    ]
    first, last = (figures.minute(outcome.burn_down[i][0]) for i in (0, -1))
    return (
        f"From {first} to {last} UTC; {figures.left(outcome.remaining)} left at the end, "
        f"{figures.left(outcome.lowest)} at the lowest. Incidents: {len(outcome.incidents):,}. "
        f"Alerts: {', '.join(alerts)}."
    )


def _incident(one: Incident) -> Bar:
    said = (
        f"incident: {figures.when(one.start)}, {figures.lasting(one.end - one.start)}, "
        f"{figures.share(one.spent)} of the budget, {words.paging(one)}"
    )
    return Bar(one.start, one.end, "incident", said)


def _lanes(alerts: Sequence[Fired], end: float) -> Iterator[Lane]:
    """One for each rule, pages first and the fastest first of those."""
    by_rule: dict[tuple[bool, str, float, str, str], list[Fired]] = {}
    for one in alerts:
        key = (one.severity != PAGE, one.severity, -one.rate, one.long, one.short)
        by_rule.setdefault(key, []).append(one)
    for key in sorted(by_rule):
        first = by_rule[key][0]
        label = f"{first.severity} {first.long}/{first.short}"
        yield Lane(label, [_alert(alert, end) for alert in by_rule[key]])


def _alert(one: Fired, last: float) -> Bar:
    end = last if one.end is None else one.end
    lasted = "still firing" if one.end is None else figures.lasting(end - one.start)
    said = (
        f"{one.severity} {words.rule(one)}: {figures.when(one.start)}, {lasted}, "
        f"peak {figures.burn(one.peak)}, {figures.share(one.spent)} of the budget"
    )
    return Bar(one.start, end, severity_class(one.severity), said)
