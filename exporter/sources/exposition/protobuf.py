"""Protobuf exposition: length-delimited `io.prometheus.client.MetricFamily` messages.

Families nobody asked for are skipped as a whole. Histograms come as the series that text would
show, and native ones under the metric's own name. A native histogram without classic buckets has
no `_bucket`, `_count` and `_sum`, so that nobody compares a count with buckets that are not there.
Gauge histograms count nothing and are left out. Source: client_model, metrics.proto.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import inf
from typing import NamedTuple

from exporter.core.sample import Value
from exporter.errors import SourceError
from exporter.sources.exposition.labels import bound
from exporter.sources.exposition.native import is_native, native, read
from exporter.sources.exposition.wire import (
    Malformed,
    Raw,
    Truncated,
    double,
    fields,
    integer,
    raw,
    signed,
    text,
    varint,
)

_COUNTER, _GAUGE, _SUMMARY, _UNTYPED, _HISTOGRAM = range(5)
_BODY = {_GAUGE: 2, _COUNTER: 3, _SUMMARY: 4, _UNTYPED: 5, _HISTOGRAM: 7}
_SUFFIXES = ("_bucket", "_count", "_sum")


class Name(NamedTuple):
    """Which series a sample is of, cheap to compare: the label messages as they came, and the
    label that the series of a histogram or summary have besides (`le` or `quantile`)."""

    metric: str
    pairs: tuple[bytes, ...]
    besides: tuple[str, float] | None = None

    def labels(self) -> dict[str, str]:
        """The labels, decoded; `Malformed` when one stands twice or is not UTF-8."""
        out: dict[str, str] = {}
        for pair in self.pairs:
            found = dict(fields(pair))
            label = text(found.get(1, b""))
            if label in out or not label:
                raise Malformed("a label without a name, or twice")
            out[label] = text(found.get(2, b""))
        if self.besides is not None:
            out[self.besides[0]] = bound(self.besides[1])
        return out


class Sample(NamedTuple):
    """One sample; times in unix seconds."""

    name: Name
    value: Value
    time: float | None
    created: float | None


def samples(body: bytes, wanted: frozenset[str], refuse: Callable[[str], None]) -> Iterator[Sample]:
    """The samples of the wanted metrics; `SourceError` when the bytes are not such messages."""
    try:
        at = 0
        while at < len(body):
            length, at = varint(body, at)
            if at + length > len(body):
                raise Truncated("the page ends inside a metric family")
            yield from _family(body, at, at + length, wanted, refuse)
            at += length
    except Malformed as error:
        reason = "truncated" if isinstance(error, Truncated) else "malformed"
        raise SourceError(reason, f"not protobuf metric families: {error}") from None


def _family(
    body: bytes, at: int, end: int, wanted: frozenset[str], refuse: Callable[[str], None]
) -> Iterator[Sample]:
    name, kind, metrics = "", _COUNTER, []
    for number, value in fields(body, at, end):
        if number == 1:
            name = text(value)
            if name not in wanted and not any(name + s in wanted for s in _SUFFIXES):
                return
        elif number == 3:
            kind = integer(value)
        elif number == 4:
            metrics.append(raw(value))
    if not name or kind not in _BODY:
        return
    for metric in metrics:
        yield from _metric(name, kind, metric, wanted, refuse)


def _metric(
    name: str, kind: int, message: bytes, wanted: frozenset[str], refuse: Callable[[str], None]
) -> Iterator[Sample]:
    pairs: list[bytes] = []
    time: float | None = None
    body: bytes | None = None
    for number, value in fields(message):
        if number == 1:
            pairs.append(raw(value))
        elif number == 6:
            time = signed(value) / 1000
        elif number == _BODY[kind]:
            body = raw(value)
    labels = tuple(pairs)
    if body is None:
        # Not a zero: that would pass for a reset.
        refuse("malformed")
    elif kind == _HISTOGRAM:
        yield from _histogram(name, labels, time, body, wanted)
    elif kind == _SUMMARY:
        yield from _summary(name, labels, time, body, wanted)
    elif name in wanted:
        found = dict(fields(body))
        created = _seconds(found.get(3)) if kind == _COUNTER else None
        yield Sample(Name(name, labels), double(found.get(1, 0.0)), time, created)


def _summary(
    name: str, labels: tuple[bytes, ...], time: float | None, body: bytes, wanted: frozenset[str]
) -> Iterator[Sample]:
    found, quantiles = {}, []
    for number, value in fields(body):
        if number == 3:
            quantiles.append(raw(value))
        else:
            found[number] = value
    created = _seconds(found.get(4))
    if name + "_count" in wanted:
        count = float(integer(found.get(1, 0)))
        yield Sample(Name(name + "_count", labels), count, time, created)
    if name + "_sum" in wanted:
        yield Sample(Name(name + "_sum", labels), double(found.get(2, 0.0)), time, created)
    for message in quantiles if name in wanted else ():
        quantile = dict(fields(message))
        besides = ("quantile", double(quantile.get(1, 0.0)))
        yield Sample(Name(name, labels, besides), double(quantile.get(2, 0.0)), time, None)


def _histogram(
    name: str,
    labels: tuple[bytes, ...],
    time: float | None,
    body: bytes,
    wanted: frozenset[str],
) -> Iterator[Sample]:
    """A histogram may be classic, native, or both at once."""
    found = read(body)
    created = _seconds(found.one.get(15))
    count = found.number(1, 4)
    has_native = is_native(found)
    if found.many[3] or not has_native:
        if name + "_count" in wanted:
            yield Sample(Name(name + "_count", labels), count, time, created)
        if name + "_sum" in wanted:
            total = double(found.one.get(2, 0.0))
            yield Sample(Name(name + "_sum", labels), total, time, created)
        if name + "_bucket" in wanted:
            for upper, value in _classic(found.many[3], count):
                besides = ("le", upper)
                yield Sample(Name(name + "_bucket", labels, besides), value, time, created)
    if has_native and name in wanted:
        yield Sample(Name(name, labels), native(found), time, created)


def _classic(buckets: list[Raw], count: float) -> Iterator[tuple[float, float]]:
    """(upper bound, cumulative count); the last one, +Inf, may be left out on the wire."""
    infinite = False
    for message in buckets:
        bucket = dict(fields(raw(message)))
        upper = double(bucket.get(2, 0.0))
        exact = double(bucket.get(4, 0.0))
        infinite = infinite or upper == inf
        yield upper, exact if exact > 0 else float(integer(bucket.get(1, 0)))
    if not infinite:
        yield inf, count


def _seconds(value: Raw | None) -> float | None:
    """A google.protobuf.Timestamp in unix seconds."""
    if value is None:
        return None
    found = dict(fields(raw(value)))
    return signed(found.get(1, 0)) + signed(found.get(2, 0)) / 1e9
