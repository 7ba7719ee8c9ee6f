"""The kinds of worlds: a recipe each, from what pages are like to what happens to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from exporter.core.selector import parse_selector
from exporter.core.slo import SLI, CounterSLI, HistogramSLI
from tests.worlds.exposition import Look, Page, Slot
from tests.worlds.maker import Maker
from tests.worlds.world import Schema

_NAME = "requests_total"
_BAD = parse_selector(_NAME + '{code=~"5.."}')
_GOOD = parse_selector(_NAME + '{code!~"5.."}')
_TOTAL = parse_selector(_NAME)


@dataclass(slots=True)
class World:
    """One world, as it was looked at. `name`: kind and number, from which it can be made again.
    `zeros`: an upstream stores created timestamps as samples of 0."""

    name: str
    kind: str
    sli: SLI
    schema: Schema
    interval: float
    pages: list[Page]
    looks: list[Look] = field(default_factory=list)
    zeros: bool = False

    @property
    def wants_good(self) -> bool:
        """Whether the part is of good events, not of bad ones."""
        return isinstance(self.sli, HistogramSLI) or (
            isinstance(self.sli, CounterSLI) and self.sli.bad is None
        )

    def role(self, series: str) -> tuple[bool, bool]:
        """Whether a series counts to all events, and whether to the part."""
        return _role(series, self.wants_good, self.schema.threshold)


@lru_cache(maxsize=4096)
def _role(series: str, wants_good: bool, threshold: float) -> tuple[bool, bool]:
    name, _, rest = series.partition("{")
    if threshold:
        if name == "latency_count":
            return True, False
        bound = rest.partition('le="')[2].partition('"')[0]
        return False, float(bound) == threshold
    return True, ('code="5' not in rest) is wants_good


# --- recipes ------------------------------------------------------------------------------------


def created(make: Maker) -> None:
    """Created timestamps on every series; processes restart, idle series expire."""
    ttl = make.rng.choice((None, None, 4 * make.interval))
    for name in _names(make, 3):
        traffic = make.traffic()
        slot = Slot("", make.process(traffic, ttl=ttl))
        start = make.rng.choice(("own", None))
        page = make.page(name, [slot], created=True, start=start)
        make.restarts(page, slot, traffic, 2.0, ttl=ttl)


def no_start(make: Maker) -> None:
    """Plain pages without any start time; processes restart."""
    for name in _names(make, 3):
        traffic = make.traffic()
        page = make.page(name, traffic=traffic)
        make.restarts(page, page.slots[0], traffic, 1.5)


def own_start(make: Maker) -> None:
    """Plain pages with the start time of their process; processes restart, some in a loop."""
    for name in _names(make, 3):
        traffic = make.traffic()
        page = make.page(name, traffic=traffic, start="own", jitter=make.rng.choice((0, 0, 0.4)))
        make.restarts(page, page.slots[0], traffic, make.rng.choice((1.0, 2.0, 5.0)))


def exporters(make: Maker) -> None:
    """Exporters show another program's counters beside their own start, and restart alone."""
    for name in _names(make, 2):
        traffic = make.traffic()
        front = make.begin - make.log_uniform(100.0, 1e6)
        page = make.page(name, traffic=traffic, start="front", front=front)
        make.front_restarts(page, 1.5)
        make.restarts(page, page.slots[0], traffic, 0.7)


def sums(make: Maker) -> None:
    """A page sums over workers; one ends, another one may take its place."""
    for name in _names(make, 2):
        traffic = make.traffic()
        count = make.rng.randint(2, 5)
        slots = [
            Slot("", make.process(traffic, share=1 / count, preset=False)) for _ in range(count)
        ]
        start = make.rng.choice((None, "front"))
        front = min(slot.process.began for slot in slots if slot.process) - 1.0
        page = make.page(name, slots, summed=True, start=start, front=front)
        for at in make.times(page, 1.5):
            slot = make.rng.choice(slots)
            if make.chance(0.6):
                make.restart(page, slot, at, traffic, share=1 / count, preset=False)
            else:
                page.plan(at, "a worker ends for good", lambda slot=slot: _end(slot))


def _end(slot: Slot) -> None:
    slot.process = None


def _names(make: Maker, most: int) -> list[str]:
    return [f"pod-{k}" for k in range(make.rng.randint(1, most))]


@dataclass(frozen=True, slots=True)
class Kind:
    """A recipe. `histogram`: share of its worlds that count latencies."""

    make: Callable[[Maker], None]
    histogram: float = 0.15


KINDS: dict[str, Kind] = {
    "created": Kind(created),
    "no start": Kind(no_start),
    "own start": Kind(own_start),
    "exporters": Kind(exporters),
    "sums": Kind(sums),
}


def world(kind: str, number: int) -> World:
    """The world of this kind and number; always the same."""
    name = f"{kind}/{number}"
    rng = Random(name)
    recipe = KINDS[kind]
    make = Maker(rng, histogram=rng.random() < recipe.histogram)
    recipe.make(make)
    late = make.rng.choice((0.0, 0.0, 0.0, 0.0, 100.0))
    sli: SLI
    if make.schema.histogram:
        sli = HistogramSLI(parse_selector("latency"), make.schema.threshold)
    elif make.chance(0.3):
        sli = CounterSLI(good=_GOOD, total=_TOTAL)
    else:
        sli = CounterSLI(bad=_BAD, total=_TOTAL)
    zeros = make.chance(0.5)
    looks = make.look(late)
    return World(name, kind, sli, make.schema, make.interval, make.pages, looks, zeros)
