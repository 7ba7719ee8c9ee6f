"""What a tick costs: nine windows and four rules, per SLO, each with a month of history.

`ingest` counts one sample of each of two counters, `tick` evaluates. The peer's figure is all of
Sloth's rules for one SLO; its own intake of samples is left out, in its favour. The tick alone is a
median; with the intake it is the mean, since ledgers are thinned now and then, all at once.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import fmean, median

from bench import history, rules
from bench.measure import Row
from bench.servers import here
from exporter.core.sample import Series

GOAL = 5e-6


def run(
    sizes: Sequence[int] = (20, 10_000), samples: int = 100_000, peer: bool = True
) -> list[Row]:
    """Seconds per SLO; `samples`: about so many SLO evaluations are measured for each size."""
    theirs = rules.seconds_per_evaluation() if peer and here("prometheus", "promtool") else None
    rows = []
    for size in sizes:
        tick, both = per_slo(size, max(10, min(2000, samples // size)))
        name = f"{size:,} SLOs, per SLO"
        rows += [
            Row(f"a tick of {name}", tick, "s", GOAL, rules.NAME, theirs),
            Row(f"a sample in and a tick, {name}", both, "s", None, rules.NAME, theirs),
        ]
    return rows


def per_slo(size: int, rounds: int) -> tuple[float, float]:
    """Seconds per SLO: of a tick, the median, and of ingest and tick together, the mean."""
    engine = history.engine(size)
    slos = tuple(account.slo for account in engine.accounts.values())
    series = [(Series(f"r{n}", "t", {}), Series(f"e{n}", "t", {})) for n in range(size)]
    tick, both = [], []
    now = history.month().end
    for i in range(rounds + 3):
        now += 10.0
        batch = history.batch(slos, series, now, history.counts(range(size), now % 1e7))
        begun = time.perf_counter()
        engine.ingest(batch)
        taken = time.perf_counter()
        engine.tick(now)
        ended = time.perf_counter()
        if i >= 3:  # The first samples of a new target are baselines.
            tick.append(ended - taken)
            both.append(ended - begun)
        engine.drain()
    return median(tick) / size, fmean(both) / size
