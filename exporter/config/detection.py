"""When the alerts of each SLO would notice outages of different size: the table of `slod check`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.core.outage import OUTAGES, detection
from exporter.core.slo import SLO

MULTIPLE = 2.0
"""The last column: this multiple of the allowed error ratio."""


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


def detections(slos: Iterable[SLO]) -> list[Detection]:
    """One row for each SLO and severity; an outage is never noticed before the next poll."""
    out: list[Detection] = []
    for slo in slos:
        ratios = (*OUTAGES, min(1.0, MULTIPLE * (1 - slo.objective)))
        for severity in dict.fromkeys(rule.severity for rule in slo.rules):
            row: list[float | None] = []
            for ratio in ratios:
                times = [
                    detection(rule, slo.objective, ratio)
                    for rule in slo.rules
                    if rule.severity == severity
                ]
                known = [t for t in times if t is not None]
                row.append(max(min(known), slo.interval) if known else None)
            out.append(Detection(slo.name, severity, tuple(row)))
    return out
