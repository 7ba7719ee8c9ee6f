"""Alert and budget policies: the built-in ones, those of the file, and the rules they give an SLO.

Source: Google, "The Site Reliability Workbook", chapter 5, "Multiwindow, Multi-Burn-Rate Alerts".
"""

from __future__ import annotations

import math
from typing import Literal, TypeVar

import msgspec

from exporter.config.convert import Span, span
from exporter.config.duration import format_duration
from exporter.config.findings import Findings, dotted
from exporter.config.lines import Path
from exporter.config.settings import Duration
from exporter.core.slo import MIN_COVERAGE, Period, Rule, Window, burn_rate_of_share

T = TypeVar("T")


class RuleTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One rule: exactly one of `budget` (the share spent within `long`) and `burn_rate`."""

    severity: str
    long: Span
    short: Span
    budget: float | None = None
    burn_rate: float | None = None
    min_bad_events: float | None = None
    min_events: float | None = None
    confidence: float | None = None
    min_coverage: float | None = None
    hysteresis: float | None = None
    keep_firing_for: Duration | None = None


class AlertPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Rules, and what holds for each of them that does not say otherwise."""

    rules: tuple[RuleTable, ...]
    min_bad_events: float = 0
    min_events: float = 0
    confidence: float | None = None
    min_coverage: float = MIN_COVERAGE
    hysteresis: float = 0.05
    keep_firing_for: Duration = Duration(0)


class StepTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One state of a budget policy: exactly one of `below` (a share of the budget remains),
    `incident_above` (one incident spent more) and `burn_above` with `over` (it burns faster), and
    what follows from it. `within`: how long the owner has for the action."""

    state: str
    below: float | None = None
    incident_above: float | None = None
    burn_above: float | None = None
    over: Span | None = None
    gate: Literal["open", "closed"] = "open"
    severity: str = "ticket"
    action: str = ""
    owner: str = ""
    runbook: str = ""
    within: Span | None = None


class BudgetPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The steps in any order. `slos`: names or label matchers of the SLOs it is for, besides those
    that name it. `hysteresis`: by so much it must get better for a step to end."""

    steps: tuple[StepTable, ...]
    slos: str | tuple[str, ...] | None = None
    hysteresis: float = 0.01


def _rule(severity: str, budget: float, long: str, short: str) -> RuleTable:
    return RuleTable(severity=severity, budget=budget, long=span(long), short=span(short))


WORKBOOK = AlertPolicy(
    rules=(
        _rule("page", 0.02, "1h", "5m"),
        _rule("page", 0.05, "6h", "30m"),
        _rule("ticket", 0.10, "1d", "2h"),
        _rule("ticket", 0.10, "3d", "6h"),
    )
)
_MONTH = Window("30d", 30 * 86_400.0)
_MONTHLY = 28 * 86_400.0
"""A period from this length on counts as a month, in seconds."""
DEFAULT = BudgetPolicy(
    steps=(
        StepTable(below=0.50, state="warning"),
        StepTable(below=0.25, state="freeze_discussion"),
        StepTable(below=0.00, state="exhausted", gate="closed"),
    )
)


def check_alert_policy(policy: AlertPolicy, path: Path, findings: Findings) -> None:
    """What can be said of a policy without an SLO."""
    seen: dict[tuple[str, float, float], int] = {}
    _check_minimums(policy, path, findings)
    for i, rule in enumerate(policy.rules):
        where = (*path, "rules", i)
        _check_minimums(rule, where, findings)
        if not rule.severity.strip():
            findings.error((*where, "severity"), 'is empty; give a name such as "page"')
        if (rule.budget is None) == (rule.burn_rate is None):
            findings.error(where, "must have exactly one of 'budget' and 'burn_rate'")
        if rule.budget is not None and not 0 < rule.budget <= 1:
            findings.error((*where, "budget"), f"must be a share like 0.02, not {rule.budget:g}")
        if rule.burn_rate is not None and not 0 < rule.burn_rate < math.inf:
            findings.error((*where, "burn_rate"), f"must be above 0, not {rule.burn_rate:g}")
        if rule.short >= rule.long:
            findings.error(
                (*where, "short"),
                f"must be shorter than 'long', which is {rule.long.label}, not {rule.short.label}",
            )
        first = seen.setdefault((rule.severity, rule.long, rule.short), i)
        if first != i:
            findings.error(where, f"has the severity and windows of rules[{first}]; leave one out")


