"""Replays many SLOs at once: each is one process's, and the processes share what is spooled."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children
from pathlib import Path

from exporter.backtest.replay import replay
from exporter.backtest.result import Backtest
from exporter.backtest.spool import Index, Spool, batches
from exporter.backtest.variant import Variant
from exporter.config.duration import approximate
from exporter.core.slo import SLO
from exporter.errors import SlodError


def every(
    slos: Sequence[tuple[SLO, Sequence[Variant]]],
    spool: Spool,
    significant: float,
    jobs: int,
    tell: Callable[[float], None],
) -> list[Backtest]:
    """All SLOs, in their order; `tell` hears how many of them are done, 0 to 1."""
    with ProcessPoolExecutor(max(1, min(jobs, len(slos))), initializer=_deaf) as pool:
        try:
            work = [
                pool.submit(one, slo, spool.path, spool.indexes[slo.name], variants, significant)
                for slo, variants in slos
            ]
            for done, future in enumerate(as_completed(work), 1):
                future.result()
                tell(done / len(slos))
            return [result for future in work for result in future.result()]
        except BrokenProcessPool:
            raise SlodError(
                "a process that replays was killed; if memory was short, use fewer --jobs"
            ) from None
        except BaseException:
            for child in active_children():
                child.terminate()
            pool.shutdown(cancel_futures=True)
            raise


def _deaf() -> None:
    """Ctrl-C goes to all processes of a terminal, and the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def one(
    slo: SLO, path: Path, index: Index, variants: Sequence[Variant], significant: float
) -> list[Backtest]:
    """Replay what is spooled of an SLO; see `replay`."""
    found = batches(path, index)
    return replay(slo, found, variants, significant=significant, show=approximate)
