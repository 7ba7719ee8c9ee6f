"""Aggregations: many series of a vector become one for each group, or the few best of each.

Source: Prometheus documentation, "Operators", aggregation operators.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from exporter.core.selector import NAME
from exporter.promql.column import Column, Numbers, Sparse, Values, rows
from exporter.promql.errors import Failed
from exporter.promql.meter import PLACE, VALUE, Meter, key_bytes, series_bytes
from exporter.promql.relabel import check_label

Statistic = Callable[[Sequence[float]], float]


def total(values: Sequence[float]) -> float:
    """The sum, without rounding errors that add up."""
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):
        # Infinities of both signs, or what only overflows in between.
        return sum(values)


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    found = total(values) / len(values)
    if math.isinf(found) and all(map(math.isfinite, values)):
        # The sum is too large, the mean cannot be.
        return total([v / len(values) for v in values])
    return found


def lowest(values: Sequence[float]) -> float:
    """The smallest; what is not a number counts only where nothing else is."""
    found = min(values)
    # Only one that stands first is kept by comparisons.
    return found if not math.isnan(found) else min(_numbers(values), default=found)


def highest(values: Sequence[float]) -> float:
    """The largest; as `lowest`."""
    found = max(values)
    return found if not math.isnan(found) else max(_numbers(values), default=found)


def _numbers(values: Sequence[float]) -> Iterator[float]:
    return (v for v in values if not math.isnan(v))


def variance(values: Sequence[float]) -> float:
    """The population's variance; exactly 0 where all are the same."""
    # Seen from the first one, so that no rounding of the mean is taken for a difference.
    apart = [v - values[0] for v in values]
    middle = mean(apart)
    return mean([(v - middle) * (v - middle) for v in apart])


def deviation(values: Sequence[float]) -> float:
    """The population's standard deviation."""
    return math.sqrt(variance(values))


def quantile(share: float, values: Sequence[float]) -> float:
    """The value below which a share of them lies, interpolated between two of them."""
    if not values or math.isnan(share):
        return math.nan
    if share < 0:
        return -math.inf
    if share > 1:
        return math.inf
    ordered = sorted(values, key=lambda v: (not math.isnan(v), v))
    rank = share * (len(ordered) - 1)
    low = max(0, math.floor(rank))
    high = min(len(ordered) - 1, low + 1)
    weight = rank - math.floor(rank)
    return ordered[low] * (1 - weight) + ordered[high] * weight


STATISTICS: dict[str, Statistic] = {
    "sum": total,
    "avg": mean,
    "min": lowest,
    "max": highest,
    "count": lambda values: float(len(values)),
    "group": lambda _: 1.0,
    "stddev": deviation,
    "stdvar": variance,
}
BEST = frozenset({"topk", "bottomk"})
OPERATORS = frozenset(STATISTICS) | BEST | {"quantile", "count_values"}


def grouped(
    columns: Iterable[Column], labels: Sequence[str], meter: Meter, *, without: bool
) -> list[tuple[Mapping[str, str], list[Column]]]:
    """The groups with the labels that they have in common."""
    chosen = set(labels)
    out = chosen | {NAME}
    found: dict[tuple[tuple[str, str], ...], tuple[Mapping[str, str], list[Column]]] = {}
    for column in meter.each(columns):
        if without:
            own = {k: v for k, v in column.labels.items() if k not in out and v}
        else:
            own = {k: v for k, v in column.labels.items() if k in chosen and v}
        at = tuple(sorted(own.items()))
        meter.take(PLACE if at in found else series_bytes(own) + key_bytes(own))
        found.setdefault(at, (own, []))[1].append(column)
    return list(found.values())


def statistic(of: Statistic, columns: Sequence[Column], meter: Meter) -> Values:
    """One number of all series of a group, by moment."""
    return [
        of(there) if (there := [v for v in at if v is not None]) else None
        for at in rows(columns, meter)
    ]


def quantiles(shares: Numbers, columns: Sequence[Column], meter: Meter) -> Values:
    """The quantile of a group, by moment."""
    return [
        quantile(share, there) if (there := [v for v in at if v is not None]) else None
        for share, at in zip(shares, rows(columns, meter), strict=True)
    ]


def check_many(many: Numbers) -> None:
    """Whether each is a count of series."""
    for value in many:
        if math.isnan(value):
            raise Failed("Parameter value is NaN")
        if abs(value) >= 2**63:
            raise Failed(f"Scalar value {number(value)} overflows int64")


def best(op: str, many: Numbers, columns: Sequence[Column], meter: Meter) -> list[Column]:
    """The series of a group whose values are the `many` largest or smallest, by moment; the best
    one first, as it is at the last moment."""
    sign = -1.0 if op == "topk" else 1.0
    size = len(columns[0].values)
    kept: dict[int, Sparse] = {}
    order: list[int] = []
    for moment, at in enumerate(rows(columns, meter)):
        there = [(math.isnan(v), sign * v, k) for k, v in enumerate(at) if v is not None]
        order = [k for _, _, k in sorted(there)[: max(0, int(many[moment]))]]
        for k in order:
            if k not in kept:
                meter.take(series_bytes(columns[k].labels) + Sparse(size).bytes)
                kept[k] = Sparse(size)
            value = at[k]
            assert value is not None  # else it would not be in order
            kept[k].add(moment, value)
        meter.take(VALUE * len(order))
    last = set(order)
    rest = [k for k in kept if k not in last]
    return [Column(columns[k].labels, kept[k]) for k in (*order, *sorted(rest))]


def counted(
    label: str, labels: Mapping[str, str], columns: Sequence[Column], meter: Meter
) -> list[Column]:
    """How many series of a group have each value, which becomes a label."""
    check_label(label)
    size = len(columns[0].values)
    found: dict[str, Sparse] = {}
    for moment, at in enumerate(rows(columns, meter)):
        for value in at:
            if value is not None:
                text = number(value)
                if text not in found:
                    meter.text(len(text))
                    meter.take(series_bytes(labels) + Sparse(size).bytes)
                    found[text] = Sparse(size)
                found[text].increment(moment)
        meter.take(VALUE * len(at))
    return [Column({**labels, label: text}, counts) for text, counts in found.items()]


def number(value: float) -> str:
    """A number as Go's shortest decimal form without exponent writes it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "-0" if math.copysign(1.0, value) < 0 else "0"
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    from decimal import Decimal

    return f"{Decimal(text):f}"
