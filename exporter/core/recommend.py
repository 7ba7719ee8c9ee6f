"""The objective that history supports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.core.ledger import Counts

LADDER = (
    0.5, 0.75, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.993, 0.995, 0.997, 0.998, 0.999,
    0.9993, 0.9995, 0.9997, 0.9998, 0.9999, 0.99995, 0.99999,
)  # fmt: skip
"""Objectives people choose, loosest first."""
_SHARE = 0.95


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The tightest objective that history would have met in at least 95% of its periods, and how
    many periods that rests on; `objective` is None where there is not one whole period."""

    objective: float | None
    periods: int
    met: int


def recommend(periods: Sequence[Counts]) -> Recommendation:
    """The tightest objective of the ladder that was met in at least 95% of the periods.

    It allows at least one bad event a period: a tighter one could not be told from 100%. None where
    there is no whole period, or where none was met.
    """
    least = min((counts.total for counts in periods), default=0.0)
    for objective in reversed(LADDER):
        met = sum(is_met(counts, objective) for counts in periods)
        # Rounding: 1 - 0.9 is a little under a tenth.
        if met and met >= _SHARE * len(periods) and (1 - objective) * least >= 1 - 1e-9:
            return Recommendation(objective, len(periods), met)
    return Recommendation(None, len(periods), 0)


def is_met(counts: Counts, objective: float) -> bool:
    """Whether a period kept an objective; rounding is none of its fault."""
    return counts.bad <= (1 - objective) * counts.total * (1 + 1e-9)
