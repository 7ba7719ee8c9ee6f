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
from tests.worlds.world import DAY, Process, Schema, Traffic

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
        slot = page.slots[0]

        def reboot(at: float, page: Page = page, slot: Slot = slot, t: Traffic = traffic) -> None:
            make.restart(page, slot, at, t)

        make.front_restarts(page, 1.5, reboots=reboot)
        make.restarts(page, slot, traffic, 0.7)


def sums(make: Maker) -> None:
    """A page sums over workers; one ends, another one may take its place."""
    for name in _names(make, 2):
        traffic = make.traffic()
        count = make.rng.randint(2, 5)
        front = make.begin - make.log_uniform(200.0, 30 * DAY)
        slots = [Slot("", _worker(make, traffic, front, count)) for _ in range(count)]
        start = make.rng.choice((None, "front"))
        page = make.page(name, slots, summed=True, start=start, front=front)
        for at in make.times(page, 1.5):
            slot = make.rng.choice(slots)
            if make.chance(0.6):
                make.restart(page, slot, at, traffic, share=1 / count, preset=False)
            else:
                page.plan(at, "a worker ends for good", lambda slot=slot: _end(slot))


def _worker(make: Maker, traffic: Traffic, front: float, count: int) -> Process:
    """One of so many workers: most of them are as old as their master."""
    began = front + 1.0
    if make.chance(0.3):
        began = make.rng.uniform(front, make.begin - 100.0)
    return make.process(traffic, began, share=1 / count, preset=False)


def collectors(make: Maker) -> None:
    """A part of a page, or all of its series, goes for some looks and comes back; or comes late."""
    for name in _names(make, 2):
        traffic = make.traffic()
        page = make.page(name, traffic=traffic, start=make.rng.choice(("own", "front", None)))
        page.front = make.begin - 1e5
        slot = page.slots[0]
        if make.chance(0.2):
            slot.hidden = _part(make)
        for at in make.times(page, 2.0):
            back = at + make.rng.randint(1, 6) * make.interval
            part = _part(make)
            page.plan(at, "a collector goes", lambda slot=slot, part=part: _hide(slot, part))
            page.plan(back, "it comes back", lambda slot=slot: _hide(slot, None))
        make.restarts(page, slot, traffic, 0.4)


def relabelled(make: Maker) -> None:
    """All series of a page get other labels, with or without another process."""
    for name in _names(make, 2):
        traffic = make.traffic()
        start = make.rng.choice(("own", "front", None))
        page = make.page(name, traffic=traffic, start=start, front=make.begin - 1e5)
        slot = page.slots[0]
        page.label = make.rng.choice(("", 'version="0"'))
        for k, at in enumerate(make.times(page, 1.5)):
            version = f'version="{k + 1}"'
            if make.chance(0.3):
                make.restart(
                    page, slot, at, traffic, then=lambda page=page, v=version: _label(page, v)
                )
            else:
                page.plan(at, "relabelled", lambda page=page, v=version: _label(page, v))
        make.restarts(page, slot, traffic, 0.4)


def replicas(make: Maker) -> None:
    """Two replicas answer, one behind the other; or values are rounded, or a little off."""
    for name in _names(make, 2):
        traffic = make.traffic()
        page = make.page(name, traffic=traffic, start=make.rng.choice(("own", None)))
        what = make.rng.choice(("lag", "wavers", "digits", "noise"))
        if what in ("lag", "wavers"):
            lag = make.rng.uniform(0.0, 0.5) * make.interval
            page.lags = (lag, lag + make.rng.uniform(0.2, 1.5) * make.interval)
            page.wavers = what == "wavers"
            for at in make.times(page, 3.0):
                page.plan(at, "the other replica answers", lambda page=page: _turn(page))
        elif what == "digits":
            page.digits = make.rng.choice((6, 7))
        else:
            page.noise = 2e-7
        if what != "wavers":
            make.restarts(page, page.slots[0], traffic, 0.7)


def expiring(make: Maker) -> None:
    """Series that rest leave the page and begin at 0 when they come back."""
    for name in _names(make, 2):
        traffic = make.traffic(high=20.0)
        ttl = make.rng.uniform(2.5, 8.0) * make.interval
        slot = Slot("", make.process(traffic, ttl=ttl, preset=False))
        page = make.page(name, [slot], start=make.rng.choice(("own", None)))
        make.restarts(page, slot, traffic, 0.5, ttl=ttl, preset=False)


