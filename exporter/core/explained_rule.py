"""Why an alert rule fires, or does not."""

from __future__ import annotations

from exporter.core import outage
from exporter.core.burn import Condition, judge
from exporter.core.explained import OutageSaid, RuleSaid
from exporter.core.ledger import Counts
from exporter.core.slo import Rule
from exporter.core.status import RuleStatus, SLOStatus
from exporter.core.watch import by_chance


def rule_said(rule: Rule, said: RuleStatus, status: SLOStatus, behind: bool) -> RuleSaid:
    """Explain one rule. `behind`: history is still being fetched."""
    objective = status.slo.objective
    by_length = {w.seconds: w for w in status.windows[:-1]}
    window = by_length[rule.long.seconds]
    long, short = (Counts(w.good, w.bad) for w in (window, by_length[rule.short.seconds]))
    firing = said.firing
    burst = _no_burst if by_chance(status.slo) else None
    condition = judge(
        rule, objective, long, short, firing=firing, coverage=window.coverage, burst=burst
    )
    plain = judge(rule, objective, long, short, firing=firing, coverage=window.coverage)
    if said.below is not None and plain is Condition.BELOW:
        # The alert has looked at more than the two windows.
        condition = plain
    return RuleSaid(
        rule.severity,
        rule.long.label,
        rule.short.label,
        rule.rate,
        long.burn_rate(objective),
        short.burn_rate(objective),
        said.firing,
        said.since,
        _why(rule, objective, condition, long, short, window.coverage, firing, behind),
        tuple(
            OutageSaid(e, outage.detection(rule, objective, e), outage.reset(rule, objective, e))
            for e in outage.OUTAGES
        ),
    )


def _no_burst() -> bool:
    return False


def _why(
    rule: Rule,
    objective: float,
    condition: Condition,
    long: Counts,
    short: Counts,
    coverage: float,
    firing: bool,
    behind: bool,
) -> str:
    """Why a rule fires, or does not."""
    empty = [w.label for w, c in ((rule.long, long), (rule.short, short)) if c.total <= 0]
    limit = rule.end_rate if firing else rule.rate
    if condition is Condition.UNKNOWN:
        state = "fires on" if firing else "does not fire"
        if empty:
            return f"{state}: no events in {' and '.join(empty)}, which decides nothing"
        return (
            f"{state}: only {coverage:.1%} of {rule.long.label} has data, "
            f"min_coverage is {rule.min_coverage:.0%}"
        )
    burning = [
        (f"{window.label} burns {burn:.3g}x", burn)
        for window, counts in ((rule.long, long), (rule.short, short))
        if (burn := counts.burn_rate(objective)) is not None
    ]
    if condition is Condition.ABOVE:
        both = f"{rule.long.label} and {rule.short.label} are both above {rule.rate:g}x"
        under = [text for text, burn in burning if burn <= rule.rate]
        if under:
            chance = any(burn <= limit for _, burn in burning)
            ends = ", which can be chance" if chance else f", and it ends at {limit:.4g}x"
            return f"fires on: {' and '.join(under)}{ends}"
        if firing:
            return f"fires: {both}"
        return f"waits: {both}, but " + (
            "history is still being fetched" if behind else "it was not evaluated since"
        )
    why = _why_below(rule, long, [text for text, burn in burning if burn <= limit], limit)
    if firing and rule.keep_firing_for:
        return f"fires on for its keep_firing_for: {why}"
    return f"ends at the next evaluation: {why}" if firing else f"does not fire: {why}"


def _why_below(rule: Rule, long: Counts, below: list[str], limit: float) -> str:
    if below:
        return f"{' and '.join(below)}, not above {limit:.4g}x"
    if long.total < rule.min_events:
        return f"{long.total:.0f} events in {rule.long.label}, min_events is {rule.min_events:g}"
    if long.bad < rule.min_bad_events:
        return (
            f"{long.bad:.0f} bad events in {rule.long.label}, "
            f"min_bad_events is {rule.min_bad_events:g}"
        )
    return f"too few events to be sure at confidence {rule.confidence:g}"
