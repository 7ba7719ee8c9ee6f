"""What cannot be read off a ledger, remembered for a while: slod about itself, forecasts.

One column of numbers for each look, beside the names that the looks share: eight bytes a sample. A
ring for all series together is bounded, so a large fleet is remembered for a shorter time.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from math import inf
from typing import NamedTuple

from exporter.core.selector import parse_selector
from exporter.series.row import Values

EVERY = 15.0
"""Seconds from one look to the next."""
LONGEST = 240
"""Looks that are kept at most, which is an hour."""
MOST = 250_000
"""Samples that are kept at most: two megabytes."""


class Look(NamedTuple):
    """All series at one moment: `places` is one mapping for all looks with the same series."""

    at: float
    places: Mapping[str, int]
    values: array[float]


class Recorded:
    """The last looks, oldest first."""

    def __init__(self) -> None:
        self._looks: deque[Look] = deque()

    @property
    def first(self) -> float:
        """When the oldest look was; infinity without any."""
        return self._looks[0].at if self._looks else inf

    @property
    def last(self) -> Look | None:
        """The newest look."""
        return self._looks[-1] if self._looks else None

    def add(self, at: float, samples: Iterable[tuple[str, float]]) -> None:
        """Remember a look; a sample is a line of the metrics page, and its value."""
        keys, values = [], array("d")
        for key, value in samples:
            keys.append(key)
            values.append(value)
        places = self._looks[-1].places if self._looks else {}
        if self._looks and self._looks[-1].at == at:
            # Nothing has moved on since the last look; this one is newer all the same.
            self._looks.pop()
        elif self._looks and self._looks[-1].at > at:
            # The clock was set back.
            self._looks.clear()
        if list(places) != keys:
            places = {key: place for place, key in enumerate(keys)}
        self._looks.append(Look(at, places, values))
        deepest = max(1, min(LONGEST, MOST // max(1, len(keys))))
        while len(self._looks) > deepest:
            self._looks.popleft()

    def lines(self) -> list[str]:
        """Every line there is in any look."""
        different = {id(look.places): look.places for look in self._looks}
        return list(dict.fromkeys(key for places in different.values() for key in places))

    def looks(self, since: float, until: float) -> list[Look]:
        """Those after a moment, up to another one."""
        return [look for look in self._looks if since < look.at <= until]

    def values(self, key: str, looks: Iterable[Look | None]) -> Values:
        """The values of one line in some looks."""
        return [
            None if look is None or (k := look.places.get(key)) is None else look.values[k]
            for look in looks
        ]

    def newest(self, moments: Sequence[float], patience: float) -> list[Look | None]:
        """By moment the newest look, if it is not too old by then."""
        times = [look.at for look in self._looks]
        looks = list(self._looks)
        found: list[Look | None] = []
        for when in moments:
            k = bisect_right(times, when) - 1
            found.append(looks[k] if k >= 0 and when - times[k] < patience else None)
        return found


def labels_of(key: str) -> tuple[str, dict[str, str]]:
    """Name and labels of a line."""
    found = parse_selector(key)
    return found.name, {m.label: m.value for m in found.matchers}
