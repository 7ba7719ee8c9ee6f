"""What stands on the metrics page: the SLOs, what compatibility asks for, slod about itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from exporter.core.status import Snapshot
from exporter.formats import sloth_metrics
from exporter.web.exposition import Family
from exporter.web.self_metrics import SelfMetrics
from exporter.web.slo_metrics import SLOMetrics


def page(compat: Sequence[str]) -> Callable[[Snapshot, SelfMetrics], list[Family]]:
    """The function that makes the page's families; it keeps what it learnt between two pages."""
    slos = SLOMetrics()

    def families(snapshot: Snapshot, metrics: SelfMetrics) -> list[Family]:
        out = slos.families(snapshot)
        if "sloth" in compat:
            out += [Family.of(*row) for row in sloth_metrics.rows(snapshot)]
        return out + metrics.families()

    return families
