"""Pages: how true counters are shown, look by look.

A page shows one process or several: its own (`start="own"`), another program's (an exporter,
`start="front"`), the sum of workers, two replicas in turn, or many passed on under `instance`
labels (a relay). What happens to a page is planned ahead as actions in time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from math import floor, inf, log10
from random import Random
from typing import NamedTuple

from tests.worlds.world import Life, Process


class Shown(NamedTuple):
    """One sample on a page. `instance`: the process it is passed on of, empty on plain pages;
    `lives`: the true values it is made of; `time`: the page's own timestamp, None without."""

    instance: str
    series: str
    value: float
    lives: tuple[tuple[Life, float], ...]
    created: float | None
    time: float | None


@dataclass(eq=False, slots=True)
class Look:
    """One look at a page, at `at` unix seconds.

    `outcome`: "page", "failed" (no answer worth reading) or "refused" (nobody listened). `moment`:
    up to when the page tells. `start`: the start time on the page; `starts`: those that it passes
    on, by instance. `late`: seconds after which an
    upstream has stored it.
    """

    page: Page
    at: float
    outcome: str
    shown: list[Shown] = field(default_factory=list)
    moment: float = 0.0
    start: float | None = None
    starts: dict[str, float] = field(default_factory=dict)
    late: float = 0.0


@dataclass(slots=True)
class Slot:
    """A place for a process on a page. `hidden`: a part of its series is left out where this is
    in their names, all of them for an empty text. `since`: it is passed on from then on."""

    instance: str
    process: Process | None
    hidden: str | None = None
    since: float = 0.0
    snapshots: list[tuple[float, dict[str, tuple[float, Life]]]] = field(default_factory=list)


Action = tuple[float, str, Callable[[], None]]
"""When, what it is called in the story, and what it does."""


