"""When the error budget will be gone, with an interval: a seasonal-naive block bootstrap.

Days that were are drawn, whole, as days to come: weekdays for weekdays and weekends for weekends
where there are enough of both, each hour at its hour. So daily and weekly pattern, incidents and
their length stay as they were. For each path the days it draws from are themselves drawn with
replacement, since a month of days is a sample, too. Where the period rolls, what it leaves behind
is known. The moments at which the paths run out of budget make the interval.

A budget that is not gone yet has seen fewer incidents than there usually are. So each draw may also
be a day with an incident nobody has seen, as if half of one had been (Jeffreys' prior for a rate),
that spends between 2% and all of a period's budget, every order of magnitude alike.

Sources: Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd edition, 5.2 (the
seasonal naive method) and 12.5 (bootstrapping); Künsch, "The jackknife and the bootstrap for
general stationary observations" (1989), for blocks; Jeffreys, "Theory of Probability" (1961), 3.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import compress, repeat
from math import ceil, inf
from typing import NamedTuple

from exporter.core.ledger import Ledger
from exporter.core.slo import DAY, SLO, Window

PATHS = 200
FEWEST = 2
"""Days that must be known; with fewer there is no forecast."""
LONGEST = 35
"""Days of history that are drawn from, at most."""
HOUR = 3600.0
_HOURS = 24
_KNOWN = 0.5
_WEEKDAYS, _WEEKENDS = 3, 2
_SLACK = 0.95
_UNSEEN = 0.5
"""So many incidents as if they had been seen."""
_SMALLEST = 0.02
"""The least that such an incident spends, as a share of the budget."""


class Forecast(NamedTuple):
    """Seconds from `at` (unix) until the budget is gone, `math.inf` for not within a period's
    length: the 10%, 50% and 90% quantiles. `days`: how many it was drawn from."""

    at: float
    lower: float
    middle: float
    upper: float
    days: int


class Day(NamedTuple):
    """Bad and total events of each hour of a day, and of the day as a whole."""

    bads: tuple[float, ...]
    totals: tuple[float, ...]
    bad: float
    total: float
    weekend: bool


class Past(NamedTuple):
    """What a forecast is made from: days to draw from; bad and total events in the period by now;
    and the days that leave it, in the order they do (none of a calendar period). `hours`: how far
    ahead to look."""

    now: float
    days: Sequence[Day]
    bad: float
    total: float
    leaving: Sequence[Day]
    hours: int


def past(slo: SLO, ledger: Ledger, now: float) -> Past | None:
    """Read off a ledger; None where the period is too short or too little is known."""
    period = slo.period
    length, start = period.length(now), period.start(now)
    rolls = isinstance(period, Window)
    back = int(min(ledger.horizon, length if rolls else LONGEST * DAY) / DAY)
    if length < FEWEST * DAY or back < FEWEST:
        return None
    read = _reader(ledger)
    old = [_even(read, now - (k + 1) * DAY) for k in reversed(range(LONGEST, back))]
    days = [_day(read, now - (k + 1) * DAY) for k in reversed(range(min(back, LONGEST)))]
    known = (_is_known(ledger, now - (k + 1) * DAY) for k in reversed(range(len(days))))
    usable = list(compress(days, known))
    if len(usable) < FEWEST:
        return None
    counts = ledger.counts(start, now)
    leaving = old + days if rolls else []
    ends = now + length if rolls else start + length
    return Past(now, usable, counts.bad, counts.total, leaving, int((ends - now) / HOUR))


def forecast(past: Past, objective: float, random: Callable[[], float]) -> Forecast:
    """`random` gives numbers in [0, 1): the same ones for the same forecast."""
    allowed = 1 - objective
    if past.bad > allowed * past.total:
        return Forecast(past.now, 0.0, 0.0, 0.0, len(past.days))
    ahead = ceil(past.hours / _HOURS)
    leaving = [*past.leaving, *repeat(_NOTHING, ahead - len(past.leaving))]
    weekends = [_is_weekend(past.now + (k + 0.5) * DAY) for k in range(ahead)]
    walk = [(w, gone, gone.bad, gone.total) for w, gone in zip(weekends, leaving, strict=False)]
    found = sorted(_path(past, walk, allowed, random) for _ in range(PATHS))
    low, middle, high = (found[int(share * (PATHS - 1))] for share in (0.1, 0.5, 0.9))
    return Forecast(past.now, low, middle, high, len(past.days))


Walk = Sequence[tuple[bool, Day, float, float]]
"""For each day to come: whether it is a weekend's, and the day that leaves meanwhile, with its bad
and total events."""


def _path(past: Past, walk: Walk, allowed: float, random: Callable[[], float]) -> float:
    bad, total = past.bad, past.total
    pools = _pools(past, allowed, random)
    # As many numbers however soon it ends: else a slightly other past would give all paths after
    # this one other days, and the forecast would jump from one time to the next.
    numbers = [random() for _ in walk]
    most = allowed * _SLACK
    for ahead, (weekend, gone, gone_bad, gone_total) in enumerate(walk):
        pool = pools[weekend]
        day = pool[int(numbers[ahead] * len(pool))]
        _, _, day_bad, day_total, _ = day
        after = total + day_total - gone_total
        if bad + day_bad > most * (total if total < after else after):
            # It may be gone within this day.
            hour = _hour(bad, total, day, gone, allowed)
            if hour is not None:
                return (ahead * _HOURS + hour) * HOUR
        bad, total = bad + day_bad - gone_bad, after
    return inf


def _hour(bad: float, total: float, day: Day, gone: Day, allowed: float) -> int | None:
    for hour in range(_HOURS):
        bad += day.bads[hour] - gone.bads[hour]
        total += day.totals[hour] - gone.totals[hour]
        if bad > allowed * total:
            return hour + 1
    return None


def _pools(past: Past, allowed: float, random: Callable[[], float]) -> dict[bool, Sequence[Day]]:
    """The days a path draws from, by whether it is for a weekend."""
    weekdays = [day for day in past.days if not day.weekend]
    weekends = [day for day in past.days if day.weekend]
    if len(weekdays) < _WEEKDAYS or len(weekends) < _WEEKENDS:
        drawn = _drawn(past.days, allowed * past.total, random)
        return {False: drawn, True: drawn}
    return {
        weekend: _drawn(days, allowed * past.total, random)
        for weekend, days in ((False, weekdays), (True, weekends))
    }


def _drawn(days: Sequence[Day], budget: float, random: Callable[[], float]) -> Sequence[Day]:
    many = len(days)
    out = []
    for _ in range(many):
        at = int(random() * (many + _UNSEEN))
        day = days[min(at, many - 1)]
        out.append(day if at < many else _worse(day, budget, random))
    return out


def _worse(day: Day, budget: float, random: Callable[[], float]) -> Day:
    """The day with an incident in one of its hours; `budget`: bad events that a period allows."""
    more, hit = _SMALLEST ** random() * budget, int(random() * _HOURS)
    bads = tuple(bad + more * (hour == hit) for hour, bad in enumerate(day.bads))
    return day._replace(bads=bads, bad=day.bad + more)


def _is_weekend(when: float) -> bool:
    # 1970 began on a Thursday.
    return (int(when // DAY) + 3) % 7 >= 5


_NOTHING = Day((0.0,) * _HOURS, (0.0,) * _HOURS, 0.0, 0.0, False)

Read = Callable[[float], tuple[float, float]]


def _reader(ledger: Ledger) -> Read:
    """Reads at moments that go on are much cheaper than as many that look for their place."""
    since = ledger.since(-HOUR)
    return lambda when: (since.bad_before(when), since.total_before(when))


def _day(read: Read, start: float) -> Day:
    """The day that begins then."""
    edges = [read(start + k * HOUR) for k in range(_HOURS + 1)]
    bads = tuple(max(0.0, edges[k + 1][0] - edges[k][0]) for k in range(_HOURS))
    totals = tuple(max(0.0, edges[k + 1][1] - edges[k][1]) for k in range(_HOURS))
    return Day(bads, totals, sum(bads), sum(totals), _is_weekend(start + DAY / 2))


def _even(read: Read, start: float) -> Day:
    """A day too old to be drawn, which only leaves: its hours alike, as that is much cheaper."""
    before, after = read(start), read(start + DAY)
    bad, total = max(0.0, after[0] - before[0]), max(0.0, after[1] - before[1])
    hours = (bad / _HOURS,) * _HOURS, (total / _HOURS,) * _HOURS
    return Day(*hours, bad, total, _is_weekend(start + DAY / 2))


def _is_known(ledger: Ledger, start: float) -> bool:
    """Whether enough of the day that begins then is known for it to be drawn."""
    known = ledger.coverage(start, start + DAY) - ledger.excluded(start, start + DAY) / DAY
    return known >= _KNOWN
