"""How the number of an SLO instance came to be: everything the engine knows of it, and why."""

from __future__ import annotations

from math import inf, isinf

from exporter.core import events, policy, sure
from exporter.core.account import Account
from exporter.core.explained import (
    BudgetSaid,
    Explanation,
    WindowSaid,
)
from exporter.core.explained_rule import rule_said
from exporter.core.explained_series import wants_said
from exporter.core.gaps import gaps
from exporter.core.indicator import describe
from exporter.core.instance import Instance
from exporter.core.ledger import Counts
from exporter.core.query_sli import QuerySLI
from exporter.core.slo import GaugeSLI
from exporter.core.status import SLOStatus, WindowStatus
from exporter.core.words import Show

MOST_GAPS = 20
"""How many gaps are listed, the newest."""


def explain(account: Account, group: events.Group, now: float, show: Show) -> Explanation:
    """Explain one instance of an SLO as of `now`; `show` writes seconds as a duration."""
    slo, memory = account.slo, account.memory
    instance = memory.instances[group]
    at = instance.as_of(now)
    status = instance.status(at)
    period = status.windows[-1]
    found, complete = gaps(
        instance.ledger.coverage,
        at - period.seconds,
        at,
        shortest=2 * slo.interval,
        most=MOST_GAPS,
    )
    budget = _budget(status, at, show)
    unit = "seconds" if _weighs_time(status) else "events"
    return Explanation(
        slo=slo.name,
        service=slo.service,
        group=instance.group,
        labels=status.labels,
        at=at,
        summary=_summary(status, budget, unit, show),
        objective=slo.objective,
        period=slo.period.label,
        source=slo.source,
        interval=slo.interval,
        unit=unit,
        sli=describe(slo.sli, slo.interval, show),
        fault=account.fault,
        counted_since=memory.since,
        good_total=status.good_total,
        bad_total=status.bad_total,
        windows=tuple(_window(w, slo.objective) for w in status.windows),
        rules=tuple(
            rule_said(rule, said, status, account.behind)
            for rule, said in zip(slo.rules, status.rules, strict=True)
        ),
        budget=budget,
        gaps=tuple(found),
        all_gaps=complete,
        excluded_seconds=status.excluded_seconds,
        series_since=memory.tally.since if memory.tally is not None else None,
        wants=wants_said(memory, instance.group),
    )


def find(account: Account, wanted: dict[str, str]) -> list[Instance]:
    """The instances whose group has these labels; all of them when none are wanted."""
    return [
        instance
        for instance in account.memory.instances.values()
        if wanted.items() <= dict(instance.group).items()
    ]


def _weighs_time(status: SLOStatus) -> bool:
    sli = status.slo.sli
    return isinstance(sli, GaugeSLI) or (isinstance(sli, QuerySLI) and sli.error_ratio is not None)


def _window(window: WindowStatus, objective: float) -> WindowSaid:
    counts = Counts(window.good, window.bad)
    return WindowSaid(
        window.label,
        window.seconds,
        window.good,
        window.bad,
        counts.error_ratio,
        counts.burn_rate(objective),
        window.coverage,
    )


# --- budget -------------------------------------------------------------------------------------


