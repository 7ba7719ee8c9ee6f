"""True worlds: traffic, and the processes that count it. No page, no look, no slod in here.

A process is advanced step by step to moments that never go back. Every counter has a `Life`: its
identity from zero to its end, which no page shows and by which the truth counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp, sqrt
from random import Random

BEGIN = 1_700_000_000.0
"""Unix seconds: every world is looked at from about here on."""
DAY = 86_400.0


def poisson(rng: Random, mean: float) -> int:
    """Number of events where `mean` are expected; a normal distribution from 30 on."""
    if mean > 30:
        return max(0, round(rng.gauss(mean, sqrt(mean))))
    limit, count, product = exp(-mean), 0, rng.random()
    while product > limit:
        product *= rng.random()
        count += 1
    return count


@dataclass(slots=True)
class Traffic:
    """Requests to one service. `rate`: a second, on average; `errors`: share that fails.

    `swing`: share of the rate that comes and goes with the day. `bursts`: (start, end, factor of
    the rate); `outages`: (start, end, share that fails). Times in unix seconds.
    """

    rate: float
    errors: float
    swing: float = 0.0
    phase: float = 0.0
    bursts: list[tuple[float, float, float]] = field(default_factory=list)
    outages: list[tuple[float, float, float]] = field(default_factory=list)

    def between(self, start: float, end: float) -> tuple[float, float]:
        """Expected requests between two moments and the share of them that fails."""
        middle = (start + end) / 2
        # A triangle over the day: cheap, and as good as a sine here.
        wave = abs((middle / DAY + self.phase) % 1.0 - 0.5) * 4 - 1
        rate, errors = self.rate * (1 + self.swing * wave), self.errors
        for low, high, factor in self.bursts:
            if low <= middle < high:
                rate *= factor
        for low, high, share in self.outages:
            if low <= middle < high:
                errors = share
        return rate * (end - start), errors


@dataclass(frozen=True, slots=True)
class Class:
    """A class of requests that is counted apart: `share` of all good (or all bad) requests."""

    labels: str
    bad: bool
    share: float


@dataclass(frozen=True, slots=True)
class Schema:
    """What the processes of a service count. With `bounds` it is a histogram in seconds whose
    requests under `threshold` are good; without, a counter by class."""

    classes: tuple[Class, ...]
    threshold: float = 0.0

    @property
    def histogram(self) -> bool:
        """Whether latencies are counted in place of codes."""
        return self.threshold > 0


@dataclass(eq=False, slots=True)
class Life:
    """One counter from zero to its end. `began`, and `process`, when its process did, are in unix
    seconds."""

    began: float
    process: float


@dataclass(slots=True)
class Counter:
    """One counter in a process; `touched`: when it counted last."""

    life: Life
    value: float
    touched: float


class Process:
    """One process. `ttl`: seconds after which a counter that rests is dropped (None for never).

    `preset`: all counters are there from the start at 0; else each begins with its first event.
    `bounds`: the bounds of its buckets as it spells them, for a histogram.
    """

    def __init__(
        self,
        rng: Random,
        traffic: Traffic,
        schema: Schema,
        began: float,
        *,
        ttl: float | None = None,
        preset: bool = False,
        bounds: tuple[str, ...] = (),
        share: float = 1.0,
    ) -> None:
        self.began = self.now = began
        self.counters: dict[str, Counter] = {}
        self._rng, self._traffic, self._schema = rng, traffic, schema
        self._ttl, self._bounds, self._share = ttl, bounds, share
        if preset:
            for one in schema.classes:
                for name in self._names(one):
                    self.counters[name] = Counter(Life(began, began), 0.0, began)

    def advance(self, until: float) -> None:
        """Count what happens up to a moment."""
        start, self.now = self.now, max(self.now, until)
        if until <= start:
            return
        mean, errors = self._traffic.between(start, until)
        mean *= self._share
        for one in self._schema.classes:
            happened = mean * one.share * (errors if one.bad else 1 - errors)
            count = poisson(self._rng, happened)
            if count:
                self._count(one, count, start, until)
        if self._ttl is not None:
            gone = [n for n, c in self.counters.items() if c.touched < until - self._ttl]
            for name in gone:
                del self.counters[name]

    def snapshot(self) -> dict[str, tuple[float, Life]]:
        """Values and lives of all counters, by series without the labels of a page."""
        return {name: (c.value, c.life) for name, c in self.counters.items()}

    def _count(self, one: Class, count: int, start: float, until: float) -> None:
        # The first and the last of so many events within the step.
        first = start + (until - start) * self._rng.random() / count
        last = until - (until - start) * self._rng.random() / count
        for name, amount in zip(self._names(one), self._amounts(one, count), strict=True):
            counter = self.counters.get(name)
            expired = (
                counter is not None
                and self._ttl is not None
                and first - counter.touched > self._ttl
            )
            if counter is None or expired:
                counter = self.counters[name] = Counter(Life(first, self.began), 0.0, first)
            counter.value += amount
            counter.touched = max(first, last)

    def _names(self, one: Class) -> list[str]:
        if not self._schema.histogram:
            return [f"requests_total{{{one.labels}}}"]
        comma = "," if one.labels else ""
        buckets = [f'latency_bucket{{{one.labels}{comma}le="{bound}"}}' for bound in self._bounds]
        return [f"latency_count{{{one.labels}}}", *buckets]

    def _amounts(self, one: Class, count: int) -> list[float]:
        if not self._schema.histogram:
            return [float(count)]
        # A request of a good class is under the threshold, or one in some thousand is not.
        share = 0.05 if one.bad else 0.999
        under = min(count, poisson(self._rng, count * share)) if one.bad else count
        slow = 0 if one.bad else min(count, poisson(self._rng, count * (1 - share)))
        under -= slow
        threshold = self._schema.threshold
        out = [float(count)]
        for text in self._bounds:
            bound = float(text)
            if bound < threshold:
                out.append(float(under // 2))
            else:
                out.append(float(under if bound == threshold else count))
        return out
