"""Points of a curve in few bytes: steps from one point to the next, in the narrowest columns.

A block is `time kind, count kind, time steps, count steps, error codes`. Steps of time are whole
units of 1, 10 or 100 ms; steps of count are whole events, or thousandths where a step is not whole.
What is rounded is the distance from the block's first point, so rounding does not add up. Times
are rounded down, so that the last point of a block never comes after the first one of the next.

Sparse events are the dear case: each is a flat stretch and a rise of one sample's length, two
points. Where the rise takes the usual time (`ramp`), one record stands for both: a jump.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import ceil, floor, log2
from sys import byteorder
from typing import NamedTuple

_WIDTHS = ((1 << 8, "B"), (1 << 16, "H"), (1 << 32, "I"), (1 << 64, "Q"))
_SIZE = {"B": 1, "H": 2, "I": 4, "Q": 8}
_MILLI = 1000.0
# Milliseconds, where a coarser unit makes two bytes of four: steps of up to 11 minutes and 2 hours.
_COARSE = {"h": 10, "d": 100}
_LARGEST_STEP = (1 << 64) - 1
_EXACT = 2.0**53  # doubles past it are whole
# Times that stand on the grid already must stay there, though a double misses it by a little.
_ON_GRID = 0.01

# An error bound is one byte: zero, or a power of 2**(1/4), rounded up; 2e-5 to 1e14 events.
_ERROR_STEPS, _ERROR_ZERO = 4, 64
_JUMP = 255
_JITTER = 0.01
"""How much longer or shorter a rise may take than usual, as a share, and still be a jump."""
_NEAR = 4
"""Records that are stepped over one by one; past them a search is cheaper."""
_ERRORS = (0.0, *(2.0 ** ((code - _ERROR_ZERO) / _ERROR_STEPS) for code in range(1, _JUMP)), 0.0)


class Points(NamedTuple):
    """Columns of equal length: unix seconds, counts, error bound of the segment ending there."""

    times: list[float]
    counts: list[float]
    errors: list[float]


class Place(NamedTuple):
    """A record of a block, and the units of time and count that come before it."""

    record: int
    ticks: int
    steps: int


class _Layout(NamedTuple):
    """What the two bytes at the beginning of a block say: types and units of its columns."""

    time_type: str
    time_size: int
    tick: float
    count_type: str
    count_size: int
    unit: float

    def records(self, block: bytes) -> int:
        return (len(block) - 2) // (self.time_size + self.count_size + 1)


_LAYOUTS = {
    bytes((ord(t), ord(c))): _Layout(
        "H" if t in _COARSE else t,
        _SIZE["H" if t in _COARSE else t],
        _COARSE.get(t, 1) / _MILLI,
        c.upper(),
        _SIZE[c.upper()],
        1.0 if c.isupper() else 1.0 / _MILLI,
    )
    for t in "BHIQhd"
    for c in "BHIQbhiq"
}


def pack(first_time: float, first_count: float, points: Points, ramp: float) -> bytes:
    """The points that follow the first one, which is kept elsewhere; `ramp` in seconds."""
    times, counts, codes = _contract(first_time, first_count, points, ramp)
    rises = [c - first_count for c in counts]
    whole = rises[-1] >= _EXACT or all(r.is_integer() for r in rises)
    unit = 1.0 if whole else _MILLI
    time_kind, time_steps = _time_steps([t - first_time for t in times])
    # Sums of fractions may fall by their last bit; a count never does.
    count_steps = _steps(list(accumulate((max(0, round(r * unit)) for r in rises), max)))
    count_kind = _narrowest(count_steps)
    kinds = bytes((ord(time_kind), ord(count_kind if whole else count_kind.lower())))
    columns = array("H" if time_kind in _COARSE else time_kind, time_steps).tobytes()
    columns += array(count_kind, count_steps).tobytes()
    return kinds + columns + bytes(codes)


def unpack(first_time: float, first_count: float, block: bytes, ramp: float) -> Points:
    """What `pack` was given, the first point not included; times to 100 ms."""
    times, counts, codes = _read(first_time, first_count, block)
    if _JUMP not in codes:
        return Points(times, counts, [_ERRORS[code] for code in codes])
    return _expand(first_count, times, counts, codes, ramp)


def polyline(
    first_time: float, first_count: float, block: bytes, ramp: float
) -> tuple[list[float], list[float]]:
    """Times and counts alone."""
    times, counts, codes = _read(first_time, first_count, block)
    if _JUMP in codes:
        times, counts, _ = _expand(first_count, times, counts, codes, ramp)
    return times, counts


def _read(
    first_time: float, first_count: float, block: bytes
) -> tuple[list[float], list[float], bytes]:
    form = _layout(block)
    view, n = memoryview(block), form.records(block)
    middle = 2 + n * form.time_size
    end = middle + n * form.count_size
    ticks = accumulate(_column(form.time_type, view[2:middle]))
    steps = accumulate(_column(form.count_type, view[middle:end]))
    tick, unit = form.tick, form.unit
    times = [first_time + t * tick for t in ticks]
    counts = [first_count + c * unit for c in steps]
    return times, counts, block[end:]


def records(block: bytes) -> int:
    """How many records a block holds, without reading them."""
    return _layout(block).records(block)


def locate(block: bytes, offset: float) -> Place:
    """The record in which a moment lies, `offset` seconds after the block's first point; the last
    one for all that comes after it."""
    form = _layout(block)
    view, n = memoryview(block), form.records(block)
    middle = 2 + n * form.time_size
    ticks = list(accumulate(_column(form.time_type, view[2:middle])))
    i = min(bisect_right(ticks, offset / form.tick), n - 1)
    steps = sum(_column(form.count_type, view[middle : middle + i * form.count_size]))
    return Place(i, ticks[i - 1] if i else 0, steps)


def walk(block: bytes, place: Place, offset: float) -> Place | None:
    """The same from an earlier place, by steps; None where it is more than a few."""
    form = _layout(block)
    i, ticks, steps = place
    last = form.records(block) - 1
    for _ in range(_NEAR):
        after = ticks + _time_step(block, form, i)
        if i == last or after * form.tick > offset:
            return Place(i, ticks, steps)
        ticks, steps, i = after, steps + _count_step(block, form, last + 1, i), i + 1
    return None


def piece(
    block: bytes,
    first: tuple[float, float],
    place: Place,
    ramp: float,
    when: float,
    end: tuple[float, float],
) -> tuple[float, float, float, float]:
    """The straight piece of a record in which a moment lies: start, end, count at the start, slope.

    `first` and `end`: time and count of the block's first point and of the next one's.
    """
    form = _layout(block)
    i, ticks, steps = place
    n = form.records(block)
    time, count = first[0] + ticks * form.tick, first[1] + steps * form.unit
    if i < n - 1:
        ticks += _time_step(block, form, i)
        steps += _count_step(block, form, n, i)
        end = first[0] + ticks * form.tick, first[1] + steps * form.unit
    if block[2 + n * (form.time_size + form.count_size) + i] == _JUMP:
        rise = end[0] - ramp
        if when < rise:
            return time, rise, count, 0.0
        time = rise
    return time, end[0], count, (end[1] - count) / (end[0] - time)


def _layout(block: bytes) -> _Layout:
    return _LAYOUTS[block[:2]]


def _time_step(block: bytes, form: _Layout, i: int) -> int:
    at = 2 + i * form.time_size
    return int.from_bytes(block[at : at + form.time_size], byteorder)


def _count_step(block: bytes, form: _Layout, n: int, i: int) -> int:
    at = 2 + n * form.time_size + i * form.count_size
    return int.from_bytes(block[at : at + form.count_size], byteorder)


def _contract(
    first_time: float, first_count: float, points: Points, ramp: float
) -> tuple[list[float], list[float], list[int]]:
    """Flat stretch and rise become one jump where the rise takes the usual time."""
    times: list[float] = []
    counts: list[float] = []
    codes: list[int] = []
    before, low = first_time, first_count
    flat = False
    for time, count, error in zip(*points, strict=True):
        if flat and error == 0.0 and abs(time - before - ramp) <= ramp * _JITTER:
            times[-1], counts[-1], codes[-1] = time, count, _JUMP
            flat = False
        else:
            times.append(time)
            counts.append(count)
            codes.append(_error_code(error))
            # Expanding moves the flat end by the jitter: it must stay after the point before.
            flat = count == low and error == 0.0 and time - before > ramp * 2 * _JITTER
        before, low = time, count
    return times, counts, codes


def _expand(
    low: float, times: list[float], counts: list[float], codes: Sequence[int], ramp: float
) -> Points:
    out = Points([], [], [])
    for time, count, code in zip(times, counts, codes, strict=True):
        if code == _JUMP:
            out.times.append(time - ramp)
            out.counts.append(low)
            out.errors.append(0.0)
        out.times.append(time)
        out.counts.append(count)
        out.errors.append(_ERRORS[code])
        low = count
    return out


def _column(kind: str, raw: memoryview) -> array[int]:
    column = array(kind)
    column.frombytes(raw)
    return column


def _time_steps(offsets: Sequence[float]) -> tuple[str, list[int]]:
    steps = _steps([floor(t * _MILLI + _ON_GRID) for t in offsets])
    kind = _narrowest(steps)
    if kind == "I":
        for coarse, unit in _COARSE.items():
            some = _steps([floor(t * _MILLI / unit + _ON_GRID) for t in offsets])
            if _narrowest(some) in "BH" and min(some) > 0:
                return coarse, some
    return kind, steps


def _steps(positions: Sequence[int]) -> list[int]:
    return [min(b - a, _LARGEST_STEP) for a, b in pairwise((0, *positions))]


def _narrowest(steps: Sequence[int]) -> str:
    largest = max(steps)
    return next(kind for limit, kind in _WIDTHS if largest < limit)


def _error_code(error: float) -> int:
    if error <= 0.0:
        return 0
    return min(_JUMP - 1, max(1, ceil(_ERROR_STEPS * log2(error)) + _ERROR_ZERO))
