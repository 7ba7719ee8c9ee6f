"""A snapshot as metric families: the table of `slo_*` metrics.

The label strings of an SLO instance never change while it lives, so they are made once and found
again by its identity; a tick then only collects values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from exporter.core.slo import SLO
from exporter.core.status import SLOStatus, Snapshot
from exporter.web.exposition import Family, Sample, labels

_FAMILIES = {
    "slo_events": ("counter", "Events counted by slod, by result."),
    "slo_objective_ratio": ("gauge", "The objective as a ratio."),
    "slo_window_seconds": ("gauge", "The length of the SLO's period."),
    "slo_sli_ratio": ("gauge", "Good events of all valid events in the window."),
    "slo_burn_rate": ("gauge", "Error ratio in the window, in multiples of the error budget."),
    "slo_coverage_ratio": ("gauge", "Share of the window for which there is data."),
    "slo_error_budget_remaining_ratio": (
        "gauge",
        "Share of the period's error budget that is left; below 0 when overspent.",
    ),
    "slo_error_budget_remaining_events": (
        "gauge",
        "Bad events that are left in the error budget at the period's traffic.",
    ),
    "slo_error_budget_exhaustion_seconds": (
        "gauge",
        "Forecast time until the error budget is spent; +Inf when not burning.",
    ),
    "slo_alert_firing": ("gauge", "Whether the alert rule fires."),
    "slo_budget_policy_state": ("gauge", "1 on the budget policy's current state."),
    "slo_gate_open": ("gauge", "Whether the budget policy allows a deployment."),
    "slod_ledger_bytes": ("gauge", "Memory of the SLO's ledger."),
}
_RESERVED = frozenset(
    {"slo", "service", "result", "window", "severity", "long_window", "short_window", "state"}
)


class SLOMetrics:
    """Turns snapshots into families; keeps the label strings of the instances seen last."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, tuple[tuple[str, str], ...]], _Lines] = {}

    def families(self, snapshot: Snapshot) -> list[Family]:
        """The families in the table's order; one without samples is left out of the page."""
        found: dict[str, list[Sample]] = {name: [] for name in _FAMILIES}
        seen: dict[tuple[str, tuple[tuple[str, str], ...]], _Lines] = {}
        for status in snapshot.slos:
            key = (status.slo.name, tuple(status.labels.items()))
            lines = self._lines.get(key)
            if lines is None or not lines.fit(status):
                lines = _Lines(status)
            seen[key] = lines
            lines.collect(status, snapshot.now, found)
        self._lines = seen
        return [Family(name, *_FAMILIES[name], found[name]) for name in _FAMILIES]


class _Lines:
    """The label strings of one SLO instance; where two would be the same line, the first counts."""

    __slots__ = ("_bad", "_base", "_good", "_rules", "_slo", "_states", "_windows")

    def __init__(self, status: SLOStatus) -> None:
        own = own_labels(status.slo, status.labels)
        self._slo: SLO = status.slo
        self._base = labels(own)
        self._good, self._bad = ("_total" + labels({**own, "result": r}) for r in ("good", "bad"))
        self._windows = _first(labels({**own, "window": w.label}) for w in status.windows)
        self._rules = tuple(
            labels({**own, "severity": r.severity, "long_window": r.long, "short_window": r.short})
            for r in status.rules
        )
        self._states = tuple((s, labels({**own, "state": s})) for s in status.states)

    def fit(self, status: SLOStatus) -> bool:
        """Whether these strings are still those of the instance (a reload makes a new SLO)."""
        return status.slo is self._slo

    def collect(self, status: SLOStatus, now: float, into: dict[str, list[Sample]]) -> None:
        """Add the instance's samples to the families."""
        base, objective = self._base, status.slo.objective
        into["slo_events"] += ((self._good, status.good_total), (self._bad, status.bad_total))
        into["slo_objective_ratio"].append((base, objective))
        into["slo_window_seconds"].append((base, status.slo.period.length(now)))
        sli, burn, coverage = (
            into["slo_sli_ratio"],
            into["slo_burn_rate"],
            into["slo_coverage_ratio"],
        )
        for at, line in self._windows:
            window = status.windows[at]
            coverage.append((line, window.coverage))
            ratio, rate = window.sli, window.burn(objective)
            if ratio is not None and rate is not None:
                sli.append((line, ratio))
                burn.append((line, rate))
        for name, value in (
            ("slo_error_budget_remaining_ratio", status.budget_remaining),
            ("slo_error_budget_remaining_events", status.budget_remaining_events),
            ("slo_error_budget_exhaustion_seconds", status.exhaustion_seconds),
        ):
            if value is not None:
                into[name].append((base, value))
        firing: dict[str, float] = {}
        for line, rule in zip(self._rules, status.rules, strict=True):
            firing[line] = max(firing.get(line, 0.0), float(rule.firing))
        into["slo_alert_firing"] += firing.items()
        into["slo_budget_policy_state"] += (
            (line, float(state == status.policy_state)) for state, line in self._states
        )
        into["slo_gate_open"].append((base, float(status.gate_open)))
        into["slod_ledger_bytes"].append((base, float(status.ledger_bytes)))


def own_labels(slo: SLO, extra: Mapping[str, str]) -> dict[str, str]:
    """The labels all metrics of an instance share; an own label whose name the metrics need for
    themselves becomes `exported_NAME`, as Prometheus does it."""
    return {
        "slo": slo.name,
        "service": slo.service,
        **{(f"exported_{k}" if k in _RESERVED else k): v for k, v in extra.items()},
    }


def _first(lines: Iterable[str]) -> tuple[tuple[int, str], ...]:
    # An alert window may be spelled like the period: the same events, one line.
    seen: dict[str, int] = {}
    for at, line in enumerate(lines):
        seen.setdefault(line, at)
    return tuple((at, line) for line, at in seen.items())
