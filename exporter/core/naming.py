"""The labels that every metric of an SLO instance carries."""

from __future__ import annotations

from collections.abc import Mapping

from exporter.core.slo import SLO

_RESERVED = frozenset(
    {"slo", "service", "result", "window", "severity", "long_window", "short_window", "state"}
)


def own_labels(slo: SLO, extra: Mapping[str, str]) -> dict[str, str]:
    """The labels all metrics of an instance share; an own label whose name the metrics need for
    themselves becomes `exported_NAME`, as Prometheus does it."""
    return {
        "slo": slo.name,
        "service": slo.service,
        **{(f"exported_{k}" if k in _RESERVED else k): v for k, v in extra.items()},
    }
