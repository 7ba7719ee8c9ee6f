"""Sloth's names once more, of any moment: as `sloth_metrics`, read off a ledger's history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from exporter.config.duration import format_duration
from exporter.core.history import History, burn_rates
from exporter.core.instance import Instance
from exporter.core.slo import DAY
from exporter.formats.sloth_metrics import info, own_labels

Values = list[float | None]
Read = Callable[[History, Sequence[float]], Values]
Row = tuple[str, Mapping[str, str], Read]
"""Name, labels, and the values by moment; None where there is no sample."""


def rows(instance: Instance) -> Iterator[Row]:
    """The series of an instance."""
    slo = instance.slo
    own = own_labels(slo, instance.labels)
    windows: list[tuple[float, float | None]] = [(w.seconds, w.seconds) for w in slo.windows]
    # An alert window as long as the period is the same line twice.
    spans = {format_duration(shown): span for shown, span in [(slo.period.nominal, None), *windows]}
    for spelled, span in spans.items():
        error = _ratio(span, 0.0)
        yield f"slo:sli_error:ratio_rate{spelled}", {**own, "sloth_window": spelled}, error
    yield "slo:objective:ratio", own, _constant(slo.objective)
    yield "slo:error_budget:ratio", own, _constant(1 - slo.objective)
    yield "slo:time_period:days", own, lambda _, at: [slo.period.length(t) / DAY for t in at]
    shortest = slo.windows[0].seconds if slo.windows else None
    yield "slo:current_burn_rate:ratio", own, _ratio(shortest, slo.objective)
    yield "slo:period_burn_rate:ratio", own, _ratio(None, slo.objective)
    yield "slo:period_error_budget_remaining:ratio", own, _remaining(_ratio(None, slo.objective))
    yield "sloth_slo_info", {**own, **info(slo)}, _constant(1.0)


def _constant(value: float) -> Read:
    return lambda _, at: [value] * len(at)


def _ratio(seconds: float | None, objective: float) -> Read:
    """The burn rate over a window, or the period; at an objective of 0 that is the error ratio."""

    def read(past: History, at: Sequence[float]) -> Values:
        columns = past.period(at) if seconds is None else past.window(seconds, at)
        return burn_rates(columns, objective)

    return read


def _remaining(burn: Read) -> Read:
    return lambda past, at: [None if rate is None else 1 - rate for rate in burn(past, at)]
