"""One SLO instance over a time, looked back on: what was spent by what, and who noticed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import inf

from exporter.config.duration import parse_duration
from exporter.core.attribution import EXCLUSION, INCIDENT, Attribution, Cause, Part, attribute
from exporter.core.incidents import Stretch, spent
from exporter.core.instance import Instance
from exporter.core.ledger import Ledger
from exporter.core.noticed import belongs, noticed, precision, within
from exporter.core.slo import SLO
from exporter.core.status import SLOStatus
from exporter.core.timeline import cost
from exporter.core.verdict import verdict
from exporter.report.data import Forecast, Incident, Numbers, SaidAlert, SLOReview
from exporter.report.history import Span, burns, of_instance, states, told
from exporter.report.proposals import proposals

SIGNIFICANT = 0.02
"""The share of the period's budget from which on an incident should have been paged."""
POINTS = 240
"""Of the burn-down, and a few more at the edges of incidents."""
UNREPORTED = "not reported"


def review(
    instance: Instance,
    status: SLOStatus,
    span: tuple[float, float],
    causes: Sequence[Cause],
    said: Sequence[Span],
    watched: float | None,
) -> SLOReview:
    """All about one instance.

    Args:
        instance: reviewed as it is now.
        status: its numbers of now.
        span: from when to when.
        causes: what is known to have gone on.
        said: every alert that receivers heard of.
        watched: since when slod decides about its alerts; None for never.
    """
    slo, ledger, (start, end) = instance.slo, instance.ledger, span
    known = _known(instance, span, causes)
    unknown = [
        Cause(INCIDENT, UNREPORTED, s.start, s.end, inferred=True) for s, name in known if not name
    ]
    spent_by = attribute(ledger, start, end, slo.objective, [*causes, *unknown])
    own = of_instance(said, slo.name, instance.group, start, end)
    stretches = [stretch for stretch, _ in known]
    alerts = [_alert(alert, slo, ledger, stretches, end) for alert in burns(own)]
    since = inf if watched is None else watched
    listed = tuple(
        _incident(instance, i, s, name, alerts, since) for i, (s, name) in enumerate(known)
    )
    seen = [i.detected for i in listed if not i.before_slod and i.spent >= SIGNIFICANT]
    points = _burn_down(ledger, spent_by, stretches)
    counts, every = ledger.counts(start, end), ledger.unadjusted(start, end)
    made = SLOReview(
        slo=slo.name,
        service=slo.service,
        group=instance.group,
        objective=slo.objective,
        period=slo.period.label,
        start=start,
        end=end,
        coverage=ledger.coverage(start, end),
        counted=Numbers(counts.bad, counts.total, slo.objective),
        unadjusted=Numbers(every.bad, every.total, slo.objective),
        excluded_seconds=ledger.excluded(start, end),
        remaining=status.whole_remaining,
        state=status.policy_state,
        spent_by=_shown(spent_by, instance, end),
        burn_down=points,
        lowest=min((left for _, left in points if left is not None), default=None),
        incidents=listed,
        alerts=tuple(alerts),
        precision=precision(alerts),
        detection=within(seen),
        states=states(own, slo.steps),
        told=told(said, slo.name, slo.service, instance.group, start, end),
        forecast=_forecast(status),
        notes=tuple(_notes(ledger, start, end)),
    )
    return replace(made, proposals=proposals(made, slo, ledger))


def _forecast(status: SLOStatus) -> Forecast:
    bounds = (getattr(status, f"exhaustion_{name}", None) for name in ("lower", "upper"))
    return Forecast(status.exhaustion_seconds, *bounds)


Known = list[tuple[Stretch, str]]
"""Incidents with the name they were reported under, empty where they were not."""


