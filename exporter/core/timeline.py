"""What happened beside the numbers: deploys, incidents, changes; and what each of them spent."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf

from exporter.core import proportions
from exporter.core.incidents import spent
from exporter.core.instance import Instance
from exporter.core.ledger import Counts
from exporter.core.slo import SLO

DEPLOY, CONFIG, FLAG, INCIDENT = "deploy", "config_change", "feature_flag", "incident"
CHANGES = (DEPLOY, CONFIG, FLAG)
"""Kinds that have an effect for a while, and that may be to blame for what burns then."""
_BEFORE = 3600.0
"""What was before a change is looked at for as long as its effect, and for an hour at least."""
_HOUR = 3600.0
_PAGE = 0.02


@dataclass(frozen=True, slots=True)
class Blame:
    """An SLO instance that burns significantly more since a change.

    `p`: of the test. `before`, `after`: burn rates. `spent`: share of the period's budget by then.
    """

    slo: str
    title: str
    at: float
    p: float
    before: float
    after: float
    spent: float
    severity: str


@dataclass(frozen=True, slots=True)
class Event:
    """`kind` is one of the words above or any other. It is for the SLOs named in `slos`, or else
    for those of `service`. `origin`: `api`, or the table that found it. Times in unix seconds."""

    id: str
    origin: str
    kind: str
    name: str
    service: str
    slos: tuple[str, ...]
    start: float
    end: float | None
    link: str
    by: str
    at: float
    blamed: tuple[Blame, ...] = ()


@dataclass(frozen=True, slots=True)
class Cost:
    """What an SLO instance spent in an event's time. `share`: of the period's budget up to its
    end, see `incidents.spent`; `seconds`:
    the same share of the period, so that 8.1 h of budget are 1.1% of 30d; `more`: how much of the
    share is above what the burn before would have spent, None where that is not known."""

    slo: str
    title: str
    bad: float
    total: float
    share: float | None
    seconds: float | None
    more: float | None


Span = tuple[float, float]


class Spans:
    """Events, newest first, and from when to when each matters. Put in order once for all readers.

    A change without an end has an effect for so many seconds, at most until the next one of its
    service; an incident without an end goes on.
    """

    def __init__(self, events: Iterable[Event], effect: float) -> None:
        ordered = sorted(events, key=lambda event: -event.start)
        starts: dict[str, list[float]] = {}
        for event in reversed(ordered):
            if event.kind in CHANGES:
                starts.setdefault(event.service, []).append(event.start)
        self._all = [
            (event, _end(event, starts.get(event.service, ()), effect)) for event in ordered
        ]
        self._by_service: dict[str, list[tuple[Event, float]]] = {}
        self._by_slo: dict[str, list[tuple[Event, float]]] = {}
        for event, end in self._all:
            if not event.slos:
                self._by_service.setdefault(event.service, []).append((event, end))
            for slo in dict.fromkeys(event.slos):
                self._by_slo.setdefault(slo, []).append((event, end))

    def between(self, start: float, end: float, now: float) -> list[tuple[Event, Span]]:
        """Return those that matter between two moments."""
        return list(_between(self._all, start, end, now))

    def of(
        self, slo: str, service: str, start: float, end: float, now: float
    ) -> list[tuple[Event, Span]]:
        """Return those of them that concern an SLO."""
        mine = (self._by_service.get(service, ()), self._by_slo.get(slo, ()))
        found = [one for some in mine for one in _between(some, start, end, now)]
        return sorted(found, key=lambda one: -one[0].start)


def _between(
    events: Iterable[tuple[Event, float]], start: float, end: float, now: float
) -> Iterator[tuple[Event, Span]]:
    for event, until in events:
        until = max(now, event.start) if until == inf else until
        if event.start <= end and until >= start:
            yield event, (event.start, until)


def _end(event: Event, changes: Sequence[float], effect: float) -> float:
    """Return when an event matters no more; infinity if that is not yet."""
    if event.end is not None:
        return event.end
    if event.kind == INCIDENT:
        return inf
    following = bisect_right(changes, event.start)
    until = changes[following] if following < len(changes) else inf
    return min(event.start + effect, until)


def cost(slo: SLO, instance: Instance, start: float, end: float, now: float) -> Cost:
    """What it spent from `start` to `end`, as far as that is past: the number of every reader."""
    end = min(end, now)
    ledger = instance.ledger
    some = ledger.counts(start, end) if end > start else Counts(0.0, 0.0)
    share = spent(ledger, slo.objective, slo.period, some.bad, end)
    usual = ledger.counts(start - max(end - start, _BEFORE), start).error_ratio
    more = None
    if usual is not None:
        above = max(0.0, some.bad - usual * some.total)
        more = spent(ledger, slo.objective, slo.period, above, end)
    seconds = None if share is None else share * slo.period.length(end)
    return Cost(slo.name, instance.title, some.bad, some.total, share, seconds, more)


def blame(
    slo: SLO,
    instance: Instance,
    start: float,
    end: float,
    now: float,
    significance: float,
    fewest: float,
) -> Blame | None:
    """Whether it burns significantly more since `start` than before; None when it does not.

    At least `fewest` events must be bad since then, at a burn rate above 1, and the chance of that
    (`proportions.larger`) under `significance`.
    """
    end = min(end, now)
    if end <= start:
        return None
    after = instance.ledger.counts(start, end)
    burn = after.burn_rate(slo.objective)
    if burn is None or burn <= 1 or after.bad < fewest:
        return None
    before = instance.ledger.counts(start - max(end - start, _BEFORE), start)
    p = proportions.larger(after, before)
    if p >= significance:
        return None
    share = cost(slo, instance, start, end, now).share or 0.0
    severity = "page" if burn * _HOUR / slo.period.nominal > _PAGE else "ticket"
    was = before.burn_rate(slo.objective) or 0.0
    return Blame(slo.name, instance.title, now, p, was, burn, share, severity)