def _check_minimums(table: AlertPolicy | RuleTable, path: Path, findings: Findings) -> None:
    for name in ("min_bad_events", "min_events"):
        value = getattr(table, name)
        if value is not None and not 0 <= value < math.inf:
            findings.error((*path, name), f"must be 0 or more, not {value:g}")
    if table.confidence is not None and not 0.5 < table.confidence < 1:
        findings.error(
            (*path, "confidence"),
            f"must be above 0.5 and below 1, like 0.95, not {table.confidence:g}",
        )
    if table.min_coverage is not None and not 0 <= table.min_coverage <= 1:
        findings.error(
            (*path, "min_coverage"), f"must be a share from 0 to 1, not {table.min_coverage:g}"
        )
    if table.hysteresis is not None and not 0 <= table.hysteresis < 1:
        findings.error(
            (*path, "hysteresis"),
            f"must be at least 0 and below 1, like 0.05, not {table.hysteresis:g}",
        )


def rules_of(
    policy: AlertPolicy,
    source: Path,
    period: Period,
    interval: float,
    where: Path,
    findings: Findings,
) -> tuple[Rule, ...]:
    """The rules for this period; a rule that looks back longer than it is an error at `where`.

    The built-in policy is made for a month. On a shorter period its windows shrink with it, so that
    its rates stay what they are: a slow rule would fire although the budget lasts. `interval`: the
    seconds between two polls, of which a window must hold two.
    """
    out: list[Rule] = []
    for i, rule in enumerate(policy.rules):
        long = Window(rule.long.label, float(rule.long))
        short = Window(rule.short.label, float(rule.short))
        rate = rule.burn_rate
        if shrinks(policy, period):
            rate = burn_rate_of_share(rule.budget or 0, _MONTH, long)
            long, short = _shrunk(long, period, interval)
        elif rate is None:
            rate = burn_rate_of_share(rule.budget or 0, period, long)
        if long.seconds > period.nominal:
            name = dotted((*source, "rules", i))
            said = f"is {format_duration(period.nominal)}, but {name} looks back {long.label}"
            if policy is WORKBOOK:
                findings.warning(where, f"{said}, two polls; that rule is left out")
            else:
                findings.error(where, f"{said}; use a longer window or another alert_policy")
            continue
        out.append(
            Rule(
                severity=rule.severity,
                long=long,
                short=short,
                rate=rate,
                min_events=_chosen(rule.min_events, policy.min_events),
                min_bad_events=_chosen(rule.min_bad_events, policy.min_bad_events),
                confidence=_chosen(rule.confidence, policy.confidence),
                min_coverage=_chosen(rule.min_coverage, policy.min_coverage),
                hysteresis=_chosen(rule.hysteresis, policy.hysteresis),
                keep_firing_for=float(_chosen(rule.keep_firing_for, policy.keep_firing_for)),
            )
        )
    # Where two polls are the least, rules may have the same windows: the one with the lower rate
    # fires whenever the other does.
    found = {(rule.severity, rule.long, rule.short): rule for rule in out}
    return tuple(found.values())


def shrinks(policy: AlertPolicy, period: Period) -> bool:
    """Return whether the windows of a policy follow the period: the built-in one on a short one."""
    return policy is WORKBOOK and period.nominal < _MONTHLY


def _chosen(own: T | None, general: T) -> T:
    """What a rule says, or what its policy says for all of its rules."""
    return general if own is None else own


def _shrunk(long: Window, period: Period, interval: float) -> tuple[Window, Window]:
    """The long and short window of a built-in rule on a period shorter than a month."""
    seconds = _whole(long.seconds * period.nominal / _MONTH.seconds)
    least = max(1.0, math.ceil(2 * interval))
    lengths = (max(length, least) for length in (seconds, _whole(seconds / 12)))
    slow, fast = (Window(format_duration(length), length) for length in lengths)
    return slow, fast


def _whole(seconds: float) -> float:
    """In whole minutes from an hour up, in whole seconds below."""
    return float(round(seconds / 60) * 60 if seconds >= 3600 else round(seconds))
