"""How well numbers of events fit the pace seen so far, as natural logarithms of likelihoods.

Bursts are real, so the fit has a heavy tail upwards, and a burst of all series of a process, or an
outage, is paid for once. Traffic may always stop, so too few events cost little.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from statistics import median

from exporter.core.verdicts import Seen

_FEW_COST = 1.5
SPREAD, OF_SIBLINGS = 0.2, 2.2
"""The variance of the logarithm of a pace: of a series' own, and of another process'."""
_SELDOM = 0.3
"""Events that may well be expected where the median of the last looks is none."""
_A_FEW = 5.0
"""First events that need no traffic beside them."""
_OVER = 0.08
"""The variance of the logarithm of events over the traffic that they came of."""
LONG_AGO = 1e9
"""Seconds: of an age that nothing bounds."""
_FASTEST = 1000.0
"""Events per second of one series above which a pace nobody has seen yet becomes unlikely."""
AGE = -3.0
"""Found late: one unknown age for all series of the process."""


def fit(events: float, expected: float | None, seconds: float) -> float:
    """The logarithm of how likely so many events are where so many were expected; of an unknown
    pace, by their number alone."""
    if expected is None:
        fast = events / (_FASTEST * max(seconds, 1.0))
        return -log(events + 10.0) - 2.0 * log(max(1.0, fast))
    off = log((events + 1.0) / (expected + 1.0))
    cost = _tail(off, SPREAD + 1.0 / (max(events, expected) + 1.0))
    return -log(expected + 10.0) - (min(cost, _FEW_COST) if off < 0 else cost)


def together(
    events: Sequence[tuple[int, float, float | None]], seconds: float, spread: float = SPREAD
) -> float:
    """How likely all events of a process are, each with its role and beside what was expected: a
    burst is one of all its series, an outage one of all those of a role, and is paid for once."""
    return max(
        _at_once([(number, expected) for _, number, expected in events], seconds, spread),
        sum(
            _at_once([(n, expected) for one, n, expected in events if one == role], seconds, spread)
            for role in dict.fromkeys(role for role, _, _ in events)
        ),
    )


def _at_once(events: Sequence[tuple[float, float | None]], seconds: float, spread: float) -> float:
    alone = sum(fit(number, expected, seconds) for number, expected in events)
    some = [(n, None if expected is None else max(expected, _SELDOM)) for n, expected in events]
    shares = [number / expected for number, expected in some if number and expected]
    times = median(shares) if shares else 0.0
    if not times:
        return alone
    alike = sum(
        fit(number, None if expected is None else expected * times, seconds)
        for number, expected in some
    )
    cost = _tail(log(times), spread)
    return max(alone, alike - (cost if times > 1.0 else min(cost, _FEW_COST)))


def among(events: Sequence[float], traffic: float) -> float:
    """How likely the first events are of new series of a process that had so much traffic since:
    any share of it may have become them, an outage all of it, and seldom more."""
    alone = -sum(log(number + 10.0) for number in events)
    number, most = sum(events), traffic + _A_FEW
    if number <= most:
        return alone
    return alone - _tail(log((number + 1.0) / (most + 1.0)), _OVER + 1.0 / (number + 1.0))


def _tail(off: float, spread: float) -> float:
    """The price of being so far off, as a logarithm; its tail is heavy."""
    return 4.5 * log(1.0 + off * off / spread / 8.0)


def expected_of(s: Seen, seconds: float) -> float | None:
    """The events that a series' pace makes in so many seconds; None where no pace is known."""
    return None if s.pace is None else s.pace * seconds


def of_life(seen: Sequence[Seen], seconds: float, spread: float = SPREAD) -> float:
    """How likely the values are of a life that began so many seconds ago, or any time since."""
    values = [(s.role, s.value or 0.0, expected_of(s, seconds)) for s in seen]
    whole = together(values, seconds, spread)
    ages = [s.value / s.pace for s in seen if s.pace and s.value]
    age = median(ages) if ages else seconds
    if not 0.0 < age < seconds:
        return whole
    part = sum(fit(s.value or 0.0, expected_of(s, age), age) for s in seen)
    return max(whole, part + max(AGE, log(age / seconds)))


def of_age(new: Sequence[Seen], *, own: bool = False) -> float:
    """How likely series are that were there for an unknown time: what they show is made at the
    pace of their siblings. `own`: on their process' own page, where what brought nothing lately
    hardly brought much before; of those that a page passes on little is known."""
    ages = [s.value / s.pace for s in new if s.pace and s.value]
    # What is younger than the last look would not be found, but born.
    age = max(median(ages), 2.0 * max(s.idle for s in new)) if ages else 0.0
    return AGE + sum(fit(s.value or 0.0, _by_age(s, age, own=own), LONG_AGO) for s in new)


def _by_age(s: Seen, age: float, *, own: bool) -> float | None:
    """The events that the pace makes in so many seconds; None where nothing tells."""
    if s.pace is None or not age:
        return None
    return (max(s.pace, _SELDOM / max(s.idle, 1.0)) if own else s.pace) * age or None
