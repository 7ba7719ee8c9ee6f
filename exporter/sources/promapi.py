"""Prometheus' HTTP API, the pure half: answers into rows, rows into samples and series.

Source: Prometheus documentation, "HTTP API", expression queries.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

import msgspec

from exporter.core.amounts import MOST_TEXT
from exporter.core.sample import NativeHistogram, Reading, Series, Value
from exporter.core.selector import NAME, quote
from exporter.errors import SourceError
from exporter.http import Response
from exporter.room import ANSWERS, SERIES, NoRoom
from exporter.sources.refusals import TooMuch, partial, refusal

FORGET_AFTER = 86_400.0
"""Seconds for which the identity of a series is kept after it was last in an answer."""
_LONGEST_LABELS = 64 * 1024
"""Characters of a series' labels; no honest server has more, and each is kept for a day."""
_time = itemgetter(0)
_AMBIGUOUS = re.compile(r'[\\"\n={},]')
"""Characters of a UTF-8 name that would read as the end of it, or of another label, in a key."""


class Histogram(msgspec.Struct):
    """A native histogram as the API writes it."""

    count: str
    buckets: list[tuple[int, str, str, str]] = []


class Row(msgspec.Struct):
    """One series of an answer, a matrix' or a vector's."""

    metric: dict[str, str]
    values: list[tuple[float, str]] = []
    value: tuple[float, str] | None = None
    histograms: list[tuple[float, Histogram]] = []

    @property
    def newest(self) -> float:
        """Time of the newest sample; 0 without any."""
        times = [self.values[-1][0] if self.values else 0.0]
        if self.histograms:
            times.append(self.histograms[-1][0])
        return max(times)

    def samples(self) -> list[tuple[float, Value]]:
        """Samples in ascending time. Several of one time stay in the order of the answer, as
        VictoriaMetrics gives them; which of them counts is decided by whoever counts."""
        values = self.values if self.value is None else [self.value]
        out: list[tuple[float, Value]] = [(time, float(text)) for time, text in values]
        out += [(time, _native(histogram)) for time, histogram in self.histograms]
        out.sort(key=_time)
        return out


class Rows(list[Row]):
    """The series of one or several answers. While it lives, `price` bytes of the room for answers
    are held for it."""

    __slots__ = ("__weakref__", "price")

    def __init__(self, rows: Iterable[Row], price: int) -> None:
        super().__init__(rows)
        self.price = price
        ANSWERS.hold(price, self)

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """All series of several answers."""
        return cls((row for part in parts for row in part), sum(part.price for part in parts))


