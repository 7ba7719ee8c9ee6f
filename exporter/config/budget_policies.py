"""Budget policies: what can be wrong with one, which one an SLO has, and the steps it gives.

Source: Google, "The Site Reliability Workbook", chapter 2 and appendix B, "Example Error Budget
Policy".
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from exporter.config.findings import Findings, nearest
from exporter.config.lines import Path
from exporter.config.policies import BudgetPolicy, StepTable
from exporter.config.where import parse_where
from exporter.core.slo import BudgetStep, Window

DEFAULT = "default"
_LONGEST_TEXT = 1000
_CONDITIONS = ("below", "incident_above", "burn_above")


def check_budget_policy(policy: BudgetPolicy, path: Path, findings: Findings) -> None:
    """Each state and each level once, one condition a step, and the word `ok` left to the state
    above all steps."""
    seen: dict[object, int] = {}
    for i, step in enumerate(policy.steps):
        where = (*path, "steps", i)
        _check_condition(step, where, findings)
        _check_words(step, where, findings)
        for key, value in (("state", step.state), ("below", step.below)):
            if value is None:
                continue
            first = seen.setdefault((key, value), i)
            if first != i:
                findings.error((*where, key), f"{value!r} stands in steps[{first}] already")
    if not 0 <= policy.hysteresis < 1:
        findings.error(
            (*path, "hysteresis"), f"must be a share like 0.01, not {policy.hysteresis:g}"
        )
    if policy.slos is not None:
        parse_where(policy.slos, (*path, "slos"), findings)


def _check_condition(step: StepTable, where: Path, findings: Findings) -> None:
    given = [name for name in _CONDITIONS if getattr(step, name) is not None]
    if len(given) != 1:
        names = ", ".join(map(repr, _CONDITIONS))
        findings.error(where, f"must have exactly one of {names}")
    if step.below is not None and not (step.below <= 1 and math.isfinite(step.below)):
        findings.error(
            (*where, "below"), f"must be a share of the budget like 0.25, not {step.below:g}"
        )
    for name, like in (("incident_above", "0.2, a share of the budget"), ("burn_above", "3")):
        value = getattr(step, name)
        if value is not None and not (0 < value < math.inf):
            findings.error((*where, name), f"must be above 0, like {like}, not {value:g}")
    if (step.over is None) == (step.burn_above is not None):
        findings.error(where, "'burn_above' and 'over' (a window like \"1d\") belong together")


def _check_words(step: StepTable, where: Path, findings: Findings) -> None:
    if not step.state.strip():
        findings.error((*where, "state"), "is empty; give the state a name")
    if step.state == "ok":
        findings.error((*where, "state"), "'ok' is the state above all steps; use another name")
    if not step.severity.strip():
        findings.error((*where, "severity"), 'is empty; give a name such as "ticket"')
    for name in ("action", "owner", "runbook"):
        if len(getattr(step, name)) > _LONGEST_TEXT:
            findings.error((*where, name), f"is longer than {_LONGEST_TEXT} characters")


def steps_of(policy: BudgetPolicy) -> tuple[BudgetStep, ...]:
    """The steps, lowest first, and after them those that look at an incident or a burn rate."""
    ordered = sorted(policy.steps, key=lambda s: math.inf if s.below is None else s.below)
    return tuple(
        BudgetStep(
            step.below,
            step.state,
            step.gate == "open",
            incident_above=step.incident_above,
            burn_above=step.burn_above,
            over=Window(step.over.label, float(step.over)) if step.over is not None else None,
            severity=step.severity,
            action=step.action,
            owner=step.owner,
            runbook=step.runbook,
            within=float(step.within) if step.within is not None else None,
        )
        for step in ordered
    )


def choose(
    named: str | None,
    labels: Mapping[str, str],
    policies: Mapping[str, BudgetPolicy | None],
    path: Path,
    findings: Findings,
) -> BudgetPolicy | None:
    """The policy an SLO names, or else the one whose `slos` mean it, or else `default`. `labels`:
    `slo`, `service` and the SLO's own. None when there is an error: then `findings` say it."""
    if named is not None:
        if named not in policies:
            findings.error(path, f"unknown policy {named!r}{nearest(named, policies)}")
        return policies.get(named)
    meant = [name for name, policy in policies.items() if policy and _is_for(policy, labels)]
    if len(meant) > 1:
        names = ", ".join(meant)
        findings.error(path[:-1], f"several budget policies are for it ({names}); name one of them")
        return None
    return policies[meant[0] if meant else DEFAULT]


def _is_for(policy: BudgetPolicy, labels: Mapping[str, str]) -> bool:
    if policy.slos is None:
        return False
    where = parse_where(policy.slos, (), faults := Findings(""))
    return not faults.errors and all(m.matches(labels.get(m.label, "")) for m in where)
