"""A snapshot as metric families: the table of `slo_*` metrics.

The label strings of an SLO instance never change while it lives, so they are made once and found
again by its identity; a tick then only collects values.
"""

from __future__ import annotations

from collections.abc import Iterable

from exporter.core import gate
from exporter.core.naming import own_labels
from exporter.core.policy import OK
from exporter.core.slo import SLO
from exporter.core.status import SLOStatus, Snapshot
from exporter.web.exposition import Family, labels

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
    "slo_age_seconds": (
        "gauge",
        "Seconds of the period that have passed since its data begin.",
    ),
    "slo_error_budget_exhaustion_seconds": (
        "gauge",
        "Forecast time until the error budget is spent; +Inf when not burning.",
    ),
    "slo_error_budget_exhaustion_lower_seconds": (
        "gauge",
        "The 10% quantile of the forecast.",
    ),
    "slo_error_budget_exhaustion_upper_seconds": (
        "gauge",
        "The 90% quantile of the forecast.",
    ),
    "slo_alert_firing": ("gauge", "Whether the alert rule fires."),
    "slo_budget_policy_state": ("gauge", "1 on the budget policy's current state."),
    "slo_budget_policy_since_timestamp_seconds": (
        "gauge",
        "When the state of the budget policy began.",
    ),
    "slo_budget_policy_due_timestamp_seconds": (
        "gauge",
        "When the action of the budget policy's state is due.",
    ),
    "slo_gate_open": ("gauge", "Whether a deployment is allowed; unknown is not."),
    "slo_excluded_seconds": ("gauge", "Time of the period that an exclusion leaves out."),
    "slod_ledger_bytes": ("gauge", "Memory of the SLO's ledger."),
}


class SLOMetrics:
    """Turns snapshots into families; keeps the label strings of the instances seen last."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, tuple[tuple[str, str], ...]], _Lines] = {}

    def families(self, snapshot: Snapshot) -> list[Family]:
        """The families in the table's order; one without samples is left out of the page."""
        found = {name: Family(name, *about) for name, about in _FAMILIES.items()}
        seen: dict[tuple[str, tuple[tuple[str, str], ...]], _Lines] = {}
        for status in snapshot.slos:
            key = (status.slo.name, tuple(status.labels.items()))
            lines = self._lines.get(key)
            if lines is None or not lines.fit(status):
                lines = _Lines(status)
            seen[key] = lines
            lines.collect(status, snapshot.now, gate.instance(status, snapshot).allows, found)
        self._lines = seen
        return list(found.values())


class _Lines:
    """The label strings of one SLO instance."""

    __slots__ = ("_bad", "_base", "_good", "_ok", "_rules", "_slo", "_steps", "_windows")

    def __init__(self, status: SLOStatus) -> None:
        own = own_labels(status.slo, status.labels)
        self._slo: SLO = status.slo
        self._base = labels(own)
        self._good, self._bad = ("_total" + labels({**own, "result": r}) for r in ("good", "bad"))
        # An alert window may be spelled like the period: the same events, one line.
        self._windows = tuple(
            (places[0], line)
            for line, places in _places(labels({**own, "window": w.label}) for w in status.windows)
        )
        self._rules = _places(
            labels({**own, "severity": r.severity, "long_window": r.long, "short_window": r.short})
            for r in status.rules
        )
        self._steps = tuple(labels({**own, "state": s.step.state}) for s in status.steps)
        self._ok = labels({**own, "state": OK})

    def fit(self, status: SLOStatus) -> bool:
        """Whether these strings are still those of the instance (a reload makes a new SLO)."""
        return status.slo is self._slo

    def collect(self, status: SLOStatus, now: float, allows: bool, into: dict[str, Family]) -> None:
        """Add the instance's samples to the families."""
        base, objective = self._base, status.slo.objective
        events = into["slo_events"]
        events.add(self._good, status.good_total)
        events.add(self._bad, status.bad_total)
        into["slo_objective_ratio"].add(base, objective)
        into["slo_window_seconds"].add(base, status.slo.period.length(now))
        into["slo_age_seconds"].add(base, status.age)
        self._collect_windows(status, into)
        for name, value in (
            ("slo_error_budget_remaining_ratio", status.budget_remaining),
            ("slo_error_budget_remaining_events", status.budget_remaining_events),
            ("slo_error_budget_exhaustion_seconds", status.exhaustion_seconds),
            ("slo_error_budget_exhaustion_lower_seconds", status.exhaustion_lower),
            ("slo_error_budget_exhaustion_upper_seconds", status.exhaustion_upper),
        ):
            if value is not None:
                into[name].add(base, value)
        alerts = into["slo_alert_firing"]
        for line, rules in self._rules:
            alerts.add(line, float(any(status.rules[at].firing for at in rules)))
        self._collect_policy(status, into)
        into["slo_gate_open"].add(base, float(allows))
        into["slo_excluded_seconds"].add(base, status.excluded_seconds)
        into["slod_ledger_bytes"].add(base, float(status.ledger_bytes))

    def _collect_policy(self, status: SLOStatus, into: dict[str, Family]) -> None:
        states = into["slo_budget_policy_state"]
        states.add(self._ok, float(status.policy_state == OK))
        for line, step in zip(self._steps, status.steps, strict=True):
            states.add(line, float(step.holds))
            if step.since is not None:
                into["slo_budget_policy_since_timestamp_seconds"].add(line, step.since)
            if step.due is not None:
                into["slo_budget_policy_due_timestamp_seconds"].add(line, step.due)

    def _collect_windows(self, status: SLOStatus, into: dict[str, Family]) -> None:
        objective = status.slo.objective
        sli, burn = into["slo_sli_ratio"], into["slo_burn_rate"]
        coverage = into["slo_coverage_ratio"]
        for at, line in self._windows:
            window = status.windows[at]
            coverage.add(line, window.coverage)
            ratio, rate = window.sli, window.burn(objective)
            if ratio is not None and rate is not None:
                sli.add(line, ratio)
                burn.add(line, rate)


def _places(lines: Iterable[str]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Each different line and where it stands."""
    found: dict[str, list[int]] = {}
    for at, line in enumerate(lines):
        found.setdefault(line, []).append(at)
    return tuple((line, tuple(places)) for line, places in found.items())
