"""The truth: what pages show, counted by a reader who knows every counter's life.

| sample of a counter | counts |
| --- | --- |
| of a life that was shown before | what it has gained since |
| of a life that began after the last look at its page | all of it |
| of a life whose process began after its first look | all of it, however late it is shown |
| of a life that was there before anybody looked | nothing |

A refused look of our own counts as a look: nobody was there. What no reader of the pages can know
is left open, as an interval with its reason. `readings` says where.
"""

from __future__ import annotations

from collections import Counter as Multiset
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.worlds.exposition import Look, Page, Shown
from tests.worlds.readings import PART_LEFT, TURNS, UNSEEN, Reading, Sight, other_readings
from tests.worlds.world import Life

Role = Callable[[str], tuple[bool, bool]]
"""Whether a series counts to all events, and whether to the part (good or bad) that is wanted."""


NO_BUCKET = "no bucket ends at the threshold"
_TO_SAY = frozenset({NO_BUCKET, PART_LEFT, TURNS})
_FEW, _SMALL = 5.0, 0.01
"""Events, or a share of all, that may be in doubt in a world that can be known."""
_NEAR = 2.0
"""Seconds by which a start time may be off and still be the same."""


class Events(NamedTuple):
    """Numbers of all events and of the part that is good (or bad)."""

    total: float = 0.0
    part: float = 0.0


@dataclass(slots=True)
class Interval:
    """Numbers of events that a right reader may have counted."""

    low: float = 0.0
    high: float = 0.0

    def add(self, low: float, high: float) -> None:
        """Add those of a look."""
        self.low += low
        self.high += high

    def off(self, counted: float) -> float:
        """By how many events a count lies outside: over 0 too many, under 0 too few."""
        return max(0.0, counted - self.high) + min(0.0, counted - self.low)


@dataclass(slots=True)
class Truth:
    """Events of all looks so far. `open`: by reason, how many looks left an interval. `doubt`: how
    many events are in doubt since two readings fit."""

    total: Interval = field(default_factory=Interval)
    part: Interval = field(default_factory=Interval)
    open: Multiset[str] = field(default_factory=Multiset)
    doubt: tuple[float, float] = (0.0, 0.0)

    @property
    def unknown(self) -> bool:
        """Whether something happened of which slod has to say that it is not known."""
        return not _TO_SAY.isdisjoint(self.open)

    @property
    def ambiguous(self) -> bool:
        """Whether so many events are in doubt that the world cannot be said to be known."""
        return any(
            doubt > max(_FEW, _SMALL * numbers.high)
            for doubt, numbers in zip(self.doubt, (self.total, self.part), strict=True)
        )


@dataclass(slots=True)
class _Known:
    """One process, as its page showed it before. `values`: the newest of each series, also of
    those that left; `processes` (by when they began) and `keys`: of the newest look that had any
    series; `paces`: events a second at the last looks; `since`: the first look that could have
    shown it."""

    values: dict[str, float] = field(default_factory=dict)
    parts: dict[str, frozenset[Life]] = field(default_factory=dict)
    processes: frozenset[float] = frozenset()
    keys: frozenset[str] = frozenset()
    at: float = 0.0
    since: float = 0.0
    paces: deque[float] = field(default_factory=lambda: deque(maxlen=7))