def relays(make: Maker) -> None:
    """A page passes processes on; they come young or old, restart, and the relay does too."""
    slots: list[Slot] = []
    start = make.rng.choice(("front", None))
    page = make.page("relay", slots, relay=True, start=start, front=make.begin - 1e5)
    page.passes_starts = make.chance(0.3)
    traffic = make.traffic()
    for k in range(make.rng.randint(2, 5)):
        share = make.log_uniform(0.3, 3.0)
        slot = Slot(f"app-{k}:80", make.process(traffic, share=share))
        slots.append(slot)
        come = make.rng.random()
        if k and come < 0.5:
            at = make.one_time(page)
            if come < 0.25:
                slot.since = at
            else:
                slot.process = None
                page.plan(at, f"process {slot.instance} begins", _birth(make, slot, traffic, at))
        else:
            make.restarts(page, slot, traffic, 0.4, share=share)
        if make.chance(0.1):
            page.plan(
                make.one_time(page), f"process {slot.instance} is gone", lambda s=slot: _end(s)
            )
    make.front_restarts(page, 0.7)


def clocks(make: Maker) -> None:
    """The clock of a host is set, which moves the start time of its process, or is ahead."""
    for name in _names(make, 2):
        traffic = make.traffic()
        page = make.page(name, traffic=traffic, start="own", jitter=make.rng.choice((0, 0, 0.7)))
        if make.chance(0.3):
            page.step = make.rng.choice((-1, 1)) * make.log_uniform(3, 3600)
        for at in make.times(page, 2.0):
            step = make.rng.choice((-1, 1)) * make.log_uniform(0.5, 3600)
            page.plan(at, f"the clock is set by {step:.1f}s", lambda p=page, s=step: _set(p, s))
        make.restarts(page, page.slots[0], traffic, 0.7)


def timestamps(make: Maker) -> None:
    """Pages with timestamps of their own: old ones, ahead, or another one for each series."""
    for name in _names(make, 2):
        traffic = make.traffic()
        page = make.page(name, traffic=traffic, start=make.rng.choice(("own", None)))
        what = make.rng.choice(("old", "ahead", "apart", "grid"))
        if what == "old":
            page.lags, page.ages = (make.rng.uniform(2.0, 60.0),), (0.0,)
        elif what == "ahead":
            page.ages = (-make.rng.uniform(1.0, 300.0),)
        elif what == "apart":
            page.ages = tuple(make.rng.uniform(0.0, 30.0) for _ in range(4))
        else:
            page.grid = min(60.0, make.rng.uniform(1.2, 3.0) * make.interval)
            page.ages = (0.0,)
        make.restarts(page, page.slots[0], traffic, 0.7)


def bad_looks(make: Maker) -> None:
    """Looks fail or are refused; a page may be refused until its process begins; for some time
    nobody looks at all."""
    if make.chance(0.3):
        at = make.rng.uniform(make.begin, make.end)
        make.away = (at, at + make.rng.uniform(2, 20) * make.interval)
    for name in _names(make, 3):
        traffic = make.traffic()
        start = make.rng.choice(("own", None))
        slot = Slot("", make.process(traffic))
        page = make.page(name, [slot], start=start, failing=make.rng.uniform(0.1, 0.6))
        if make.chance(0.3):
            slot.process = None
            at = make.one_time(page)
            page.plan(at, "the process begins", _birth(make, slot, traffic, at))
        else:
            make.restarts(page, slot, traffic, 1.0)


def pods(make: Maker) -> None:
    """Pods come and go: new pages are found some seconds after their process began."""
    traffic = make.traffic()
    start = make.rng.choice(("own", "own", None))
    create = make.chance(0.2)
    for name in _names(make, 2):
        page = make.page(name, traffic=traffic, start=start, created=create)
        page.until = make.one_time(page) if make.chance(0.4) else page.until
        make.restarts(page, page.slots[0], traffic, 0.3)
    for name in _names(make, 3):
        began = make.rng.uniform(make.begin + 4 * make.interval, make.end - 3 * make.interval)
        slot = Slot("", make.process(traffic, began))
        page = make.page(name, [slot], start=start, created=create)
        page.since = began + make.rng.uniform(0.5, 60.0)


def shared(make: Maker) -> None:
    """Several processes share what names a target; a `pod` label is all that tells them apart."""
    for name in _names(make, 2):
        slots: list[Slot] = []
        page = make.page(name, slots, shared=True)
        traffic = make.traffic()
        for k in range(make.rng.randint(2, 3)):
            slots.append(Slot(f"pod-{k}", make.process(traffic)))
            make.restarts(page, slots[-1], traffic, 0.6)