def _budget(status: SLOStatus, at: float, show: Show) -> BudgetSaid:
    slo = status.slo
    period = status.windows[-1]
    fastest = min((r.long.seconds for r in slo.rules), default=None)
    window = next((w for w in status.windows[:-1] if w.seconds == fastest), period)
    counts = Counts(window.good, window.bad)
    left, ends = status.whole_remaining, status.exhaustion_seconds
    length = slo.period.length(at)
    earliest = latest = None
    if ends is None:
        sure_ = f"no statement: no events in {window.label}"
    elif ends == 0:
        sure_ = "it is spent"
    elif _weighs_time(status):
        sure_ = "no statement: samples of one gauge or query do not fail independently"
    elif (found := sure.interval(counts)) is None:
        sure_ = (
            f"no statement: {counts.bad:.0f} bad of {counts.total:.0f} events in {window.label} "
            "are too few"
        )
    else:
        soonest, last = (
            policy.exhaustion(left, r / (1 - slo.objective), length) for r in found[::-1]
        )
        assert soonest is not None  # known, as `ends` is
        assert last is not None
        earliest, latest = at + soonest, at + last
        sure_ = (
            f"between {show(soonest)} and {show(last)} from now, at {sure.CONFIDENCE:.0%} "
            f"confidence by the {counts.bad:.0f} bad events in {window.label} (Clopper-Pearson), "
            "if they fail independently and it goes on so"
        )
    burn = counts.burn_rate(slo.objective)
    at_rate = policy.exhaustion(left, burn, length)
    return BudgetSaid(
        remaining=status.budget_remaining,
        whole_remaining=status.whole_remaining,
        age=status.age,
        remaining_events=status.whole_remaining_events,
        allowed_events=status.whole_allowed_events or 0.0,
        unadjusted=status.whole_unadjusted,
        burn_window=window.label,
        burn_rate=burn,
        exhaustion=None if ends is None or isinf(ends) else ends,
        by_forecast=status.exhaustion_lower is not None,
        exhaustion_at_rate=None if at_rate is None or isinf(at_rate) else at_rate,
        earliest=earliest,
        latest=latest,
        sure=sure_,
    )


# --- words --------------------------------------------------------------------------------------


def _summary(status: SLOStatus, budget: BudgetSaid, unit: str, show: Show) -> str:
    period, slo = status.windows[-1], status.slo
    left = budget.whole_remaining
    if left is None or period.sli is None:
        return (
            f"There were no {unit} in {period.label}, so nothing can be said of the objective of "
            f"{_percent(slo.objective)}. {_data(period)}"
        )
    spent = f"{period.bad:,.0f} of the {budget.allowed_events:,.1f} bad {unit} it allows"
    if left <= 0:
        over = policy.shown(left)[1:]
        state = f"the budget is overspent by {over}" if left else "the budget is spent"
    else:
        state = f"{policy.shown(left)} of the budget is left"
    future = _future(status, budget, unit, show) if left > 0 else ""
    part, outside = status.part(show), ""
    if part:
        spent += f" at the pace of its first {part}"
    elif status.age < status.length:
        spent += " at the pace so far"
    if status.excluded_seconds:
        without = status.whole_unadjusted
        outside = f" Excluded from that: {show(status.excluded_seconds)}" + (
            f"; without that {policy.shown(without)} would be left." if without is not None else "."
        )
    return (
        f"{_percent(period.sli)} of {period.total:,.0f} {unit} in {period.label} were good, and "
        f"the objective is {_percent(slo.objective)}: {state}, because {spent} have happened."
        f"{future}{outside} {_data(period)}"
    )


def _future(status: SLOStatus, budget: BudgetSaid, unit: str, show: Show) -> str:
    ends = status.exhaustion_seconds
    if ends is None:
        return f" Over {budget.burn_window} there were no {unit}."
    if not budget.burn_rate and ends == inf:
        return f" Over {budget.burn_window} nothing burns."
    burns = f" Over {budget.burn_window} it burns {budget.burn_rate or 0:.3g}x; "
    if status.exhaustion_lower is None:
        return f"{burns}going on so it is spent in {show(ends)}."
    # A forecast knows more than the present rate.
    if ends == inf:
        return f"{burns}the forecast sees no end of it."
    return f"{burns}by the forecast it is spent in {show(ends)}."


def _data(period: WindowStatus) -> str:
    if period.coverage >= 0.9995:
        return f"There is data for all of {period.label}."
    return f"There is data for {policy.shown(period.coverage)} of {period.label}."


def _percent(ratio: float) -> str:
    """With as many digits as tell it from all, seven at most: 99.9993%."""
    digits = next((d for d in range(2, 7) if round(ratio * 100, d) < 100), 7)
    return f"{ratio * 100:.{digits}f}".rstrip("0").rstrip(".") + "%"
