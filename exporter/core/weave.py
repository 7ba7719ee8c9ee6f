"""Polylines: read at many moments, and added to among the points there are, since targets take
turns and a straggler comes late."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import MutableSequence, Sequence
from itertools import repeat


def line(start: float, low: float, end: float, high: float) -> tuple[float, float, float, float]:
    """A straight piece: start, end, count at the start, slope."""
    return start, end, low, (high - low) / (end - start)


def interpolated(
    times: Sequence[float], counts: Sequence[float], moments: Sequence[float]
) -> list[float]:
    """The counts of a polyline at many moments, in ascending order; flat before and after it."""
    if not times:
        return [0.0] * len(moments)
    before, after = bisect_right(moments, times[0]), bisect_left(moments, times[-1])
    inside = moments[before:after]
    # All in comprehensions: a graph of a fleet asks a hundred thousand times.
    between = [
        (low := counts[i - 1])
        + (counts[i] - low) / (times[i] - (start := times[i - 1])) * (when - start)
        for i, when in zip(map(bisect_right, repeat(times), inside), inside, strict=True)
    ]
    return [counts[0]] * before + between + [counts[-1]] * (len(moments) - max(before, after))


def weave(
    times: MutableSequence[float],
    counts: MutableSequence[float],
    errors: list[float] | None,
    added: tuple[float, float, float],
    grain: float,
) -> None:
    """Spread an amount over the time from a start to an end; an end within a grain of a point has
    none of its own."""
    start, end, amount = added
    for when in (start, end):
        _ensure(times, counts, errors, when, grain)
    first = bisect_right(times, start)
    after = bisect_left(times, end, first)
    per_second = amount / (end - start)
    for i in range(first, after):
        counts[i] += per_second * (times[i] - start)
    for i in range(after, len(counts)):
        counts[i] += amount


def _ensure(
    times: MutableSequence[float],
    counts: MutableSequence[float],
    errors: list[float] | None,
    when: float,
    grain: float,
) -> None:
    """Have a point at a moment, unless one stands within a grain of it."""
    i = bisect_left(times, when)
    if i == 0 and when < times[0]:
        # Without a point, what came before the first one would be of no time, and in no window.
        if len(times) > 1 and times[1] - when <= grain:
            times[0] = when
            return
        count = counts[0]
    elif i < len(times) and times[i] - when <= grain:
        return
    elif when - times[i - 1] <= grain:
        if i == len(times) > 1 and when - times[i - 2] <= grain:
            times[-1] = when
        return
    elif i == len(times):
        count = counts[-1]
    else:
        start, _, low, slope = line(times[i - 1], counts[i - 1], times[i], counts[i])
        count = low + slope * (when - start)
    times.insert(i, when)
    counts.insert(i, count)
    if errors is not None:
        errors.insert(i, errors[i] if 0 < i < len(errors) else 0.0)
