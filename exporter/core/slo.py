"""What an SLO is: indicator, objective, period, rules. Domain types that know nothing of the file.

Source: Google, "The Site Reliability Workbook", chapter 2 (SLOs) and chapter 5 (alerting on SLOs).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from exporter.core.numerals import spellings
from exporter.core.query_sli import QuerySLI
from exporter.core.selector import Matcher, Selector, Want

DAY = 86_400.0


# --- indicators ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CounterSLI:
    """Good or bad events of all valid events; exactly two of the three are given."""

    good: Selector | None = None
    bad: Selector | None = None
    total: Selector | None = None

    def wants(self) -> tuple[Want, ...]:
        """The selectors a source has to answer."""
        return tuple(s for s in (self.good, self.bad, self.total) if s is not None)


@dataclass(frozen=True, slots=True)
class HistogramSLI:
    """Good: observations at or under `threshold` whose series also meet every `good_if`.

    The threshold must be a bucket bound of a classic histogram; a native one is interpolated.
    """

    histogram: Selector
    threshold: float
    good_if: tuple[Matcher, ...] = ()

    @property
    def bucket(self) -> Selector:
        """The cumulative buckets that may be the threshold's: `is_bucket` tells by the number."""
        le = Matcher("le", "=~", spellings(self.threshold))
        return self.histogram.renamed(self.histogram.name + "_bucket").where(*self.good_if, le)

    def is_bucket(self, labels: Mapping[str, str]) -> bool:
        """Whether a bucket with these labels ends at the threshold, however that is written."""
        try:
            return float(labels.get("le", "")) == self.threshold
        except ValueError:
            return False

    def may_be_good(self, labels: Mapping[str, str]) -> bool:
        """Whether `good_if` lets any observation with these labels be good, however fast."""
        return all(m.matches(labels.get(m.label, "")) for m in self.good_if)

    @property
    def count(self) -> Selector:
        """All observations of the classic histogram."""
        return self.histogram.renamed(self.histogram.name + "_count")

    def wants(self) -> tuple[Want, ...]:
        """Bucket, count and, under the plain name, the native histogram."""
        return (self.bucket, self.count, self.histogram)


@dataclass(frozen=True, slots=True)
class GaugeSLI:
    """Each sample is one event, weighted by the seconds it stands for; good if `value op bound`."""

    gauge: Selector
    op: str
    bound: float

    def wants(self) -> tuple[Want, ...]:
        """The gauge."""
        return (self.gauge,)

    def is_good(self, value: float) -> bool:
        """Whether a sample of this value is good."""
        return _COMPARE[self.op](value, self.bound)


@dataclass(frozen=True, slots=True)
class CompositeSLI:
    """The events of other SLOs; `parts`: their names, and how often an event of each counts."""

    parts: tuple[tuple[str, float], ...]

    def wants(self) -> tuple[Want, ...]:
        """Nothing of a source."""
        return ()


SLI = CounterSLI | HistogramSLI | GaugeSLI | QuerySLI | CompositeSLI

_COMPARE = {
    ">=": float.__ge__,
    "<=": float.__le__,
    ">": float.__gt__,
    "<": float.__lt__,
    "==": float.__eq__,
    "!=": float.__ne__,
}
COMPARISONS = tuple(_COMPARE)


# --- periods ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Window:
    """A rolling window; `label` is how the configuration spells it (`30d`, `5m`)."""

    label: str
    seconds: float

    def start(self, now: float) -> float:
        """Where the window that ends now begins, in unix seconds."""
        return now - self.seconds

    def length(self, now: float) -> float:
        """The whole length in seconds; the same at any time."""
        del now
        return self.seconds

    @property
    def nominal(self) -> float:
        """The length that burn rates are derived from, in seconds."""
        return self.seconds


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar period in a time zone: `day`, `week` (from Monday), `month`, `quarter`, `year`.

    Begins at local midnight, so a day of a DST change has 23 or 25 hours.
    """

    unit: str
    timezone: str

    @property
    def label(self) -> str:
        """The unit's name."""
        return self.unit

    @property
    def nominal(self) -> float:
        """The length that burn rates are derived from, in seconds."""
        return _NOMINAL_DAYS[self.unit] * DAY

    def start(self, now: float) -> float:
        """The beginning of the period that `now` lies in, in unix seconds."""
        return self._first_day(now).timestamp()

    def length(self, now: float) -> float:
        """The whole length of the period that `now` lies in, in seconds."""
        first = self._first_day(now)
        # The middle of the day after the longest possible period lies in the next one for sure.
        inside_next = first + timedelta(days=_LONGEST_DAYS[self.unit], hours=12)
        return self._first_day(inside_next.timestamp()).timestamp() - first.timestamp()

    def _first_day(self, now: float) -> datetime:
        from zoneinfo import ZoneInfo  # Half a megabyte, and few have calendar periods.

        zone = ZoneInfo(self.timezone)
        day = datetime.fromtimestamp(now, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        if self.unit == "week":
            day = day - timedelta(days=day.weekday())
        elif self.unit == "month":
            day = day.replace(day=1)
        elif self.unit == "quarter":
            day = day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)
        elif self.unit == "year":
            day = day.replace(day=1, month=1)
        return day.replace(fold=0)


