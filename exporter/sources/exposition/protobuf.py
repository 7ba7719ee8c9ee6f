"""Protobuf exposition: length-delimited `io.prometheus.client.MetricFamily` messages.

A small reader of the wire format that skips the families nobody asked for as a whole. Source:
github.com/prometheus/client_model, metrics.proto; the protobuf encoding specification.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from math import inf
from typing import NamedTuple

from exporter.core.sample import NativeHistogram, Value
from exporter.errors import SourceError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_double = struct.Struct("<d").unpack_from

_COUNTER, _GAUGE, _SUMMARY, _UNTYPED, _HISTOGRAM = range(5)
_LONGEST_VARINT = 10
_MOST_BUCKETS = 100_000


class Wanted(NamedTuple):
    """The metric names to read, `_bucket` and `_count` of histograms included."""

    names: frozenset[str]
    started: str

    def family(self, name: str) -> bool:
        """Whether a family has any series that is wanted."""
        names = self.names
        return (
            name in names
            or name == self.started
            or any(name + suffix in names for suffix in ("_bucket", "_count", "_sum"))
        )


class Sample(NamedTuple):
    """One sample; times in unix seconds."""

    name: str
    labels: dict[str, str]
    value: Value
    timestamp: float | None
    created: float | None


Field = tuple[int, int | float | bytes]


def samples(body: bytes, wanted: Wanted) -> Iterator[Sample]:
    """The samples of the wanted families; `SourceError` when the bytes are not such messages."""
    try:
        at = 0
        while at < len(body):
            length, at = _varint(body, at)
            if at + length > len(body):
                raise SourceError("truncated", "the protobuf page ends inside a metric family")
            yield from _family(body[at : at + length], wanted)
            at += length
    except (struct.error, IndexError, UnicodeDecodeError, TypeError, OverflowError) as error:
        raise SourceError("malformed", f"not protobuf metric families: {error}") from None


def _family(message: bytes, wanted: Wanted) -> Iterator[Sample]:
    name, kind, metrics = "", _COUNTER, []
    for number, value in _fields(message):
        if number == 1:
            name = _text(value)
            if not wanted.family(name):
                return
        elif number == 3:
            kind = int(_num(value))
        elif number == 4:
            metrics.append(_raw(value))
    for metric in metrics:
        for sample in _metric(name, kind, metric, wanted):
            if sample.name in wanted.names or sample.name == wanted.started:
                yield sample


def _metric(name: str, kind: int, message: bytes, wanted: Wanted) -> Iterator[Sample]:
    labels: dict[str, str] = {}
    time: float | None = None
    body = b""
    for number, value in _fields(message):
        if number == 1:
            pair = dict(_fields(_raw(value)))
            labels[_text(pair.get(1, b""))] = _text(pair.get(2, b""))
        elif number == 6:
            time = _signed(int(_num(value))) / 1000
        elif number in (2, 3, 4, 5, 7):
            body = _raw(value)
    if kind == _HISTOGRAM:
        yield from _histogram(name, labels, time, body, wanted)
    elif kind == _SUMMARY:
        fields = dict(_fields(body))
        created = _timestamp(fields.get(4))
        for number, value in _fields(body):
            if number == 3:
                quantile = dict(_fields(_raw(value)))
                named = {**labels, "quantile": _bound(float(_num(quantile.get(1, 0))))}
                yield Sample(name, named, float(_num(quantile.get(2, 0))), time, None)
        yield Sample(name + "_count", labels, float(_num(fields.get(1, 0))), time, created)
        yield Sample(name + "_sum", labels, float(_num(fields.get(2, 0))), time, created)
    elif kind in (_COUNTER, _GAUGE, _UNTYPED):
        fields = dict(_fields(body))
        created = _timestamp(fields.get(3)) if kind == _COUNTER else None
        yield Sample(name, labels, float(_num(fields.get(1, 0))), time, created)


def _histogram(
    name: str, labels: dict[str, str], time: float | None, message: bytes, wanted: Wanted
) -> Iterator[Sample]:
    """A histogram may be classic, native, or both at once."""
    fields: dict[int, int | float | bytes] = {}
    repeated: dict[int, list[int | float | bytes]] = {
        3: [],
        9: [],
        10: [],
        11: [],
        12: [],
        13: [],
        14: [],
    }
    for number, value in _fields(message):
        if number in repeated:
            repeated[number].append(value)
        else:
            fields[number] = value
    created = _timestamp(fields.get(15))
    count = float(_num(fields.get(4) or fields.get(1, 0)))
    if repeated[3]:
        yield Sample(name + "_count", labels, count, time, created)
        yield Sample(name + "_sum", labels, float(_num(fields.get(2, 0))), time, created)
        infinite = False
        for raw in repeated[3]:
            bucket = dict(_fields(_raw(raw)))
            bound = float(_num(bucket.get(2, 0)))
            infinite = infinite or bound == inf
            value = float(_num(bucket.get(4) or bucket.get(1, 0)))
            yield Sample(name + "_bucket", {**labels, "le": _bound(bound)}, value, time, created)
        if not infinite:
            yield Sample(name + "_bucket", {**labels, "le": "+Inf"}, count, time, created)
    if 5 in fields and (repeated[9] or repeated[12] or 7 in fields or 8 in fields or 6 in fields):
        if name in wanted.names:
            yield Sample(name, labels, _native(fields, repeated, count), time, created)


def _native(
    fields: dict[int, int | float | bytes],
    repeated: dict[int, list[int | float | bytes]],
    count: float,
) -> NativeHistogram:
    schema = _zigzag(int(_num(fields[5])))
    if not -4 <= schema <= 8:
        raise SourceError("malformed", f"native histogram schema {schema} is not known")
    growth = 2.0**-schema
    negative = _buckets(repeated[9], repeated[10], repeated[11])
    positive = _buckets(repeated[12], repeated[13], repeated[14])
    threshold = float(_num(fields.get(6, 0.0)))
    zero = float(_num(fields.get(8) or fields.get(7, 0)))
    out = [(-_power(i, growth), -_power(i - 1, growth), n) for i, n in reversed(negative)]
    out.append((-threshold, threshold, zero))
    out += [(_power(i - 1, growth), _power(i, growth), n) for i, n in positive]
    return NativeHistogram(count, tuple(out))


def _power(index: int, growth: float) -> float:
    try:
        return math.pow(2.0, index * growth)
    except OverflowError:
        return inf


def _buckets(
    spans: list[int | float | bytes],
    deltas: list[int | float | bytes],
    counts: list[int | float | bytes],
) -> list[tuple[int, float]]:
    """(index, count) of each bucket: spans say where, deltas or float counts say how many."""
    indexes: list[int] = []
    index = 0
    for raw in spans:
        span = dict(_fields(_raw(raw)))
        length = int(_num(span.get(2, 0)))
        if length > _MOST_BUCKETS - len(indexes):
            raise SourceError("malformed", "a native histogram with too many buckets")
        index += _zigzag(int(_num(span.get(1, 0))))
        indexes += range(index, index + length)
        index += length
    values: list[float] = []
    if counts:
        for raw in counts:
            if isinstance(raw, bytes):
                values += [v for (v,) in struct.iter_unpack("<d", raw)]
            else:
                values.append(float(raw))
    else:
        total = 0
        for delta in _varints(deltas):
            total += _zigzag(delta)
            values.append(float(total))
    if len(values) != len(indexes):
        raise SourceError("malformed", "a native histogram whose spans and buckets do not agree")
    return list(zip(indexes, values, strict=True))


def _varints(values: list[int | float | bytes]) -> Iterator[int]:
    for value in values:
        if isinstance(value, bytes):
            at = 0
            while at < len(value):
                one, at = _varint(value, at)
                yield one
        else:
            yield int(value)


def _bound(bound: float) -> str:
    """As Prometheus writes `le`: `0.5`, `1`, `+Inf`."""
    if bound == inf:
        return "+Inf"
    return repr(bound).removesuffix(".0") if bound.is_integer() else repr(bound)


# --- the wire format ----------------------------------------------------------------------------


def _fields(message: bytes) -> Iterator[Field]:
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        wire = key & 7
        if wire == _BYTES:
            length, at = _varint(message, at)
            if at + length > end:
                raise SourceError("truncated", "a protobuf field is longer than its message")
            yield key >> 3, message[at : at + length]
            at += length
        elif wire == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
        elif wire == _FIXED64:
            yield key >> 3, _double(message, at)[0]
            at += 8
        elif wire == _FIXED32:
            at += 4
        else:
            raise SourceError("malformed", f"protobuf wire type {wire} is not known")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for _ in range(_LONGEST_VARINT):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise SourceError("malformed", "a protobuf number is too long")


def _zigzag(value: int) -> int:
    return (value >> 1) ^ -(value & 1)


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


def _text(value: int | float | bytes) -> str:
    return _raw(value).decode()


def _raw(value: int | float | bytes) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError("a protobuf message or string was expected")
    return value


def _num(value: int | float | bytes) -> int | float:
    if isinstance(value, bytes):
        raise TypeError("a protobuf number was expected")
    return value


def _timestamp(value: int | float | bytes | None) -> float | None:
    if value is None:
        return None
    fields = dict(_fields(_raw(value)))
    return _signed(int(_num(fields.get(1, 0)))) + int(_num(fields.get(2, 0))) / 1e9
