"""The ledger over a simulated time with outages: memory, size on disk, worst errors at any moment.

A recount that keeps every sample is compared with the ledger all the time: now and then in calm,
often in an outage, and at every step around each moment at which a window's left edge passes the
begin or the end of an outage, when what is left in the window is smallest.

    ./dev bench ledger --full      a whole year instead of 40 days
"""

from __future__ import annotations

import math
import random
from array import array
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

import msgspec

from bench import history
from bench.history import poisson
from bench.measure import Row
from exporter.config.duration import approximate
from exporter.config.load import parse
from exporter.core.engine import Engine
from exporter.core.sample import Series

YEAR = 365.0
_STEP = 10.0
_BEGIN = 1_700_000_000.0
_PERIOD = 30 * 86_400.0
_WINDOWS = (300.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0, 259_200.0, _PERIOD)
_BUDGET = 0.001
_SIZE = 24 * 1024
_AROUND = 60
"""Steps before and after an edge's passing at which its window is looked at."""


@dataclass(slots=True)
class Worst:
    """The largest of everything seen; errors as shares of the true value. `burn` only of windows
    that are off by more than 0.1 in absolute terms."""

    memory: int = 0
    disk: int = 0
    budget: float = 0.0
    burn: float = 0.0
    looks: int = 0


def run(days: float = 40.0, rates: tuple[float, ...] = (0.01, 1.0, 100.0)) -> list[Row]:
    """Rows for each traffic, in events a second."""
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(simulate, rates, [days] * len(rates)))
    return [
        row for rate, worst in zip(rates, found, strict=True) for row in _rows(rate, days, worst)
    ]


def _rows(rate: float, days: float, worst: Worst) -> Iterator[Row]:
    name = f"ledger over {days:g} days, {rate:g} events/s"
    yield Row(f"{name}: memory at most", worst.memory, "B", _SIZE, scales=False)
    yield Row(f"{name}: on disk at most", worst.disk, "B", _SIZE, scales=False)
    yield Row(f"{name}: worst error of the budget spent", worst.budget, "share", 1e-3, scales=False)
    yield Row(f"{name}: of a burn rate off by over 0.1", worst.burn, "share", 1e-2, scales=False)


def simulate(rate: float, days: float) -> Worst:
    """The worst of a simulated time."""
    rng = random.Random(7)
    slos = parse(history.config(1), "bench").slos
    engine = Engine(slos, (), approximate)
    series = [(Series("requests", "t", {}), Series("errors", "t", {}))]
    bads, totals = array("q", [0]), array("q", [0])
    outage, ratio = 0, 0.0
    worst = Worst()
    due: set[int] = set()
    for i in range(1, int(days * 86_400 / _STEP)):
        if outage == 0 and rng.random() < _STEP / (6 * 86_400):
            outage, ratio = rng.choice((30, 180, 720, 2160)), rng.choice((0.05, 0.3, 1.0))
            _look_at(due, i)
        elif outage == 1:
            _look_at(due, i)
        total = poisson(rng, rate * _STEP * (1 + 0.6 * math.sin(i * _STEP / 86_400 * math.tau)))
        share = ratio if outage else 0.0005
        bad = total if share == 1.0 else min(total, poisson(rng, total * share))
        now = _BEGIN + i * _STEP
        bads.append(bads[-1] + bad)
        totals.append(totals[-1] + total)
        engine.ingest(history.batch(slos, series, now, [(totals[-1], bads[-1])]))
        engine.drain()
        if i % 360 == 0:
            engine.tick(now)
        if i % 8640 == 0:
            worst.disk = max(worst.disk, len(msgspec.msgpack.encode(engine.dump(slos[0].name))))
        # Not a divisor of a day, so that every hour has its turn.
        if i % 53 == 0 or (outage and i % 7 == 0) or i in due:
            _look(worst, engine, bads, totals, now)
        outage = max(0, outage - 1)
    return worst


def _look_at(due: set[int], edge: int) -> None:
    """Mark the steps around which each window's left edge passes this one."""
    for seconds in _WINDOWS:
        passes = edge + round(seconds / _STEP)
        due.update(range(passes - _AROUND, passes + _AROUND + 1))


def _look(worst: Worst, engine: Engine, bads: array[int], totals: array[int], now: float) -> None:
    (status,) = engine.status(now).slos
    worst.memory = max(worst.memory, status.ledger_bytes)
    for window in status.windows:
        # The first sample of all is a baseline; nothing before it was counted.
        edge = max(1, len(bads) - 1 - round(window.seconds / _STEP))
        if totals[-1] == totals[edge]:
            continue
        worst.looks += 1
        exact = (bads[-1] - bads[edge]) / (totals[-1] - totals[edge]) / _BUDGET
        off = abs((window.burn(1 - _BUDGET) or 0.0) - exact)
        if window.seconds == _PERIOD:
            worst.budget = max(worst.budget, off / exact if exact else 0.0)
        elif off > 0.1:
            worst.burn = max(worst.burn, off / exact if exact else math.inf)
