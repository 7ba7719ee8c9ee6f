"""What the engine knows at one moment, for every reader: metrics page, API, page, reports.

One snapshot is taken after a tick and shared by all readers, so they never disagree. There are
twenty small parts to an instance, so these are named tuples: a frozen dataclass takes four times as
long to make, and a fleet's numbers are made for every scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.core import policy
from exporter.core.apart import Apart, ignore
from exporter.core.override import Override
from exporter.core.slo import SLO, BudgetStep


def _apart(name: str, work: str) -> Apart:
    return Apart(None, name, work, ignore)


class WindowStatus(NamedTuple):
    """The events in the window that ends now; `coverage` is the share of it that has data."""

    label: str
    seconds: float
    good: float
    bad: float
    coverage: float

    @property
    def total(self) -> float:
        """All valid events."""
        return self.good + self.bad

    @property
    def sli(self) -> float | None:
        """Good of all valid events; None while there are none."""
        return self.good / self.total if self.total > 0 else None

    def burn(self, objective: float) -> float | None:
        """The error ratio over the error budget; None while there are no events."""
        return self.bad / self.total / (1 - objective) if self.total > 0 else None


class RuleStatus(NamedTuple):
    """One alert rule; `since` is when it began to fire, in unix seconds, and `below` since when
    the condition of one that fires is over."""

    severity: str
    long: str
    short: str
    rate: float
    firing: bool
    since: float | None
    below: float | None = None


class StepStatus(NamedTuple):
    """One step of the budget policy: whether it holds, since when, and when its action is due, in
    unix seconds; None while it does not hold, was not looked at yet, or nothing is due."""

    step: BudgetStep
    holds: bool
    since: float | None = None
    due: float | None = None


@dataclass(frozen=True, slots=True)
class SLOStatus:
    """One SLO instance.

    `labels`: those of the SLO and of the group. `good_total`, `bad_total`: counters since the
    beginning. `windows`: alert windows, shortest first, then the period last. `age`: how many
    seconds of the period's `length` have passed since its data begin; `young`: whether they begin
    after it does. `whole_remaining`: what is left of the whole period's budget at the pace seen, by
    which everything is judged; `budget_remaining` is that of the time with data. `steps`: those of
    the budget policy, of which `policy_state` is the state. `gate_open`: whether all of those that
    hold leave the gate open. `reopens`: when a closed gate opens if nothing fails any more, in unix
    seconds. `exhaustion_seconds`: until the budget is gone, `math.inf` when not
    burning; `_lower` and `_upper` are the ends of its 80% interval, None without a forecast.
    `excluded_seconds`: how much of the period is excluded; `budget_unadjusted`: what would remain
    of the budget if nothing were.
    """

    slo: SLO
    labels: Mapping[str, str]
    good_total: float
    bad_total: float
    windows: tuple[WindowStatus, ...]
    age: float
    length: float
    young: bool
    budget_remaining: float | None
    whole_remaining: float | None
    budget_remaining_events: float | None
    exhaustion_lower: float | None
    exhaustion_seconds: float | None
    exhaustion_upper: float | None
    rules: tuple[RuleStatus, ...]
    policy_state: str
    steps: tuple[StepStatus, ...]
    gate_open: bool
    reopens: float | None
    ledger_bytes: int
    excluded_seconds: float = 0.0
    budget_unadjusted: float | None = None

    @property
    def whole_allowed_events(self) -> float | None:
        """Bad events that the whole period allows at the pace seen; None while there are none."""
        total = self.windows[-1].total
        if total <= 0 or self.age <= 0:
            return None
        return (1 - self.slo.objective) * total * max(1.0, self.length / self.age)

    @property
    def whole_remaining_events(self) -> float | None:
        """Bad events that are left of the whole period's budget at the pace seen."""
        allowed = self.whole_allowed_events
        return None if allowed is None else allowed - self.windows[-1].bad

    @property
    def whole_unadjusted(self) -> float | None:
        """What `whole_remaining` would be if nothing were excluded."""
        return policy.of_whole_period(self.budget_unadjusted, self.age, self.length)

    def part(self, show: Callable[[float], str]) -> str:
        """How much of the period lies behind a young one, `2m of 30d`; empty for others."""
        return f"{show(self.age)} of {self.slo.period.label}" if self.young else ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Every SLO instance at `now`, in unix seconds.

    `services`: of every SLO by its name, also of those that have no instance yet. `unknown`: why
    the numbers of an SLO are not those of now, for those that are not. `show`: writes seconds as a
    duration, for people.
    """

    now: float
    slos: tuple[SLOStatus, ...]
    services: Mapping[str, str] = field(default_factory=dict)
    unknown: Mapping[str, str] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    apart: Callable[[str, str], Apart] = field(default=_apart, compare=False, repr=False)
    """Context of a reader's work on one SLO, by the SLO's name and what is computed: an exception
    is that SLO's failure, and the reader goes on with the others."""
    show: Callable[[float], str] = "{:.0f}s".format

    def why_unseen(self, slo: str) -> str:
        """Why an SLO has no instance yet."""
        return self.unknown.get(slo, "there is no data yet")
