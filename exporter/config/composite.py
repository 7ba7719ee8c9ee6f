"""`sli = { all = ["checkout-*"], weights = { checkout-pay = 3 } }`: an SLO made of other SLOs."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Any

from exporter.config.findings import Findings, nearest
from exporter.config.lines import Path
from exporter.core.slo import SLO, CompositeSLI


def is_composite(raw: Any) -> bool:
    """Whether this table of an SLO means to be one."""
    return isinstance(raw, dict) and isinstance(raw.get("sli"), dict) and "all" in raw["sli"]


def read_composite(
    patterns: Collection[str],
    weights: Mapping[str, float],
    others: Mapping[str, SLO | None],
    path: Path,
    findings: Findings,
) -> CompositeSLI | None:
    """`others`: the SLOs that have an indicator of their own; None for one that is faulty. The
    first pattern of `weights` that means an SLO says what its events weigh; 1 if none does."""
    found: dict[str, float] = {}
    for i, pattern in enumerate(patterns):
        meant = [name for name in others if fnmatchcase(name, pattern)]
        if not meant:
            hint = nearest(pattern, others)
            findings.error(
                (*path, "all", i), f"{pattern!r} means no SLO with an indicator of its own{hint}"
            )
        found.update(dict.fromkeys(meant, 1.0))
    if not patterns:
        findings.error((*path, "all"), "is empty; name SLOs, or patterns like 'checkout-*'")
    for pattern, weight in reversed(list(weights.items())):
        where = (*path, "weights", pattern)
        meant = [name for name in found if fnmatchcase(name, pattern)]
        if not meant:
            findings.error(where, f"means none of its SLOs{nearest(pattern, found)}")
        if not 0 < weight < math.inf:
            findings.error(where, f"must be above 0, not {weight:g}")
        found.update(dict.fromkeys(meant, weight))
    if any(others[name] is None for name in found) or not found:
        return None
    return CompositeSLI(tuple(found.items()))
