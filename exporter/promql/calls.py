"""Functions that need more than one sample or one window: each gets the evaluation, its arguments
and the moments."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from exporter.core.selector import NAME
from exporter.promql import histogram, over_time, relabel
from exporter.promql.column import Column, Numbers, Windows, nameless, unique
from exporter.promql.columns import InstantColumn
from exporter.promql.functions import clamped, rounded
from exporter.promql.nodes import Node, Select, Subquery


class Evaluates(Protocol):
    """The evaluation at work; see `evaluate`."""

    def scalar(self, node: Node, moments: Sequence[int]) -> Numbers:
        """A number for each moment."""
        ...

    def vector(self, node: Node, moments: Sequence[int]) -> list[Column]:
        """Series with a value, or none, for each moment."""
        ...

    def matrix(self, node: Node, moments: Sequence[int]) -> list[Windows]:
        """Series with a window of samples for each moment."""
        ...

    def text(self, node: Node) -> str:
        """A string."""
        ...

    def instants(self, node: Select) -> Sequence[InstantColumn]:
        """What an instant selector was answered."""
        ...


Args = Sequence[Node]


def _vector(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    return [Column({}, of.scalar(args[0], moments))]


def _timestamp(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    node = args[0]
    if isinstance(node, Select):
        columns = [
            Column(
                nameless(c.labels),
                [None if v is None else t for v, t in zip(c.values, c.times, strict=True)],
            )
            for c in of.instants(node)
        ]
        if node.at is not None:
            columns = [Column(c.labels, [*c.values] * len(moments)) for c in columns]
        return unique(columns)
    return unique(
        Column(
            nameless(c.labels),
            [None if v is None else at / 1000 for v, at in zip(c.values, moments, strict=True)],
        )
        for c in of.vector(node, moments)
    )


def _absent(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    columns = of.vector(args[0], moments)
    there = [
        any(v is not None for v in at) for at in zip(*(c.values for c in columns), strict=True)
    ]
    return _where_not(there or [False] * len(moments), args[0])


def _absent_over_time(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    windows = of.matrix(args[0], moments)
    there = [any(a < b for a, b in at) for at in zip(*(w.spans for w in windows), strict=True)]
    return _where_not(there or [False] * len(moments), args[0])


def _where_not(there: Sequence[bool], node: Node) -> list[Column]:
    """1 where nothing is, with the labels that would have been."""
    labels: dict[str, str] = {}
    if isinstance(node, Select):
        # As Prometheus does it: whatever else is asked of a label takes it away again.
        for m in node.matchers:
            if m.op == "=" and m.label not in labels:
                labels[m.label] = m.value
            else:
                labels.pop(m.label, None)
        labels = {k: v for k, v in labels.items() if v and k != NAME}
    return [Column(labels, [None if is_there else 1.0 for is_there in there])]


def _clamp(of: Evaluates, args: Args, moments: Sequence[int], *, by: str) -> list[Column]:
    columns = of.vector(args[0], moments)
    bounds = [of.scalar(arg, moments) for arg in args[1:]]
    low = [-math.inf] * len(moments) if by == "max" else bounds[0]
    high = [math.inf] * len(moments) if by == "min" else bounds[-1]
    return unique(
        Column(
            nameless(c.labels),
            [
                None if v is None or (by == "both" and a > b) else clamped(v, a, b)
                for v, a, b in zip(c.values, low, high, strict=True)
            ],
        )
        for c in columns
    )


def _round(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    columns = of.vector(args[0], moments)
    nearest = of.scalar(args[1], moments) if len(args) > 1 else [1.0] * len(moments)
    return unique(
        Column(
            nameless(c.labels),
            [
                None if v is None else rounded(v, to)
                for v, to in zip(c.values, nearest, strict=True)
            ],
        )
        for c in columns
    )


def _sort(of: Evaluates, args: Args, moments: Sequence[int], *, falling: bool) -> list[Column]:
    """By the last value, the only one of an instant query; what is no number comes last."""
    columns = of.vector(args[0], moments)

    def place(column: Column) -> tuple[bool, float]:
        value = column.values[-1]
        if value is None or math.isnan(value):
            return True, 0.0
        return False, -value if falling else value

    return sorted(columns, key=place) if moments else columns


def _changed(
    of: Evaluates, args: Args, moments: Sequence[int], *, counter: bool, rate: bool
) -> list[Column]:
    node = args[0]
    assert isinstance(node, Select | Subquery)  # the parser saw to it
    return unique(
        Column(
            nameless(w.labels),
            over_time.extrapolated(w, node.range, counter=counter, rate=rate),
        )
        for w in of.matrix(node, moments)
    )


def _predict_linear(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    windows, ahead = of.matrix(args[0], moments), of.scalar(args[1], moments)
    return unique(
        Column(nameless(w.labels), over_time.predict_linear(w, moments, ahead)) for w in windows
    )


def _quantile_over_time(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    shares, windows = of.scalar(args[0], moments), of.matrix(args[1], moments)
    return unique(
        Column(nameless(w.labels), over_time.quantile_over_time(w, shares)) for w in windows
    )


def _histogram_quantile(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    shares, columns = of.scalar(args[0], moments), of.vector(args[1], moments)
    return histogram.quantiles(shares, columns)


def _label_replace(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    to, by, source, regex = (of.text(arg) for arg in args[1:])
    return relabel.replace(of.vector(args[0], moments), to, by, source, regex)


def _label_join(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    to, by, *sources = (of.text(arg) for arg in args[1:])
    return relabel.join(of.vector(args[0], moments), to, by, sources)


CALLS: dict[str, Callable[[Evaluates, Args, Sequence[int]], list[Column]]] = {
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "clamp": partial(_clamp, by="both"),
    "clamp_max": partial(_clamp, by="max"),
    "clamp_min": partial(_clamp, by="min"),
    "delta": partial(_changed, counter=False, rate=False),
    "histogram_quantile": _histogram_quantile,
    "increase": partial(_changed, counter=True, rate=False),
    "label_join": _label_join,
    "label_replace": _label_replace,
    "predict_linear": _predict_linear,
    "quantile_over_time": _quantile_over_time,
    "rate": partial(_changed, counter=True, rate=True),
    "round": _round,
    "sort": partial(_sort, falling=False),
    "sort_desc": partial(_sort, falling=True),
    "timestamp": _timestamp,
    "vector": _vector,
}
