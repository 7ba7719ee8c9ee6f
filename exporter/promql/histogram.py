"""`histogram_quantile` over classic buckets.

Source: Prometheus documentation, "Functions", histogram_quantile; the linear interpolation inside a
bucket is Prometheus' own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from exporter.core.selector import NAME
from exporter.promql.arithmetic import divide
from exporter.promql.column import Column, Numbers, rows, unique
from exporter.promql.meter import Meter, key_bytes

Buckets = list[tuple[float, float]]
"""Upper bounds and cumulative counts, ascending."""


def quantiles(shares: Numbers, columns: Sequence[Column], meter: Meter) -> list[Column]:
    """One series for each histogram; series without a bound are none."""
    groups: dict[tuple[tuple[str, str], ...], list[tuple[float, Column]]] = {}
    for column in columns:
        meter.take(key_bytes(column.labels))
        try:
            bound = float(column.labels["le"].replace("Inf", "inf"))
        except (KeyError, ValueError):
            continue
        own = sorted((k, v) for k, v in column.labels.items() if k not in ("le", NAME))
        groups.setdefault(tuple(own), []).append((bound, column))

    def computed() -> Iterator[Column]:
        for labels, buckets in groups.items():
            own = dict(labels)
            meter.series(own, len(shares))
            buckets.sort(key=lambda bucket: bucket[0])
            bounds = [bound for bound, _ in buckets]
            counts = zip(shares, rows([column for _, column in buckets], meter), strict=True)
            yield Column(own, [_quantile(share, bounds, at) for share, at in counts])

    return unique(computed(), meter)


def _quantile(share: float, bounds: Sequence[float], at: Sequence[float | None]) -> float | None:
    known = [(b, c) for b, c in zip(bounds, at, strict=True) if c is not None]
    if not known:
        return None
    if math.isnan(share):
        return math.nan
    if not 0 <= share <= 1:
        return math.copysign(math.inf, share)
    buckets = _monotonic(_merged(known))
    if buckets[-1][0] != math.inf or len(buckets) < 2:
        return math.nan
    observations = buckets[-1][1]
    if observations == 0 or math.isnan(observations):
        return math.nan
    rank = share * observations
    k = next((k for k, (_, count) in enumerate(buckets[:-1]) if count >= rank), len(buckets) - 1)
    if k == len(buckets) - 1:
        return buckets[-2][0]
    end, count = buckets[k]
    if k == 0:
        if end <= 0:
            return end
        return end * divide(rank, count)
    start, before = buckets[k - 1]
    return start + (end - start) * ((rank - before) / (count - before))


def _merged(buckets: Buckets) -> Buckets:
    """The same bound twice, written in two ways, is one bucket."""
    out = buckets[:1]
    for (last, _), (bound, count) in pairwise(buckets):
        if bound == last:
            out[-1] = (bound, out[-1][1] + count)
        else:
            out.append((bound, count))
    return out


def _monotonic(buckets: Buckets) -> Buckets:
    """Counts that fall by a rounding error are what they were."""
    out, most = [], -math.inf
    for bound, count in buckets:
        most = max(most, count)
        out.append((bound, most))
    return out
