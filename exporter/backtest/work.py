"""One SLO's backtest, as a process of its own does it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from exporter.backtest.replay import replay
from exporter.backtest.result import Backtest
from exporter.backtest.spool import Index, batches
from exporter.backtest.variant import Variant
from exporter.config.duration import approximate
from exporter.core.slo import SLO


def one(
    slo: SLO, path: Path, index: Index, variants: Sequence[Variant], significant: float
) -> list[Backtest]:
    """Replay what is spooled of an SLO; see `replay`."""
    found = batches(path, index)
    return replay(slo, found, variants, significant=significant, show=approximate)
