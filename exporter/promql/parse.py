"""From text to a tree, by `promql-parser`, which also sees to it that the types fit.

What is PromQL and not answered here is found now, before anything is read.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from typing import Any, Literal

import promql_parser as promql

from exporter import promql_text
from exporter.core.regex import Total
from exporter.core.selector import NAME, Matcher
from exporter.promql.aggregate import OPERATORS as AGGREGATIONS
from exporter.promql.errors import BadData, Unsupported
from exporter.promql.functions import SUPPORTED
from exporter.promql.nodes import (
    Aggregate,
    At,
    Binary,
    Call,
    Kind,
    Matching,
    Negate,
    Node,
    Number,
    Select,
    Subquery,
    Text,
)

DEEPEST = 100
"""Expressions in each other, once it is; Python's own stack is not without end either."""
_KINDS: dict[str, Kind] = {
    "Scalar": "scalar",
    "Vector": "vector",
    "Matrix": "matrix",
    "String": "string",
}
_FARTHEST = timedelta(seconds=2**63 / 1e9)
"""What fits Prometheus' own durations."""
_OPS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}


def parse(text: str, total: Total | None = None) -> Node:
    """Read a query; `BadData` or `Unsupported` say in one line what is wrong with it. `total`:
    that of the request whose queries these are."""
    total = total or Total()  # Keeps what was compiled until the tree has it.
    with _seam():
        return _node(_parsed(text, total), 0)


def format_query(text: str) -> str:
    """The same query, laid out."""
    with _seam():
        return promql_text.laid_out(_parsed(text))


def selectors(texts: Iterable[str]) -> list[tuple[Matcher, ...]]:
    """Read what selects series, of one request; `BadData` where one is anything else."""
    total = Total()
    return [selector(text, total) for text in texts]


def selector(text: str, total: Total | None = None) -> tuple[Matcher, ...]:
    """Read what selects series; `BadData` where it is anything else."""
    node = parse(text, total)
    if not isinstance(node, Select) or node.range or node.offset or node.at is not None:
        raise BadData(f"not a series selector: {text!r}")
    return node.matchers


def _parsed(text: str, total: Total | None = None) -> promql.Expr:
    try:
        return promql_text.read(text, total)
    except ValueError as error:
        raise BadData(str(error)) from None


@contextlib.contextmanager
def _seam() -> Iterator[None]:
    """What the parser says is wrong, in our words."""
    try:
        yield
    except BaseException as error:
        if not promql_text.is_from_parser(error):
            raise
        raise BadData(f"cannot read the query: {' '.join(str(error).split())}") from None


def _node(expr: Any, depth: int) -> Node:
    if depth > DEEPEST:
        raise BadData(f"a query of more than {DEEPEST} expressions in each other")
    made = _MAKE.get(type(expr))
    if made is None:
        raise Unsupported(f"slod does not know {type(expr).__name__}")
    return made(expr, depth + 1)


def _select(expr: Any, length: float) -> Select:
    if expr.matchers.or_matchers:
        raise Unsupported("slod does not know `or` between label matchers")
    matchers = [] if expr.name is None else [Matcher(NAME, "=", expr.name)]
    try:
        matchers += [
            Matcher(m.name, _OPS[str(m.op).rpartition(".")[2]], promql_text.value(m))
            for m in expr.matchers.matchers
        ]
    except ValueError as error:
        raise BadData(str(error)) from None
    return Select(tuple(matchers), length, _offset(expr), _at(expr.at))


def _offset(expr: Any) -> float:
    return _seconds(expr.offset) if expr.offset is not None else 0.0


def _seconds(duration: timedelta) -> float:
    if abs(duration) > _FARTHEST:
        raise BadData("a duration of more than 292 years")
    return duration.total_seconds()


def _at(modifier: Any) -> At:
    if modifier is None:
        return None
    if modifier.at is not None:
        return float(modifier.at.timestamp())
    return "start" if modifier.type == promql.AtModifierType.Start else "end"


def _subquery(expr: Any, depth: int) -> Subquery:
    step = _seconds(expr.step) if expr.step is not None else None
    length = _seconds(expr.range)
    return Subquery(_node(expr.expr, depth), length, step, _offset(expr), _at(expr.at))


def _call(expr: Any, depth: int) -> Call:
    name = expr.func.name
    if name not in SUPPORTED:
        raise Unsupported(f"slod does not know the function {name}()")
    returns = _KINDS[str(expr.func.return_type).rpartition(".")[2]]
    return Call(name, tuple(_node(arg, depth) for arg in expr.args), returns)


def _aggregate(expr: Any, depth: int) -> Aggregate:
    op = str(expr.op)
    if op not in AGGREGATIONS:
        raise Unsupported(f"slod does not know the aggregation {op}")
    of, modifier = _node(expr.expr, depth), expr.modifier
    param = None
    if expr.param is not None:
        param = Text(expr.param) if isinstance(expr.param, str) else _node(expr.param, depth)
    without = modifier is not None and modifier.type == promql.AggModifierType.Without
    return Aggregate(op, of, param, without, tuple(modifier.labels) if modifier else ())


def _binary(expr: Any, depth: int) -> Binary:
    left, right = _node(expr.lhs, depth), _node(expr.rhs, depth)
    modifier = expr.modifier
    if modifier is None:
        return Binary(str(expr.op), left, right, False, Matching(False, ()))
    fill = modifier.fill_values
    if fill is not None and (fill.lhs is not None or fill.rhs is not None):
        raise Unsupported("slod does not know fill() between operands")
    matching = modifier.matching
    on = matching is not None and matching.type == promql.LabelModifierType.Include
    labels = tuple(matching.labels) if matching is not None else ()
    card = modifier.card
    many: Literal["left", "right"] | None = None
    if card == promql.VectorMatchCardinality.ManyToOne:
        many = "left"
    elif card == promql.VectorMatchCardinality.OneToMany:
        many = "right"
    include = tuple(modifier.group_labels or ())
    return Binary(
        str(expr.op), left, right, bool(modifier.return_bool), Matching(on, labels, many, include)
    )


_MAKE: dict[type, Callable[[Any, int], Node]] = {
    promql.ParenExpr: lambda expr, depth: _node(expr.expr, depth),
    promql.NumberLiteral: lambda expr, _: Number(expr.val),
    promql.StringLiteral: lambda expr, _: Text(expr.val),
    promql.UnaryExpr: lambda expr, depth: Negate(_node(expr.expr, depth)),
    promql.VectorSelector: lambda expr, _: _select(expr, 0.0),
    promql.MatrixSelector: lambda expr, _: _select(expr.vector_selector, _seconds(expr.range)),
    promql.SubqueryExpr: _subquery,
    promql.Call: _call,
    promql.AggregateExpr: _aggregate,
    promql.BinaryExpr: _binary,
}
