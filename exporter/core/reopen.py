"""When a gate that is closed opens again, if nothing fails from now on."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.core.ledger import Ledger
from exporter.core.slo import SLO, Window
from exporter.core.status import StepStatus

_ROUNDS = 40
"""Halvings of a window; a month comes down to far less than a second."""


def reopens(
    slo: SLO,
    ledger: Ledger,
    steps: Sequence[StepStatus],
    period: tuple[float, float, float],
    now: float,
) -> float | None:
    """In unix seconds, at the period's traffic; None when no step that holds closes the gate, or
    it cannot be said. `period`: where that which `now` lies in begins, its age and its length, see
    `SLOStatus`."""
    closing = [status for status in steps if not status.step.gate_open]
    moments = [_ends(slo, ledger, status, period, now) for status in closing]
    return max((m for m in moments if m is not None), default=None) if None not in moments else None


def _ends(
    slo: SLO,
    ledger: Ledger,
    status: StepStatus,
    period: tuple[float, float, float],
    now: float,
) -> float | None:
    start, age, length = period
    step, allowed = status.step, 1 - slo.objective
    if step.below is not None:
        if not isinstance(slo.period, Window):
            return start + length
        # A young one is judged by the budget of the whole period.
        share = (1 - step.below - slo.hysteresis) * max(1.0, length / age if age > 0 else 1.0)
        return _empties(ledger, slo.period.seconds, share * allowed, now)
    if step.over is not None and step.burn_above is not None:
        share = step.burn_above * (1 - slo.hysteresis)
        return _empties(ledger, step.over.seconds, share * allowed, now)
    return status.due


def _empties(ledger: Ledger, window: float, ratio: float, now: float) -> float | None:
    """When so many bad events have left the window that the rest is at most this share of its
    traffic."""
    total = ledger.counts(now - window, now).total
    if total <= 0:
        return None
    low, high = now - window, now
    for _ in range(_ROUNDS):
        middle = (low + high) / 2
        if ledger.counts(middle, now).bad > ratio * total:
            low = middle
        else:
            high = middle
    return high + window
