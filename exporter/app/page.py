"""What stands on the metrics page: the SLOs, what compatibility asks for, slod about itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from exporter.core.status import Snapshot
from exporter.formats import sloth_metrics
from exporter.series.slo import FAMILIES
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


def unread(families: Iterable[Family]) -> Iterator[tuple[str, float]]:
    """Lines and values of what no ledger knows."""
    for family in families:
        if family.name not in FAMILIES and not family.name.startswith(sloth_metrics.PREFIXES):
            for rest, value in zip(family.rests, family.values, strict=True):
                yield family.name + rest, value


def about(families: Iterable[Family]) -> Iterator[tuple[str, str, str]]:
    """Name, type and help of what has samples."""
    for family in families:
        if family.rests:
            name = family.name + ("_total" if family.type == "counter" else "")
            yield name, family.type, family.help
    yield "ALERTS", "gauge", "1 while the alert fires."
    yield "ALERTS_FOR_STATE", "gauge", "Since when the alert fires, in unix seconds."
