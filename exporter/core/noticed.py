"""How incidents were noticed, and whether alerts were worth it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Protocol

from exporter.core.alert import PAGE

WORTH_IT = 0.01
"""A page that spent less of the budget was not worth it."""


class Fired(Protocol):
    """An alert from its firing to its end (None while it fires), with the index of the incident it
    belongs to (None: to none), and the share of the period's budget that was spent meanwhile."""

    @property
    def severity(self) -> str: ...  # noqa: D102
    @property
    def start(self) -> float: ...  # noqa: D102
    @property
    def end(self) -> float | None: ...  # noqa: D102
    @property
    def spent(self) -> float: ...  # noqa: D102
    @property
    def incident(self) -> int | None: ...  # noqa: D102


class Burst(Protocol):
    """An incident: bad events between two moments."""

    @property
    def start(self) -> float: ...  # noqa: D102
    @property
    def end(self) -> float: ...  # noqa: D102
    @property
    def bad(self) -> float: ...  # noqa: D102


def belongs(bursts: Sequence[Burst], since: float, start: float) -> int | None:
    """The index of the incident that an alert belongs to which fired at `start`, having looked at
    what came `since`: of several it is the one that brought most."""
    seen = [i for i, burst in enumerate(bursts) if burst.start < start and burst.end > since]
    return max(seen, key=lambda i: bursts[i].bad, default=None)


def noticed(burst: Burst, index: int, alerts: Iterable[Fired]) -> tuple[float | None, float | None]:
    """Seconds from an incident's start to its first page, and from its end to the last page's; None
    where it was never paged, or a page is not over."""
    start, end = burst.start, burst.end
    pages = [
        a
        for a in alerts
        if a.severity == PAGE
        # Whoever was paged already when it began knew of it at once.
        and (a.incident == index or (a.start <= start and (a.end is None or start < a.end)))
    ]
    detected = max(0.0, min(a.start for a in pages) - start) if pages else None
    ends = [a.end for a in pages if a.end is not None]
    reset = max(0.0, max(ends) - end) if ends and len(ends) == len(pages) else None
    return detected, reset


def precision(alerts: Iterable[Fired]) -> float | None:
    """The share of pages that spent at least 1% of the budget; None where there were none."""
    return share([a.spent >= WORTH_IT for a in alerts if a.severity == PAGE])


def share(of: Sequence[bool]) -> float | None:
    """How many of them are so; None where there are none."""
    return sum(of) / len(of) if of else None


def within(detected: Sequence[float | None]) -> float | None:
    """The time within which half of the incidents were paged; None where fewer were.

    Over all of them, so that a policy which pages for the worst alone does not look the fastest.
    """
    known = sorted(value for value in detected if value is not None)
    half = (len(detected) + 1) // 2
    return known[half - 1] if 0 < half <= len(known) else None


def middle(of: Iterable[float | None]) -> float | None:
    """The median of those that are known."""
    known = [value for value in of if value is not None]
    return median(known) if known else None