def turns(make: Maker) -> None:
    """Several processes answer at one address in turn."""
    traffic = make.traffic(low=0.3)
    slots = [Slot("", make.process(traffic, share=0.3)) for _ in range(make.rng.randint(2, 4))]
    make.page("prefork", slots, turns=True, start=make.rng.choice(("own", None)))
    no_start(make)


def layouts(make: Maker) -> None:
    """Histograms whose buckets are spelled otherwise by pod, or lack the threshold's."""
    spelled = [
        ("0.1", "0.5", "1", "+Inf"),
        ("0.100", "0.500", "1.000", "+Inf"),
        ("1e-01", "5e-01", "1e+00", "+Inf"),
        ("0.25", "0.5", "+Inf"),
        ("0.1", "1", "+Inf"),
    ]
    for name in _names(make, 3):
        traffic = make.traffic()
        bounds = make.rng.choice(spelled)
        slot = Slot("", make.process(traffic, bounds=bounds))
        page = make.page(name, [slot], start=make.rng.choice(("own", None)))
        for at in make.times(page, 1.0):
            make.restart(page, slot, at, traffic, bounds=make.rng.choice(spelled))


def bursts(make: Maker) -> None:
    """Traffic that comes in bursts, with and without restarts."""
    for name in _names(make, 2):
        traffic = make.traffic(high=50.0)
        for _ in range(make.rng.randint(2, 8)):
            at = make.rng.uniform(make.begin, make.end)
            length = make.rng.uniform(0.3, 4.0) * make.interval
            traffic.bursts.append((at, at + length, make.log_uniform(5, 500)))
        page = make.page(name, traffic=traffic, start=make.rng.choice(("own", "front", None)))
        page.front = make.begin - 1e5
        make.restarts(page, page.slots[0], traffic, 0.7)


def mixed(make: Maker) -> None:
    """Two kinds at once, each with its pages."""
    for recipe in make.rng.sample(_MIXABLE, 2):
        recipe(make)


_MIXABLE = [no_start, own_start, exporters, sums, collectors, relabelled, replicas, expiring]
_MIXABLE += [relays, clocks, timestamps, bad_looks, pods, shared, bursts]


# --- what happens in them -----------------------------------------------------------------------


def _end(slot: Slot) -> None:
    slot.process = None


def _hide(slot: Slot, part: str | None) -> None:
    slot.hidden = part


def _part(make: Maker) -> str:
    """What the names of the series of a collector have in common."""
    return make.rng.choice(("", 'code="5', 'route="/a"', 'code="500"'))


def _label(page: Page, label: str) -> None:
    page.label = label


def _turn(page: Page) -> None:
    page.replica += 1


def _set(page: Page, step: float) -> None:
    page.step += step


def _birth(make: Maker, slot: Slot, traffic: Traffic, at: float) -> Callable[[], None]:
    def begin() -> None:
        slot.process = make.process(traffic, at)

    return begin


def _names(make: Maker, most: int) -> list[str]:
    """Names for up to so many pages."""
    count = len(make.pages)
    return [f"pod-{count + k}" for k in range(make.rng.randint(1, most))]


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
    "collectors": Kind(collectors, 0.0),
    "relabelled": Kind(relabelled),
    "replicas": Kind(replicas),
    "expiring": Kind(expiring),
    "relays": Kind(relays),
    "clocks": Kind(clocks),
    "timestamps": Kind(timestamps),
    "bad looks": Kind(bad_looks),
    "pods": Kind(pods),
    "shared": Kind(shared),
    "turns": Kind(turns),
    "layouts": Kind(layouts, 1.0),
    "bursts": Kind(bursts),
    "mixed": Kind(mixed),
}


def world(kind: str, number: int) -> World:
    """The world of this kind and number; always the same."""
    name = f"{kind}/{number}"
    rng = Random(name)
    recipe = KINDS[kind]
    make = Maker(rng, histogram=rng.random() < recipe.histogram)
    recipe.make(make)
    # With the age of its timestamps a sample is never later than what is asked for again.
    oldest = max(max((*page.ages, 0.0)) + max(page.lags) + page.grid for page in make.pages)
    late = max(0.0, make.rng.choice((0.0, 0.0, 0.0, 0.0, 100.0)) - oldest)
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
