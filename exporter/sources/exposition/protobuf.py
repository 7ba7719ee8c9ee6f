"""Protobuf exposition: length-delimited `io.prometheus.client.MetricFamily` messages.

Families nobody asked for are skipped as a whole. Histograms come as the series that text would
show, and native ones under the metric's own name. The `_bucket`, `_count` and `_sum` of a native
histogram without classic buckets are marked as `bare`, so that nobody compares a count with buckets
that are not there. Gauge histograms count nothing and are left out. Source: client_model,
metrics.proto.

From page to page nearly always nothing but the values change. So of each counter, gauge and untyped
metric it is remembered which bytes stand around its value; a message with the same ones is read at
once, any other one field by field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from math import inf
from typing import NamedTuple

from exporter.core.sample import Value
from exporter.errors import SourceError
from exporter.sources.exposition.labels import bound
from exporter.sources.exposition.lines import plausible
from exporter.sources.exposition.native import is_native, native, read
from exporter.sources.exposition.starts import is_start
from exporter.sources.exposition.wire import (
    Malformed,
    Raw,
    Truncated,
    double,
    double_at,
    fields,
    integer,
    raw,
    signed,
    text,
    varint,
)

_COUNTER, _GAUGE, _SUMMARY, _UNTYPED, _HISTOGRAM = range(5)
_BODY = {_GAUGE: 2, _COUNTER: 3, _SUMMARY: 4, _UNTYPED: 5, _HISTOGRAM: 7}
_TYPES = dict(enumerate(("counter", "gauge", "summary", "untyped", "histogram", "gaugehistogram")))
_SUFFIXES = ("_bucket", "_count", "_sum")
_FIRST_DOUBLE = b"\x09"
"""The tag of field 1 as a double."""


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
    """One sample; times in unix seconds. `bare`: of a native histogram without classic buckets,
    under a name that only classic ones have."""

    name: Name
    value: Value
    time: float | None
    created: float | None
    bare: bool = False


class _Frame(NamedTuple):
    """A metric's message but for its value, a double at `place`."""

    size: int
    place: int
    before: bytes
    after: bytes
    name: Name
    created: float | None


class Families:
    """Reads pages of one target. `wanted`: the names of samples that are read, besides the start
    times of processes."""

    def __init__(self, wanted: frozenset[str]) -> None:
        self._wanted = wanted
        self._frames: dict[tuple[str, int], list[_Frame | None]] = {}
        """Of the last page, by name and kind."""
        self._next: dict[tuple[str, int], list[_Frame | None]] = {}

    def samples(
        self, body: bytes, refuse: Callable[[str], None], declared: dict[str, str]
    ) -> Iterator[Sample]:
        """The samples of the wanted metrics; `SourceError` when the bytes are not such messages.

        `declared` takes the types of the families that they are of, by name.
        """
        self._frames, self._next = self._next, {}
        try:
            at = 0
            while at < len(body):
                length, at = varint(body, at)
                if at + length > len(body):
                    raise Truncated("the page ends inside a metric family")
                yield from self._family(body, at, at + length, refuse, declared)
                at += length
        except Malformed as error:
            reason = "truncated" if isinstance(error, Truncated) else "malformed"
            raise SourceError(reason, f"not protobuf metric families: {error}") from None

    def _is_wanted(self, family: str) -> bool:
        wanted = self._wanted
        return family in wanted or any(family + s in wanted for s in _SUFFIXES) or is_start(family)

    def _family(
        self,
        body: bytes,
        at: int,
        end: int,
        refuse: Callable[[str], None],
        declared: dict[str, str],
    ) -> Iterator[Sample]:
        name, kind, metrics = "", _COUNTER, []
        for number, value in fields(body, at, end):
            if number == 1:
                name = text(value)
                if not self._is_wanted(name):
                    return
            elif number == 3:
                kind = integer(value)
            elif number == 4:
                metrics.append(raw(value))
        if kind in _TYPES:
            declared[name] = _TYPES[kind]
        if name and kind in (_HISTOGRAM, _SUMMARY):
            for metric in metrics:
                yield from _distribution(name, kind, metric, self._wanted, refuse)
        elif kind in _BODY and (name in self._wanted or is_start(name)):
            yield from self._numbers(name, kind, metrics, refuse)

    def _numbers(
        self, name: str, kind: int, metrics: Sequence[bytes], refuse: Callable[[str], None]
    ) -> Iterator[Sample]:
        """The samples of a family whose metrics are one number each."""
        known = self._frames.get((name, kind), [])
        frames: list[_Frame | None] = []
        for metric, frame in zip_longest(metrics, known[: len(metrics)]):
            if (
                frame is not None
                and len(metric) == frame.size
                and metric.startswith(frame.before)
                and metric.endswith(frame.after)
            ):
                frames.append(frame)
                yield Sample(frame.name, double_at(metric, frame.place), None, frame.created)
                continue
            sample, frame = _number(name, kind, metric)
            frames.append(frame)
            if sample is None:
                # Not a zero: that would pass for a reset.
                refuse("malformed")
            else:
                yield sample
        self._next[name, kind] = frames


