"""Computes a query column by column: every expression gives, for each series, a value for each
moment at once.

Source: Prometheus documentation, "Querying"; ranges and lookback are open on the left, as in
Prometheus 3.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence

from exporter.promql import aggregate, arithmetic, binary, over_time
from exporter.promql.calls import CALLS
from exporter.promql.column import Column, Numbers, Values, Windows, nameless, unique
from exporter.promql.columns import InstantColumn, RangeColumn
from exporter.promql.errors import TooMuch
from exporter.promql.functions import DATES, MATHEMATICS
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

MOST_VALUES = 4_000_000
"""Values of one expression, over all series and moments."""

Columns = Sequence[InstantColumn] | Sequence[RangeColumn]


class Evaluation:
    """One query at work. `columns`: by selector, what was asked for. `check` raises where it has
    taken too long."""

    def __init__(
        self, of: Range, columns: Mapping[Select, Columns], check: Callable[[], None]
    ) -> None:
        self._of = of
        self._columns = columns
        self._check = check

    # --- by what comes out ----------------------------------------------------------------------

    def scalar(self, node: Node, moments: Sequence[int]) -> Numbers:
        """A number for each moment."""
        self._check()
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
                return _only(self.vector(node.args[0], moments), len(moments))
        raise AssertionError(f"no scalar: {node}")

    def vector(self, node: Node, moments: Sequence[int]) -> list[Column]:
        """Series with a value, or none, for each moment."""
        self._check()
        found = self._vector(node, moments)
        if len(found) * len(moments) > MOST_VALUES:
            raise TooMuch(
                f"an expression gives more than {MOST_VALUES:,} values; ask for a shorter time, a "
                "longer step or fewer series"
            )
        return found

    def matrix(self, node: Node, moments: Sequence[int]) -> list[Windows]:
        """Series with a window of samples for each moment."""
        self._check()
        assert isinstance(node, Select | Subquery)  # the parser saw to it
        ends = shifted(node, moments, self._of)
        if isinstance(node, Select):
            samples = [
                (c.labels, [round(at * 1000) for at in c.times], c.values)
                for c in self._ranges(node)
            ]
        else:
            inside = steps(node, moments, self._of)
            samples = [_samples(c, inside) for c in self.vector(node.of, inside)]
        length = milli(node.range)
        out = []
        for labels, times, values in samples:
            spans = [(bisect_right(times, at - length), bisect_right(times, at)) for at in ends]
            if node.at is not None:
                spans *= len(moments)
            at_each = self._each(ends, moments)
            out.append(Windows(labels, times, values, spans, at_each, self._check))
        return out

    @staticmethod
    def text(node: Node) -> str:
        """A string."""
        assert isinstance(node, Text)  # the parser saw to it
        return node.value

    # --- vectors --------------------------------------------------------------------------------

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
        return [
            Column(c.labels, self._spread(node, c.values, moments)) for c in self.instants(node)
        ]

    def instants(self, node: Select) -> Sequence[InstantColumn]:
        """What an instant selector was answered."""
        return [c for c in self._columns[node] if isinstance(c, InstantColumn)]

    def _ranges(self, node: Select) -> Sequence[RangeColumn]:
        return [c for c in self._columns[node] if isinstance(c, RangeColumn)]

    def _spread(self, node: Select, values: Values, moments: Sequence[int]) -> Values:
        """The one value that `@` fixes, for every moment."""
        return values if node.at is None else [values[0]] * len(moments)

    @staticmethod
    def _each(ends: Sequence[int], moments: Sequence[int]) -> Sequence[int]:
        return ends if len(ends) == len(moments) else [*ends] * len(moments)

    @staticmethod
    def _each_value(columns: Sequence[Column], of: Callable[[float], float]) -> list[Column]:
        return unique(
            Column(nameless(c.labels), [None if v is None else of(v) for v in c.values])
            for c in columns
        )

    def _binary(self, node: Binary, moments: Sequence[int]) -> list[Column]:
        if kind(node.left) == "scalar":
            scalar, right = self.scalar(node.left, moments), self.vector(node.right, moments)
            return binary.with_scalar(node, right, scalar, vector_left=False)
        if kind(node.right) == "scalar":
            left, scalar = self.vector(node.left, moments), self.scalar(node.right, moments)
            return binary.with_scalar(node, left, scalar, vector_left=True)
        both = self.vector(node.left, moments), self.vector(node.right, moments)
        of = binary.sets if node.op in arithmetic.SETS else binary.vectors
        return of(node, *both)

    def _aggregate(self, node: Aggregate, moments: Sequence[int]) -> list[Column]:
        groups = aggregate.grouped(self.vector(node.of, moments), node.labels, without=node.without)
        out: list[Column] = []
        if node.op == "count_values":
            assert node.param is not None  # the parser saw to it
            label = self.text(node.param)
            for labels, columns in groups:
                out += aggregate.counted(label, labels, columns)
            return unique(out)
        numbers = self.scalar(node.param, moments) if node.param is not None else ()
        if groups and node.op in aggregate.BEST:
            aggregate.check_many(numbers)
        for labels, columns in groups:
            self._check()
            if node.op in aggregate.BEST:
                out += aggregate.best(node.op, numbers, columns)
            elif node.op == "quantile":
                out.append(Column(labels, aggregate.quantiles(numbers, columns)))
            else:
                of = aggregate.STATISTICS[node.op]
                out.append(Column(labels, aggregate.statistic(of, columns)))
        return out

    # --- functions ------------------------------------------------------------------------------

    def _call(self, node: Call, moments: Sequence[int]) -> list[Column]:
        name, args = node.name, node.args
        if (of := MATHEMATICS.get(name)) is not None:
            return self._each_value(self.vector(args[0], moments), of)
        if (of := DATES.get(name)) is not None:
            if not args:
                return [Column({}, [of(at / 1000) for at in moments])]
            return self._each_value(self.vector(args[0], moments), of)
        if (over := over_time.OVER_TIME.get(name)) is not None:
            windows = self.matrix(args[0], moments)
            keeps = name == "last_over_time"
            return unique(
                Column(w.labels if keeps else nameless(w.labels), over(w)) for w in windows
            )
        return CALLS[name](self, args, moments)


def _only(columns: Sequence[Column], size: int) -> Numbers:
    """The value of the only series there is, at each moment; not a number without one."""
    if not columns:
        return [math.nan] * size
    found = []
    for at in zip(*(c.values for c in columns), strict=True):
        there = [v for v in at if v is not None]
        found.append(there[0] if len(there) == 1 else math.nan)
    return found


def _samples(
    column: Column, moments: Sequence[int]
) -> tuple[Mapping[str, str], list[int], list[float]]:
    found = [(at, v) for at, v in zip(moments, column.values, strict=True) if v is not None]
    return column.labels, [at for at, _ in found], [v for _, v in found]
