"""Operators between scalars and vectors, and how the series of two vectors find each other.

Source: Prometheus documentation, "Operators", vector matching.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from exporter.core.selector import NAME
from exporter.promql.arithmetic import ARITHMETIC, COMPARISONS
from exporter.promql.column import (
    Column,
    Numbers,
    Sparse,
    Values,
    nameless,
    present,
    shown,
    unique,
    where_any,
)
from exporter.promql.errors import Failed
from exporter.promql.meter import PLACE, Meter, key_bytes, series_bytes
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
    node: Binary, vector: Iterable[Column], scalar: Numbers, meter: Meter, *, vector_left: bool
) -> list[Column]:
    """One is a vector; a comparison keeps the vector's own samples."""
    combine = _combine(node)

    def computed() -> Iterator[Column]:
        for column in vector:
            meter.series(column.labels, len(column.values))
            pairs = zip(column.values, scalar, strict=True)
            if vector_left:
                values = [None if v is None else combine(v, s) for v, s in pairs]
            elif node.op in COMPARISONS and not node.bool:
                holds = COMPARISONS[node.op]
                values = [v if v is not None and holds(s, v) else None for v, s in pairs]
            else:
                values = [None if v is None else combine(s, v) for v, s in pairs]
            yield Column(_labels(node, column.labels), values)

    return unique(computed(), meter)


def vectors(
    node: Binary, left: Sequence[Column], right: Sequence[Column], size: int, meter: Meter
) -> list[Column]:
    """Both are vectors: each sample finds the one with the same labels, as far as they matter."""
    matching = node.matching
    swapped = matching.many == "right"
    many, one = (right, left) if swapped else (left, right)
    if not many or not one:
        return []
    sign = _signer(matching)
    there = where_any(many, meter, size)
    ones: dict[Signature, list[Column]] = {}
    for column in one:
        meter.take(key_bytes(column.labels))
        ones.setdefault(sign(column.labels), []).append(column)
    partners = {
        signature: _Partner(group, signature, there, "left" if swapped else "right", meter)
        for signature, group in ones.items()
    }
    combine = _combine(node)
    if swapped:
        combine = _swapped(combine)
    taken = dict[Signature, bytearray]()

    def computed() -> Iterator[Column]:
        for column in meter.each(many):
            signature = sign(column.labels)
            partner = partners.get(signature)
            if partner is None:
                continue
            for other, values in partner.combined(column.values, combine, matching.include):
                if matching.many is None:
                    _check_many(taken, signature, values, meter)
                yield Column(_result(node, matching, column.labels, other), values)

    return unique(computed(), meter, _NOT_UNIQUE if matching.many else _MANY)


def sets(
    node: Binary, left: Sequence[Column], right: Sequence[Column], size: int, meter: Meter
) -> list[Column]:
    """`and`, `or`, `unless`: whether there is one on the other side, whatever its value."""
    sign = _signer(node.matching)
    if node.op == "or":
        has = _present(left, sign, size, meter)
        return unique([*left, *_kept(right, has, sign, meter, there=False)], meter)
    return _kept(left, _present(right, sign, size, meter), sign, meter, there=node.op == "and")


# --- inside -------------------------------------------------------------------------------------


def _combine(node: Binary) -> Combine:
    if node.op in ARITHMETIC:
        return ARITHMETIC[node.op]
    holds = COMPARISONS[node.op]
    if node.bool:
        return lambda a, b: float(holds(a, b))
    return lambda a, b: a if holds(a, b) else None


def _swapped(combine: Combine) -> Combine:
    return lambda a, b: combine(b, a)


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


class _Partner:
    """The series of the one side with the same signature: at each moment at which the other side
    has samples, only one of them has a sample.

    However many they are, a series of the other side is combined with all of them in one pass.
    """

    def __init__(
        self,
        group: Sequence[Column],
        signature: Signature,
        there: bytearray,
        side: str,
        meter: Meter,
    ) -> None:
        self._meter = meter
        self._group = group
        self._owners: array[int] | None = None
        """By moment, which of the group has a sample; below 0 where none has."""
        if len(group) == 1:
            return
        meter.take(PLACE * len(there))
        owners = self._owners = array("l", [-1]) * len(there)
        for own, column in meter.each(enumerate(group)):
            for k, _ in present(column.values):
                if not there[k]:
                    continue
                if owners[k] >= 0:
                    before = group[owners[k]]
                    raise Failed(
                        f"found duplicate series for the match group {shown(dict(signature))} on "
                        f"the {side} hand-side of the operation: [{shown(column.labels)}, "
                        f"{shown(before.labels)}];many-to-many matching not allowed: matching "
                        "labels must be unique on one side"
                    )
                owners[k] = own

    def combined(
        self, values: Values, combine: Combine, include: Sequence[str]
    ) -> Iterator[tuple[Mapping[str, str], Values]]:
        """Labels of the one side, and the values combined with its own; `include`: the labels by
        which results differ."""
        first = self._group[0]
        self._meter.take(series_bytes(first.labels))
        if self._owners is None:
            self._meter.values(len(values))
            pairs = zip(values, first.values, strict=True)
            yield (
                first.labels,
                [None if a is None or b is None else combine(a, b) for a, b in pairs],
            )
            return
        found: dict[tuple[str, ...], tuple[Mapping[str, str], Sparse]] = {}
        for k, value in present(values):
            if self._owners[k] < 0:
                continue
            column = self._group[self._owners[k]]
            own = column.values[k]
            if own is None or (result := combine(value, own)) is None:
                continue
            at = tuple(column.labels.get(name, "") for name in include)
            if at not in found:
                self._meter.take(key_bytes(column.labels) + Sparse(len(values)).bytes)
                found[at] = column.labels, Sparse(len(values))
            found[at][1].add(k, result)
        self._meter.take(sum(values.bytes for _, values in found.values()))
        yield from found.values()


def _check_many(
    taken: dict[Signature, bytearray], signature: Signature, values: Values, meter: Meter
) -> None:
    """Only one of the many may have a result with the one at each moment."""
    before = taken.get(signature)
    if before is None:
        meter.take(len(values))
        before = taken[signature] = bytearray(len(values))
    for k, _ in present(values):
        if before[k]:
            raise Failed(_MANY)
        before[k] = 1


def _present(
    columns: Iterable[Column],
    sign: Callable[[Mapping[str, str]], Signature],
    size: int,
    meter: Meter,
) -> dict[Signature, bytearray]:
    groups: dict[Signature, list[Column]] = {}
    for column in columns:
        meter.take(key_bytes(column.labels))
        groups.setdefault(sign(column.labels), []).append(column)
    return {signature: where_any(group, meter, size) for signature, group in groups.items()}


def _kept(
    columns: Iterable[Column],
    matched: Mapping[Signature, bytearray],
    sign: Callable[[Mapping[str, str]], Signature],
    meter: Meter,
    *,
    there: bool,
) -> list[Column]:
    out = []
    for column in columns:
        has = matched.get(sign(column.labels))
        if has is None:
            if not there:
                out.append(column)
            continue
        meter.take(PLACE * len(column.values))
        values = [v if bool(h) is there else None for v, h in zip(column.values, has, strict=True)]
        out.append(Column(column.labels, values))
    return out
