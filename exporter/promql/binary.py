"""Operators between scalars and vectors, and how the series of two vectors find each other.

Source: Prometheus documentation, "Operators", vector matching.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat

from exporter.core.selector import NAME
from exporter.promql.arithmetic import ARITHMETIC, COMPARISONS
from exporter.promql.column import Column, Numbers, Values, nameless, shown, unique
from exporter.promql.errors import Failed
from exporter.promql.nodes import Binary, Matching

Combine = Callable[[float, float], float | None]
Signature = tuple[tuple[str, str], ...]

_MANY = (
    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
)
_NOT_UNIQUE = "multiple matches for labels: grouping labels must ensure unique matches"


def scalars(node: Binary, left: Numbers, right: Numbers) -> Numbers:
    """Both are scalars; a comparison of those always gives 0 or 1."""
    if node.op in ARITHMETIC:
        return list(map(ARITHMETIC[node.op], left, right))
    return [float(v) for v in map(COMPARISONS[node.op], left, right)]


def with_scalar(
    node: Binary, vector: Iterable[Column], scalar: Numbers, *, vector_left: bool
) -> list[Column]:
    """One is a vector; a comparison keeps the vector's own samples."""
    combine = _combine(node)
    out = []
    for column in vector:
        pairs = zip(column.values, scalar, strict=True)
        if vector_left:
            values = [None if v is None else combine(v, s) for v, s in pairs]
        elif node.op in COMPARISONS and not node.bool:
            holds = COMPARISONS[node.op]
            values = [v if v is not None and holds(s, v) else None for v, s in pairs]
        else:
            values = [None if v is None else combine(s, v) for v, s in pairs]
        out.append(Column(_labels(node, column.labels), values))
    return unique(out)


def vectors(node: Binary, left: Sequence[Column], right: Sequence[Column]) -> list[Column]:
    """Both are vectors: each sample finds the one with the same labels, as far as they matter."""
    matching, combine = node.matching, _combine(node)
    swapped = matching.many == "right"
    many, one = (right, left) if swapped else (left, right)
    if not many or not one:
        return []
    sign = _signer(matching)
    there = _any(many)
    ones: dict[Signature, list[Column]] = {}
    for column in one:
        ones.setdefault(sign(column.labels), []).append(column)
    for signature, group in ones.items():
        _check_one(signature, group, there, "left" if swapped else "right")
    out, taken = [], dict[Signature, list[bool]]()
    for column in many:
        signature = sign(column.labels)
        for other in ones.get(signature, ()):
            pairs = zip(column.values, other.values, strict=True)
            both = ((b, a) if swapped else (a, b) for a, b in pairs)
            values = [None if a is None or b is None else combine(a, b) for a, b in both]
            labels = _result(node, matching, column.labels, other.labels)
            if matching.many is None:
                _check_many(taken, signature, values)
            out.append(Column(labels, values))
    return unique(out, _NOT_UNIQUE if matching.many else _MANY)


def sets(node: Binary, left: Sequence[Column], right: Sequence[Column]) -> list[Column]:
    """`and`, `or`, `unless`: whether there is one on the other side, whatever its value."""
    sign = _signer(node.matching)
    if node.op == "or":
        has = _present(left, sign)
        return unique([*left, *_kept(right, has, sign, there=False)])
    return _kept(left, _present(right, sign), sign, there=node.op == "and")


# --- inside -------------------------------------------------------------------------------------


def _combine(node: Binary) -> Combine:
    if node.op in ARITHMETIC:
        return ARITHMETIC[node.op]
    holds = COMPARISONS[node.op]
    if node.bool:
        return lambda a, b: float(holds(a, b))
    return lambda a, b: a if holds(a, b) else None


def _labels(node: Binary, labels: Mapping[str, str]) -> Mapping[str, str]:
    """A comparison that only chooses leaves the metric what it was."""
    return nameless(labels) if node.op in ARITHMETIC or node.bool else labels


def _signer(matching: Matching) -> Callable[[Mapping[str, str]], Signature]:
    chosen = frozenset(matching.labels)
    if matching.on:
        return lambda labels: tuple(sorted((k, v) for k, v in labels.items() if k in chosen and v))
    out = chosen | {NAME}
    return lambda labels: tuple(sorted((k, v) for k, v in labels.items() if k not in out and v))


def _result(
    node: Binary, matching: Matching, many: Mapping[str, str], one: Mapping[str, str]
) -> Mapping[str, str]:
    labels = dict(_labels(node, many))
    if matching.many is None:
        if matching.on:
            return {k: v for k, v in labels.items() if k in matching.labels}
        return {k: v for k, v in labels.items() if k not in matching.labels}
    for name in matching.include:
        if value := one.get(name, ""):
            labels[name] = value
        else:
            labels.pop(name, None)
    return labels


def _check_one(
    signature: Signature, group: Sequence[Column], there: Sequence[bool], side: str
) -> None:
    first: list[Column | None] = [None] * len(there)
    for column in group if len(group) > 1 else ():
        for k, value in enumerate(column.values):
            if value is None or not there[k]:
                continue
            if (before := first[k]) is not None:
                raise Failed(
                    f"found duplicate series for the match group {shown(dict(signature))} on the "
                    f"{side} hand-side of the operation: [{shown(column.labels)}, "
                    f"{shown(before.labels)}];many-to-many matching not allowed: matching labels "
                    "must be unique on one side"
                )
            first[k] = column


def _check_many(taken: dict[Signature, list[bool]], signature: Signature, values: Values) -> None:
    """Only one of the many may have a result with the one at each moment."""
    found = [value is not None for value in values]
    before = taken.get(signature)
    if before is None:
        taken[signature] = found
        return
    if any(a and b for a, b in zip(before, found, strict=True)):
        raise Failed(_MANY)
    taken[signature] = [a or b for a, b in zip(before, found, strict=True)]


def _any(columns: Sequence[Column]) -> list[bool]:
    """Whether any of them has a sample, by moment."""
    return [any(v is not None for v in at) for at in zip(*(c.values for c in columns), strict=True)]


def _present(
    columns: Iterable[Column], sign: Callable[[Mapping[str, str]], Signature]
) -> dict[Signature, list[bool]]:
    groups: dict[Signature, list[Column]] = {}
    for column in columns:
        groups.setdefault(sign(column.labels), []).append(column)
    return {signature: _any(group) for signature, group in groups.items()}


def _kept(
    columns: Iterable[Column],
    present: Mapping[Signature, Sequence[bool]],
    sign: Callable[[Mapping[str, str]], Signature],
    *,
    there: bool,
) -> list[Column]:
    out = []
    for column in columns:
        has = present.get(sign(column.labels), repeat(False))
        values = [v if h is there else None for v, h in zip(column.values, has, strict=False)]
        out.append(Column(column.labels, values))
    return out
