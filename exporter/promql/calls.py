"""Functions that need more than one sample or one window: each gets the evaluation, its arguments
and the moments."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Protocol

from exporter.core.selector import NAME
from exporter.promql import histogram, over_time, relabel
from exporter.promql.column import Column, Numbers, Values, Windows, nameless, unique, where_any
from exporter.promql.columns import InstantColumn
from exporter.promql.functions import clamped, rounded
from exporter.promql.meter import Meter
from exporter.promql.nodes import Node, Select, Subquery


class Evaluates(Protocol):
    """The evaluation at work; see `evaluate`."""

    meter: Meter

    def scalar(self, node: Node, moments: Sequence[int]) -> Numbers:
        """A number for each moment."""
        ...

    def vector(self, node: Node, moments: Sequence[int]) -> list[Column]:
        """Series with a value, or none, for each moment."""
        ...

    def matrix(self, node: Node, moments: Sequence[int]) -> Iterable[Windows]:
        """Series with a window of samples for each moment."""
        ...

    def windowed(
        self,
        node: Node,
        moments: Sequence[int],
        of: Callable[[Windows], Values],
        *,
        keeps: bool = False,
    ) -> list[Column]:
        """What a function gives for the windows of each series."""
        ...

    def text(self, node: Node) -> str:
        """A string."""
        ...

    def instants(self, node: Select) -> Sequence[InstantColumn]:
        """Series that an instant selector was answered."""
        ...


Args = Sequence[Node]


def _vector(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    return [Column({}, of.scalar(args[0], moments))]


def _timestamp(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    node = args[0]
    if isinstance(node, Select):
        # One value alone where `@` fixes it.
        fixed = 1 if node.at is None else len(moments)

        def times() -> Iterator[Column]:
            for c in of.instants(node):
                of.meter.series(c.labels, len(moments))
                pairs = zip(c.values, c.times, strict=True)
                values = [None if v is None else t for v, t in pairs]
                yield Column(nameless(c.labels), values * fixed)

        return unique(times(), of.meter)
    stamps = [at / 1000 for at in moments]
    return _mapped(of, of.vector(node, moments), lambda _, at: at, stamps)


def _mapped(
    of: Evaluates,
    columns: Sequence[Column],
    function: Callable[..., float | None],
    *others: Numbers,
) -> list[Column]:
    """A function of each value and of the numbers beside it at its moment."""

    def computed() -> Iterator[Column]:
        for labels, values in columns:
            of.meter.series(labels, len(values))
            rows = zip(values, *others, strict=True)
            yield Column(
                nameless(labels),
                [None if value is None else function(value, *rest) for value, *rest in rows],
            )

    return unique(computed(), of.meter)


def _absent(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    columns = of.vector(args[0], moments)
    return _where_not(of, where_any(columns, of.meter, len(moments)), args[0])


def _absent_over_time(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    of.meter.take(len(moments))
    there = bytearray(len(moments))
    for window in of.matrix(args[0], moments):
        for k, (low, high) in enumerate(window.spans):
            there[k] |= low < high
    return _where_not(of, there, args[0])


def _where_not(of: Evaluates, there: bytearray, node: Node) -> list[Column]:
    """1 where nothing is, with the labels that would have been."""
    of.meter.values(len(there))
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

    def inside(value: float, low: float, high: float) -> float | None:
        return None if by == "both" and low > high else clamped(value, low, high)

    return _mapped(of, columns, inside, low, high)


def _round(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    columns = of.vector(args[0], moments)
    nearest = of.scalar(args[1], moments) if len(args) > 1 else [1.0] * len(moments)
    return _mapped(of, columns, rounded, nearest)


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
    extrapolated = partial(over_time.extrapolated, length=node.range, counter=counter, rate=rate)
    return of.windowed(node, moments, extrapolated)


def _predict_linear(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    ahead = of.scalar(args[1], moments)
    predicted = partial(over_time.predict_linear, moments=moments, ahead=ahead)
    return of.windowed(args[0], moments, predicted)


def _quantile_over_time(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    shares = of.scalar(args[0], moments)
    return of.windowed(args[1], moments, partial(over_time.quantile_over_time, shares=shares))


def _histogram_quantile(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    shares, columns = of.scalar(args[0], moments), of.vector(args[1], moments)
    return histogram.quantiles(shares, columns, of.meter)


def _label_replace(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    to, by, source, regex = (of.text(arg) for arg in args[1:])
    return relabel.replace(of.vector(args[0], moments), to, by, source, regex, of.meter)


def _label_join(of: Evaluates, args: Args, moments: Sequence[int]) -> list[Column]:
    to, by, *sources = (of.text(arg) for arg in args[1:])
    return relabel.join(of.vector(args[0], moments), to, by, sources, of.meter)


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
