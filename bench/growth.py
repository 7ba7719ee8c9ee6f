"""How cost grows: a tick and memory with the number of SLOs, a round with that of targets.

Measured by the same code as the rows; drawn in docs/growth.svg.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import history, targets, tick
from bench.crowd import addresses
from bench.measure import resident
from bench.plot import Panel
from bench.servers import site, slod

Curve = list[tuple[float, float]]

PANELS = {
    "tick": Panel("A tick, per SLO", "SLOs", "µs of CPU"),
    "memory": Panel("Memory of the daemon (RSS)", "SLOs", "MiB"),
    "round": Panel("A round of scrapes", "targets", "ms of CPU"),
}
_BLOCK = 100
"""SLOs that share a page."""


def run(
    slos: Sequence[int] = (20, 100, 1000, 10_000),
    pages: Sequence[int] = (1, 10, 1000),
    evaluations: int = 20_000,
    scrapes: int = 50,
) -> dict[str, Curve]:
    """By panel, what was measured: at least so many evaluations, and so many scrapes."""
    found: dict[str, Curve] = {name: [] for name in PANELS}
    for size in slos:
        seconds, _ = tick.per_slo(size, max(5, min(500, evaluations // size)))
        found["tick"].append((size, seconds * 1e6))
        found["memory"].append((size, _memory(size) / 2**20))
    with targets.crowd() as port:
        for size in pages:
            # Few targets are asked more often, so that the clock has something to show.
            rounds = max(1, scrapes // size)
            seconds = targets.ours_per_round(
                addresses(size, port), 3.0 if size > 100 else 0.1, rounds
            )
            found["round"].append((size, seconds * 1e3))
    return found


def _memory(slos: int) -> int:
    """Bytes of a daemon with so many SLOs of a month, after its first polls."""
    begin = time.time() - 3600

    def page(path: str) -> bytes:
        return history.page(slos, time.time() - begin, path, _BLOCK)

    with tempfile.TemporaryDirectory() as name, site(page) as target:
        folder = Path(name)
        made = history.engine(slos, block=_BLOCK)
        history.save(made, f"{folder}/slod.db", lambda: None, 0)
        del made
        with slod(folder, history.config(slos, target, block=_BLOCK)) as (process, _):
            return resident(process.pid)
