"""From the start of the process to the first correct page, with 1,000 SLOs of a month.

Correct: the page has the remaining budget of each SLO, and it is what the engine said before. The
state file is as a killed daemon leaves it, with the journal of its last saves still to be replayed.
The peer's figure was seen on another machine, with a month of one service's recorded ratios.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from pathlib import Path
from statistics import median

from bench import history
from bench.measure import Row
from bench.servers import child, get, site, slod_command, until
from exporter.core.engine import Engine
from exporter.core.sample import Batch, Target
from exporter.core.selector import Selector
from exporter.sources.base import wanted
from exporter.sources.exposition import PageReader

_SAVES = 64
_BUDGET = re.compile(rb'^slo_error_budget_remaining_ratio\{slo="(\w+)".*\} (\S+)$', re.M)


def run(slos: int = 1000, times: int = 3, saves: int = _SAVES) -> list[Row]:
    """Seconds, median; `saves`: since the last one of which the journal goes back."""
    begin = time.time() - 3600
    with (
        tempfile.TemporaryDirectory() as name,
        site(lambda _: history.page(slos, time.time() - begin)) as target,
    ):
        folder = Path(name)
        expected = prepare(folder, slos, target, begin, saves)
        kept = folder / "kept.db"
        shutil.copy(folder / "slod.db", kept)
        taken = []
        for _ in range(times):
            for old in folder.glob("slod.db*"):
                old.unlink()
            shutil.copy(kept, folder / "slod.db")
            taken.append(_start(folder, history.config(slos, target), expected))
    label = f"from start to the first correct page, {slos:,} SLOs"
    return [Row(label, median(taken), "s", 0.5, "Prometheus 2.42", 1.1, cited=True)]


def prepare(
    folder: Path, slos: int, target: str, begin: float, saves: int = _SAVES
) -> dict[str, float]:
    """Write the state file; the budget that is left, by SLO."""
    engine = history.engine(slos)
    wants = [want for want in wanted(engine.asks("app0")) if isinstance(want, Selector)]
    url = f"http://{target}/0"
    reader = PageReader(wants, url, {"instance": target}, max_series=10**6)
    clock = iter(range(saves + 1))
    end = time.time()

    def feed() -> None:
        at = end - (saves - next(clock)) * 10.0
        _feed(engine, reader, url, history.page(slos, at - begin), at)

    history.save(engine, f"{folder}/slod.db", feed, saves)
    return {
        status.slo.name: status.budget_remaining
        for status in engine.status(end).slos
        if status.budget_remaining is not None
    }


def _feed(engine: Engine, reader: PageReader, url: str, body: bytes, at: float) -> None:
    page = reader.read(body, "text/plain", at)
    batch = Batch(
        "app0", at, True, targets={url: Target(starts=[(at, page.started)] if page.started else ())}
    )
    batch.readings.update(page.readings.items())
    engine.ingest(batch)
    engine.tick(at)


def _start(folder: Path, config: str, expected: dict[str, float]) -> float:
    command, url = slod_command(folder, config)
    begun = time.perf_counter()
    with child(command, folder / "slod.log"):

        def correct() -> bool:
            body = get(f"{url}/metrics")
            if body is None:
                return False
            found = {name.decode(): float(value) for name, value in _BUDGET.findall(body)}
            # Some seconds have passed, and the window has moved on by them.
            return found.keys() == expected.keys() and all(
                abs(found[name] - expected[name]) < 1e-3 for name in expected
            )

        until(correct, f"the page is correct, see {folder}/slod.log", pause=0.002)
        return time.perf_counter() - begun
