"""Points of a curve in few bytes: steps from one point to the next, in the narrowest columns.

A block is `time kind, count kind, time steps, count steps, error codes`. Steps of time are whole
units of 1 or 10 ms; steps of count are whole events, or thousandths where a step is not whole.
What is rounded is the distance from the block's first point, so rounding does not add up. Times
are rounded down, so that the last point of a block never comes after the first one of the next.

Sparse events are the dear case: each is a flat stretch and a rise of one sample's length, two
points. Where the rise takes the usual time (`ramp`), one record stands for both: a jump.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate, pairwise
from math import ceil, floor, log2
from typing import NamedTuple

_WIDTHS = ((1 << 8, "B"), (1 << 16, "H"), (1 << 32, "I"), (1 << 64, "Q"))
_SIZE = {"B": 1, "H": 2, "I": 4, "Q": 8}
_MILLI = 1000.0
_COARSE = 10  # milliseconds, where that makes two bytes of four
_LARGEST_STEP = (1 << 64) - 1
_EXACT = 2.0**53  # doubles past it are whole
# Times that stand on the grid already must stay there, though a double misses it by a little.
_ON_GRID = 0.01

# An error bound is one byte: zero, or a power of 2**(1/4), rounded up; 2e-5 to 1e14 events.
_ERROR_STEPS, _ERROR_ZERO = 4, 64
_JUMP = 255
_ERRORS = (0.0, *(2.0 ** ((code - _ERROR_ZERO) / _ERROR_STEPS) for code in range(1, _JUMP)), 0.0)


class Points(NamedTuple):
    """Columns of equal length: unix seconds, counts, error bound of the segment ending there."""

    times: list[float]
    counts: list[float]
    errors: list[float]


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
    columns = array(time_kind.upper(), time_steps).tobytes()
    columns += array(count_kind, count_steps).tobytes()
    return kinds + columns + bytes(codes)


def unpack(first_time: float, first_count: float, block: bytes, ramp: float) -> Points:
    """What `pack` was given, the first point not included; times to 10 ms."""
    view = memoryview(block)
    time_kind, count_kind = chr(block[0]), chr(block[1])
    tick = (1 if time_kind.isupper() else _COARSE) / _MILLI
    unit = 1.0 if count_kind.isupper() else 1.0 / _MILLI
    time_kind, count_kind = time_kind.upper(), count_kind.upper()
    n = (len(block) - 2) // (_SIZE[time_kind] + _SIZE[count_kind] + 1)
    middle = 2 + n * _SIZE[time_kind]
    end = middle + n * _SIZE[count_kind]
    times = [first_time + t * tick for t in accumulate(_column(time_kind, view[2:middle]))]
    counts = [first_count + c * unit for c in accumulate(_column(count_kind, view[middle:end]))]
    if _JUMP not in block[end:]:
        return Points(times, counts, [_ERRORS[code] for code in view[end:]])
    return _expand(first_count, times, counts, view[end:], ramp)


def records(block: bytes) -> int:
    """How many records a block holds, without reading them."""
    sizes = _SIZE[chr(block[0]).upper()] + _SIZE[chr(block[1]).upper()] + 1
    return (len(block) - 2) // sizes


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
        if flat and error == 0.0 and abs(time - before - ramp) <= ramp / 4:
            times[-1], counts[-1], codes[-1] = time, count, _JUMP
            flat = False
        else:
            times.append(time)
            counts.append(count)
            codes.append(_error_code(error))
            # Expanding moves the flat end by up to a quarter: it must stay after the point before.
            flat = count == low and error == 0.0 and time - before > ramp / 2
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
        coarse = _steps([floor(t * _MILLI / _COARSE + _ON_GRID) for t in offsets])
        if _narrowest(coarse) == "H" and min(coarse) > 0:
            return "h", coarse
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