def outline(body: bytes) -> tuple[int, bytes]:
    """The number of a page's families and the name of the last one; the page can be read."""
    count = at = begin = 0
    while at < len(body):
        length, begin = varint(body, at)
        at = begin + length
        count += 1
    return count, raw(dict(fields(body, begin, at)).get(1, b"")) if count else b""


def _parts(kind: int, message: bytes) -> tuple[tuple[bytes, ...], float | None, bytes | None, bool]:
    """Labels, time, and the body of a metric by its kind; and whether the body ends it."""
    pairs: list[bytes] = []
    time: float | None = None
    body: bytes | None = None
    number = 0
    for number, value in fields(message):
        if number == 1:
            pairs.append(raw(value))
        elif number == 6:
            time = signed(value) / 1000
        elif number == _BODY[kind]:
            body = raw(value)
    return tuple(pairs), time, body, number == _BODY[kind]


def _number(name: str, kind: int, message: bytes) -> tuple[Sample | None, _Frame | None]:
    """The sample of a counter, gauge or untyped metric, and what stands around its value."""
    pairs, time, body, at_end = _parts(kind, message)
    if body is None:
        return None, None
    found = list(fields(body))
    inside = dict(found)
    created = _seconds(inside.get(3)) if kind == _COUNTER else None
    sample = Sample(Name(name, pairs), double(inside.get(1, 0.0)), time, created)
    # The value comes first in its body and once, the body comes last in its metric.
    plain = [number for number, _ in found if number == 1] == [1] and body[:1] == _FIRST_DOUBLE
    if not plain or not at_end or time is not None:
        return sample, None
    place = len(message) - len(body) + 1
    before, after = message[:place], message[place + 8 :]
    return sample, _Frame(len(message), place, before, after, sample.name, created)


def _distribution(
    name: str, kind: int, message: bytes, wanted: frozenset[str], refuse: Callable[[str], None]
) -> Iterator[Sample]:
    """The samples of a histogram or summary."""
    labels, time, body, _ = _parts(kind, message)
    if body is None:
        refuse("malformed")
    elif kind == _HISTOGRAM:
        yield from _histogram(name, labels, time, body, wanted)
    else:
        yield from _summary(name, labels, time, body, wanted)


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
    bare = has_native and not found.many[3]
    if name + "_count" in wanted:
        yield Sample(Name(name + "_count", labels), count, time, created, bare)
    if name + "_sum" in wanted:
        total = double(found.one.get(2, 0.0))
        yield Sample(Name(name + "_sum", labels), total, time, created, bare)
    if name + "_bucket" in wanted:
        for upper, value in _classic(found.many[3], count):
            besides = ("le", upper)
            yield Sample(Name(name + "_bucket", labels, besides), value, time, created, bare)
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
    """A google.protobuf.Timestamp in unix seconds; None where it can be no time of creation."""
    if value is None:
        return None
    found = dict(fields(raw(value)))
    return plausible(signed(found.get(1, 0)) + signed(found.get(2, 0)) / 1e9)
