"""Where a page fits another reading than the true one: what the truth leaves open.

A reader of pages does not know lives. At a look where something unusual is seen, the number of the
other reading is accepted too if nothing on the page speaks against it, by these rules:

| seen | true | accepted too | ambiguous |
| --- | --- | --- | --- |
| page met for the first time, process young, no start of its own | whole | nothing | no |
| a part of a sum left | gains of the others | the difference that is shown | no |
| several processes in turn at one address | gains of each | nothing | no |
| restart, no fall, no start of its own | whole | the difference | no |
| restart with its own start, no fall, beyond the pace | whole | the difference | yes |
| restart told by a fall alone, beyond the pace | whole | nothing (a part left) | yes |
| start moved, process goes on, all of it within the pace | difference | whole | yes |
| process (or series) met late, within the pace | nothing | whole | yes |
| process (or series) born, beyond the pace | whole | nothing | yes |
| relabelled, all of it within the pace | difference | whole | yes |
| relabelled and anew, over the old values, no start of its own | whole | the difference | yes |
| series that began anew at or over its old value | whole | the difference | yes |
| a part left, what is left within the pace | gains | whole | yes |

"Within the pace": at most three times the median pace of the page's last seven looks
for the seconds since the last one, and ten; anything where no pace is known yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import NamedTuple

from tests.worlds.exposition import Page

UNSEEN = "a restart that nothing shows"
_TIMES, _FEW = 3.0, 10.0
_NEAR = 1e-6
"""A fall by less than this share, or by 2, tells nothing: replicas and rounding do that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One process at one look. `gains`: the true events by series; `old`: the last value of each
    series ever shown; `keys`: the series of the last look. `changed`: series none of whose lives
    were shown under their name before; `left`: those that lost some of their lives. `anew`: no life
    of the last look is there. `moved`: the page's start time did; `told`: it is the process' own
    and says when it began, since the last look. `young`: some life began after anybody looked at anything."""

    page: Page
    seconds: float
    values: Mapping[str, float]
    gains: Mapping[str, float]
    old: Mapping[str, float]
    keys: AbstractSet[str]
    first: bool
    moved: bool
    told: bool
    anew: bool
    changed: AbstractSet[str]
    left: AbstractSet[str]
    young: bool
    paces: tuple[float, ...]

    @property
    def room(self) -> float:
        """Events that the pace so far can make since the last look."""
        return _TIMES * median(self.paces) * self.seconds + _FEW if self.paces else inf

    @property
    def fell(self) -> bool:
        """Whether a series is clearly under its last value."""
        return any(
            value < min(self.old[series] - 2.0, self.old[series] * (1 - _NEAR))
            for series, value in self.values.items()
            if series in self.old
        )

    @property
    def rises(self) -> dict[str, float]:
        """Events if every series goes on."""
        return {s: max(0.0, v - self.old.get(s, 0.0)) for s, v in self.values.items()}


class Reading(NamedTuple):
    """Another reading: its events by series. `ambiguous`: it fits as well as the true one."""

    why: str
    gains: Mapping[str, float]
    ambiguous: bool


def other_readings(sight: Sight, total: Callable[[str], bool]) -> list[Reading]:
    """All readings of a look that are accepted beside the true one."""

    def events(gains: Mapping[str, float]) -> float:
        return sum(gain for series, gain in gains.items() if total(series))

    if sight.page.turns:
        nothing = dict.fromkeys(sight.values, 0.0)
        return [Reading("several processes at one address", nothing, False)]
    if sight.first:
        return list(_first(sight))
    if not sight.old:
        return list(_met(sight, events(sight.values), sight.values))
    renamed = bool(sight.keys) and sight.keys.isdisjoint(sight.values)
    if sight.anew:
        return list(_anew(sight, events, renamed))
    return list(_same(sight, events, renamed))


def _first(sight: Sight) -> Iterator[Reading]:
    if sight.young and not any(sight.gains.values()):
        yield Reading("began before its first look, when nobody says", sight.values, False)


def _met(sight: Sight, whole: float, values: Mapping[str, float]) -> Iterator[Reading]:
    """Series of a page that was looked at before."""
    if whole and not any(sight.gains[series] for series in values) and whole <= sight.room:
        yield Reading("met late, and young", values, True)
    if any(sight.gains[series] for series in values) and whole > sight.room:
        yield Reading("born, with more than the pace makes", dict.fromkeys(values, 0.0), True)


def _anew(
    sight: Sight, events: Callable[[Mapping[str, float]], float], renamed: bool
) -> Iterator[Reading]:
    """All counters began anew."""
    whole, told = events(sight.values), sight.told
    if renamed:
        old = sum(sight.old[series] for series in sight.keys)
        over = sum(sight.values.values()) - old
        if over >= 0 and not told:
            share = over / max(1.0, sum(sight.values.values()))
            gains = {series: value * share for series, value in sight.values.items()}
            yield Reading("relabelled and anew, over the old values", gains, True)
    elif not sight.fell:
        if not told:
            yield Reading(UNSEEN, sight.rises, False)
        elif whole > sight.room:
            yield Reading("a restart with more than the pace makes", sight.rises, True)
    elif not told and whole > sight.room:
        nothing = dict.fromkeys(sight.values, 0.0)
        yield Reading("a fall with more left than the pace makes", nothing, True)


def _same(
    sight: Sight, events: Callable[[Mapping[str, float]], float], renamed: bool
) -> Iterator[Reading]:
    """The process goes on."""
    whole = events(sight.values)
    if renamed and whole <= sight.room:
        yield Reading("relabelled, and young", sight.values, True)
    if sight.moved and not sight.fell and whole <= sight.room:
        yield Reading("its start moved, and it is young", sight.values, True)
    if sight.left:
        rises = {series: sight.rises[series] for series in sight.left}
        yield Reading("a part of a sum left", rises, False)
        if sight.fell and whole <= sight.room:
            yield Reading("a part of a sum left, and little is there", sight.values, True)
    if renamed:
        return
    for series in sight.changed:
        value = sight.values[series]
        if series not in sight.old:
            yield from _met(sight, value, {series: value})
        elif value >= min(sight.old[series] - 2.0, sight.old[series] * (1 - _NEAR)):
            rise = {series: sight.rises[series]}
            yield Reading("a series anew, not under its old value", rise, True)