_NOMINAL_DAYS = {"day": 1, "week": 7, "month": 30, "quarter": 90, "year": 365}
_LONGEST_DAYS = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
CALENDAR_UNITS = tuple(_NOMINAL_DAYS)

Period = Window | Calendar


# --- policies and the SLO -----------------------------------------------------------------------


MIN_COVERAGE = 0.1
"""The share of a window that must have data before what it burns is judged."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Fires when the burn rate over `long` and over `short` are both above `rate`.

    To begin, `long` must hold `min_events` and `min_bad_events`, at least the share `min_coverage`
    of it must have data, and with `confidence` (0.95) the lower bound of the error ratio's
    confidence interval over `long` must be above the rate too. It ends once `long` or `short` has
    been under `(1 - hysteresis)` of the rate, by more than chance, for `keep_firing_for` seconds.
    Without hysteresis it ends at the rate itself, by chance or not.
    """

    severity: str
    long: Window
    short: Window
    rate: float
    min_events: float = 0
    min_bad_events: float = 0
    confidence: float | None = None
    min_coverage: float = MIN_COVERAGE
    hysteresis: float = 0.05
    keep_firing_for: float = 0.0

    @property
    def end_rate(self) -> float:
        """The burn rate at which it no longer holds; a margin keeps a steady one from flapping."""
        return self.rate * (1 - self.hysteresis)


def burn_rate_of_share(share: float, period: Period, long: Window) -> float:
    """The burn rate that spends `share` of the period's budget within `long`.

    2% of 30d in 1h is 14.4, of 28d 13.44. Source: Workbook, chapter 5, table 5-6.
    """
    return share * period.nominal / long.seconds


@dataclass(frozen=True, slots=True)
class BudgetStep:
    """One step of a budget policy: when it holds, what it is called, and what follows.

    Exactly one condition is given. `below`: less than this share of the budget (0.25) remains; of
    these steps the lowest one is the policy's state. `incident_above`: the incident at hand has
    spent more than this share. `burn_above`: the burn rate over the window `over` is above this.
    The last two hold beside the state. `within`: seconds in which the action is due.
    """

    below: float | None
    state: str
    gate_open: bool = True
    incident_above: float | None = None
    burn_above: float | None = None
    over: Window | None = None
    severity: str = "ticket"
    action: str = ""
    owner: str = ""
    runbook: str = ""
    within: float | None = None


@dataclass(frozen=True, slots=True)
class SLO:
    """One objective on one indicator; `source` is empty where other SLOs are its parts.

    `objective` is a ratio (0.999). `labels` go onto every metric and alert. With `group_by` there
    is one instance for each combination of those labels' values, at most `max_groups`.
    `rules` are already those of its alert policy, `steps` of its budget policy, lowest first; by
    `hysteresis`, a share of the budget or of a burn rate, it must get better for a step to end.
    `interval` is how often its source is polled, in seconds. `forecast_within`: an alert begins
    when the budget is forecast to be gone within so many seconds. `fault`: why it cannot be counted
    as it is configured, in one line; empty for a sound one.
    """

    name: str
    service: str
    objective: float
    period: Period
    source: str
    sli: SLI
    interval: float
    labels: Mapping[str, str] = field(default_factory=dict)
    group_by: tuple[str, ...] = ()
    max_groups: int = 100
    rules: tuple[Rule, ...] = ()
    steps: tuple[BudgetStep, ...] = ()
    hysteresis: float = 0.01
    forecast_within: float | None = None
    fault: str = ""

    def group_of(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        """Return the group that a series with these labels belongs to; empty without groups."""
        return tuple(labels.get(name, "") for name in self.group_by)

    @property
    def windows(self) -> tuple[Window, ...]:
        """Every alert window once, shortest first."""
        found = {w.seconds: w for r in reversed(self.rules) for w in (r.long, r.short)}
        return tuple(found[s] for s in sorted(found))
