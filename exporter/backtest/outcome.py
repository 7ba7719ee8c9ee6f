"""What a variant would have brought: its alerts beside the incidents, its budget, its periods."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.backtest.judge import Firing, Judge
from exporter.backtest.periods import History
from exporter.backtest.result import Backtest, Fired, Outcome
from exporter.backtest.result import Incident as Listed
from exporter.backtest.tape import Sums
from exporter.backtest.variant import Variant
from exporter.backtest.whole import Whole
from exporter.core.incidents import Incident, incidents
from exporter.core.ledger import Counts
from exporter.core.noticed import belongs, middle, noticed, precision, share, within
from exporter.core.policy import remaining
from exporter.core.recommend import is_met, recommend
from exporter.core.slo import SLO

POINTS = 400
"""Of the burn-down, at most."""


def summed_up(
    slo: SLO,
    variants: Sequence[Variant],
    judges: Sequence[Judge],
    ledger: Whole,
    span: tuple[float, float],
    sums: Sums,
    significant: float,
    notes: tuple[str, ...],
) -> Backtest:
    """All about one instance; `span`: the beginning and the end of history."""
    start, end = span
    history = History(ledger, slo.period, start, end)
    # Every variant is measured by the same ones, or their detection could not be compared.
    found = incidents(ledger, variants[0].objective, slo.period, slo.interval, end)
    moments = [start + (end - start) * k / POINTS for k in range(1, POINTS + 1)]
    counts = [(when, history.ending(when)) for when in moments]
    periods = history.whole()
    every = ledger.all
    if not periods:
        notes += (f"history is shorter than one whole period of {slo.period.label}",)
    return Backtest(
        slo=slo.name,
        service=slo.service,
        group=judges[0].group,
        period=slo.period.label,
        start=start,
        end=end,
        good=every.good,
        bad=every.bad,
        coverage=min(1.0, sums.covered / (end - start)) if end > start else 0.0,
        resets=sums.resets,
        births=sums.births,
        outcomes=tuple(
            _outcome(history, variant, judge.fired, found, counts, periods, significant)
            for variant, judge in zip(variants, judges, strict=True)
        ),
        recommendation=recommend(periods),
        notes=notes,
    )


def _outcome(
    history: History,
    variant: Variant,
    firings: Sequence[Firing],
    found: Sequence[Incident],
    counts: Sequence[tuple[float, Counts]],
    periods: Sequence[Counts],
    significant: float,
) -> Outcome:
    objective = variant.objective
    alerts = [_fired(history, objective, firing, found) for firing in firings]
    listed = [
        Listed(
            *one[:4],
            history.spent(one.bad, objective, one.end),
            *noticed(one, i, alerts),
        )
        for i, one in enumerate(found)
    ]
    large = [i.detected for i, one in zip(listed, found, strict=True) if one.spent >= significant]
    burn_down = tuple((when, remaining(c, objective)) for when, c in counts)
    return Outcome(
        objective=objective,
        policy=variant.policy,
        alerts=tuple(alerts),
        incidents=tuple(listed),
        precision=precision(alerts),
        recall=share([detected is not None for detected in large]),
        detection=within(large),
        reset=middle([i.reset for i in listed]),
        remaining=burn_down[-1][1],
        lowest=_lowest(history, objective, burn_down, found),
        periods=len(periods),
        met=sum(is_met(c, objective) for c in periods),
        burn_down=burn_down,
    )


def _fired(history: History, objective: float, firing: Firing, found: Sequence[Incident]) -> Fired:
    rule, until = firing.rule, history.end if firing.end is None else firing.end
    since = firing.start - rule.long.seconds
    bad = history.ledger.counts(since, until).bad
    return Fired(
        severity=rule.severity,
        long=rule.long.label,
        short=rule.short.label,
        rate=rule.rate,
        start=firing.start,
        end=firing.end,
        peak=history.peak(firing.start, until, rule.long.seconds, objective),
        spent=history.spent(bad, objective, until),
        incident=belongs(found, since, firing.start),
    )


def _lowest(
    history: History,
    objective: float,
    burn_down: Sequence[tuple[float, float | None]],
    found: Sequence[Incident],
) -> float | None:
    """The least that was left at any point of the burn-down, or after an incident; not while less
    than half of the period (or of history, if that is shorter) was known, when little weighs much.
    """

    def known(when: float) -> bool:
        start = history.period.start(when)
        half = min(history.period.length(when), history.end - history.start) / 2
        return when - max(start, history.start) >= half

    left = [value for when, value in burn_down if known(when)]
    ends = [s.end for s in found if known(s.end)]
    left += [remaining(history.ending(when), objective) for when in ends]
    return min((value for value in left if value is not None), default=burn_down[-1][1])
