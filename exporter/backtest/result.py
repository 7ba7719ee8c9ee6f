"""What a backtest found, as plain values: made by `replay`, shown by `table`, `html` and as JSON.

Times are unix seconds, durations seconds, shares and ratios between 0 and 1 unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.core.recommend import Recommendation


@dataclass(frozen=True, slots=True)
class Fired:
    """One alert from its firing to its end; `end` is None when it fired at the end of history.

    `peak`: the highest burn rate of its long window. `spent`: the share of the period's budget that
    was spent from the beginning of its long window to its end. `incident`: the index of the
    incident it belongs to, None when there was none.
    """

    severity: str
    long: str
    short: str
    rate: float
    start: float
    end: float | None
    peak: float
    spent: float
    incident: int | None


@dataclass(frozen=True, slots=True)
class Incident:
    """A burst of errors, see `core/incidents`: the same ones whatever the variant.

    `spent`: the share of the period's budget. `detected`: seconds from its start to the first page
    (None: never paged). `reset`: seconds from its end until the last page was over.
    """

    start: float
    end: float
    bad: float
    total: float
    spent: float
    detected: float | None
    reset: float | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """One objective with one alert policy, over the whole history of one SLO instance.

    `precision`: share of pages that spent at least 1% of the budget. `recall`: share of the
    incidents that were paged, of those which are significant under what is configured; both None
    where there were none. `remaining`: the budget at the end, `lowest` at its
    lowest. `periods`, `met`: whole periods in the history, and in how many of them the objective
    was met. `burn_down`: (time, budget remaining), a few hundred points.
    """

    objective: float
    policy: str
    alerts: tuple[Fired, ...]
    incidents: tuple[Incident, ...]
    precision: float | None
    recall: float | None
    detection: float | None
    """Seconds within which half of those incidents were paged; None where fewer were."""
    reset: float | None
    remaining: float | None
    lowest: float | None
    periods: int
    met: int
    burn_down: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class Backtest:
    """One SLO instance: what is configured first in `outcomes`, then the alternatives."""

    slo: str
    service: str
    group: Mapping[str, str]
    period: str
    start: float
    end: float
    good: float
    bad: float
    coverage: float
    resets: int
    births: int
    outcomes: tuple[Outcome, ...]
    recommendation: Recommendation
    notes: tuple[str, ...] = ()
