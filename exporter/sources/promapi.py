"""Prometheus' HTTP API, the pure half: answers into readings, refusals into reasons.

Source: Prometheus documentation, "HTTP API", expression queries.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from exporter.core.sample import NativeHistogram, Reading, Series, Value
from exporter.errors import SourceError
from exporter.http import Response

_TOO_MUCH = ("too many", "exceed", "maximum", "limit")
FORGET_AFTER = 86_400.0


class _Histogram(msgspec.Struct):
    count: str
    buckets: list[tuple[int, str, str, str]] = []


class _Series(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]] = []
    value: tuple[float, str] | None = None
    histograms: list[tuple[float, _Histogram]] = []


class _Data(msgspec.Struct):
    resultType: str  # noqa: N815 - as the API spells it
    result: Any = None


class Answer(msgspec.Struct):
    """A whole answer; `error` is the server's own text."""

    status: str
    data: _Data | None = None
    error: str = ""
    errorType: str = ""  # noqa: N815
    warnings: list[str] = []


_decode = msgspec.json.Decoder(Answer).decode


class TooMuch(SourceError):
    """The server will not answer so much at once; a smaller range may do."""


def read(answer: Response) -> Answer:
    """The answer; `SourceError` with a reason when there is none to use."""
    try:
        found = _decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = None
    if answer.status == 200 and found is not None and found.status == "success":
        return found
    said = " ".join(found.error.split())[:200] if found else "not an answer of Prometheus' API"
    if answer.status == 413 or (
        found is not None
        and (answer.status in (400, 422, 503))
        and any(word in found.error.lower() for word in _TOO_MUCH)
    ):
        raise TooMuch("too_much", said)
    reasons = {401: "unauthorized", 403: "unauthorized", 429: "rate_limited"}
    reason = reasons.get(answer.status)
    if reason is None:
        bad = found is not None and found.errorType == "bad_data"
        reason = "bad_query" if bad else "http_status" if answer.status != 200 else "malformed"
    raise SourceError(reason, f"answered {answer.status}: {said}")


class Names:
    """Makes each series' identity once; forgets those that were not seen for a day."""

    def __init__(self) -> None:
        self._series: dict[tuple[tuple[str, str], ...], tuple[Series, float]] = {}
        self._swept = 0.0

    def readings(self, answer: Answer, now: float) -> list[Reading]:
        """The series of an answer, a matrix or a vector."""
        data = answer.data
        if data is None or data.resultType not in ("matrix", "vector"):
            kind = data.resultType if data else "nothing"
            raise SourceError("malformed", f"answered with {kind} instead of series")
        try:
            rows = msgspec.convert(data.result, list[_Series])
            return [Reading(self._name(row.metric, now), _samples(row)) for row in rows]
        except (msgspec.ValidationError, ValueError) as error:
            raise SourceError("malformed", f"answered with unreadable series: {error}") from None

    def _name(self, metric: Mapping[str, str], now: float) -> Series:
        identity = tuple(sorted(metric.items()))
        known = self._series.get(identity)
        if known is None:
            labels = {k: v for k, v in identity if k != "__name__"}
            pairs = ",".join(f'{k}="{v}"' for k, v in labels.items())
            target = f"{labels.get('job', '')}/{labels.get('instance', '')}"
            series = Series(f"{metric.get('__name__', '')}{{{pairs}}}", target, labels)
        else:
            series = known[0]
        self._series[identity] = (series, now)
        return series

    def sweep(self, now: float) -> bool:
        """Forget what is old, once an hour; whether it was time to."""
        if now - self._swept <= FORGET_AFTER / 24:
            return False
        self._swept = now
        self._series = {k: v for k, v in self._series.items() if now - v[1] < FORGET_AFTER}
        return True


def _samples(row: _Series) -> list[tuple[float, Value]]:
    values = row.values if row.value is None else [row.value]
    out: list[tuple[float, Value]] = [(time, float(text)) for time, text in values]
    if row.histograms:
        out += [(time, _native(histogram)) for time, histogram in row.histograms]
        out.sort(key=lambda sample: sample[0])
    return out


def _native(histogram: _Histogram) -> NativeHistogram:
    buckets = tuple(
        (float(lower), float(upper), float(count)) for _, lower, upper, count in histogram.buckets
    )
    return NativeHistogram(float(histogram.count), buckets)
