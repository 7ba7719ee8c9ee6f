"""Where the lines of a chart's grid are: round shares and round dates."""

from __future__ import annotations

from datetime import UTC, datetime
from math import ceil, floor, log10

_HOUR = 3_600
_DAY = 86_400
_DATES = [
    *(10, 30),
    *(n * 60 for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 3, 6, 12)),
    *(n * _DAY for n in (1, 2, 7, 14, 28, 91, 182, 364)),
]
_FORMS = ((28 * _DAY + 1, "%d %b %Y"), (_DAY, "%d %b"), (60, "%d %b %H:%M"), (0, "%H:%M:%S"))
"""How moments are written, from which distance on."""
_MOST_DATES = 9
_MOST_SHARES = 6


def steps(low: float, high: float) -> list[float]:
    """Round shares from at or below `low` up to `high`, which is one of them if it stands apart."""
    size = _round(max(high - low, 1e-9) / _MOST_SHARES)
    found = [k * size for k in range(floor(low / size + 1e-9), floor(high / size + 1e-9) + 1)]
    if high - found[-1] >= 0.4 * size:
        found.append(high)
    return [round(share, 9) + 0.0 for share in found]


def _round(size: float) -> float:
    """The next larger 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** floor(log10(size))
    return next((n * power for n in (1, 2, 2.5, 5) if n * power >= size * (1 - 1e-9)), 10 * power)


def dates(start: float, end: float) -> list[tuple[float, str]]:
    """Round moments between two, with their names in UTC."""
    size = next((s for s in _DATES if (end - start) / s <= _MOST_DATES), None)
    if size is None:
        size = 364 * _DAY * ceil((end - start) / (364 * _DAY * _MOST_DATES))
    form = next(form for least, form in _FORMS if size >= least)
    first = ceil(start / size)
    return [
        (k * float(size), datetime.fromtimestamp(k * size, UTC).strftime(form))
        for k in range(first, floor(end / size) + 1)
    ]
