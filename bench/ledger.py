"""The ledger over a simulated time: memory, size on disk, worst errors at any moment.

    python -m bench.ledger [DAYS]

The naive recount keeps a cumulative count for every sample.
"""

from __future__ import annotations

import math
import random
import sys
from typing import Any

import msgspec

from exporter.core.ledger import Ledger

_STEP = 10.0
_BEGIN = 1_700_000_000.0
_PERIOD = 30 * 86_400.0
_WINDOWS = (300.0, 1800.0, 3600.0, 7200.0, 21_600.0, 86_400.0, 259_200.0)
_BUDGET = 0.001


def run(days: float = 40) -> list[dict[str, Any]]:
    """One row for each traffic: bytes in memory and on disk, and the worst errors seen."""
    return [_simulate(rate, days) for rate in (0.01, 1.0, 100.0)]


def _simulate(rate: float, days: float) -> dict[str, Any]:
    rng = random.Random(7)
    ledger = Ledger(_PERIOD, _STEP)
    bads, totals = [0], [0]
    outage, ratio = 0, 0.0
    memory = disk = 0
    budget_error = burn_error = 0.0
    for i in range(1, int(days * 86_400 / _STEP)):
        if outage == 0 and rng.random() < _STEP / (6 * 86_400):
            outage, ratio = rng.choice((30, 180, 720, 2160)), rng.choice((0.05, 0.3, 1.0))
        total = _poisson(rng, rate * _STEP * (1 + 0.6 * math.sin(i * _STEP / 86_400 * math.tau)))
        share = ratio if outage else 0.0005
        bad = total if share == 1.0 else min(total, _poisson(rng, total * share))
        outage = max(0, outage - 1)
        now = _BEGIN + i * _STEP
        ledger.add(now - _STEP, now, float(total - bad), float(bad))
        bads.append(bads[-1] + bad)
        totals.append(totals[-1] + total)
        if i % 360 == 0:
            ledger.forget(now)
            memory = max(memory, ledger.nbytes)
        if i % 8640 == 0:
            disk = max(disk, len(msgspec.msgpack.encode(ledger.dump())))
        if i % 53 == 0 or (outage and i % 7 == 0):
            for seconds in (*_WINDOWS, _PERIOD):
                edge = max(0, i - int(seconds / _STEP))
                if totals[i] == totals[edge]:
                    continue
                exact = (bads[i] - bads[edge]) / (totals[i] - totals[edge]) / _BUDGET
                found = ledger.window(seconds, now).burn_rate(1 - _BUDGET) or 0.0
                off = abs(found - exact)
                if seconds == _PERIOD:
                    budget_error = max(budget_error, off / exact if exact else 0.0)
                elif off > 0.1:
                    burn_error = max(burn_error, off / exact if exact else math.inf)
    return {
        "name": f"{rate:g} events/s over {days:g} days",
        "max_bytes": memory,
        "disk_bytes": disk,
        "worst_budget_error": budget_error,
        "worst_burn_error_over_0.1": burn_error,
    }


def _poisson(rng: random.Random, mean: float) -> int:
    if mean > 50:
        return max(0, round(rng.gauss(mean, math.sqrt(mean))))
    limit, n, product = math.exp(-mean), 0, rng.random()
    while product > limit:
        n += 1
        product *= rng.random()
    return n


if __name__ == "__main__":
    for row in run(float(sys.argv[1]) if len(sys.argv) > 1 else 40):
        print(row)
