"""The samples of one counter: which of them are numbers that can be counted, and how they are kept.

| sample | what becomes of it |
| --- | --- |
| not after the last one of its series | counted already; refused where one answer has it twice |
| NaN (stale marker or not), infinite, negative | refused: `not_a_number`, `negative` |
| more than `amounts.MOST_VALUE` | refused: `too_large` |
| more than `MOST_AHEAD` after the poll | refused: `too_far_ahead` |
| older than the ledger's memory | refused: `too_old` |

What the others mean is decided in `evidence`. Source: Prometheus documentation, `rate()`; its bound
for samples of the future is ten minutes too.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf, isfinite, log
from struct import pack, unpack
from typing import NamedTuple

from exporter.core.amounts import refusal
from exporter.core.sample import NativeHistogram, Value

MOST_AHEAD = 600.0
"""Seconds by which a sample's time may be ahead of the poll that brought it."""

LOOKS = 7
"""Looks whose median is the pace of a series: a single burst does not move it."""
_FASTEST = 3e38
"""The largest number of the four bytes that a pace is kept in."""


class Last(NamedTuple):
    """The newest sample of a series that was taken.

    `created` as the source told it then. `seen`: the time of the look that showed it, where that is
    not the sample's own. `paces`: events per second of its last looks, see `pace_of`.
    """

    time: float
    value: float
    under: float
    created: float | None = None
    seen: float | None = None
    paces: bytes = b""

    @property
    def look(self) -> float:
        """When it was seen, in unix seconds."""
        return self.time if self.seen is None else self.seen


def with_pace(paces: bytes, pace: float) -> bytes:
    """One look more, the oldest of `LOOKS` goes; four bytes each."""
    kept = paces[4:] if len(paces) >= 4 * LOOKS else paces
    return kept + pack("<f", min(pace, _FASTEST))


def pace_of(paces: bytes) -> float | None:
    """Events per second: the median of the last looks, or their mean where most brought nothing;
    None where there was none."""
    if not paces:
        return None
    count = looks_of(paces)
    found = sorted(unpack(f"<{count}f", paces))
    return float(found[count // 2] or sum(found) / count)


def lately_of(paces: bytes) -> float | None:
    """Events per second of the last look alone; None where there was none."""
    return float(unpack("<f", paces[-4:])[0]) if paces else None


def looks_of(paces: bytes) -> int:
    """How many looks a pace is of."""
    return len(paces) // 4


class Clean(NamedTuple):
    """The samples of a reading that can be counted, ascending: `unders` is the part at or under the
    threshold of native histograms, and `values` itself for plain counters."""

    times: list[float]
    values: list[float]
    unders: list[float]


class Bounds(NamedTuple):
    """Between which unix seconds a sample's time must lie to be counted."""

    oldest: float
    newest: float


def clean(
    samples: list[tuple[float, Value]],
    after: float,
    bounds: Bounds,
    threshold: float,
    refuse: Callable[[str], None],
) -> Clean:
    """The samples after a moment that can be counted; the others are refused by reason, unless they
    were counted already."""
    out = Clean([], [], [])
    newest, fresh = after, False
    for time, value in samples:
        if time <= newest:
            if fresh:
                refuse("duplicate" if time == newest else "out_of_order")
            continue
        if not time <= bounds.newest:
            refuse("too_far_ahead" if isfinite(time) else "malformed")
            continue
        if time < bounds.oldest:
            refuse("too_old")
            continue
        if isinstance(value, NativeHistogram):
            count, under = value.count, under_threshold(value, threshold)
        else:
            count = under = value
        # A part that is none would be remembered beside a count that is.
        if reason := refusal(count) or refusal(under):
            refuse(reason)
        else:
            newest, fresh = time, True
            out.times.append(time)
            out.values.append(count)
            out.unders.append(under)
    return out


def under_threshold(histogram: NativeHistogram, threshold: float) -> float:
    """How many observations were at or under the threshold, interpolated within its bucket.

    As Prometheus' `histogram_fraction`: on a logarithmic scale inside an exponential bucket, linear
    inside the zero bucket and inside custom buckets, of which the first begins at 0 where its upper
    bound is positive.
    """
    total = 0.0
    for lower, upper, count in histogram.buckets:
        if upper <= threshold:
            total += count
        elif lower < threshold:
            total += count * _share(lower, upper, threshold)
    return total


def _share(lower: float, upper: float, threshold: float) -> float:
    if upper == inf:
        return 0.0
    if lower == -inf:
        return max(0.0, threshold / upper) if upper > 0.0 else 0.0
    if lower > 0.0 and _is_exponential(lower, upper):
        return _log_share(lower, upper, threshold)
    if upper < 0.0 and _is_exponential(-upper, -lower):
        return 1.0 - _log_share(-upper, -lower, -threshold)
    return (threshold - lower) / (upper - lower)


def _is_exponential(lower: float, upper: float) -> bool:
    """Whether both bounds are powers of two, of which the finest schema has 256 between 1 and 2;
    those of a classic histogram are not."""
    steps = (256.0 * log(lower, 2.0), 256.0 * log(upper, 2.0))
    return all(abs(step - round(step)) < 1e-6 * max(1.0, abs(step)) for step in steps)


def _log_share(lower: float, upper: float, threshold: float) -> float:
    return log(threshold / lower) / log(upper / lower)
