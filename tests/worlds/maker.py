"""The tools of the recipes: draws traffic, processes, pages, and what happens to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from tests.worlds.exposition import Look, Page, Slot
from tests.worlds.world import BEGIN, DAY, Class, Process, Schema, Traffic, poisson

INTERVALS = (5.0, 10.0, 10.0, 15.0, 15.0, 30.0, 60.0)
BOUNDS = ("0.1", "0.5", "1", "+Inf")
_APART = 4
"""Looks between two things that happen to a page."""
_AT_ONCE = 0.1
"""Share of things that happen whatever else does just then."""
_LATE = 0.03
"""Share of looks that come late."""


class Maker:
    """Draws the parts of one world from its own random numbers. Times are unix seconds."""

    def __init__(self, rng: Random, *, histogram: bool = False) -> None:
        self.rng = rng
        self.interval = rng.choice(INTERVALS)
        self.looks = rng.randint(30, 60)
        self.begin = BEGIN
        self.end = BEGIN + self.looks * self.interval
        self.away = (0.0, 0.0)
        """From when to when nobody looks at anything."""
        self.pages: list[Page] = []
        self.schema = self._schema(histogram)
        self.preset = rng.random() < 0.3
        self.bounds: tuple[str, ...] = BOUNDS
        self._busy: dict[int, list[float]] = {}

    # --- draws ----------------------------------------------------------------------------------

    def chance(self, share: float) -> bool:
        """Whether something of this probability is the case."""
        return self.rng.random() < share

    def log_uniform(self, low: float, high: float) -> float:
        """A number between two, whose magnitude is uniform."""
        return float(low * (high / low) ** self.rng.random())

    def times(self, page: Page, mean: float) -> Iterator[float]:
        """Moments for about so many things to happen to a page, some looks apart."""
        busy = self._busy.setdefault(id(page), [])
        margin = _APART * self.interval
        for _ in range(poisson(self.rng, mean)):
            at = self.rng.uniform(self.begin + margin, self.end - margin / 2)
            if self.chance(_AT_ONCE) or all(abs(at - other) > margin for other in busy):
                busy.append(at)
                page.things.append(at)
                yield at

    def one_time(self, page: Page) -> float:
        """One such moment, whatever else happens then."""
        at = self.rng.uniform(self.begin + _APART * self.interval, self.end - 2 * self.interval)
        self._busy.setdefault(id(page), []).append(at)
        page.things.append(at)
        return at

    def _schema(self, histogram: bool) -> Schema:
        if histogram:
            classes = (Class('code="200"', False, 1.0), Class('code="500"', True, 1.0))
            return Schema(classes, 0.5)
        routes = [f'route="/{name}"' for name in "ab"[: self.rng.choice((1, 1, 2))]]
        weights = [self.rng.random() + 0.05 for _ in routes]
        codes = [("200", False, 0.95), ("404", False, 0.05), ("500", True, 0.7), ("503", True, 0.3)]
        return Schema(
            tuple(
                Class(f'code="{code}",{route}', bad, share * weight / sum(weights))
                for route, weight in zip(routes, weights, strict=True)
                for code, bad, share in codes
            )
        )

    def traffic(self, *, low: float = 0.01, high: float = 1000.0) -> Traffic:
        """Traffic of a service, with a burst or an outage now and then."""
        out = Traffic(
            self.log_uniform(low, high),
            self.log_uniform(0.0005, 0.1),
            self.rng.choice((0.0, 0.3, 0.8)),
            self.rng.random(),
        )
        if self.chance(0.2):
            start, length = self._some_looks()
            out.bursts.append((start, start + length, self.log_uniform(3, 50)))
        if self.chance(0.2):
            start, length = self._some_looks()
            out.outages.append((start, start + length, self.rng.uniform(0.1, 0.9)))
        if self.chance(0.1):
            start, length = self._some_looks()
            out.bursts.append((start, start + length, 0.0))
        return out

    def _some_looks(self) -> tuple[float, float]:
        return self.rng.uniform(self.begin, self.end), self.rng.randint(1, 8) * self.interval

    # --- processes and pages --------------------------------------------------------------------

    def process(self, traffic: Traffic, began: float | None = None, **more: Any) -> Process:
        """A process; without `began` one that has been there for minutes, days or a month."""
        old = self.begin - self.log_uniform(100.0, 30 * DAY)
        more = {"preset": self.preset, **more}
        if self.schema.histogram:
            more = {"bounds": self.bounds, **more}
        out = Process(self.rng, traffic, self.schema, old if began is None else began, **more)
        out.advance(self.begin - 60.0)
        return out

    def page(
        self,
        name: str,
        slots: list[Slot] | None = None,
        *,
        traffic: Traffic | None = None,
        **more: Any,
    ) -> Page:
        """A page that is looked at, with one old process unless it gets other slots."""
        if slots is None:
            slots = [Slot("", self.process(traffic or self.traffic()))]
        more = {"failing": self.rng.choice((0.0, 0.0, 0.02, 0.1)), "since": self.begin, **more}
        page = Page(f"{name}:80", self.rng, slots, whole=self.chance(0.3), **more)
        self.pages.append(page)
        return page

    def downtime(self) -> float:
        """Seconds for which a process is away between two lives."""
        longest = self.rng.choice((1.0, 1.0, 3.0, 3 * self.interval, 10 * self.interval))
        return self.rng.uniform(0.05, longest)

    # --- what happens ---------------------------------------------------------------------------

    def restart(
        self,
        page: Page,
        slot: Slot,
        at: float,
        traffic: Traffic,
        *,
        then: Callable[[], None] | None = None,
        **more: Any,
    ) -> float:
        """A process ends, and another one begins in its place; when that is."""
        again = at + self.downtime()

        def end() -> None:
            slot.process = None

        def begin() -> None:
            slot.process = self.process(traffic, again, **more)
            if then is not None:
                then()

        page.plan(at, f"process {slot.instance} ends", end)
        page.plan(again, f"process {slot.instance} begins", begin)
        return again

    def restarts(self, page: Page, slot: Slot, traffic: Traffic, mean: float, **more: Any) -> None:
        """About so many restarts."""
        for at in self.times(page, mean):
            self.restart(page, slot, at, traffic, **more)

    def front_restarts(
        self, page: Page, mean: float, *, reboots: Callable[[float], object] | None = None
    ) -> None:
        """The program in front restarts by itself, and is away for a moment. `reboots`: now and
        then the host does, which ends at that time what it shows too."""
        for at in self.times(page, mean):
            away = self.downtime()
            if reboots is not None and self.chance(0.2):
                reboots(at)

            def end() -> None:
                page.refusing = True

            def begin(now: float = at + away) -> None:
                page.refusing, page.front = False, now

            page.plan(at, "the exporter ends", end)
            page.plan(at + away, "the exporter begins", begin)

    # --- looks ----------------------------------------------------------------------------------

    def look(self, late: float = 0.0) -> list[Look]:
        """All looks at all pages in their order; an upstream stores them up to `late` seconds
        after."""
        out: list[Look] = []
        for page in self.pages:
            phase = self.rng.uniform(0.0, 0.9 * self.interval)
            wobble = self.rng.choice((0.001, 0.02))
            stored = 0.0
            for k in range(self.looks):
                at = self.begin + phase + k * self.interval
                at += self.rng.uniform(0.0, wobble * self.interval)
                if self.chance(_LATE):
                    at += self.rng.uniform(0.0, 0.08 * self.interval)
                if page.since <= at < page.until and not self.away[0] <= at < self.away[1]:
                    look = page.look(at)
                    # What is behind brings its samples in their order all the same.
                    stored = max(stored, at + self.rng.uniform(late / 2, late))
                    look.late = min(late, stored - at)
                    out.append(look)
        out.sort(key=lambda look: look.at)
        return out
