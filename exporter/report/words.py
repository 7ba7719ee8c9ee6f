"""What is said of a review, in Markdown and on the page alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isinf

from exporter.charts.figures import (
    NONE,
    lasting,
    left,
    minute,
    number,
    plural,
    ratio,
    share,
)
from exporter.core.alert import PAGE
from exporter.core.attribution import EXCLUSION, Part
from exporter.report.data import Incident, Review, SaidAlert, SLOReview

OVERVIEW = ("SLO", "Service", "*Objective", "*SLI", "*Spent", "*Left now", "*Pages", "State")
SPENT_BY = (
    "Spent by", "What", "From (UTC)", "*Lasted", "*Bad", "*Of all", "*Of the budget", "*Cost",
)  # fmt: skip
INCIDENTS = ("Incident", "From (UTC)", "*Lasted", "*Bad", "*Cost", "Noticed")
ALERTS = ("Alert", "From (UTC)", "*Lasted", "*Cost", "Belongs to")
STATES = ("State", "Since (UTC)", "Until (UTC)", "*Lasted")
TOLD = ("Said", "What", "Since (UTC)", "Until (UTC)")
PROPOSED = ("Proposed", "What speaks for it")
BACKGROUND = "background"


def span(review: Review) -> str:
    """The time reviewed."""
    return (
        f"{minute(review.start)} to {minute(review.end)} UTC, {lasting(review.end - review.start)}"
    )


def sli(value: float | None) -> str:
    """An SLI, never rounded up to all."""
    return NONE if value is None else f"{int(value * 1e6) / 1e4:.4f}".rstrip("0").rstrip(".") + "%"


def overview(review: Review) -> Iterator[tuple[str, ...]]:
    """A row for each SLO."""
    for one in review.slos:
        yield (
            one.name,
            one.service,
            ratio(one.objective),
            sli(one.counted.sli),
            share(one.counted.spent),
            left(one.remaining),
            f"{pages(one):,}",
            one.state,
        )


def pages(one: SLOReview) -> int:
    """How many there were."""
    return sum(alert.severity == PAGE for alert in one.alerts)


def facts(one: SLOReview) -> Iterator[tuple[str, str]]:
    """The key figures: a word, and what there is to say."""
    counted, every = one.counted, one.unadjusted
    yield "objective", f"{ratio(one.objective)} over {one.period}; service {one.service}"
    events = f"{number(round(counted.bad, 1))} bad of {number(round(counted.total, 1))} events"
    yield "SLI", f"{sli(counted.sli)}: {events}"
    spent = f"{share(counted.spent)} of that of the time reviewed was spent"
    yield "error budget", f"{spent}; of that over {one.period}, {left(one.remaining)} is left now"
    if one.excluded_seconds:
        would = f"the SLI would be {sli(every.sli)} and {share(every.spent)} spent"
        yield (
            "exclusions",
            f"{lasting(one.excluded_seconds)} do not count; with them counted {would}",
        )
    yield "alerts", _alerting(one)
    yield "forecast", forecast(one)
    yield "data", f"for {share(one.coverage)} of the time reviewed"
    for note in one.notes:
        yield "note", note


def _alerting(one: SLOReview) -> str:
    if not one.alerts:
        return "none"
    said = f"{plural(pages(one), 'page')} of {plural(len(one.alerts), 'alert')}"
    if one.precision is not None:
        said += f"; precision {share(one.precision)}"
    if one.detection is not None:
        said += f"; half of the incidents paged within {lasting(one.detection)}"
    return said


def forecast(one: SLOReview) -> str:
    """When the budget is gone."""
    found = one.forecast
    if found.seconds is None:
        return "unknown: there are no events"
    if found.seconds <= 0:
        return "the budget is spent"
    if found.low is None or found.high is None:
        if isinf(found.seconds):
            return "the budget does not burn just now"
        return f"as it burns now, the budget is gone in {lasting(found.seconds)}"
    likely, low, high = (
        "more than a period" if isinf(seconds) else lasting(seconds)
        for seconds in (found.seconds, found.low, found.high)
    )
    return f"by past days the budget lasts {likely} (80% interval: {low} to {high})"


def spent_by(one: SLOReview) -> Iterator[tuple[str, ...]]:
    """A row for each cause, the background, and their sum; then what exclusions left out."""
    left_out = [p for p in one.spent_by.parts if p.cause and p.cause.kind == EXCLUSION]
    for part in one.spent_by.parts:
        if part not in left_out:
            yield _part(part, part.bad, part.total, share(part.share))
    found = one.spent_by
    yield (
        "sum",
        "",
        "",
        lasting(sum(p.seconds for p in found.parts if p not in left_out)),
        number(round(found.bad, 1)),
        number(round(found.total, 1)),
        share(found.spent),
        "",
    )
    for part in left_out:
        would = f"0% (would be {share(part.excluded_share)})"
        yield _part(part, part.excluded_bad, part.excluded_total, would)


def _part(part: Part, bad: float, total: float, said: str) -> tuple[str, ...]:
    cause = part.cause
    return (
        cause.kind.replace("_", " ") if cause else BACKGROUND,
        cause.name if cause else "everything else",
        minute(cause.start) if cause else "",
        lasting(part.seconds),
        number(round(bad, 1)),
        number(round(total, 1)),
        said,
        "" if part.cost is None else share(part.cost),
    )


def incidents(one: SLOReview) -> Iterator[tuple[str, ...]]:
    """A row for each incident."""
    for incident in one.incidents:
        yield (
            incident.reported or "not reported",
            minute(incident.start),
            lasting(incident.end - incident.start),
            number(round(incident.bad, 1)),
            share(incident.spent),
            noticed(incident),
        )


def noticed(incident: Incident) -> str:
    """How it was; of one before slod ran, how the backtest says it would have been."""
    if incident.before_slod:
        return f"before slod; backtest: {_paged(incident.would_detect, incident.would_reset)}"
    return _paged(incident.detected, incident.reset)


def _paged(detected: float | None, reset: float | None) -> str:
    if detected is None:
        return "not paged"
    over = "page not over" if reset is None else f"reset in {lasting(reset)}"
    return f"paged after {lasting(detected)}, {over}"


def alerts(one: SLOReview) -> Iterator[tuple[str, ...]]:
    """A row for each alert."""
    for alert in one.alerts:
        belongs = "no incident"
        if alert.incident is not None:
            incident = one.incidents[alert.incident]
            belongs = incident.reported or f"incident of {minute(incident.start)}"
        yield (
            rule(alert),
            minute(alert.start),
            "still firing" if alert.end is None else lasting(alert.end - alert.start),
            share(alert.spent),
            belongs,
        )


def rule(alert: SaidAlert) -> str:
    """Its severity and windows."""
    return f"{alert.severity} {alert.long}/{alert.short}"


def states(one: SLOReview) -> Iterator[tuple[str, ...]]:
    """A row for each state that was passed through."""
    for state in one.states:
        until = one.end if state.until is None else state.until
        yield (
            state.state,
            minute(state.since),
            "now" if state.until is None else minute(state.until),
            lasting(until - state.since),
        )


def told(one: SLOReview) -> Iterator[tuple[str, ...]]:
    """A row for each override and whatever else was said."""
    for each in one.told:
        until = "now" if each.until is None else minute(each.until)
        yield each.what, each.summary, minute(each.since), until


def proposed(one: SLOReview) -> Iterator[tuple[str, ...]]:
    """A row for each proposal."""
    for proposal in one.proposals:
        yield proposal.change, proposal.evidence


def tables(one: SLOReview) -> Iterator[tuple[str, Sequence[str], list[tuple[str, ...]], str]]:
    """All tables: heading, columns (an asterisk before figures), rows, and what stands in place of
    a table without rows; after the one of what the budget was spent by."""
    yield "Incidents", INCIDENTS, list(incidents(one)), "None cost 1% of the budget."
    yield "Alerts", ALERTS, list(alerts(one)), "None fired."
    yield "Budget policy", STATES, list(states(one)), "No state was passed through."
    if one.told:
        yield "Also said", TOLD, list(told(one)), ""
    yield "Proposed changes", PROPOSED, list(proposed(one)), "None: nothing speaks for any."


def summary(review: Review) -> str:
    """One line for who reads nothing else."""
    known = [one for one in review.slos if one.counted.spent is not None]
    over = [one.name for one in known if (one.counted.spent or 0.0) > 1]
    said = f"{plural(len(review.slos), 'SLO')} reviewed"
    if over:
        return f"{said}; {', '.join(over[:5])} spent more than the budget"
    worst = max(known, key=lambda one: one.counted.spent or 0.0, default=None)
    if worst is None:
        return f"{said}; there were no events"
    return f"{said}; most was spent by {worst.name}: {share(worst.counted.spent)} of the budget"