@dataclass(eq=False, slots=True)
class Page:
    """One page at one address.

    `start`: whose start time it shows: "own" (of the process in its one slot), "front" (of the
    program that makes the page, `front` began it) or None. `relay`: it passes its slots on under
    `instance` labels, their start times too where it `passes_starts`; `shared`: nothing but `pod`
    labels tell them apart. `summed`: one series for all slots. `turns`: at each look another slot
    answers. `created`: series carry their created timestamps.

    `step`: by how much the start time is off, since the host's clock was set; `jitter`: and anew at
    each look; `whole`: it is shown in whole seconds. `lags`: the page is of so many seconds ago,
    each replica has its own; `replica`: which one answers, any where it `wavers`. `grid`: it is
    read anew once in so many seconds. `ages`: samples carry timestamps so far in the past of the
    page's moment (negative: ahead), classes in turn where there are several. `label`: a further
    label of all series. `digits`: significant digits of values; `noise`: relative error of them.

    `refusing`: nobody listens; `failing`: share of looks that fail. `since`, `until`: when it is
    looked at. `things`: when something happens to it, for the truth. `told`: what did.
    """

    url: str
    rng: Random
    slots: list[Slot]
    start: str | None = None
    front: float = 0.0
    relay: bool = False
    passes_starts: bool = False
    shared: bool = False
    summed: bool = False
    turns: bool = False
    created: bool = False
    whole: bool = False
    lags: tuple[float, ...] = (0.0,)
    replica: int = 0
    wavers: bool = False
    grid: float = 0.0
    step: float = 0.0
    jitter: float = 0.0
    ages: tuple[float, ...] = ()
    label: str = ""
    digits: int = 17
    noise: float = 0.0
    refusing: bool = False
    failing: float = 0.0
    since: float = 0.0
    until: float = inf
    things: list[float] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    told: list[tuple[float, str]] = field(default_factory=list)

    def plan(self, at: float, name: str, what: Callable[[], None]) -> None:
        """Let something happen at a time."""
        self.actions.append((at, name, what))
        self.actions.sort(key=lambda action: -action[0])

    def look(self, at: float) -> Look:
        """The page as it is at a time; times never go back."""
        moment = self._moment(at)
        while self.actions and self.actions[-1][0] <= at:
            when, name, what = self.actions.pop()
            self._advance(when)
            what()
            self.told.append((when, f"{self.url}: {name}"))
        self._advance(at)
        slots = [slot for slot in self.slots if slot.since <= at]
        if self.turns:
            slots = [self.rng.choice(slots)]
        empty = all(slot.process is None for slot in slots)
        if self.refusing or (empty and not self.relay and self.start != "front"):
            return Look(self, at, "refused")
        if self.rng.random() < self.failing:
            return Look(self, at, "failed")
        look = Look(self, at, "page", moment=moment, start=self._started(slots))
        for slot in slots:
            if slot.process is not None or slot.snapshots:
                look.shown += self._of(slot, at, moment)
            if self.passes_starts and slot.process is not None:
                look.starts[slot.instance] = round(slot.process.began, 2)
        if self.summed:
            look.shown = _sum(look.shown)
        if self.noise or self.digits < 16:
            look.shown = [self._written(one) for one in look.shown]
        return look

    def _moment(self, at: float) -> float:
        """Up to when the page tells that is shown at a time."""
        if self.wavers:
            self.replica = self.rng.randrange(len(self.lags))
        moment = at - self.lags[self.replica % len(self.lags)]
        return floor(moment / self.grid) * self.grid if self.grid else moment

    def _advance(self, until: float) -> None:
        lagging = len(self.lags) > 1 or self.lags[0] > 0 or self.grid > 0
        for slot in self.slots:
            if slot.process is None:
                slot.snapshots.clear()
                continue
            # Replicas read the process at their own moments, which may lie in the past by now.
            while lagging and slot.process.now < until:
                slot.process.advance(min(until, slot.process.now + _FINE))
                slot.snapshots.append((slot.process.now, slot.process.snapshot()))
            slot.process.advance(until)
            if lagging:
                del slot.snapshots[:-64]

    def _of(self, slot: Slot, at: float, moment: float) -> list[Shown]:
        found = slot.process.snapshot() if slot.process is not None else {}
        if slot.snapshots and moment < at:
            k = bisect_right(slot.snapshots, moment, key=lambda one: one[0])
            found = slot.snapshots[max(0, k - 1)][1]
        out: list[Shown] = []
        classes: list[str] = []
        for name, (value, life) in found.items():
            if slot.hidden is not None and slot.hidden in name:
                continue
            if self.label:
                name = name.replace("{", "{" + self.label + ("" if "{}" in name else ","), 1)
            time = None
            if self.ages:
                # A histogram has one time, whatever others have.
                one = name.partition("{")[2].partition("le=")[0].strip(",}")
                if one not in classes:
                    classes.append(one)
                time = moment - self.ages[classes.index(one) % len(self.ages)]
            created = life.began if self.created else None
            out.append(Shown(slot.instance, name, value, ((life, value),), created, time))
        return out

    def _started(self, slots: list[Slot]) -> float | None:
        if self.start is None:
            return None
        began = self.front
        if self.start == "own":
            (process,) = (slot.process for slot in slots)
            assert process is not None  # or the look was refused
            began = process.began
        began += self.step + self.rng.uniform(-self.jitter, self.jitter)
        return float(floor(began)) if self.whole else round(began, 2)

    def _written(self, one: Shown) -> Shown:
        """A sample of one life as it is spelled; nobody can know more than that."""
        value = one.value * (1 + self.rng.uniform(-self.noise, self.noise))
        if value > 0 and self.digits < 16:
            value = round(value, self.digits - 1 - floor(log10(value)))
        return one._replace(value=value, lives=((one.lives[0][0], value),))


_FINE = 2.0
"""Seconds between two snapshots of a process that replicas read."""


def _sum(shown: list[Shown]) -> list[Shown]:
    out: dict[str, Shown] = {}
    for one in shown:
        before = out.get(one.series)
        if before is not None:
            one = one._replace(value=before.value + one.value, lives=before.lives + one.lives)
        out[one.series] = one
    return list(out.values())