def _known(instance: Instance, span: tuple[float, float], causes: Sequence[Cause]) -> Known:
    """The incidents of the time, in ascending time: those that are found in the ledger, and those
    that somebody reported where nothing is found."""
    start, end = span
    reported = [c for c in causes if c.kind == INCIDENT and c.start < end and c.end > start]
    found = [one for one in instance.incidents.known() if one.start < end and one.end > start]
    out: Known = []
    for one in found:
        names = [c.name for c in reported if c.start < one.end and c.end > one.start]
        out.append((Stretch(*one[:4]), names[0] if names else ""))
    for cause in reported:
        if not any(cause.start < one.end and cause.end > one.start for one in found):
            counts = instance.ledger.counts(cause.start, cause.end)
            out.append((Stretch(cause.start, cause.end, counts.bad, counts.total), cause.name))
    return sorted(out, key=lambda one: one[0].start)


def _incident(
    instance: Instance,
    index: int,
    stretch: Stretch,
    name: str,
    alerts: Sequence[SaidAlert],
    watched: float,
) -> Incident:
    slo = instance.slo
    share = spent(instance.ledger, slo.objective, slo.period, stretch.bad, stretch.end) or 0.0
    detected, reset = noticed(stretch, index, alerts)
    before = stretch.start < watched and detected is None
    would = verdict(instance, stretch.start, stretch.end) if before else (None, None)
    return Incident(*stretch, share, name or None, detected, reset, before, *would)


def _alert(
    alert: Span, slo: SLO, ledger: Ledger, stretches: Sequence[Stretch], end: float
) -> SaidAlert:
    labels = alert.labels
    try:
        seconds = parse_duration(labels.get("long_window", ""))
    except ValueError:
        seconds = 0.0
    until = end if alert.end is None else alert.end
    bad = ledger.counts(alert.start - seconds, until).bad
    return SaidAlert(
        severity=labels.get("severity", ""),
        long=labels.get("long_window", ""),
        short=labels.get("short_window", ""),
        start=alert.start,
        end=alert.end,
        spent=spent(ledger, slo.objective, slo.period, bad, until) or 0.0,
        incident=belongs(stretches, alert.start - seconds, alert.start),
    )


def _burn_down(
    ledger: Ledger, spent: Attribution, stretches: Sequence[Stretch]
) -> tuple[tuple[float, float | None], ...]:
    """The share left of the budget of the whole time; unknown before there is data."""
    start, end = spent.start, spent.end

    def left(when: float) -> float | None:
        counts = ledger.counts(start, when)
        known = counts.total > 0 or ledger.coverage(start, when) > 0
        return 1 - counts.bad / spent.budget if known and spent.budget > 0 else None

    moments = {start + (end - start) * k / POINTS for k in range(POINTS + 1)}
    moments |= {edge for s in stretches for edge in (s.start, s.end)}
    points = [(when, left(when)) for when in sorted(moments)]
    if len(points) > 1 and points[1][1] is not None:
        points[0] = (start, 1.0 if spent.budget > 0 else None)
    return tuple(points)


def _shown(found: Attribution, instance: Instance, now: float) -> Attribution:
    """Without causes that lie outside; what spent most first, exclusions after that, and the
    background last."""

    def order(part: Part) -> tuple[bool, bool, float, float]:
        begin = part.cause.start if part.cause else 0.0
        return part.cause is None, part.excluded_bad > 0, -part.bad, begin

    kept = [
        replace(part, cost=_cost(instance, part.cause, now))
        for part in found.parts
        if part.seconds > 0 or part.cause is None
    ]
    return replace(found, parts=tuple(sorted(kept, key=order)))


def _cost(instance: Instance, cause: Cause | None, now: float) -> float | None:
    """The one that the timeline tells of an event, and the page of an incident."""
    if cause is None or cause.kind == EXCLUSION:
        return None
    return cost(instance.slo, instance, cause.start, cause.end, max(now, cause.end)).share


def _notes(ledger: Ledger, start: float, end: float) -> list[str]:
    if end - start > ledger.horizon * 1.001:
        return ["the time is longer than its ledger reaches back: what was before is not in it"]
    return []