class Reader:
    """Reads look after look. `upstream`: behind a Prometheus, where a refused look is none, and
    where created timestamps are samples of 0 (`zeros`) or not there at all. `histogram`: a process
    without a series of the part is not known at all."""

    def __init__(
        self, role: Role, *, histogram: bool = False, upstream: bool = False, zeros: bool = False
    ) -> None:
        self.truth = Truth()
        self.notes: list[str] = []
        """Why the newest look left something open."""
        self._role, self._histogram = role, histogram
        self._upstream, self._zeros = upstream, zeros
        self._since: float | None = None
        self._told: dict[Page, float] = {}
        """Up to when each page has told."""
        self._first: dict[Page, float] = {}
        self._starts: dict[tuple[Page, str], float] = {}
        self._things: dict[Page, int] = {}
        self._seen: dict[Life, float] = {}
        self._known: dict[tuple[Page, str], _Known] = {}
        self._paces: dict[Page, deque[float]] = {}
        self._fell: set[str] = set()

    def read(self, look: Look) -> None:
        """Count one look."""
        self.notes = []
        page = look.page
        if look.outcome == "refused" and not self._upstream:
            self._told[page] = max(self._told.get(page, 0.0), look.at)
            self._first.setdefault(page, look.at)
        if self._since is None:
            self._since = look.at
        if look.outcome != "page":
            return
        before = self._told.get(page)
        self._fell = self._fell_by(look)
        for instance in dict.fromkeys(one.instance for one in look.shown):
            self._process(look, instance, before)
        self._told[page] = max(before or 0.0, look.moment)
        self._first.setdefault(page, look.moment)
        own = {} if look.start is None else {"": look.start}
        for instance, start in (own | look.starts).items():
            self._starts[page, instance] = start
        if page.things:
            self._things[page] = sum(at <= look.at for at in page.things)

    def _process(self, look: Look, instance: str, before: float | None) -> None:
        page = look.page
        shown = [one for one in look.shown if one.instance == instance]
        known = self._known.setdefault((page, instance), _Known())
        certain = page.created and (self._zeros or not self._upstream)
        if before is not None and (not page.relay or known.at):
            known.since = known.since or self._first[page]
        gains = {one.series: self._gain(one, look, known, before, certain) for one in shown}
        if self._histogram and not any(self._role(series)[1] for series in gains):
            # Nothing tells its good events from its bad ones.
            self.notes.append(NO_BUCKET)
            self.truth.open[NO_BUCKET] += 1
        elif not certain:
            self._open(look, instance, shown, known, before, gains)
        else:
            for series, gain in gains.items():
                self._add(series, gain, gain)
        total = self._events(gains).total
        if known.at:
            pace = total / max(look.at - known.at, 0.001)
            known.paces.append(pace)
            self._paces.setdefault(page, deque(maxlen=7)).append(pace)
        known.at = look.at
        now = frozenset(life.process for one in shown for life, _ in one.lives)
        anew = bool(now) and known.processes.isdisjoint(now)
        if anew and not page.shared and UNSEEN not in self.notes:
            # It is known to be another process: what the old one had is over.
            known.values.clear()
            known.parts.clear()
        known.processes = now or known.processes
        known.keys = frozenset(gains) or known.keys
        for one in shown:
            known.values[one.series] = one.value
            known.parts[one.series] = frozenset(life for life, _ in one.lives)

    def _gain(
        self, one: Shown, look: Look, known: _Known, before: float | None, certain: bool
    ) -> float:
        """Events of a sample by its lives, which are remembered."""
        gain = 0.0
        for life, value in one.lives:
            last = self._seen.get(life)
            if last is not None:
                gain += max(0.0, value - last)
            elif self._born(life, look, known, before, certain):
                gain += value
            self._seen[life] = max(value, last or 0.0)
        return gain

    def _born(
        self, life: Life, look: Look, known: _Known, before: float | None, certain: bool
    ) -> bool:
        if before is not None:
            return life.began > before or life.process > known.since > 0
        # A page that is met for the first time tells of a birth only by a time that is its own.
        own = look.page.start == "own" and not look.page.step
        tells = certain or own
        return tells and self._since is not None and life.began > self._since

    # --- what is left open ----------------------------------------------------------------------

    def _open(
        self,
        look: Look,
        instance: str,
        shown: list[Shown],
        known: _Known,
        before: float | None,
        gains: dict[str, float],
    ) -> None:
        lives = frozenset(life for one in shown for life, _ in one.lives)
        processes = {life.process for life in lives}
        page = look.page
        owned = instance if instance in look.starts else ""
        start = look.starts.get(instance, look.start)
        passed_on = self._upstream and page.relay and not known.at and not owned
        last = self._starts.get((page, owned))
        own = page.start == "own" or bool(owned)
        paces = known.paces or self._paces.get(page)
        everything = sum(one.value for one in look.shown if self._role(one.series)[0])
        sight = Sight(
            page=page,
            seconds=look.at - (known.at or before or look.at),
            values={one.series: one.value for one in shown},
            gains=gains,
            old=known.values,
            keys=known.keys,
            first=before is None or passed_on,
            passed_on=passed_on,
            moved=_moved(last, start),
            told=own and _told(last, start, known.at, look.at),
            things=sum(at <= look.at for at in page.things) - self._things.get(page, 0),
            anew=bool(known.processes) and known.processes.isdisjoint(processes),
            changed={
                one.series
                for one in shown
                if known.parts.get(one.series, frozenset()).isdisjoint(
                    life for life, _ in one.lives
                )
            },
            left={
                one.series
                for one in shown
                if _part_left(known.parts.get(one.series, frozenset()), one, page.summed)
            },
            young=any(life.began > (self._since or 0.0) for life in lives),
            late=not own and any(life.began < (before or 0.0) for life in lives),
            beside=everything if self._fell - {instance} else None,
            paces=tuple(paces or ()),
            counted=lambda series: self._role(series)[0],
        )
        readings = other_readings(sight, self._twin)
        for series, gain in gains.items():
            values = [gain, *(r.gains[series] for r in readings if series in r.gains)]
            self._add(series, min(values), max(values))
        for reading in readings:
            self.notes.append(reading.why)
            self.truth.open[reading.why] += 1
            if reading.ambiguous:
                self._doubt(gains, reading)

    def _fell_by(self, look: Look) -> set[str]:
        """The processes of a page of which a series is under its last value, where nothing but a
        label tells them apart."""
        if not look.page.shared:
            return set()
        known = ((one, self._known.get((look.page, one.instance))) for one in look.shown)
        return {one.instance for one, k in known if k and one.value < k.values.get(one.series, 0)}

    def _twin(self, series: str) -> object:
        """What two series have in common that may be one under other labels."""
        return (self._role(series), series.partition('le="')[2])

    def _doubt(self, gains: dict[str, float], reading: Reading) -> None:
        widths = {series: abs(other - gains[series]) for series, other in reading.gains.items()}
        more = self._events(widths)
        self.truth.doubt = (self.truth.doubt[0] + more.total, self.truth.doubt[1] + more.part)

    def _add(self, series: str, low: float, high: float) -> None:
        total, part = self._role(series)
        if total:
            self.truth.total.add(low, high)
        if part:
            self.truth.part.add(low, high)

    def _events(self, gains: dict[str, float]) -> Events:
        roles = {series: self._role(series) for series in gains}
        return Events(
            sum(gain for series, gain in gains.items() if roles[series][0]),
            sum(gain for series, gain in gains.items() if roles[series][1]),
        )


def _moved(last: float | None, start: float | None) -> bool:
    return last is not None and start is not None and abs(start - last) > _NEAR


def _told(last: float | None, start: float | None, before: float, now: float) -> bool:
    """Whether a start time says that a process began between two looks."""
    return start is not None and _moved(last, start) and before - _NEAR <= start <= now + _NEAR


def _part_left(old: Iterable[Life], one: Shown, summed: bool) -> bool:
    lives = {life for life, _ in one.lives}
    return not lives.issuperset(old) and (summed or not lives.isdisjoint(old))
