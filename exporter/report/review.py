"""One SLO instance over a time, looked back on: what was spent by what, and who noticed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from exporter.config.duration import parse_duration
from exporter.core.attribution import INCIDENT, Attribution, Cause, Part, attribute
from exporter.core.incidents import Stretch, incidents
from exporter.core.ledger import Ledger
from exporter.core.noticed import belongs, middle, noticed, precision
from exporter.core.slo import SLO
from exporter.core.status import SLOStatus
from exporter.report.data import Forecast, Incident, Numbers, SaidAlert, SLOReview
from exporter.report.history import Span, burns, of_instance, states, told
from exporter.report.proposals import proposals

SIGNIFICANT = 0.02
"""An incident that spent more of the budget is told of though nobody reported it."""
POINTS = 240
"""Of the burn-down, and a few more at the edges of incidents."""
UNREPORTED = "not reported"


def review(
    slo: SLO,
    group: Mapping[str, str],
    ledger: Ledger,
    status: SLOStatus,
    span: tuple[float, float],
    causes: Sequence[Cause],
    said: Sequence[Span],
) -> SLOReview:
    """All about one instance; `causes`: what is known to have gone on, `said`: every alert."""
    start, end = span
    reported = [c for c in causes if c.kind == INCIDENT and c.start < end and c.end > start]
    budget = (1 - slo.objective) * ledger.counts(start, end).total
    found = [
        stretch
        for stretch in incidents(ledger, slo.objective, start, end, slo.interval)
        if stretch.bad > SIGNIFICANT * budget
        and not any(c.start < stretch.end and c.end > stretch.start for c in reported)
    ]
    unknown = [Cause(INCIDENT, UNREPORTED, s.start, s.end, inferred=True) for s in found]
    spent_by = attribute(ledger, start, end, slo.objective, [*causes, *unknown])
    own = of_instance(said, slo.name, group, start, end)
    known = sorted(
        [(_stretch(ledger, c, start, end), c.name) for c in reported] + [(s, None) for s in found],
        key=lambda one: one[0].start,
    )
    stretches = [stretch for stretch, _ in known]
    alerts = [_alert(alert, ledger, budget, stretches, end) for alert in burns(own)]
    listed = tuple(
        Incident(*s, _share(s.bad, budget), name, *noticed(s, i, alerts))
        for i, (s, name) in enumerate(known)
    )
    points = _burn_down(ledger, spent_by, stretches)
    counts, every = ledger.counts(start, end), ledger.unadjusted(start, end)
    made = SLOReview(
        slo=slo.name,
        service=slo.service,
        group=group,
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
        spent_by=_shown(spent_by),
        burn_down=points,
        lowest=min((left for _, left in points if left is not None), default=None),
        incidents=listed,
        alerts=tuple(alerts),
        precision=precision(alerts),
        detection=middle(one.detected for one in listed),
        states=states(own),
        told=told(said, slo.name, slo.service, group, start, end),
        forecast=_forecast(status),
        notes=tuple(_notes(ledger, start, end)),
    )
    return replace(made, proposals=proposals(made, slo, ledger))


def _forecast(status: SLOStatus) -> Forecast:
    bounds = (getattr(status, f"exhaustion_{name}", None) for name in ("lower", "upper"))
    return Forecast(status.exhaustion_seconds, *bounds)


def _stretch(ledger: Ledger, cause: Cause, start: float, end: float) -> Stretch:
    begin, until = max(start, cause.start), min(end, cause.end)
    counts = ledger.counts(begin, until)
    return Stretch(begin, until, counts.bad, counts.total)


def _alert(
    alert: Span, ledger: Ledger, budget: float, stretches: Sequence[Stretch], end: float
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
        spent=_share(bad, budget),
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


def _shown(found: Attribution) -> Attribution:
    """Without causes that lie outside; what spent most first, exclusions after that, and the
    background last."""

    def order(part: Part) -> tuple[bool, bool, float, float]:
        begin = part.cause.start if part.cause else 0.0
        return part.cause is None, part.excluded_bad > 0, -part.bad, begin

    kept = [part for part in found.parts if part.seconds > 0 or part.cause is None]
    return replace(found, parts=tuple(sorted(kept, key=order)))


def _share(bad: float, budget: float) -> float:
    return bad / budget if budget > 0 else 0.0


def _notes(ledger: Ledger, start: float, end: float) -> list[str]:
    if end - start > ledger.horizon * 1.001:
        return ["the time is longer than its ledger reaches back: what was before is not in it"]
    return []
