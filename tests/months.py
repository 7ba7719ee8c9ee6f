"""Synthetic months of minutes with a known truth, by a seed.

Traffic has a daily rhythm, errors a background at 2 to 70% of the ratio that the objective allows,
and there are 0 to 5 bursts of 3 to 500 minutes at 8 to 1,000 times that ratio. What costs less than
1% of the month's budget is no incident, by definition; it is in `bursts` and not in `incidents`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from math import exp, log, pi, sin
from random import Random

from exporter.core.ledger import Ledger
from exporter.core.slo import Window

T = 1_700_006_400.0
"""Wednesday, 2023-11-15T00:00:00Z."""
MINUTE, DAY = 60.0, 86_400.0
PERIOD = Window("30d", 30 * DAY)
_MINUTES = 30 * 1440
_APART = 180
"""Minutes between two bursts."""


@dataclass(frozen=True)
class Burst:
    """Errors between two minutes of the month; `cost`: the share of the month's budget."""

    start: int
    end: int
    bad: int
    cost: float


@dataclass(frozen=True)
class Month:
    """Bad events and all events of each minute, and what is true of them."""

    objective: float
    bad: list[int]
    total: list[int]
    bursts: list[Burst]

    @property
    def incidents(self) -> list[Burst]:
        """Those that are worth it."""
        return [burst for burst in self.bursts if burst.cost >= 0.01]

    def ledger(self) -> Ledger:
        """A daemon's ledger at the end of the month, thinned as it went."""
        ledger = Ledger(PERIOD.seconds, MINUTE)
        for k, (bad, total) in enumerate(zip(self.bad, self.total, strict=True)):
            ledger.add(T + k * MINUTE, T + (k + 1) * MINUTE, total - bad, bad)
        ledger.cover(T, T + len(self.bad) * MINUTE)
        return ledger


def seeds(usual: int) -> range:
    """So many months, or as many as `SLOD_MONTHS` says."""
    return range(int(os.environ.get("SLOD_MONTHS", usual)))


def month(seed: int) -> Month:
    """The month of a seed, always the same one."""
    random = Random(seed)
    allowed = random.choice([0.01, 0.005, 0.001, 0.0005])
    pace, swing = 10 ** random.uniform(1.5, 4), random.uniform(0, 0.8)
    background = allowed * random.uniform(0.02, 0.7)
    spans: list[tuple[int, int, float]] = []
    for _ in range(random.randint(0, 5)):
        length = round(exp(random.uniform(log(3), log(500))))
        start = random.randint(_APART, _MINUTES - length - _APART)
        ratio = min(1.0, allowed * exp(random.uniform(log(8), log(1000))))
        if all(start > e + _APART or start + length < s - _APART for s, e, _ in spans):
            spans.append((start, start + length, ratio))
    ratios = [background] * _MINUTES
    for start, end, ratio in spans:
        ratios[start:end] = [max(ratio, background)] * (end - start)
    total = [_poisson(random, pace * (1 + swing * sin(2 * pi * k / 1440))) for k in range(_MINUTES)]
    bad = [_binomial(random, n, ratio) for n, ratio in zip(total, ratios, strict=True)]
    budget = allowed * sum(total)
    bursts = [
        Burst(start, end, found := sum(bad[start:end]), found / budget)
        for start, end, _ in sorted(spans)
    ]
    return Month(1 - allowed, bad, total, bursts)


def _poisson(random: Random, mean: float) -> int:
    if mean > 30:
        return max(0, round(random.gauss(mean, mean**0.5)))
    least, product, count = exp(-mean), random.random(), 0
    while product > least:
        product *= random.random()
        count += 1
    return count


def _binomial(random: Random, count: int, ratio: float) -> int:
    mean = count * ratio
    if ratio > 0.5:
        return count - _binomial(random, count, 1 - ratio)
    if mean > 30:
        return min(count, max(0, round(random.gauss(mean, (mean * (1 - ratio)) ** 0.5))))
    return min(count, _poisson(random, mean))
