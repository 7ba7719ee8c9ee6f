"""What the API says of one SLO instance.

Ratios and burn rates are null while there are no events; what is not known is never 0.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct

from exporter.config.moments import rfc3339
from exporter.core import gate
from exporter.core.policy import OK
from exporter.core.slo import SLO
from exporter.core.status import SLOStatus, Snapshot, StepStatus, WindowStatus

Never = Literal["+Inf"]
Seconds = float | Never | None
"""JSON has no infinity: "+Inf" (as Prometheus writes it) is never, null is not known."""


class WindowNow(Struct, frozen=True):
    """The events in a window that ends now. `window` is spelled as configured; `coverage` is the
    share of it that has data."""

    window: str
    seconds: float
    sli: float | None
    burn_rate: float | None
    good: float
    bad: float
    coverage: float


class RuleNow(Struct, frozen=True):
    """An alert rule. It fires while the burn rates of both windows are above `burn_rate`."""

    severity: str
    long_window: str
    short_window: str
    burn_rate: float
    firing: bool
    since: str | None


class StepNow(Struct, frozen=True):
    """A step of the budget policy that holds; its alert has this severity."""

    state: str
    gate: Literal["open", "closed"]
    since: str | None
    due: str | None
    action: str
    owner: str
    runbook_url: str
    severity: str = "ticket"


class GateNow(Struct, frozen=True):
    """What this instance says to a deployment. `allow` heeds overrides, `verdict` does not."""

    allow: bool
    verdict: Literal["open", "closed", "unknown"]
    reason: str
    overridden: bool


class SLOSaid(Struct, frozen=True):
    """One SLO, or one group of it.

    `windows`: those of the alert rules, shortest first, and the period last. `labels`: the SLO's
    and its group's. `age`: how many seconds of the period have passed since its data begin; null
    before the first. `whole_budget_remaining`: what is left of the whole period's budget at the
    pace seen, by which the budget policy goes. `budget_unadjusted`: what would be left if nothing
    were excluded. `exhaustion`: seconds until the budget is gone, "+Inf" for never at this rate,
    with the ends of its 80% interval where there is a forecast. `unknown`: why these are not the
    numbers of now, or null.
    """

    slo: str
    service: str
    labels: dict[str, str]
    group: dict[str, str]
    objective: float
    window: str
    window_seconds: float
    windows: list[WindowNow]
    age: float | None
    budget_remaining: float | None
    whole_budget_remaining: float | None
    budget_remaining_events: float | None
    budget_unadjusted: float | None
    excluded_seconds: float
    exhaustion_seconds: Seconds
    exhaustion_lower_seconds: Seconds
    exhaustion_upper_seconds: Seconds
    policy_state: str
    steps: list[StepNow]
    gate: GateNow
    rules: list[RuleNow]
    unknown: str | None

    @property
    def states(self) -> set[str]:
        """What `?state=` finds it by."""
        found = {self.policy_state, *(step.state for step in self.steps)}
        if any(rule.firing for rule in self.rules):
            found.add("firing")
        if self.unknown is not None:
            found.add("unknown")
        return found


def said(snapshot: Snapshot, slos: Mapping[str, SLO]) -> Iterator[SLOSaid]:
    """Every instance of these SLOs; one that has none yet as a whole."""
    seen: set[str] = set()
    for status in snapshot.slos:
        slo = status.slo
        if slo.name not in slos:
            continue
        with snapshot.apart(slo.name, "api") as work:
            one = _seen(status, snapshot)
        if not work.failed:
            seen.add(slo.name)
            yield one
    for name, slo in slos.items():
        if name not in seen:
            yield _unseen(slo, snapshot)


def _seen(status: SLOStatus, snapshot: Snapshot) -> SLOSaid:
    slo = status.slo
    return SLOSaid(
        slo=slo.name,
        service=slo.service,
        labels=dict(status.labels),
        group={label: status.labels[label] for label in slo.group_by},
        objective=slo.objective,
        window=slo.period.label,
        window_seconds=slo.period.length(snapshot.now),
        windows=[_window(w, slo.objective) for w in status.windows],
        age=status.age,
        budget_remaining=status.budget_remaining,
        whole_budget_remaining=status.whole_remaining,
        budget_remaining_events=status.budget_remaining_events,
        budget_unadjusted=status.budget_unadjusted,
        excluded_seconds=status.excluded_seconds,
        exhaustion_seconds=seconds(status.exhaustion_seconds),
        exhaustion_lower_seconds=seconds(status.exhaustion_lower),
        exhaustion_upper_seconds=seconds(status.exhaustion_upper),
        policy_state=status.policy_state,
        steps=[_step(s) for s in status.steps if s.holds],
        gate=_gate(gate.instance(status, snapshot)),
        rules=[
            RuleNow(r.severity, r.long, r.short, r.rate, r.firing, moment(r.since))
            for r in status.rules
        ],
        unknown=snapshot.unknown.get(slo.name),
    )


def seconds(value: float | None) -> Seconds:
    """For JSON."""
    return "+Inf" if value == math.inf else value


def moment(at: float | None) -> str | None:
    """RFC 3339."""
    return None if at is None else rfc3339(at)


def _window(one: WindowStatus, objective: float) -> WindowNow:
    burn = one.burn(objective)
    return WindowNow(one.label, one.seconds, one.sli, burn, one.good, one.bad, one.coverage)


def _step(status: StepStatus) -> StepNow:
    step = status.step
    return StepNow(
        step.state,
        "open" if step.gate_open else "closed",
        moment(status.since),
        moment(status.due),
        step.action,
        step.owner,
        step.runbook,
        step.severity,
    )


def _gate(one: gate.Behind) -> GateNow:
    return GateNow(one.allows, one.verdict.value, one.reason, one.override is not None)


def _unseen(slo: SLO, snapshot: Snapshot) -> SLOSaid:
    """One of which nothing was counted yet."""
    whole = gate.gate(slo.name, snapshot)
    behind = next((b for b in whole.behind if b.slo == slo.name), None) if whole else None
    why = snapshot.why_unseen(slo.name)
    none = GateNow(False, "unknown", why, False)
    rules = [
        RuleNow(r.severity, r.long.label, r.short.label, r.rate, False, None) for r in slo.rules
    ]
    return SLOSaid(
        slo=slo.name,
        service=slo.service,
        labels=dict(slo.labels),
        group={},
        objective=slo.objective,
        window=slo.period.label,
        window_seconds=slo.period.length(snapshot.now),
        windows=[],
        age=None,
        budget_remaining=None,
        whole_budget_remaining=None,
        budget_remaining_events=None,
        budget_unadjusted=None,
        excluded_seconds=0.0,
        exhaustion_seconds=None,
        exhaustion_lower_seconds=None,
        exhaustion_upper_seconds=None,
        policy_state=OK,
        steps=[],
        gate=_gate(behind) if behind else none,
        rules=rules,
        unknown=why,
    )
