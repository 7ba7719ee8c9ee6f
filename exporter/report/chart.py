"""How one SLO's budget burned down, with what went on beside it."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.charts.figures import lasting, left, minute, plural, ratio, share
from exporter.charts.frame import Bar, Lane, budget_chart, severity_class
from exporter.core.alert import PAGE
from exporter.core.attribution import EXCLUSION, INCIDENT, Part
from exporter.report import words
from exporter.report.data import SaidAlert, SLOReview


def chart(one: SLOReview, ident: str) -> str:
    """One `<svg>`; `ident` makes its ids different from those of others on the page."""
    title = (
        f"Error budget of {one.name} from {minute(one.start)} to {minute(one.end)} UTC "
        f"at {ratio(one.objective)}"
    )
    return budget_chart(
        title,
        description(one),
        (one.start, one.end),
        one.burn_down,
        one.lowest,
        list(_lanes(one)),
        ident,
    )


def description(one: SLOReview) -> str:
    """What the picture shows, in words."""
    last = one.burn_down[-1][1] if one.burn_down else None
    lowest = f", {left(one.lowest)} at the lowest" if one.lowest != last else ""
    said = [f"{left(last)} of the budget of the time reviewed is left at its end{lowest}."]
    said += [
        f"Incident {incident.reported or 'not reported'} from {minute(incident.start)} UTC "
        f"spent {share(incident.spent)}, {words.noticed(incident)}."
        for incident in one.incidents
    ]
    said.append(f"Alerts: {plural(words.pages(one), 'page')} of {len(one.alerts):,}.")
    return " ".join(said)


def _lanes(one: SLOReview) -> Iterator[Lane]:
    found = [_incident(one, i) for i in range(len(one.incidents))]
    yield Lane("incidents" if found else "", found, band=True)
    excluded = [p for p in one.spent_by.parts if p.cause and p.cause.kind == EXCLUSION]
    if excluded:
        yield Lane("excluded", [_cause(one, part, "excluded") for part in excluded], band=True)
    others = [
        p for p in one.spent_by.parts if p.cause and p.cause.kind not in (EXCLUSION, INCIDENT)
    ]
    kinds = sorted({p.cause.kind for p in others if p.cause})
    for kind in kinds:
        bars = [_cause(one, p, "event") for p in others if p.cause and p.cause.kind == kind]
        yield Lane(kind.replace("_", " "), bars)
    by_rule: dict[tuple[bool, str], list[SaidAlert]] = {}
    for alert in one.alerts:
        by_rule.setdefault((alert.severity != PAGE, words.rule(alert)), []).append(alert)
    for key in sorted(by_rule):
        yield Lane(key[1], [_alert(one, alert) for alert in by_rule[key]])


def _incident(one: SLOReview, index: int) -> Bar:
    incident = one.incidents[index]
    said = (
        f"incident {incident.reported or 'not reported'}: {minute(incident.start)} UTC, "
        f"{lasting(incident.end - incident.start)}, {share(incident.spent)} of the budget, "
        f"{words.noticed(incident)}"
    )
    return Bar(incident.start, incident.end, "incident", said)


def _cause(one: SLOReview, part: Part, kind: str) -> Bar:
    assert part.cause is not None
    cause = part.cause
    spent = part.excluded_share if part.cost is None else part.cost
    would = "would have spent " if cause.kind == EXCLUSION else ""
    said = (
        f"{cause.kind.replace('_', ' ')} {cause.name}: {minute(cause.start)} UTC, "
        f"{lasting(cause.end - cause.start)}, {would}{share(spent)} of the budget"
    )
    return Bar(max(one.start, cause.start), min(one.end, cause.end), kind, said)


def _alert(one: SLOReview, alert: SaidAlert) -> Bar:
    end = one.end if alert.end is None else alert.end
    lasted = "still firing" if alert.end is None else lasting(end - alert.start)
    said = (
        f"{words.rule(alert)}: {minute(alert.start)} UTC, {lasted}, "
        f"{share(alert.spent)} of the budget"
    )
    start = max(one.start, alert.start)
    return Bar(start, min(one.end, end), severity_class(alert.severity), said)
