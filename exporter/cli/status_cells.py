"""The cells of `slod status`. Whatever others wrote goes through `printable`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime

from rich.text import Text

from exporter.config.duration import approximate
from exporter.core.alert import PAGE
from exporter.core.policy import OK
from exporter.printable import printable
from exporter.web.slos_api_said import RuleNow, SLOSaid, StepNow

GOOD, POOR, BAD, NONE = "green", "yellow", "red", "dim"
_BAR = 10
_LONGEST = 10 * 365 * 86_400.0


def title(slo: SLOSaid) -> str:
    """The SLO and its group."""
    group = ",".join(f"{k}={v}" for k, v in slo.group.items())
    return printable(f"{slo.slo}{{{group}}}" if group else slo.slo)


def is_unknown(slo: SLOSaid) -> bool:
    """Whether its numbers are not those of now."""
    return slo.unknown is not None or slo.whole_budget_remaining is None


def bar(slo: SLOSaid, *, ascii_only: bool) -> Text:
    """What is left of the budget."""
    left = slo.whole_budget_remaining
    full, empty = ("#", "-") if ascii_only else ("█", "░")
    # Never quite full unless it is, nor quite empty.
    cells = 0 if left is None or left <= 0 else min(_BAR, max(1, math.floor(left * _BAR + 1e-6)))
    line = Text().append(full * cells, style=_colour(slo))
    return line.append(empty * (_BAR - cells), style=NONE)


def budget(slo: SLOSaid) -> Text:
    """The share that is left, rounded down so that 99.99% never looks like all of it."""
    left = slo.whole_budget_remaining
    if left is None:
        return Text("?", style=NONE)
    share = math.floor(left * 1000 + 1e-6) / 10
    return Text(f"{share:.1f}%" if left > -10 else f"{share:.0f}%", style=_colour(slo))


def burn(slo: SLOSaid, window: str) -> Text:
    """The burn rate of a window; loud where a rule's threshold is passed."""
    rate = next((w.burn_rate for w in slo.windows[:-1] if w.window == window), None)
    if rate is None:
        return Text("-", style=NONE)
    over = any(
        rate > rule.burn_rate
        for rule in slo.rules
        if window in (rule.long_window, rule.short_window)
    )
    return Text(f"{rate:.2f}" if rate < 10 else f"{rate:.0f}", style=BAD if over else "")


def lasts(slo: SLOSaid) -> Text:
    """How long until the budget is gone."""
    seconds = slo.exhaustion_seconds
    if seconds is None:
        return Text("?", style=NONE)
    if isinstance(seconds, str):
        return Text("not at this rate")
    if seconds <= 0:
        return Text("gone", style=BAD)
    return Text("over 10y" if seconds > _LONGEST else approximate(seconds))


def state(slo: SLOSaid) -> Text:
    """The state of the budget policy, or another step of it that holds; or that it is not known."""
    said = slo.policy_state
    if said == OK and slo.steps:
        said = slo.steps[0].state
    if is_unknown(slo):
        return Text("unknown" if said == OK else f"{printable(said)}?", style=POOR)
    return Text(printable(said), style=_colour(slo))


def gate(slo: SLOSaid) -> Text:
    """Whether a deployment is let through; marked where somebody overrode it."""
    said = ("open" if slo.gate.allow else "closed") if slo.gate.overridden else slo.gate.verdict
    style = GOOD if slo.gate.allow else BAD if said == "closed" else POOR
    return Text(said + ("*" if slo.gate.overridden else ""), style=style)


def firing(slo: SLOSaid) -> Sequence[RuleNow | StepNow]:
    """The alerts of burn rates, and the steps of the budget policy that page; pages first."""
    found = [rule for rule in slo.rules if rule.firing]
    steps = [step for step in slo.steps if step.severity == PAGE]
    return sorted([*found, *steps], key=lambda one: one.severity != PAGE)


def alerts(slo: SLOSaid, now: float) -> Text:
    """The gravest alert that fires, since when, and how many more."""
    found = firing(slo)
    if not found:
        return Text("-", style=NONE)
    first = found[0]
    said = printable(first.severity)
    if first.since is not None:
        said += f" {approximate(max(0.0, now - unix(first.since)))}"
    if len(found) > 1:
        said += f" +{len(found) - 1}"
    return Text(said, style=f"bold {BAD}" if first.severity == PAGE else POOR)


def unix(moment: str) -> float:
    """RFC 3339 as unix seconds; `ValueError` when it is none."""
    return datetime.fromisoformat(moment).timestamp()


def _colour(slo: SLOSaid) -> str:
    left = slo.whole_budget_remaining
    if left is None:
        return NONE
    if left <= 0 or slo.gate.verdict == "closed":
        return BAD
    return GOOD if slo.policy_state == OK and not slo.steps else POOR
