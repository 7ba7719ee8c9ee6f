"""Functions over the samples of a window: rates, and statistics over time.

Source: Prometheus documentation, "Functions"; the extrapolation of `rate` is Prometheus' own.
A function gets the samples of one window and answers None where it has nothing to say.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from operator import add

from exporter.promql import aggregate
from exporter.promql.column import Windows

_MILLI = 1000.0
_ENOUGH = 1.1
"""A sample nearer to the window's end than so many usual distances: the series went on to it."""


def extrapolated(
    window: Windows, length: float, *, counter: bool, rate: bool
) -> list[float | None]:
    """`increase`, `rate`, `delta`: what the samples changed by, stretched to the whole window."""
    times, values = window.times, window.values
    lost = _Lost(values if counter else ())
    long = round(length * _MILLI)
    return [
        _extrapolated(
            times,
            values,
            lost.between(*span),
            span,
            end - long,
            end,
            counter=counter,
            rate=rate,
        )
        for span, end in zip(window.spans, window.ends, strict=True)
    ]


class _Lost:
    """Values lost at the resets of a counter, summed once for all windows: of two resets, of four
    and so on. A window is put together from some of these sums.

    Differences of a running total would do with less, but one huge value takes the digits of all
    that come after it.
    """

    def __init__(self, values: Sequence[float]) -> None:
        self._fallen = array("l")
        """By reset, the first sample after it."""
        lost = array("d")
        for k, (before, value) in enumerate(pairwise(values), 1):
            if value < before:
                self._fallen.append(k)
                lost.append(before)
        self._sums = [lost]
        while len(self._sums[-1]) > 1:
            pairs = iter(self._sums[-1])
            self._sums.append(array("d", map(add, pairs, pairs)))

    def between(self, low: int, high: int) -> float:
        """What is lost between the first of some samples and the last of them, `high - 1`."""
        a, b = bisect_right(self._fallen, low), bisect_left(self._fallen, high)
        total = 0.0
        for sums in self._sums:
            if a >= b:
                break
            if a % 2:
                total += sums[a]
            if b % 2:
                total += sums[b - 1]
            a, b = (a + 1) // 2, b // 2
        return total


def _extrapolated(
    times: Sequence[int],
    values: Sequence[float],
    lost: float,
    span: tuple[int, int],
    start: int,
    end: int,
    *,
    counter: bool,
    rate: bool,
) -> float | None:
    low, high = span
    if high - low < 2:
        return None
    first, last = times[low], times[high - 1]
    change = values[high - 1] - values[low] + lost
    before, after = (first - start) / _MILLI, (end - last) / _MILLI
    seconds = (last - first) / _MILLI
    usual = seconds / (high - low - 1)
    if before >= usual * _ENOUGH:
        before = usual / 2
    if counter and change > 0 and values[low] >= 0:
        # A counter is never negative: not further back than where it would have been 0.
        before = min(before, seconds * (values[low] / change))
    if after >= usual * _ENOUGH:
        after = usual / 2
    factor = (seconds + before + after) / seconds
    if rate:
        factor /= (end - start) / _MILLI
    return change * factor


def instant(window: Windows, *, rate: bool) -> list[float | None]:
    """`irate` and `idelta`: by the last two samples alone."""
    out: list[float | None] = []
    for low, high in window.spans:
        if high - low < 2:
            out.append(None)
            continue
        last, before = window.values[high - 1], window.values[high - 2]
        change = last if rate and last < before else last - before
        seconds = (window.times[high - 1] - window.times[high - 2]) / _MILLI
        out.append(change / seconds if rate else change)
    return out


def regression(
    times: Sequence[int], values: Sequence[float], intercept_at: int
) -> tuple[float, float] | None:
    """Slope a second, and value at a moment, of the line of least squares; None for one sample."""
    if len(values) < 2:
        return None
    if all(v == values[0] for v in values):
        return (0.0, values[0]) if math.isfinite(values[0]) else (math.nan, math.nan)
    n = float(len(values))
    xs = [(t - intercept_at) / _MILLI for t in times]
    x, y = aggregate.total(xs), aggregate.total(values)
    xy = aggregate.total([a * b for a, b in zip(xs, values, strict=True)])
    xx = aggregate.total([a * a for a in xs])
    covariance, variance = xy - x * y / n, xx - x * x / n
    slope = covariance / variance
    return slope, y / n - slope * x / n


def deriv(window: Windows) -> list[float | None]:
    """The slope a second."""
    out: list[float | None] = []
    for (low, high), values in zip(window.spans, window.inside(), strict=True):
        # Seen from the first sample: numbers stay small.
        origin = window.times[low] if low < high else 0
        found = regression(window.times[low:high], values, origin)
        out.append(None if found is None else found[0])
    return out


def predict_linear(
    window: Windows, moments: Sequence[int], ahead: Sequence[float]
) -> list[float | None]:
    """Where the line will be, so many seconds after each moment."""
    out: list[float | None] = []
    windows = zip(window.spans, window.inside(), strict=True)
    for ((low, high), values), now, seconds in zip(windows, moments, ahead, strict=True):
        found = regression(window.times[low:high], values, now)
        out.append(None if found is None else found[0] * seconds + found[1])
    return out


def of_windows(of: Callable[[Sequence[float]], float], window: Windows) -> list[float | None]:
    """One number of the values of each window that has any."""
    return [of(values) if values else None for values in window.inside()]


def quantile_over_time(window: Windows, shares: Sequence[float]) -> list[float | None]:
    """A quantile of each window."""
    return [
        aggregate.quantile(share, values) if values else None
        for values, share in zip(window.inside(), shares, strict=True)
    ]


def _changes(values: Sequence[float]) -> float:
    return float(sum(a != b and not (math.isnan(a) and math.isnan(b)) for a, b in pairwise(values)))


def _fallen(values: Sequence[float]) -> float:
    return float(sum(b < a for a, b in pairwise(values)))


OVER_TIME: dict[str, Callable[[Windows], list[float | None]]] = {
    f"{name}_over_time": partial(of_windows, of)
    for name, of in aggregate.STATISTICS.items()
    if name != "group"
} | {
    "present_over_time": partial(of_windows, lambda _: 1.0),
    "last_over_time": partial(of_windows, lambda values: values[-1]),
    "changes": partial(of_windows, _changes),
    "resets": partial(of_windows, _fallen),
    "irate": partial(instant, rate=True),
    "idelta": partial(instant, rate=False),
    "deriv": deriv,
}
"""Functions of one matrix alone."""
