"""Computes a query column by column: every expression gives, for each series, a value for each
moment at once.

Source: Prometheus documentation, "Querying"; ranges and lookback are open on the left, as in
Prometheus 3.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence

from exporter.promql import aggregate, arithmetic, binary, over_time
from exporter.promql.calls import CALLS
from exporter.promql.column import (
    Column,
    Numbers,
    Values,
    Windows,
    columns_bytes,
    filled,
    nameless,
    present,
    unique,
)
from exporter.promql.columns import InstantColumn, RangeColumn
from exporter.promql.functions import DATES, MATHEMATICS
from exporter.promql.meter import PLACE, VALUE, Meter
from exporter.promql.nodes import (
    Aggregate,
    Binary,
    Call,
    Negate,
    Node,
    Number,
    Select,
    Subquery,
    Text,
    kind,
)
from exporter.promql.plan import Range, milli, shifted, steps

_SAMPLE = 5 * VALUE
"""Bytes of a sample while the windows that it lies in are computed: its time in milliseconds, and a
list or two of what a window's function works with."""

Columns = Sequence[InstantColumn] | Sequence[RangeColumn]


class Evaluation:
    """One query at work.

    Args:
        columns: by selector, the series that it was answered.
        meter: bytes and time of the query; raises where there are no more of them.
    """

    def __init__(self, of: Range, columns: Mapping[Select, Columns], meter: Meter) -> None:
        self._of = of
        self._columns = columns
        self.meter = meter
        all_ = [column for answered in columns.values() for column in answered]
        self._read = frozenset(id(part) for column in all_ for part in column)

    # --- by what comes out ----------------------------------------------------------------------

    def scalar(self, node: Node, moments: Sequence[int]) -> Numbers:
        """A number for each moment."""
        mark, size = self.meter.mark, VALUE * len(moments)
        self.meter.take(size)
        found = self._scalar(node, moments)
        self.meter.settle(mark, size)
        return found

    def vector(self, node: Node, moments: Sequence[int]) -> list[Column]:
        """Series with a value at any moment: for each, its value or None."""
        mark = self.meter.mark
        self.meter.check()
        found = filled(self._vector(node, moments), self.meter)
        # What the node was made of is garbage by now.
        self.meter.settle(mark, columns_bytes(found, self._read))
        return found

    def matrix(self, node: Node, moments: Sequence[int]) -> Iterator[Windows]:
        """Series with a window of samples for each moment, made one after the other: no two are
        held at a time."""
        meter = self.meter
        assert isinstance(node, Select | Subquery)  # the parser saw to it
        meter.take(2 * VALUE * len(moments))
        ends = shifted(node, moments, self._of)
        at_each = self._each(ends, moments)
        length = milli(node.range)
        for labels, times, values in self._samples(node, moments):
            with meter.scratch(2 * PLACE * len(moments)):
                lows = array("l", (bisect_right(times, at - length) for at in ends))
                highs = array("l", (bisect_right(times, at) for at in ends))
                if node.at is not None:
                    lows, highs = lows * len(moments), highs * len(moments)
                yield Windows(labels, times, values, lows, highs, at_each, meter)

    def _samples(
        self, node: Select | Subquery, moments: Sequence[int]
    ) -> Iterator[tuple[Mapping[str, str], Sequence[int], Sequence[float]]]:
        if isinstance(node, Select):
            for c in self._ranges(node):
                with self.meter.scratch(_SAMPLE * len(c.times)):
                    yield c.labels, [round(at * 1000) for at in c.times], c.values
            return
        inside = steps(node, moments, self._of, self.meter)
        for labels, values in self.vector(node.of, inside):
            with self.meter.scratch(_SAMPLE * sum(1 for _ in present(values))):
                times = [inside[k] for k, _ in present(values)]
                yield labels, times, [v for _, v in present(values)]

    @staticmethod
    def text(node: Node) -> str:
        """A string."""
        assert isinstance(node, Text)  # the parser saw to it
        return node.value

    # --- scalars and vectors --------------------------------------------------------------------

    def _scalar(self, node: Node, moments: Sequence[int]) -> Numbers:
        match node:
            case Number():
                return [node.value] * len(moments)
            case Negate():
                return [-v for v in self.scalar(node.of, moments)]
            case Binary():
                left, right = self.scalar(node.left, moments), self.scalar(node.right, moments)
                return binary.scalars(node, left, right)
            case Call("time"):
                return [at / 1000 for at in moments]
            case Call("pi"):
                return [math.pi] * len(moments)
            case Call("scalar"):
                return self._only(self.vector(node.args[0], moments), len(moments))
        raise AssertionError(f"no scalar: {node}")

    def _only(self, columns: Sequence[Column], size: int) -> Numbers:
        """The value of the only series there is, at each moment; not a number without one."""
        if len(columns) == 1:
            return [math.nan if v is None else v for v in columns[0].values]
        many = bytearray(size)
        found = [math.nan] * size
        for column in self.meter.each(columns):
            for place, value in present(column.values):
                found[place] = math.nan if many[place] else value
                many[place] = 1
        return found

    def _vector(self, node: Node, moments: Sequence[int]) -> list[Column]:
        match node:
            case Select():
                return self._select(node, moments)
            case Negate():
                return self._each_value(self.vector(node.of, moments), lambda v: -v)
            case Aggregate():
                return self._aggregate(node, moments)
            case Binary():
                return self._binary(node, moments)
            case Call():
                return self._call(node, moments)
        raise AssertionError(f"no vector: {node}")

    def _select(self, node: Select, moments: Sequence[int]) -> list[Column]:
        out = []
        for c in self.instants(node):
            if node.at is None:
                out.append(Column(c.labels, c.values))
            else:
                # The one value that `@` fixes, for every moment.
                self.meter.values(len(moments))
                out.append(Column(c.labels, [c.values[0]] * len(moments)))
        return out

    def instants(self, node: Select) -> Sequence[InstantColumn]:
        """Series that an instant selector was answered."""
        return [c for c in self._columns[node] if isinstance(c, InstantColumn)]

    def _ranges(self, node: Select) -> Sequence[RangeColumn]:
        return [c for c in self._columns[node] if isinstance(c, RangeColumn)]

    @staticmethod
    def _each(ends: Sequence[int], moments: Sequence[int]) -> Sequence[int]:
        return ends if len(ends) == len(moments) else [*ends] * len(moments)

    def _each_value(self, columns: Sequence[Column], of: Callable[[float], float]) -> list[Column]:
        def computed() -> Iterator[Column]:
            for labels, values in columns:
                self.meter.series(labels, len(values))
                yield Column(nameless(labels), [None if v is None else of(v) for v in values])

        return unique(computed(), self.meter)

    def _binary(self, node: Binary, moments: Sequence[int]) -> list[Column]:
        if kind(node.left) == "scalar":
            scalar, right = self.scalar(node.left, moments), self.vector(node.right, moments)
            return binary.with_scalar(node, right, scalar, self.meter, vector_left=False)
        if kind(node.right) == "scalar":
            left, scalar = self.vector(node.left, moments), self.scalar(node.right, moments)
            return binary.with_scalar(node, left, scalar, self.meter, vector_left=True)
        both = self.vector(node.left, moments), self.vector(node.right, moments)
        of = binary.sets if node.op in arithmetic.SETS else binary.vectors
        return of(node, *both, len(moments), self.meter)

    def _aggregate(self, node: Aggregate, moments: Sequence[int]) -> list[Column]:
        columns, meter = self.vector(node.of, moments), self.meter
        groups = aggregate.grouped(columns, node.labels, meter, without=node.without)
        out: list[Column] = []
        if node.op == "count_values":
            assert node.param is not None  # the parser saw to it
            label = self.text(node.param)
            for labels, members in groups:
                out += aggregate.counted(label, labels, members, meter)
            return unique(out, meter)
        numbers = self.scalar(node.param, moments) if node.param is not None else ()
        if groups and node.op in aggregate.BEST:
            aggregate.check_many(numbers)
        for labels, members in groups:
            meter.values(len(moments))
            if node.op in aggregate.BEST:
                out += aggregate.best(node.op, numbers, members, meter)
            elif node.op == "quantile":
                out.append(Column(labels, aggregate.quantiles(numbers, members, meter)))
            else:
                of = aggregate.STATISTICS[node.op]
                out.append(Column(labels, aggregate.statistic(of, members, meter)))
        return out

    # --- functions ------------------------------------------------------------------------------

    def _call(self, node: Call, moments: Sequence[int]) -> list[Column]:
        name, args = node.name, node.args
        if (of := MATHEMATICS.get(name)) is not None:
            return self._each_value(self.vector(args[0], moments), of)
        if (of := DATES.get(name)) is not None:
            if not args:
                self.meter.values(len(moments))
                return [Column({}, [of(at / 1000) for at in moments])]
            return self._each_value(self.vector(args[0], moments), of)
        if (over := over_time.OVER_TIME.get(name)) is not None:
            return self.windowed(args[0], moments, over, keeps=name == "last_over_time")
        return CALLS[name](self, args, moments)

    def windowed(
        self,
        node: Node,
        moments: Sequence[int],
        of: Callable[[Windows], Values],
        *,
        keeps: bool = False,
    ) -> list[Column]:
        """What a function gives for the windows of each series; `keeps`: the metric's name."""

        def computed() -> Iterator[Column]:
            for window in self.matrix(node, moments):
                self.meter.series(window.labels, len(moments))
                labels = window.labels if keeps else nameless(window.labels)
                yield Column(labels, of(window))

        return unique(computed(), self.meter)
