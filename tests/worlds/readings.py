"""Where a page fits another reading than the true one: what the truth leaves open.

A reader of pages does not know lives. At a look where something unusual is seen, the number of the
other reading is accepted too if nothing on the page speaks against it, by these rules:

| seen | true | accepted too | ambiguous |
| --- | --- | --- | --- |
| page met for the first time, process young, no start of its own | whole | nothing | no |
| a part of a sum left | gains of the others | the difference that is shown | no |
| a part of a sum left, and took little | gains of the others | less by what it took | yes |
| several processes in turn at one address | gains of each | nothing | no |
| process behind an upstream that passes it on, met first | whole or nothing | either | no |
| several things happened to the page since the last look | gains | all or nothing | yes |
| restart, no fall, no start of its own | whole | the difference | no |
| restart with its own start, no fall, beyond the pace | whole | the difference | yes |
| restart told by a fall alone, beyond the pace | whole | nothing (a part left) | yes |
| start moved, process goes on, all of it within the pace | difference | whole | yes |
| process (or series) met late, within the pace | nothing | whole | yes |
| process (or series) born, beyond the pace | whole | nothing | yes |
| process that no look showed any of, though looks could, with no pace | whole | nothing | yes |
| another process on its page fell, all of this one's within the pace | gains | whole | yes |
| relabelled, all of it within the pace | difference | whole | yes |
| relabelled and anew, over the old values, no start of its own | whole | the difference | yes |
| restart told by a fall, other series over their old values | whole | their difference | yes |
| series that began anew at or over its old value | whole | the difference | yes |
| a fall without a restart, all of it within the pace | gains | whole | yes |

"Within the pace": at most three times the median pace of the page's last seven looks
for the seconds since the last one, and ten; anything where no pace is known yet.

"Little" is as much as a replica is behind that answers in place of another one: two looks of the
median pace, and ten. Such a replica shows the same samples, and what it shows again was counted.

A page whose processes nothing but a label tells apart shows the same samples as one process with
such a label; where one of them falls, all of the page may have begun anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import inf
from statistics import median
from typing import NamedTuple

from tests.worlds.exposition import Page

UNSEEN, PART_LEFT = "a restart that nothing shows", "a part of a sum left"
TURNS = "several processes at one address"
_TIMES, _FEW = 3.0, 10.0
_LOOKS = 2.0
"""Looks by which a replica may be behind another one."""
_NEAR = 1e-6
"""A fall by less than this share, or by 2, tells nothing: replicas and rounding do that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One process at one look. `gains`: the true events by series; `old`: the last value of each
    series ever shown; `keys`: the series of the last look. `first`: nobody has looked before;
    `passed_on`: and nobody tells whether anybody could have. `moved`: the page's start time did;
    `told`: it is the process' own and says that it began since. `things`: how many have happened to
    the page since. `anew`: no process of the last look is there. `changed`: series none of whose
    lives were shown under their name before; `left`: those that lost some. `young`: some life began
    after anybody looked at anything. `late`: it was there at the last look, which did not show it.
    `beside`: another process of the page fell, and all of the page is so many events. `counted`:
    whether a series counts to all events."""

    page: Page
    seconds: float
    values: Mapping[str, float]
    gains: Mapping[str, float]
    old: Mapping[str, float]
    keys: AbstractSet[str]
    first: bool
    moved: bool
    told: bool
    things: int
    anew: bool
    changed: AbstractSet[str]
    left: AbstractSet[str]
    young: bool
    late: bool
    beside: float | None
    passed_on: bool
    paces: tuple[float, ...]
    counted: Callable[[str], bool]

    def events(self, numbers: Mapping[str, float]) -> float:
        """All events of numbers by series."""
        return sum(number for series, number in numbers.items() if self.counted(series))

    @property
    def room(self) -> float:
        """Events that the pace so far can make since the last look."""
        return _TIMES * median(self.paces) * self.seconds + _FEW if self.paces else inf

    @property
    def behind(self) -> float:
        """Events that a replica may be behind."""
        return _LOOKS * median(self.paces) * self.seconds + _FEW if self.paces else _FEW

    def falls(self, series: str) -> bool:
        """Whether a series is clearly under its last value."""
        old = self.old.get(series, 0.0)
        return self.values[series] < min(old - 2.0, old * (1 - _NEAR))

    @property
    def fell(self) -> bool:
        """Whether any series is."""
        return any(map(self.falls, self.values))

    @property
    def rises(self) -> dict[str, float]:
        """Events if every series goes on."""
        return {s: max(0.0, v - self.old.get(s, 0.0)) for s, v in self.values.items()}


class Reading(NamedTuple):
    """Another reading: its events by series. `ambiguous`: it fits as well as the true one."""

    why: str
    gains: Mapping[str, float]
    ambiguous: bool


def other_readings(sight: Sight, role: Callable[[str], object]) -> list[Reading]:
    """All readings of a look that are accepted beside the true one; series of one `role` are
    twins under other labels."""
    if sight.page.turns:
        return [_nothing(TURNS, sight.values, ambiguous=False)]
    if sight.things > 1:
        why = "several things at once"
        return [_nothing(why, sight.values, ambiguous=True), Reading(why, sight.values, True)]
    if sight.first:
        return list(_first(sight))
    if not sight.old:
        return list(_met(sight, sight.values))
    renamed = bool(sight.keys) and sight.keys.isdisjoint(sight.values)
    if sight.anew:
        return [*_anew(sight, renamed), *(_twins(sight, role) if renamed else ())]
    return list(_same(sight, renamed))


def _nothing(why: str, series: Iterable[str], *, ambiguous: bool) -> Reading:
    return Reading(why, dict.fromkeys(series, 0.0), ambiguous)


def _first(sight: Sight) -> Iterator[Reading]:
    """Nobody has looked before."""
    why = "began before its first look, when nobody says"
    if sight.passed_on:
        yield _nothing(why, sight.values, ambiguous=False)
        yield Reading(why, sight.values, False)
    elif sight.young and not any(sight.gains.values()):
        yield Reading(why, sight.values, False)


def _met(sight: Sight, values: Mapping[str, float]) -> Iterator[Reading]:
    """Series of a page that was looked at before."""
    whole, gained = sight.events(values), any(sight.gains[series] for series in values)
    if whole and not gained and whole <= sight.room:
        yield Reading("met late, and young", values, True)
    if gained and sight.late and not sight.paces:
        yield _nothing("shown late, with no pace", values, ambiguous=True)
    if gained and whole > sight.room:
        yield _nothing("born, with more than the pace makes", values, ambiguous=True)


def _anew(sight: Sight, renamed: bool) -> Iterator[Reading]:
    """All counters began anew."""
    if sight.told:
        if not sight.fell and not renamed and sight.events(sight.values) > sight.room:
            yield Reading("a restart with more than the pace makes", sight.rises, True)
        return
    over = {s: rise for s, rise in sight.rises.items() if s in sight.old and not sight.falls(s)}
    if not sight.fell:
        if over:
            yield Reading(UNSEEN, sight.rises, False)
        return
    if sight.events(sight.values) > sight.room:
        yield _nothing("a fall with more left than the pace makes", sight.values, ambiguous=True)
    if over:
        yield Reading("a fall of some, others are over their old value", over, True)


def _twins(sight: Sight, role: Callable[[str], object]) -> Iterator[Reading]:
    """All counters began anew under other labels, perhaps over their old values."""
    old: dict[object, float] = {}
    new: dict[object, float] = {}
    for series in sight.keys:
        old[role(series)] = old.get(role(series), 0.0) + sight.old[series]
    for series, value in sight.values.items():
        new[role(series)] = new.get(role(series), 0.0) + value
    if not sight.told and all(value >= old.get(one, 0.0) for one, value in new.items()):
        left = {one: 1 - old.get(one, 0.0) / max(value, 1.0) for one, value in new.items()}
        gains = {series: value * left[role(series)] for series, value in sight.values.items()}
        yield Reading("relabelled and anew, over the old values", gains, True)


def _took_little(sight: Sight) -> Iterator[Reading]:
    """A part of a sum left that was small."""
    took = {s: sight.old[s] - sight.values[s] for s in sight.left if s in sight.old}
    took = {s: fall for s, fall in took.items() if fall > 0}
    if took and sight.events(took) <= sight.behind:
        less = {s: -fall for s, fall in took.items()}
        yield Reading("a part left, or a replica behind", less, True)


def _same(sight: Sight, renamed: bool) -> Iterator[Reading]:
    """The process goes on."""
    little = sight.events(sight.values) <= sight.room
    if renamed:
        if little:
            yield Reading("relabelled, and young", sight.values, True)
        return
    if sight.moved and not sight.fell and little:
        yield Reading("its start moved, and it is young", sight.values, True)
    if sight.beside is not None and not sight.fell and sight.beside <= sight.room:
        yield Reading("another one on its page fell, and all is little", sight.values, True)
    if sight.left:
        rises = {series: sight.rises[series] for series in sight.left}
        yield Reading(PART_LEFT, rises, False)
        yield from _took_little(sight)
    if little and any(sight.falls(series) for series in sight.values if series in sight.keys):
        yield Reading("a fall, and little is left", sight.values, True)
    for series in sight.changed:
        if series not in sight.old:
            yield from _met(sight, {series: sight.values[series]})
        elif not sight.falls(series):
            rise = {series: sight.rises[series]}
            yield Reading("a series anew, not under its old value", rise, True)
