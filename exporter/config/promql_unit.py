"""Units of PromQL queries: whether a query's values are events, events per second, or a ratio.

Decided by the functions and operators of the parsed query. Where those leave it open, the name of a
recorded series decides (`level:metric:operations`, as in `job:errors:rate5m`), and then a `unit`
that the file gives outranks it.

| expression | unit |
| --- | --- |
| `increase`, `delta`, `changes`, `resets`, `count_`, `sum_over_time` | events in its range |
| `rate`, `irate`, `deriv` | events per second |
| aggregations but `count`; `abs`, `clamp_min`, `last_over_time`, `or vector(0)` | as inside |
| two of one unit added or subtracted; one of them times a number | the same |
| one divided by another of the same unit; `histogram_fraction` | ratio |
| events divided by the seconds of their range; a rate times those of its own | rate; events |
| a metric without function, `count()`, `idelta`, logarithms, ... | cannot be told |

Source: Prometheus documentation, "Query functions" and "Recording rules" (naming).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import promql_parser as promql

from exporter import promql_text
from exporter.config.duration import parse_duration
from exporter.config.unit_algebra import (
    EVENTS,
    METRIC,
    NUMBER,
    OPERATORS,
    RATE,
    RATIO,
    WINDOW,
    Meaning,
    open_because,
)

PLACEHOLDER = re.compile(r"\{\{\s*\.window\s*\}\}")
_DEEPEST = 100

_COUNTS = {"increase": True, "delta": False, "changes": True, "resets": True}
"""Functions that count over a range, and whether that is sure: a gauge has a delta too."""
_RATES = {"rate": True, "irate": True, "deriv": False}
_ALIKE = frozenset(
    {"abs", "ceil", "floor", "round", "clamp", "clamp_max", "clamp_min", "scalar", "vector"}
    | {"sort", "sort_desc", "sort_by_label", "sort_by_label_desc", "label_replace", "label_join"}
    | {"avg_over_time", "min_over_time", "max_over_time", "last_over_time", "first_over_time"}
    | {"quantile_over_time", "histogram_count"}
)
"""Functions whose values are of the unit of their argument."""
FUNCTIONS = frozenset({*_COUNTS, *_RATES, *_ALIKE, "count_over_time", "sum_over_time"})
_RANGE = r"(?:\d+(?:ms|[smhdwy]))+"
_ENDS_WITH_RANGE = re.compile(rf":{_RANGE}$")
_RECORDED = re.compile(
    rf"(?:^|_)(?P<ratio>ratio)(?=\d|_|:|$)"
    rf"|(?:^|_)(?P<what>increase|delta|count|i?rate)[_:]?(?P<range>{_RANGE})(?=$|_)"
    rf"|^(?:(?:sum|avg|max|min)_)?(?P<rate>i?rate)$"
)
"""Operations of a recorded name; `rate` without its range only where nothing else is said, since an
`error_rate` may well be a ratio."""
_COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})


def meaning(text: str) -> Meaning:
    """Read a query and decide what its values are. Raises `ValueError` with one line when it cannot
    be parsed, or gives no numbers at moments."""
    expr: Any = promql_text.read(PLACEHOLDER.sub(f"{WINDOW}s", text))
    expr = _bare(expr)
    if isinstance(expr, promql.MatrixSelector | promql.SubqueryExpr):
        raise ValueError("gives a range of samples; write it like increase(x[{{.window}}])")
    if isinstance(expr, promql.StringLiteral):
        raise ValueError("gives a text, no number")
    return _of(expr, 0)


def _of(expr: Any, depth: int) -> Meaning:
    rule = _RULES.get(type(expr))
    if rule is None or depth > _DEEPEST:
        return open_because(
            "it is too deep" if rule else f"slod does not know {type(expr).__name__}"
        )
    return rule(expr, depth + 1)


def _bare(expr: Any) -> Any:
    while isinstance(expr, promql.ParenExpr):
        expr = expr.expr
    return expr


# --- metrics and functions ------------------------------------------------------------------------


def _selector(expr: Any, _: int) -> Meaning:
    return _named(_name(expr))


def _name(expr: Any) -> str:
    if expr.name:
        return str(expr.name)
    names = [promql_text.value(m) for m in expr.matchers.matchers if m.name == "__name__"]
    return str(names[0]) if names else ""


def _named(name: str) -> Meaning:
    """Decide by the operations at the end of a recorded name."""
    plain = Meaning(METRIC, name=name)
    parts = name.split(":")
    operations = ":".join(parts[-2:] if _ENDS_WITH_RANGE.search(name) else parts[-1:])
    found = _RECORDED.search(operations) if len(parts) > 1 else None
    # Pyrra's rules of a bool gauge record the window's count under the name of a rate.
    if found is None or name.startswith("pyrra_"):
        return plain
    if found["ratio"]:
        return Meaning(RATIO, sure=False)
    reach = parse_duration(found["range"]) if found["range"] else 0.0
    if found["rate"] or found["what"] in _RATES:
        return Meaning(RATE, reach, sure=False)
    return Meaning(EVENTS, reach, sure=False)


def _call(expr: Any, depth: int) -> Meaning:
    name, args = expr.func.name, list(expr.args)
    if name == "histogram_fraction":
        return Meaning(RATIO)
    if name in _ALIKE:
        return _of(_within(args[-1 if name == "quantile_over_time" else 0]), depth)
    if name not in FUNCTIONS:
        return open_because(f"{name}() gives no count")
    reach, inside = _range(args[0]), _of(_within(args[0]), depth)
    if name == "count_over_time":
        return Meaning(EVENTS, reach)
    if inside.unit != METRIC:
        return open_because(f"{name}() is of something that is no plain metric")
    if name in _RATES:
        return Meaning(RATE, reach, _RATES[name])
    return Meaning(EVENTS, reach, _COUNTS.get(name, False))


def _within(arg: Any) -> Any:
    """The expression that a range is of; the argument itself where it has none."""
    arg = _bare(arg)
    if isinstance(arg, promql.MatrixSelector):
        return arg.vector_selector
    return arg.expr if isinstance(arg, promql.SubqueryExpr) else arg


def _range(arg: Any) -> float:
    return float(_bare(arg).range.total_seconds())


def _aggregate(expr: Any, depth: int) -> Meaning:
    op, inside = str(expr.op), _of(_bare(expr.expr), depth)
    if op in ("count", "count_values", "group"):
        return open_because(f"{op}() counts series, not events")
    if op in ("stddev", "stdvar"):
        return open_because(f"{op}() gives no count")
    if op == "sum" and inside.unit == RATIO:
        return open_because("a sum of ratios is none")
    return inside


# --- operators ------------------------------------------------------------------------------------


def _negated(expr: Any, depth: int) -> Meaning:
    inside = _of(_bare(expr.expr), depth)
    return replace(inside, number=-inside.number)


def _binary(expr: Any, depth: int) -> Meaning:
    left, right = _of(_bare(expr.lhs), depth), _of(_bare(expr.rhs), depth)
    op = str(expr.op)
    if op in _COMPARISONS:
        if expr.modifier is not None and expr.modifier.return_bool:
            return Meaning(METRIC)
        return right if left.unit == NUMBER else left
    if op in ("and", "unless"):
        return left
    rule = OPERATORS.get(op)
    if rule is None:
        return open_because(f"of the operator {op}")
    return rule(left, right)


_RULES: dict[type, Callable[[Any, int], Meaning]] = {
    promql.ParenExpr: lambda expr, depth: _of(expr.expr, depth),
    promql.NumberLiteral: lambda expr, _: Meaning(NUMBER, number=float(expr.val)),
    promql.UnaryExpr: _negated,
    promql.VectorSelector: _selector,
    promql.Call: _call,
    promql.AggregateExpr: _aggregate,
    promql.BinaryExpr: _binary,
}
