"""What an explanation consists of; plain values, so that they can go over the wire as they are.

Times are unix seconds, lengths seconds, ratios shares of 1. None means that it cannot be said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.core.indicator import Indicator


@dataclass(frozen=True, slots=True)
class SeriesSaid:
    """One series as counted since `series_since`; `labels` are None while only its name is
    remembered from an earlier run. `readings`: how many of its samples had to be explained, by
    kind and evidence; `births` and `refused` are of these, by evidence."""

    series: str
    target: str
    labels: Mapping[str, str] | None
    last: float | None
    last_time: float | None
    increase: float | None
    resets: int
    gaps: int
    births: Mapping[str, int]
    refused: Mapping[str, int]
    readings: Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class WantSaid:
    """The series of one selector. `others`: how many more there are; `increase`, `resets`,
    `births` and `refused` are sums over all of them."""

    role: str
    want: str
    series: tuple[SeriesSaid, ...]
    others: int
    increase: float | None
    resets: int
    births: int
    refused: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class WindowSaid:
    """The events of one window, and how much of it has data."""

    window: str
    seconds: float
    good: float
    bad: float
    error_ratio: float | None
    burn_rate: float | None
    coverage: float


@dataclass(frozen=True, slots=True)
class OutageSaid:
    """For an outage in which this share of events fails: seconds until the rule fires, and from
    its end until it no longer does; None is never."""

    error_ratio: float
    detection: float | None
    reset: float | None


@dataclass(frozen=True, slots=True)
class RuleSaid:
    """One alert rule: whether it fires, and in words why or why not."""

    severity: str
    long: str
    short: str
    rate: float
    long_burn_rate: float | None
    short_burn_rate: float | None
    firing: bool
    since: float | None
    why: str
    outages: tuple[OutageSaid, ...]


@dataclass(frozen=True, slots=True)
class BudgetSaid:
    """What is left: `remaining` of the time with data, `whole_remaining` of the whole period at the
    pace seen, of which `age` seconds have passed since the data begin; `remaining_events` and
    `allowed_events` are the whole period's, as is `unadjusted`, were nothing excluded.
    `exhaustion`: in how many seconds it is gone, by the forecast if `by_forecast`, else as
    `exhaustion_at_rate`: if it burns on at `burn_rate`, that of `burn_window`. None when nothing
    burns or nothing is known. `earliest`, `latest`: what the confidence interval of the error ratio
    makes of the latter; `sure` says it in words."""

    remaining: float | None
    whole_remaining: float | None
    age: float
    remaining_events: float | None
    allowed_events: float
    unadjusted: float | None
    burn_window: str
    burn_rate: float | None
    exhaustion: float | None
    by_forecast: bool
    exhaustion_at_rate: float | None
    earliest: float | None
    latest: float | None
    sure: str


@dataclass(frozen=True, slots=True)
class PeerSaid:
    """One way to count the window: `by` is `slod`, `increase` or `sloth`."""

    by: str
    error_ratio: float | None
    bad: float | None = None
    total: float | None = None
    burn_rate: float | None = None


@dataclass(frozen=True, slots=True)
class PeersSaid:
    """The same samples counted by others. `note` says why there is nothing to compare."""

    window: str
    start: float
    end: float
    samples: int = 0
    counts: tuple[PeerSaid, ...] = ()
    differences: tuple[str, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """How the numbers of one SLO instance came to be. `unit`: what its events are.

    `counted_since`: the first poll; `gaps`: the newest stretches without data, `all_gaps` whether
    there are no more; `series_since`: when this process began to look at single series.
    """

    slo: str
    service: str
    group: Mapping[str, str]
    labels: Mapping[str, str]
    at: float
    summary: str
    objective: float
    period: str
    source: str
    interval: float
    unit: str
    sli: Indicator
    fault: str | None
    counted_since: float | None
    good_total: float
    bad_total: float
    windows: tuple[WindowSaid, ...]
    rules: tuple[RuleSaid, ...]
    budget: BudgetSaid
    gaps: tuple[tuple[float, float], ...]
    all_gaps: bool
    excluded_seconds: float
    series_since: float | None
    wants: tuple[WantSaid, ...]
    peers: PeersSaid | None = None
