"""What the error budget of a stretch of time was spent by: each moment belongs to one cause.

The time is cut wherever a cause begins or ends. A piece that several causes cover belongs to

1. an exclusion, since its events do not count whatever else went on;
2. an incident, since that is what people said it was;
3. whatever else, a deploy or a change of configuration or a feature flag;
4. an incident that nobody reported and that is only inferred from the errors.

Of several of one rank it is the one that began last (the first of the list, where they began
together). What no cause covers is the background. All figures are differences of one reading at
each cut, so they sum up to what was spent, whatever the causes are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise

from exporter.core.ledger import Ledger

EXCLUSION, INCIDENT = "exclusion", "incident"
_RANKS = {EXCLUSION: 0, INCIDENT: 1}
_ELSE, _LAST = 2, 3


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that went on from `start` to `end`, in unix seconds; `kind` is one of
    `exclusion`, `incident`, `deploy`, `config_change`, `feature_flag` or any other word.
    `inferred`: nobody said so."""

    kind: str
    name: str
    start: float
    end: float
    link: str = ""
    inferred: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What belongs to one cause, or to none (the background).

    `seconds` are those that belong to it. `bad`, `total`: events that count, and `share`, what they
    spent of the budget. `excluded_bad`, `excluded_total`: events that do not count, and
    `excluded_share`, what those would have spent of it. `cost`: what came in all of the cause's
    time, whoever else it belongs to, as a share of the objective's period's budget
    (`timeline.cost`); None where that is of no interest.
    """

    cause: Cause | None
    seconds: float
    bad: float
    total: float
    share: float
    excluded_bad: float
    excluded_total: float
    excluded_share: float
    cost: float | None = None


@dataclass(frozen=True, slots=True)
class Attribution:
    """A stretch of time, its parts in the order of the causes, and the background last.

    `budget`: so many bad events the objective allows in it. `spent`: the share of that.
    """

    start: float
    end: float
    bad: float
    total: float
    budget: float
    parts: tuple[Part, ...]

    @property
    def spent(self) -> float:
        """The share of the budget that was spent; the sum of the parts' shares."""
        return self.bad / self.budget if self.budget > 0 else 0.0


@dataclass(slots=True)
class _Sum:
    seconds: float = 0.0
    bad: float = 0.0
    total: float = 0.0
    excluded_bad: float = 0.0
    excluded_total: float = 0.0


def attribute(
    ledger: Ledger, start: float, end: float, objective: float, causes: Sequence[Cause]
) -> Attribution:
    """Who spent what from `start` to `end`; causes that spent nothing and cover nothing stay."""
    end = max(start, end)
    spans = [(max(start, c.start), min(end, c.end)) for c in causes]
    begins: dict[float, list[int]] = {}
    for i, (begin, until) in enumerate(spans):
        if until > begin:
            begins.setdefault(begin, []).append(i)
    cuts = sorted({start, end, *begins, *(until for begin, until in spans if until > begin)})
    sums = [_Sum() for _ in range(len(causes) + 1)]
    counted, every = ledger.counts(start, start), ledger.unadjusted(start, start)
    shown = 0.0
    going: list[tuple[int, float, int]] = []
    """A heap of the causes that began, the one that a moment belongs to first; those that are over
    leave it when they come to its top."""
    for begin, until in pairwise(cuts):
        for i in begins.get(begin, ()):
            heappush(going, (_rank(causes[i]), -causes[i].start, i))
        while going and spans[going[0][2]][1] <= begin:
            heappop(going)
        owner = going[0][2] if going else -1
        # Always from the same beginning on, so that the differences sum up.
        counted_then, every_then = ledger.counts(start, until), ledger.unadjusted(start, until)
        bad = counted_then.bad - counted.bad
        counts = counted_then.total - counted.total
        # Errors are remembered more exactly than all events (see `ledger`). Where a piece has more
        # of them than events, it takes the missing ones from the next pieces.
        total = max(bad, counted_then.total - shown)
        shown += total
        to = sums[owner]
        to.seconds += until - begin
        to.bad += bad
        to.total += total
        to.excluded_bad += every_then.bad - every.bad - bad
        to.excluded_total += every_then.total - every.total - counts
        counted, every = counted_then, every_then
    budget = (1 - objective) * counted.total
    parts = (_part(c, s, budget) for c, s in zip((*causes, None), sums, strict=True))
    return Attribution(start, end, counted.bad, counted.total, budget, tuple(parts))


def _rank(cause: Cause) -> int:
    return _LAST if cause.inferred else _RANKS.get(cause.kind, _ELSE)


def _part(cause: Cause | None, found: _Sum, budget: float) -> Part:
    return Part(
        cause,
        found.seconds,
        found.bad,
        found.total,
        found.bad / budget if budget > 0 else 0.0,
        found.excluded_bad,
        found.excluded_total,
        found.excluded_bad / budget if budget > 0 else 0.0,
    )
