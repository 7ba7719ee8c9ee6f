"""Results of an expression: a number for each moment, or series with a number for each moment."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, overload

from exporter.core.selector import NAME
from exporter.promql.errors import Failed
from exporter.promql.meter import ROW, VALUE, Meter, key_bytes, labels_bytes, series_bytes

Numbers = Sequence[float]
"""A scalar, by moment."""
Values = Sequence[float | None]
"""A series, by moment; None where it has no sample."""

_SPARSE = 500
"""Bytes of a `Sparse` without samples."""


class Sparse(Sequence[float | None]):
    """Values of a series that has samples at few of many moments.

    `count_values` makes a series for each value: at 11,000 moments, as lists, these would be 121
    million places for 11,000 numbers.
    """

    __slots__ = ("_places", "_size", "_values")

    def __init__(self, size: int) -> None:
        self._size = size
        self._places = array("l")
        self._values = array("d")

    def add(self, place: int, value: float) -> None:
        """Set the value at a place, which lies after all that have one."""
        self._places.append(place)
        self._values.append(value)

    def increment(self, place: int) -> None:
        """Add 1 to the value at the last place that has one, or at a later one."""
        if self._places and self._places[-1] == place:
            self._values[-1] += 1.0
        else:
            self.add(place, 1.0)

    def items(self) -> Iterator[tuple[int, float]]:
        """Places and values, ascending."""
        return zip(self._places, self._values, strict=True)

    @property
    def bytes(self) -> int:
        """Memory of it, in bytes."""
        return _SPARSE + 18 * len(self._places)

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, place: int) -> float | None: ...
    @overload
    def __getitem__(self, place: slice) -> Values: ...
    def __getitem__(self, place: int | slice) -> float | Values | None:
        if isinstance(place, slice):
            return [self[k] for k in range(*place.indices(self._size))]
        at = range(self._size)[place]
        k = bisect_left(self._places, at)
        return self._values[k] if k < len(self._places) and self._places[k] == at else None

    def __iter__(self) -> Iterator[float | None]:
        before = 0
        for place, value in self.items():
            for _ in range(before, place):
                yield None
            yield value
            before = place + 1
        for _ in range(before, self._size):
            yield None


class Column(NamedTuple):
    """One series of a vector."""

    labels: Mapping[str, str]
    values: Values


class Windows(NamedTuple):
    """One series of a matrix: its samples, and which of them lie in the window of each moment.

    Times are milliseconds, as Prometheus has them: their differences are exact. `lows` and `highs`:
    for each moment, the first sample and the one after the last; `ends`: where each window ends.
    """

    labels: Mapping[str, str]
    times: Sequence[int]
    values: Sequence[float]
    lows: Sequence[int]
    highs: Sequence[int]
    ends: Sequence[int]
    meter: Meter

    @property
    def spans(self) -> Iterator[tuple[int, int]]:
        """First sample, and the one after the last, of each window."""
        return self.meter.each(zip(self.lows, self.highs, strict=True))

    def inside(self) -> Iterator[Sequence[float]]:
        """The values of each window."""
        for low, high in self.spans:
            yield self.values[low:high]


def nameless(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels without the metric's name."""
    return {k: v for k, v in labels.items() if k != NAME}


def key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The same for the same labels; one that is empty is none."""
    return tuple(sorted((k, v) for k, v in labels.items() if v))


def shown(labels: Mapping[str, str]) -> str:
    """Labels as they are written."""
    inside = ", ".join(f'{k}="{v}"' for k, v in sorted(labels.items()))
    return f"{{{inside}}}"


def present(values: Values) -> Iterator[tuple[int, float]]:
    """Places and values of the samples there are."""
    if isinstance(values, Sparse):
        return values.items()
    return ((k, v) for k, v in enumerate(values) if v is not None)


def rows(columns: Sequence[Column], meter: Meter) -> Iterator[Sequence[float | None]]:
    """The values of all series at each moment."""
    with meter.scratch(ROW * len(columns)):
        yield from meter.each(zip(*(c.values for c in columns), strict=True))


def where_any(columns: Sequence[Column], meter: Meter, size: int) -> bytearray:
    """1 for each of so many moments at which any of the series has a sample."""
    meter.take(size)
    there = bytearray(size)
    for column in meter.each(columns):
        for place, _ in present(column.values):
            there[place] = 1
    return there


def unique(
    columns: Iterable[Column],
    meter: Meter,
    why: str = "vector cannot contain metrics with the same labelset",
) -> list[Column]:
    """Series with the same labels become one; `Failed` where both have a sample at a moment."""
    found: dict[tuple[tuple[str, str], ...], Column] = {}
    merged: dict[tuple[tuple[str, str], ...], list[float | None]] = {}
    for column in columns:
        meter.take(key_bytes(column.labels))
        at = key(column.labels)
        before = found.get(at)
        if before is None:
            found[at] = column
            continue
        values = merged.get(at)
        if values is None:
            # A list of its own: the series' own one may be another's, too.
            meter.values(len(before.values))
            values = merged[at] = list(before.values)
            found[at] = Column(before.labels, values)
        for place, value in present(column.values):
            if values[place] is not None:
                raise Failed(why)
            values[place] = value
    return list(found.values())


def filled(columns: Iterable[Column], meter: Meter) -> list[Column]:
    """Those that have any sample."""
    return [c for c in meter.each(columns) if any(True for _ in present(c.values))]


def columns_bytes(columns: Iterable[Column], elsewhere: frozenset[int]) -> int:
    """Memory of a vector in bytes, without the labels and values whose `id` is `elsewhere`: they
    are another's."""
    size, seen = 0, set(elsewhere)
    for labels, values in columns:
        size += series_bytes(labels)
        if id(labels) in seen:
            size -= labels_bytes(labels)
        if id(values) not in seen:
            size += values.bytes if isinstance(values, Sparse) else VALUE * len(values)
        seen.update((id(labels), id(values)))
    return size
