"""Native histograms of a protobuf page: exponential buckets, spans and deltas.

Source: Prometheus, "Native histograms"; client_model's metrics.proto.
"""

from __future__ import annotations

import math
from math import inf
from typing import NamedTuple

from exporter.core.sample import NativeHistogram
from exporter.sources.exposition.wire import (
    Malformed,
    Raw,
    double,
    doubles,
    fields,
    integer,
    raw,
    varints,
    zigzag,
)

_MOST_BUCKETS = 100_000
_SCHEMAS = range(-4, 9)


class Histogram(NamedTuple):
    """The fields of a Histogram message: the last value of each, and all of the repeated ones."""

    one: dict[int, Raw]
    many: dict[int, list[Raw]]

    def number(self, whole: int, broken: int) -> float:
        """A count: field `broken`, a double, overrides `whole` where it is over 0."""
        exact = double(self.one.get(broken, 0.0))
        return exact if exact > 0 else float(integer(self.one.get(whole, 0)))


def read(message: bytes) -> Histogram:
    """Take a Histogram message apart."""
    one: dict[int, Raw] = {}
    many: dict[int, list[Raw]] = {n: [] for n in (3, 9, 10, 11, 12, 13, 14)}
    for number, value in fields(message):
        if number in many:
            many[number].append(value)
        else:
            one[number] = value
    return Histogram(one, many)


def is_native(found: Histogram) -> bool:
    """Whether the message has a native part. The schema tells nothing, 0 may be left out; one that
    is empty yet has a span of no length, so as to be told from a classic one without buckets."""
    return bool(
        found.many[9]
        or found.many[12]
        or double(found.one.get(6, 0.0)) > 0
        or found.number(7, 8) > 0
    )


def native(found: Histogram) -> NativeHistogram:
    """The native part, its buckets ascending; `Malformed` when the parts do not agree."""
    schema = zigzag(integer(found.one.get(5, 0)))
    if schema not in _SCHEMAS:
        raise Malformed(f"native histogram schema {schema} is not known")
    width = 2.0**-schema
    threshold = double(found.one.get(6, 0.0))
    negative = _buckets(*(found.many[n] for n in (9, 10, 11)))
    positive = _buckets(*(found.many[n] for n in (12, 13, 14)))
    out = [(-_power(i, width), -_power(i - 1, width), n) for i, n in reversed(negative)]
    out.append((-threshold, threshold, found.number(7, 8)))
    out += [(_power(i - 1, width), _power(i, width), n) for i, n in positive]
    return NativeHistogram(found.number(1, 4), tuple(out))


def _power(index: int, width: float) -> float:
    try:
        return math.pow(2.0, index * width)
    except OverflowError:
        return inf


def _buckets(spans: list[Raw], deltas: list[Raw], counts: list[Raw]) -> list[tuple[int, float]]:
    """(index, count) of each bucket: spans say where, deltas or float counts say how many."""
    indexes: list[int] = []
    index = 0
    for message in spans:
        span = dict(fields(raw(message)))
        length = integer(span.get(2, 0))
        if length > _MOST_BUCKETS - len(indexes):
            raise Malformed("a native histogram with too many buckets")
        index += zigzag(integer(span.get(1, 0)))
        indexes += range(index, index + length)
        index += length
    values = list(doubles(counts))
    if not values:
        total = 0
        for delta in varints(deltas):
            total += zigzag(delta)
            values.append(float(total))
    if len(values) != len(indexes) or any(not n >= 0 for n in values):
        raise Malformed("a native histogram whose spans and buckets do not agree")
    return list(zip(indexes, values, strict=True))
