"""Where there was no data: stretches of a window that nothing covers, found by asking for halves.

The covered time of any stretch is one subtraction, so a search costs a few of them for each gap and
needs to know nothing of how it is kept.
"""

from __future__ import annotations

from collections.abc import Callable

_FINEST = 1.0
_ROUNDED = 0.05
"""Times are kept in milliseconds, a few of which add up."""
_MOST_LOOKS = 1500

Gap = tuple[float, float]


def gaps(
    coverage: Callable[[float, float], float],
    start: float,
    end: float,
    *,
    shortest: float,
    most: int,
) -> tuple[list[Gap], bool]:
    """The newest gaps of at least `shortest` seconds from `start` to `end`, oldest first, at most
    so many, to about a second; and whether these are all there are.

    `coverage` gives the covered share of a stretch.
    """
    out: list[Gap] = []
    waiting = [(start, end)]
    looks = 0
    while waiting and looks < _MOST_LOOKS:
        low, high = waiting.pop()
        looks += 1
        length = high - low
        open_ = length * (1 - coverage(low, high))
        if open_ <= _ROUNDED:
            continue
        if open_ >= length - _ROUNDED or length <= _FINEST:
            if out and out[-1][0] - high <= _FINEST:
                out[-1] = (low, out[-1][1])
                continue
            if out and out[-1][1] - out[-1][0] < shortest:
                out.pop()
            if len(out) == most:
                return out[::-1], False
            out.append((low, high))
            continue
        middle = (low + high) / 2
        # The later half is looked at first.
        waiting += [(low, middle), (middle, high)]
    if out and out[-1][1] - out[-1][0] < shortest:
        out.pop()
    return out[::-1], not waiting
