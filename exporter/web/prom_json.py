"""Answers as Prometheus writes them, in pieces: numbers are strings, times are seconds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

import msgspec

from exporter.web.exposition import numbers
from exporter.web.prom_stream import joined

_encode = msgspec.json.encode

_BLOCK = 1024
"""Samples that are written at a time."""


def single(kind: str, at: float, value: float | str) -> Iterator[bytes]:
    """A scalar or a string."""
    text = value if isinstance(value, str) else numbers([value])[0]
    return _result(kind, iter((f"[{_plain(at)},{_encode(text).decode()}]",)), "", "")


def vector(at: float, series: Sequence[tuple[Mapping[str, str], float]]) -> Iterator[bytes]:
    """Series with one value each."""
    when = _plain(at)

    def items() -> Iterator[str]:
        for start in range(0, len(series), _BLOCK):
            block = series[start : start + _BLOCK]
            values = numbers([value for _, value in block])
            for k, ((labels, _), value) in enumerate(zip(block, values, strict=True), start):
                comma = "," if k else ""
                yield f'{comma}{{"metric":{_labels(labels)},"value":[{when},"{value}"]}}'

    return _result("vector", items())


def matrix(
    series: Iterable[tuple[Mapping[str, str], Sequence[float], Sequence[float]]],
) -> Iterator[bytes]:
    """Series with samples."""

    def items() -> Iterator[str]:
        # Most series of an answer share their times.
        last: Sequence[float] = ()
        between: list[str] = []
        comma = ""
        for labels, times, values in series:
            if times is not last:
                last, between = times, [f'"],[{_plain(at)},"' for at in times]
            head = f'{comma}{{"metric":{_labels(labels)},"values":['
            for start in range(0, len(values), _BLOCK):
                block = values[start : start + _BLOCK]
                # Two columns laid into one list: a single join then does the work.
                parts = [""] * (2 * len(block))
                parts[0::2] = between[start : start + _BLOCK]
                parts[1::2] = numbers(list(block))
                yield head + "".join(parts).removeprefix('"],' if start == 0 else "")
                head = ""
            yield '"]]}'
            comma = ","

    return _result("matrix", items())


def listed(items: Iterable[object], name: str = "") -> Iterator[bytes]:
    """A list of anything that msgspec can encode; with a name, an object that has it under that."""
    head, tail = (f'{{"{name}":', "}") if name else ("", "")

    def parts() -> Iterator[str]:
        comma = head + "["
        for item in items:
            yield comma + _encode(item).decode()
            comma = ","
        yield ("]" if comma == "," else comma + "]") + tail

    return joined(parts())


def _result(
    kind: str, result: Iterable[str], opening: str = "[", closing: str = "]"
) -> Iterator[bytes]:
    head = f'{{"resultType":"{kind}","result":{opening}'
    return joined(chain((head,), result, (closing + "}",)))


def _labels(labels: Mapping[str, str]) -> str:
    return _encode(dict(labels)).decode()


def _plain(at: float) -> float | int:
    """Seconds to the millisecond, without a point where they are whole."""
    at = round(at, 3)
    return int(at) if at.is_integer() else at
