"""A backtest of months of history: counting, the ledger, alerts and the analysis, for many SLOs.

Each SLO has a counter of requests and one of errors, every 30 seconds, with a rhythm, noise and an
outage every few days. The samples lie in memory as columns and become batches of a day while the
replay asks for them, so that is part of the time; making them up is not. Two processes share the
SLOs, as `slod backtest` does.

    ./dev bench backtest --full      90 days of 100 SLOs
"""

from __future__ import annotations

import math
import random
import time
from array import array
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from typing import NamedTuple

from bench import history
from bench.history import poisson
from bench.measure import Row
from exporter.backtest.replay import replay
from exporter.backtest.variant import Variant
from exporter.config.duration import approximate
from exporter.config.load import parse
from exporter.core.sample import Batch, Reading, Series, Target
from exporter.core.selector import Want
from exporter.core.slo import SLO, CounterSLI

STEP = 30.0
FULL = (90.0, 100)
GOAL = 60.0
_BEGIN = 1_700_000_000.0
_DAY = 86_400.0
_WORKERS = 2
_OUTAGE_EVERY = 6 * _DAY
_SERIES = (Series("requests", "t", {}), Series("errors", "t", {}))


class Columns(NamedTuple):
    """What two counters showed, and when."""

    times: array[float]
    requests: array[float]
    errors: array[float]


def run(days: float = 10.0, slos: int = 4) -> list[Row]:
    """What so many days of so many SLOs take."""
    wall, each = measure(days, slos)
    steps = days * _DAY / STEP
    name = f"a backtest of {days:g} days of {slos} SLOs"
    goal = GOAL * days * slos / (FULL[0] * FULL[1])
    return [
        Row(f"{name}, 2 cores", wall, "s", goal),
        Row(f"{name}: processor time of a step of an SLO", each / steps, "s"),
    ]


def measure(days: float, slos: int) -> tuple[float, float]:
    """Seconds for all, and processor seconds for one SLO."""
    with ProcessPoolExecutor(_WORKERS) as pool:
        # Everything is imported and made up before the clock starts.
        list(pool.map(_prepare, [days] * 2 * _WORKERS))
        begun = time.perf_counter()
        taken = list(pool.map(one, range(slos), [days] * slos))
        wall = time.perf_counter() - begun
    return wall, math.fsum(taken) / slos


def one(n: int, days: float) -> float:
    """Processor seconds of one SLO's backtest."""
    slo = parse(history.config(1, interval=STEP), "bench").slos[0]
    columns = samples(n % 2, days)
    begun = time.process_time()
    configured = Variant(slo.objective, "workbook", slo.rules)
    found = replay(slo, batches(slo, columns), [configured], significant=0.02, show=approximate)
    assert found[0].outcomes[0].alerts or days < 30
    return time.process_time() - begun


def batches(slo: SLO, columns: Columns) -> Iterator[Batch]:
    """A day at a time."""
    assert isinstance(slo.sli, CounterSLI)
    assert slo.sli.bad
    assert slo.sli.total
    times, requests, errors = columns
    size = round(_DAY / STEP)
    for low in range(0, len(times), size):
        when = times[low : low + size]
        total = Reading(_SERIES[0], list(zip(when, requests[low : low + size], strict=True)))
        bad = Reading(_SERIES[1], list(zip(when, errors[low : low + size], strict=True)))
        readings: dict[Want, list[Reading]] = {slo.sli.total: [total], slo.sli.bad: [bad]}
        yield Batch(slo.source, when[-1], False, readings, {"t": Target()})


def _prepare(days: float) -> None:
    for seed in range(2):
        samples(seed, days)
    time.sleep(0.1)


@cache
def samples(seed: int, days: float) -> Columns:
    """What two counters showed."""
    rng = random.Random(seed)
    times, requests, errors = array("d"), array("d"), array("d")
    total = bad = outage = share = 0.0
    for k in range(round(days * _DAY / STEP) + 1):
        at = _BEGIN + k * STEP
        if outage <= 0 and rng.random() < STEP / _OUTAGE_EVERY:
            outage, share = rng.choice((300, 1800, 7200)), rng.choice((0.005, 0.05, 1.0))
        outage -= STEP
        events = poisson(rng, 50 * STEP * (1 + 0.6 * math.sin(at / _DAY * math.tau)))
        total += events
        bad += round(events * share) if outage > 0 else poisson(rng, events * 0.0002)
        times.append(at)
        requests.append(total)
        errors.append(bad)
    return Columns(times, requests, errors)