class _Data(msgspec.Struct):
    resultType: str  # noqa: N815 - as the API spells it
    result: msgspec.Raw = msgspec.Raw(b"")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer that can be used. `price`: bytes that its data may take once decoded."""

    data: msgspec.Raw
    warnings: Sequence[str]
    price: int


class _Answer(msgspec.Struct):
    """A whole answer; `error` is the server's own text, `isPartial` VictoriaMetrics' word that
    nodes of its cluster did not answer."""

    status: str
    data: msgspec.Raw = msgspec.Raw(b"")
    error: str = ""
    errorType: str = ""  # noqa: N815
    warnings: list[str] = []
    isPartial: bool = False  # noqa: N815


_decode = msgspec.json.Decoder(_Answer).decode
_decode_data = msgspec.json.Decoder(_Data | None).decode
_decode_labels = msgspec.json.Decoder(list[dict[str, str]]).decode
_decode_rows = msgspec.json.Decoder(list[Row]).decode


def read(answer: Response, *, recent: bool = True) -> Answer:
    """The answer; `SourceError` with a reason when there is none to use, or only a part of one.

    `recent`: whether data of the last hour were asked for, which some store must have.
    """
    try:
        price = ANSWERS.check(answer.body)
    except NoRoom as full:
        raise TooMuch("too_large", f"there is no memory for an answer: {full}") from None
    try:
        found = _decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if answer.status != 200 or found is None or found.status != "success":
        text, kind = (found.error, found.errorType) if found else ("", "")
        raise refusal(answer.status, text, kind)
    if found.isPartial:
        raise SourceError("partial", "answered with a part of the data: isPartial is true")
    for warning in found.warnings:
        if (error := partial(warning, recent=recent)) is not None:
            raise error
    return Answer(found.data, found.warnings, price)


def rows(answer: Answer) -> Rows:
    """The series of an answer."""
    try:
        data = _decode_data(answer.data or b"null")
        if data is not None and data.resultType in ("matrix", "vector"):
            return Rows(_decode_rows(data.result), answer.price)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError("malformed", f"answered with unreadable series: {error}") from None
    kind = data.resultType if data else "nothing"
    raise SourceError("malformed", f"answered with {kind} instead of series")


def labels(answer: Answer) -> list[dict[str, str]]:
    """The label sets of an answer about series."""
    try:
        return _decode_labels(answer.data or b"[]")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError("malformed", f"answered with unreadable series: {error}") from None


def series_key(name: str, labels: Iterable[tuple[str, str]]) -> str:
    """`name{a="b",c="d"}`, values quoted as PromQL quotes them, so that no two series share a key.

    Names stand as they are, dots and all, as in the keys of older state files; only one that could
    be mistaken is quoted.
    """
    inside = ",".join(f"{_plain(k)}={quote(v)}" for k, v in labels)
    return f"{_plain(name)}{{{inside}}}"


def _plain(name: str) -> str:
    return quote(name) if _AMBIGUOUS.search(name) else name


class Names:
    """Makes each series' identity once; forgets those that were not seen for a day."""

    def __init__(self) -> None:
        self._series: dict[tuple[tuple[str, str], ...], tuple[Series, float]] = {}
        self._swept = 0.0
        self._most: int | None = None

    def readings(
        self, found: Iterable[Row], now: float, target_of: Callable[[Mapping[str, str]], str]
    ) -> list[Reading]:
        """Rows as readings; `target_of` names the process of a series that is new."""
        before = len(self._series)
        self._most = SERIES.most(now)
        try:
            return [Reading(self._name(r.metric, now, target_of), r.samples()) for r in found]
        except ValueError as error:
            raise SourceError("malformed", f"answered with unreadable samples: {error}") from None
        finally:
            SERIES.add(len(self._series) - before, now)

    def _name(
        self, metric: Mapping[str, str], now: float, target_of: Callable[[Mapping[str, str]], str]
    ) -> Series:
        identity = tuple(sorted(metric.items()))
        known = self._series.get(identity)
        if known is None:
            self._admit(metric)
            labels = {k: v for k, v in identity if k != NAME}
            key = series_key(metric.get(NAME, ""), labels.items())
            series = Series(key, target_of(labels), labels)
            if len(key) > MOST_TEXT:
                return series  # It is refused, and not worth a day in memory.
        else:
            series = known[0]
        self._series[identity] = (series, now)
        return series

    def _admit(self, metric: Mapping[str, str]) -> None:
        """Refuse a new series for which there is no room."""
        if sum(len(k) + len(v) for k, v in metric.items()) > _LONGEST_LABELS:
            raise SourceError(
                "malformed",
                f"answered with a series of over {_LONGEST_LABELS} characters of labels",
            )
        if self._most is not None:
            if self._most <= 0:
                raise SourceError(
                    "too_many_series",
                    "answered with more new series than the cgroup has memory for; narrow the "
                    "selectors or raise the limit",
                )
            self._most -= 1

    def sweep(self, now: float) -> None:
        """Forget what is old, once an hour."""
        if now - self._swept > FORGET_AFTER / 24:
            self._swept = now
            self._series = {k: v for k, v in self._series.items() if now - v[1] < FORGET_AFTER}


def _native(histogram: Histogram) -> NativeHistogram:
    buckets = tuple(
        (float(lower), float(upper), float(count)) for _, lower, upper, count in histogram.buckets
    )
    return NativeHistogram(float(histogram.count), buckets)
