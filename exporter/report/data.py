"""What a review holds, as plain values: made by `review`, shown as Markdown, HTML and JSON.

Times are unix seconds, durations seconds, shares and ratios between 0 and 1 unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporter.core.attribution import Attribution

NOT_RECORDED = "not recorded"
"""For what slod is not told of; nothing is made up in its place."""


@dataclass(frozen=True, slots=True)
class SaidAlert:
    """One alert that was said to receivers; `end` is None while it fires.

    `spent`: the share of the period's budget that was spent from the beginning of its long window
    to its end. `incident`: the index of the incident it belongs to, None for none.
    """

    severity: str
    long: str
    short: str
    start: float
    end: float | None
    spent: float
    incident: int | None


@dataclass(frozen=True, slots=True)
class Incident:
    """A burst of errors, see `core/incidents`, or one that somebody reported.

    `spent`: the share of the period's budget. `reported`: the name it has on the timeline; None
    where nobody reported it. `detected`: seconds from its start to the first page (None: never
    paged). `reset`: seconds from its end to the page's. `before_slod`: it began before slod decided
    about alerts, so nobody could be paged; `would_detect` and `would_reset` are what the rules of
    now would have made of it.
    """

    start: float
    end: float
    bad: float
    total: float
    spent: float
    reported: str | None
    detected: float | None
    reset: float | None
    before_slod: bool = False
    would_detect: float | None = None
    would_reset: float | None = None


@dataclass(frozen=True, slots=True)
class Passed:
    """A state of the budget policy that was passed through; `until` is None while it holds."""

    state: str
    since: float
    until: float | None


@dataclass(frozen=True, slots=True)
class Told:
    """Something else that was said to receivers: an override of the gate, a deploy that burned."""

    what: str
    summary: str
    since: float
    until: float | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """Seconds until the budget is gone, `inf` when that is not foreseeable, with the ends of its
    80% interval where past days tell it; without them it is how it burns now."""

    seconds: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change worth talking about, and in one line what speaks for it."""

    change: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Numbers:
    """Events of the time reviewed against the objective."""

    bad: float
    total: float
    objective: float

    @property
    def sli(self) -> float | None:
        """Good of all; None without events."""
        return 1 - self.bad / self.total if self.total > 0 else None

    @property
    def spent(self) -> float | None:
        """The share of the budget; None without events."""
        return self.bad / self.total / (1 - self.objective) if self.total > 0 else None


@dataclass(frozen=True, slots=True)
class SLOReview:
    """One SLO instance from `start` to `end`.

    `counted` and `unadjusted`: with exclusions left out, and as if there were none. `remaining`:
    of the objective's own period, now. `burn_down`: (time, share left of the budget of the time
    reviewed). `precision`: share of pages that spent at least 1% of the budget. `detection`: the
    seconds within which half of the incidents over 2% were paged, of those that slod watched.
    `lowest`: the least of the burn-down.
    """

    slo: str
    service: str
    group: Mapping[str, str]
    objective: float
    period: str
    start: float
    end: float
    coverage: float
    counted: Numbers
    unadjusted: Numbers
    excluded_seconds: float
    remaining: float | None
    state: str
    spent_by: Attribution
    burn_down: tuple[tuple[float, float | None], ...]
    lowest: float | None
    incidents: tuple[Incident, ...]
    alerts: tuple[SaidAlert, ...]
    precision: float | None
    detection: float | None
    states: tuple[Passed, ...]
    told: tuple[Told, ...]
    forecast: Forecast
    proposals: tuple[Proposal, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The SLO, with its group."""
        group = ",".join(f"{label}={value}" for label, value in self.group.items())
        return f"{self.slo}{{{group}}}" if group else self.slo


@dataclass(frozen=True, slots=True)
class Review:
    """All of them. `made`: when. `toil`, `on_call`: nothing is recorded of them as yet."""

    start: float
    end: float
    made: float
    slos: tuple[SLOReview, ...]
    toil: str = NOT_RECORDED
    on_call: str = NOT_RECORDED
    notes: tuple[str, ...] = ()
