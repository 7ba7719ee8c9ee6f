"""A backtest of months of history: from local samples to the results, for many SLOs.

Each SLO has a counter of requests and one of errors, every 30 seconds, with a rhythm, noise and an
outage every few days; two such histories serve all of them. Their samples are spooled as
`slod backtest` does it, and two processes share the SLOs. Spooling them is not part of the time.

    ./dev bench backtest --full      90 days of 100 SLOs
"""

from __future__ import annotations

import math
import random
import time
from array import array
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from bench import history
from bench.history import poisson
from bench.measure import Row
from exporter.backtest import work
from exporter.backtest.spool import Index, Spool
from exporter.backtest.variant import Variant
from exporter.config.load import parse
from exporter.core.sample import Series
from exporter.core.slo import SLO, CounterSLI

STEP = 30.0
FULL = (90.0, 100)
GOAL = 60.0
_BEGIN = 1_700_000_000.0
_DAY = 86_400.0
_WORKERS = 2
_OUTAGE_EVERY = 6 * _DAY


class Columns(NamedTuple):
    """What two counters showed, and when."""

    times: array[float]
    requests: array[float]
    errors: array[float]


def run(days: float = 30.0, slos: int = 4) -> list[Row]:
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
    slo = parse(history.config(1, interval=STEP), "bench").slos[0]
    with TemporaryDirectory() as folder, ProcessPoolExecutor(_WORKERS) as pool:
        indexes = [spooled(slo, Path(folder) / str(seed), seed, days) for seed in range(2)]
        # Everything is imported before the clock starts.
        list(pool.map(one, [slo] * 2, *zip(*indexes, strict=True)))
        begun = time.perf_counter()
        taken = list(pool.map(one, [slo] * slos, *zip(*islice(cycle(indexes), slos), strict=True)))
        wall = time.perf_counter() - begun
    return wall, math.fsum(taken) / slos


def one(slo: SLO, path: Path, index: Index) -> float:
    """Processor seconds of one SLO's backtest."""
    begun = time.process_time()
    configured = Variant(slo.objective, "workbook", slo.rules)
    found = work.one(slo, path, index, [configured], 0.02)
    assert found[0].outcomes[0].alerts or found[0].end - found[0].start < 30 * _DAY
    return time.process_time() - begun


def spooled(slo: SLO, path: Path, seed: int, days: float) -> tuple[Path, Index]:
    """An SLO's samples on disk."""
    assert isinstance(slo.sli, CounterSLI)
    assert slo.sli.bad
    assert slo.sli.total
    times, requests, errors = samples(seed, days)
    with Spool(path) as spool:
        spool.expect(slo.name, slo.source, slo.sli.wants())
        index = spool.indexes[slo.name]
        for want, name, column in (
            (slo.sli.total, "requests", requests),
            (slo.sli.bad, "errors", errors),
        ):
            strand = spool.strand(index, want, Series(name, "t", {}))
            spool.note(index, strand, spool.columns(times, column), times[0], times[-1])
    return path, index


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
