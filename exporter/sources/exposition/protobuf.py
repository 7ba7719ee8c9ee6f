"""Protobuf exposition: length-delimited `io.prometheus.client.MetricFamily` messages.

Families nobody asked for are skipped as a whole. Histograms come as the series that text would
show, and native ones under the metric's own name. The `_bucket`, `_count` and `_sum` of a native
histogram without classic buckets are marked as `bare`, so that nobody compares a count with buckets
that are not there. Gauge histograms count nothing and are left out. Source: client_model,
metrics.proto.

From page to page nearly always nothing but the values change. So of each metric is remembered what
stands around them (frames.py); a message with the same is read at once, any other field by field.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from math import inf
from typing import NamedTuple

from exporter.core.sample import Value
from exporter.errors import SourceError
from exporter.sources.exposition.frames import Frame, histogram_places, number_places
from exporter.sources.exposition.labels import bound
from exporter.sources.exposition.lines import plausible
from exporter.sources.exposition.native import is_native, native, read
from exporter.sources.exposition.starts import is_start
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
_TYPES = dict(enumerate(("counter", "gauge", "summary", "untyped", "histogram", "gaugehistogram")))
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
    """One sample; times in unix seconds. `bare`: of a native histogram without classic buckets,
    under a name that only classic ones have."""

    name: Name
    value: Value
    time: float | None
    created: float | None
    bare: bool = False


class _Known(NamedTuple):
    """A metric of the last page: its frame, and of each wanted number the sample but the value."""

    frame: Frame
    samples: list[Sample]


class Families:
    """Reads pages of one target.

    `wanted`: the names of samples that are read, besides the start times of processes. `keeps`:
    whether anybody wants the series of this name; asked once it was handed out.
    """

    def __init__(self, wanted: frozenset[str], keeps: Callable[[Name], bool]) -> None:
        self._wanted = wanted
        self._keeps = keeps
        self._last: dict[tuple[str, int], list[_Known | None]] = {}
        """The metrics of the last page, by name and kind of their family."""
        self._next: dict[tuple[str, int], list[_Known | None]] = {}

    def forget(self) -> None:
        """Read every message of the next page field by field."""
        self._next = {}

    def samples(
        self, body: bytes, refuse: Callable[[str], None], declared: dict[str, str]
    ) -> Iterator[Sample]:
        """The samples of the wanted metrics; `SourceError` when the bytes are not such messages.

        `declared` takes the types of the families that they are of, by name.
        """
        self._last, self._next = self._next, {}
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
        if name and kind in _BODY:
            yield from self._metrics(name, kind, metrics, refuse)

    def _metrics(
        self, name: str, kind: int, messages: Sequence[bytes], refuse: Callable[[str], None]
    ) -> Iterator[Sample]:
        """The samples of a family."""
        last = self._last.get((name, kind), [])
        metrics: list[_Known | None] = []
        for message, known in zip_longest(messages, last[: len(messages)]):
            if known is not None and known.frame.fits(message):
                metrics.append(known)
                for sample, value in zip(known.samples, known.frame.values(message), strict=True):
                    yield Sample(sample.name, value, None, sample.created)
                continue
            samples = list(_metric(name, kind, message, self._wanted, refuse))
            yield from samples
            metrics.append(self._framed(name, kind, message, samples))
        self._next[name, kind] = metrics

    def _framed(
        self, name: str, kind: int, message: bytes, samples: Sequence[Sample]
    ) -> _Known | None:
        """What to know of a metric for the next page; None where it has to be read anew."""
        if kind == _SUMMARY:
            return None
        find = histogram_places if kind == _HISTOGRAM else number_places
        try:
            places = find(message, _BODY[kind])
        except Malformed:
            # In a part that nobody wants.
            return None
        spans = [
            span
            for suffix, span in places or ()
            if name + suffix in self._wanted or kind != _HISTOGRAM
        ]
        if places is None or len(spans) != len(samples):
            return None
        kept = [pair for pair in zip(samples, spans, strict=True) if self._keeps(pair[0].name)]
        frame = Frame(message, places, [span for _, span in kept])
        return _Known(frame, [sample for sample, _ in kept])


def outline(body: bytes) -> tuple[int, bytes]:
    """The number of a page's families and the name of the last one; the page can be read."""
    count = at = begin = 0
    while at < len(body):
        length, begin = varint(body, at)
        at = begin + length
        count += 1
    return count, raw(dict(fields(body, begin, at)).get(1, b"")) if count else b""


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
    elif name in wanted or is_start(name):
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
