"""What a query gave, as Prometheus writes it: numbers are strings, times are seconds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from exporter.web.exposition import numbers

_encode = msgspec.json.encode

Sample = tuple[float, float]


def single(kind: str, at: float, value: float | str) -> bytes:
    """A scalar or a string."""
    text = value if isinstance(value, str) else numbers([value])[0]
    return _result(kind, f"[{_plain(at)},{_encode(text).decode()}]")


def vector(at: float, series: Sequence[tuple[Mapping[str, str], float]]) -> bytes:
    """Series with one value each."""
    when = _plain(at)
    values = numbers([value for _, value in series])
    return _result(
        "vector",
        _list(
            f'{{"metric":{_labels(labels)},"value":[{when},"{value}"]}}'
            for (labels, _), value in zip(series, values, strict=True)
        ),
    )


def matrix(series: Iterable[tuple[Mapping[str, str], Sequence[float], Sequence[float]]]) -> bytes:
    """Series with samples."""
    rows = []
    # Most series of an answer share their times.
    last: Sequence[float] = ()
    between: list[str] = []
    for labels, times, values in series:
        if times is not last:
            last, between = times, [f'"],[{_plain(at)},"' for at in times]
        # Two columns laid into one list: a single join then does the work.
        parts = [""] * (2 * len(values))
        parts[0::2] = between
        parts[1::2] = numbers(values)
        samples = "".join(parts).removeprefix('"],')
        rows.append(f'{{"metric":{_labels(labels)},"values":[{samples}"]]}}')
    return _result("matrix", _list(rows))


def _result(kind: str, result: str) -> bytes:
    return f'{{"resultType":"{kind}","result":{result}}}'.encode()


def _list(items: Iterable[str]) -> str:
    return "[" + ",".join(items) + "]"


def _labels(labels: Mapping[str, str]) -> str:
    return _encode(dict(labels)).decode()


def _plain(at: float) -> float | int:
    """Seconds to the millisecond, without a point where they are whole."""
    at = round(at, 3)
    return int(at) if at.is_integer() else at
