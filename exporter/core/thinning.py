"""Which points of a curve may go: the swinging door (Bristol, 1987), with a tolerance that is
relative to what came after a point."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from exporter.core.packed import Points


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How wrong a reading may be, as a share of all that came after it.

    `eps` holds always. With `steady`, up to `eps` of what so many seconds bring on average is
    tolerated too, while it stays under `loose` of what came after: enough for a denominator, which
    matters to the long period as a whole, and to short windows only roughly.
    """

    eps: float
    loose: float = 0.0
    steady: float = 0.0


EXACT = Tolerance(0.0)


def thinned(points: Points, newest: float, eps: float, loose: float, floor: float) -> Points:
    """The points that a polyline needs; the first and the last one stay.

    `newest`: the count at the end of the whole curve. At each point a reading may be wrong by
    `eps` of what came after it, or by `floor` while that is under `loose` of it.
    """
    times, counts, errors = points
    out = Points([times[0]], [counts[0]], [0.0])
    anchor, last = 0, len(times) - 1
    while anchor < last:
        # How far can one straight line reach from the anchor?
        from_time, from_count = times[anchor], counts[anchor]
        lowest, highest = -inf, inf
        end = anchor + 1
        for i in range(anchor + 1, last):
            after = newest - counts[i]
            allowed = max(eps * after, min(loose * after, floor))
            slack = allowed - max(errors[i], errors[i + 1])
            if slack < 0.0:
                break
            span, rise = times[i] - from_time, counts[i] - from_count
            lowest = max(lowest, (rise - slack) / span)
            highest = min(highest, (rise + slack) / span)
            if lowest > highest:
                break
            slope = (counts[i + 1] - from_count) / (times[i + 1] - from_time)
            if lowest <= slope <= highest:
                end = i + 1
        slope = (counts[end] - from_count) / (times[end] - from_time)
        inside = range(anchor + 1, end)
        off = [abs(from_count + slope * (times[k] - from_time) - counts[k]) for k in inside]
        out.times.append(times[end])
        out.counts.append(counts[end])
        out.errors.append(max(off, default=0.0) + max(errors[anchor + 1 : end + 1]))
        anchor = end
    return out
