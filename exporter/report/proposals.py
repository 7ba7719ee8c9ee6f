"""Changes worth talking about, each with what speaks for it. Nothing is changed by slod itself."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.charts.figures import lasting, left, minute, plural, ratio, share
from exporter.core.ledger import Counts, Ledger
from exporter.core.noticed import WORTH_IT
from exporter.core.recommend import recommend
from exporter.core.slo import SLO, Window
from exporter.report.data import Proposal, SaidAlert, SLOReview

MISSED = 0.02
"""An incident that spent more should have been paged."""
IMPRECISE = 0.5
"""Alerts of which fewer were worth it should be raised or dropped."""
FEW = 3
SAFE = 0.75
"""Who never had less left may promise more."""
SEEN = 0.9
"""Less data than that proves nothing."""


def proposals(of: SLOReview, slo: SLO, ledger: Ledger) -> tuple[Proposal, ...]:
    """For one SLO instance."""
    return (
        *_objective(of, slo, ledger),
        *_imprecise(of),
        *_missed(of),
        *_background(of),
        *_data(of),
    )


def _periods(of: SLOReview, slo: SLO, ledger: Ledger) -> list[Counts]:
    """Whole periods that the ledger still knows, newest first."""
    out: list[Counts] = []
    rolling = isinstance(slo.period, Window)
    end = of.end if rolling else slo.period.start(of.end)
    while True:
        begin = slo.period.start(end if rolling else end - 1)
        if begin < of.end - ledger.horizon * 1.001 or ledger.coverage(begin, end) < SEEN:
            return out
        out.append(ledger.counts(begin, end))
        end = begin


def _objective(of: SLOReview, slo: SLO, ledger: Ledger) -> Iterator[Proposal]:
    found = recommend([counts for counts in _periods(of, slo, ledger) if counts.total > 0])
    if found.objective is not None and abs(found.objective - slo.objective) > 1e-9:
        met = f"{ratio(found.objective)} is the tightest met in {found.met} of "
        met += f"{plural(found.periods, 'whole period')} of {of.period}"
        if found.periods < FEW:
            met += "; so few are an anecdote, slod backtest looks further back"
        if found.objective > slo.objective and (of.lowest is None or of.lowest > 0):
            yield Proposal(f"tighten the objective to {ratio(found.objective)}", met)
        elif found.objective < slo.objective:
            yield Proposal(
                f"loosen the objective to {ratio(found.objective)}, or work on reliability first",
                f"{left(of.remaining)} of the budget is left; {met}",
            )
    elif of.lowest is not None and of.lowest >= SAFE and of.coverage >= SEEN:
        yield Proposal(
            "tighten the objective, or take more risks",
            f"never in danger: {left(of.lowest)} left at the lowest in "
            f"{lasting(of.end - of.start)}",
        )


def _imprecise(of: SLOReview) -> Iterator[Proposal]:
    by_rule: dict[tuple[str, str, str], list[SaidAlert]] = {}
    for alert in of.alerts:
        by_rule.setdefault((alert.severity, alert.long, alert.short), []).append(alert)
    for (severity, long, short), alerts in by_rule.items():
        good = sum(alert.spent >= WORTH_IT for alert in alerts)
        if good < IMPRECISE * len(alerts):
            yield Proposal(
                f"raise or drop the {severity} over {long}/{short}",
                f"{good} of {plural(len(alerts), 'alert')} spent at least "
                f"{ratio(WORTH_IT)} of the budget",
            )


def _missed(of: SLOReview) -> Iterator[Proposal]:
    # Of what was before slod ran the backtest is asked, or its own pages would be called missed.
    missed = [
        one
        for one in of.incidents
        if one.spent > MISSED and (one.would_detect if one.before_slod else one.detected) is None
    ]
    if missed:
        worst = max(missed, key=lambda one: one.spent)
        yield Proposal(
            "add a page that catches what was missed",
            f"{plural(len(missed), 'incident')} over {ratio(MISSED)} of the budget "
            f"never paged; the largest spent {share(worst.spent)}, from {minute(worst.start)} UTC "
            f"for {lasting(worst.end - worst.start)}",
        )


def _background(of: SLOReview) -> Iterator[Proposal]:
    spent, background = of.spent_by.spent, of.spent_by.parts[-1].share
    if spent > 0.5 and background > 0.5 * spent:
        yield Proposal(
            "work on the errors of every day",
            f"{share(background)} of the budget went to the background, outside of any incident, "
            "deploy or change",
        )


def _data(of: SLOReview) -> Iterator[Proposal]:
    if of.coverage < SEEN:
        yield Proposal(
            "look after the source of the data",
            f"there is data for {share(of.coverage)} of the time reviewed",
        )
