"""The table of `slo_*` metrics once more, of any moment: what can be read off a ledger, and what
follows from the alerts that fired. `web.slo_metrics` is the same of now.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from exporter.core.burn_alerts import BURN
from exporter.core.history import Columns, History, burn_rates
from exporter.core.instance import Instance
from exporter.core.naming import own_labels
from exporter.core.policy import OK
from exporter.core.slo import SLO
from exporter.core.steps import POLICY
from exporter.series.row import Read, Row, Values
from exporter.series.spans import Fired

FAMILIES = frozenset(
    {"slo_alert_firing", "slo_budget_policy_state", "slo_burn_rate", "slo_coverage_ratio"}
    | {"slo_error_budget_remaining_events", "slo_error_budget_remaining_ratio", "slo_events"}
    | {"slo_age_seconds", "slo_excluded_seconds", "slo_objective_ratio", "slo_sli_ratio"}
    | {"slo_window_seconds"}
)
"""The families of the metrics page that are here; of the others only the last hour is known."""

_Window = Callable[[History, Sequence[float]], Columns]


def rows(instance: Instance, fired: Fired) -> Iterator[Row]:
    """The series of an instance; `fired`: the alerts there were."""
    slo = instance.slo
    own = own_labels(slo, instance.labels)
    for which, result in enumerate(("good", "bad")):
        yield Row("slo_events_total", {**own, "result": result}, _events(which))
    yield Row("slo_objective_ratio", own, _constant(slo.objective))
    yield Row("slo_window_seconds", own, lambda _, at: [slo.period.length(t) for t in at])
    yield from _windows(slo, own)
    yield Row("slo_error_budget_remaining_ratio", own, _remaining(slo.objective))
    yield Row("slo_error_budget_remaining_events", own, _remaining_events(slo.objective))
    yield Row("slo_age_seconds", own, lambda past, at: [*past.age(at)])
    yield Row("slo_excluded_seconds", own, lambda past, at: [*past.excluded(at)])
    yield from _alerts(instance, own, fired)
    yield from _policy(instance, own, fired)


def _windows(slo: SLO, own: Mapping[str, str]) -> Iterator[Row]:
    seen = set()
    for label, seconds in [*((w.label, w.seconds) for w in slo.windows), (slo.period.label, None)]:
        # An alert window may be spelled like the period: the same events, one series.
        if label in seen:
            continue
        seen.add(label)
        labels = {**own, "window": label}
        window = _window(seconds)
        yield Row("slo_sli_ratio", labels, _sli(window))
        yield Row("slo_burn_rate", labels, burn(window, slo.objective))
        yield Row("slo_coverage_ratio", labels, _coverage(seconds))


def _alerts(instance: Instance, own: Mapping[str, str], fired: Fired) -> Iterator[Row]:
    slo = instance.slo
    for rule in dict.fromkeys((r.severity, r.long.label, r.short.label) for r in slo.rules):
        which = dict(zip(("severity", "long_window", "short_window"), rule, strict=True))
        held = fired.where(slo.name, {**instance.group, "alertname": BURN, **which})
        yield Row("slo_alert_firing", {**own, **which}, held)


def _policy(instance: Instance, own: Mapping[str, str], fired: Fired) -> Iterator[Row]:
    slo = instance.slo
    held = {
        s.state: fired.where(slo.name, {**instance.group, "alertname": POLICY, "state": s.state})
        for s in slo.steps
    }
    states = [held[s.state] for s in slo.steps if s.below is not None]
    yield Row("slo_budget_policy_state", {**own, "state": OK}, _none_of(states))
    # The alert of a state goes on in the worse ones, which are before it.
    for index, step in enumerate(slo.steps):
        worse = [held[s.state] for s in slo.steps[:index] if s.below is not None]
        read = held[step.state] if step.below is None else _only(held[step.state], worse)
        yield Row("slo_budget_policy_state", {**own, "state": step.state}, read)


# --- how values come about ----------------------------------------------------------------------


def _window(seconds: float | None) -> _Window:
    if seconds is None:
        return lambda past, at: past.period(at)
    return lambda past, at: past.window(seconds, at)


def _events(which: int) -> Read:
    return lambda past, at: past.events(at)[which]


def _constant(value: float) -> Read:
    return lambda _, at: [value] * len(at)


def _sli(window: _Window) -> Read:
    def read(past: History, at: Sequence[float]) -> Values:
        return [
            max(0.0, t - b) / t if t > 0 else None for b, t in zip(*window(past, at), strict=True)
        ]

    return read


def burn(window: _Window, objective: float) -> Read:
    """The burn rate over a window."""
    return lambda past, at: burn_rates(window(past, at), objective)


def _coverage(seconds: float | None) -> Read:
    return lambda past, at: [*past.coverage(seconds, at)]


def _remaining(objective: float) -> Read:
    rates = burn(_window(None), objective)
    return lambda past, at: [None if b is None else 1 - b for b in rates(past, at)]


def _remaining_events(objective: float) -> Read:
    def read(past: History, at: Sequence[float]) -> Values:
        allowed = 1 - objective
        return [allowed * t - b if t > 0 else None for b, t in zip(*past.period(at), strict=True)]

    return read


def _only(state: Read, worse: Sequence[Read]) -> Read:
    def read(past: History, at: Sequence[float]) -> Values:
        none = _none_of(worse)(past, at)
        return [float(bool(a and b)) for a, b in zip(state(past, at), none, strict=True)]

    return read


def _none_of(states: Sequence[Read]) -> Read:
    def read(past: History, at: Sequence[float]) -> Values:
        held = [state(past, at) for state in states]
        return [float(not any(values)) for values in zip(*held, strict=True)] or [1.0] * len(at)

    return read
