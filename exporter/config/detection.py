"""How long it takes until a rule notices an outage of a given size.

With an error ratio e from now on and none before, steady traffic and t seconds into it, the burn
rate over a window w > t is `e * t / w / (1 - objective)`; so the rule's rate is passed at
`t = rate * (1 - objective) * w / e`, or never. Source: Workbook, chapter 5, "Detection Time".
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.core.slo import SLO, Rule

# Shares of failing requests that the table shows, and the multiple of the allowed error ratio.
OUTAGES = (1.0, 0.1, 0.01)
MULTIPLE = 2.0


@dataclass(frozen=True, slots=True)
class Detection:
    """For one SLO and severity: seconds until the first rule fires, by outage; None is never."""

    slo: str
    severity: str
    seconds: tuple[float | None, ...]
    """One for each of `OUTAGES`, then for `MULTIPLE` times the error ratio the objective allows."""


def highest_burn_rate(objective: float) -> float:
    """The burn rate while everything fails; no burn rate is higher."""
    return 1 / (1 - objective)


def time_to_detect(rule: Rule, objective: float, error_ratio: float) -> float | None:
    """Seconds from the beginning of an outage until the rule fires; None: it never does."""
    allowed = 1 - objective
    # Rules compare strictly, and the tolerance keeps rounding from turning equal into above.
    if error_ratio / allowed <= rule.rate * (1 + 1e-9):
        return None
    return rule.rate * allowed * max(rule.long.seconds, rule.short.seconds) / error_ratio


def detections(slos: Iterable[SLO]) -> list[Detection]:
    """One row for each SLO and severity; an outage is never noticed before the next poll."""
    out: list[Detection] = []
    for slo in slos:
        ratios = (*OUTAGES, min(1.0, MULTIPLE * (1 - slo.objective)))
        for severity in dict.fromkeys(rule.severity for rule in slo.rules):
            row: list[float | None] = []
            for ratio in ratios:
                times = [
                    time_to_detect(rule, slo.objective, ratio)
                    for rule in slo.rules
                    if rule.severity == severity
                ]
                known = [t for t in times if t is not None]
                row.append(max(min(known), slo.interval) if known else None)
            out.append(Detection(slo.name, severity, tuple(row)))
    return out
