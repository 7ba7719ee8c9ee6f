"""What a tick costs: one sample in, nine windows and four rules evaluated, per SLO.

There is no peer in this run. Prometheus 2.42 was seen to need 44-52 ms of CPU per SLO and
evaluation for Sloth's rules, on another machine.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from exporter.config.duration import approximate
from exporter.config.load import parse
from exporter.core.engine import Engine
from exporter.core.sample import Batch, Reading, Series, Target
from exporter.core.slo import CounterSLI

_CONFIG = """
[source.app]
type = "scrape"
targets = ["http://127.0.0.1:1/metrics"]
interval = "10s"
"""
_SLO = """
[slo.s{n}]
objective = 99.9
sli = {{ bad = 'r{{slo="{n}",code="500"}}', total = 'r{{slo="{n}"}}' }}
"""
_TICKS = 200


def run() -> list[dict[str, Any]]:
    """Microseconds per SLO: ingest (one page with two series each), and the tick by itself."""
    return [_measure(slos) for slos in (20, 1_000)]


def _measure(slos: int) -> dict[str, Any]:
    config = parse(_CONFIG + "".join(_SLO.format(n=n) for n in range(slos)), "bench")
    engine = Engine(config.slos, (), approximate)
    good, bad = ([Series(f"{k}{n}", "t", {}) for n in range(slos)] for k in "gb")
    ingest, tick = [], []
    for i in range(1, _TICKS):
        now = 1.7e9 + 10.0 * i
        batch = Batch("app", now, True, targets={"t": Target()})
        for n, slo in enumerate(config.slos):
            assert isinstance(slo.sli, CounterSLI)
            assert slo.sli.bad is not None
            assert slo.sli.total is not None
            errors = Reading(bad[n], [(now, float(i // 7))])
            batch.readings[slo.sli.bad] = [errors]
            batch.readings[slo.sli.total] = [errors, Reading(good[n], [(now, 97.0 * i + i % 13)])]
        begun = time.perf_counter()
        engine.ingest(batch)
        taken = time.perf_counter()
        engine.tick(now)
        ingest.append(taken - begun)
        tick.append(time.perf_counter() - taken)
        engine.drain()
    return {
        "name": f"a sample and a tick with 9 windows and 4 rules, {slos} SLOs, per SLO",
        "ingest_us": median(ingest) / slos * 1e6,
        "tick_us": median(tick) / slos * 1e6,
    }


if __name__ == "__main__":
    for row in run():
        print(row)
