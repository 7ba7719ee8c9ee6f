"""How far back a live poll asks, so that samples that come late are asked for again.

Samples come later than their time: by remote write and agents that are behind, by federation, by
exporters with timestamps of their own; a counter's zero at its created time is stored with its
first sample. So each poll reaches back two minutes, and as far as the newest sample of the slowest
series that is still active. Where a series goes on after a gap that no range covered, the gap is
asked for too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from math import inf

from exporter.core.selector import Want
from exporter.sources.promapi import Row

LATE = 120.0
"""Seconds that a poll reaches back before the one before it. Agents send within seconds, a server
that federates once a minute within two; contract.md promises two minutes."""
LATEST = 3600.0
"""Seconds that any poll reaches back at most. Prometheus' remote write and its agents go on where
they were after an outage; an hour of raw samples is what one answer can bear."""
OVERLAP = 30.0
"""Seconds that each range reaches back before its beginning at least: scrapes are stored when they
end, and their time is when they began."""
_EVERY = 15.0
"""A source that polls more often reaches back so far only once in so many seconds: of samples a
second apart, two minutes would be 120 of each series."""
_ACTIVE = 300.0
"""Seconds after its newest sample came in which a series may be late; later it is gone. It is also
Prometheus' lookback."""
_FAR = 60.0
"""Seconds between looks as far back as possible for what has no samples at all."""

_Key = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Seen:
    """Of one want. `series`: the time of the newest sample of each, and when that one came."""

    floor: float
    series: dict[_Key, tuple[float, float]] = field(default_factory=dict)
    far: float = -inf


class Lateness:
    """What is known of the samples that a live lane has got; times in unix seconds."""

    def __init__(self) -> None:
        self._wants: dict[Want, _Seen] = {}
        self._long = -inf

    def reach(self, end: float) -> float:
        """Seconds that a poll reaches back before its cursors, whatever is known to be late."""
        if end - self._long < _EVERY:
            return OVERLAP
        self._long = end
        return LATE

    def start(self, want: Want, cursor: float, end: float, reach: float, *, fresh: bool) -> float:
        """From when on to ask, so that nothing after `cursor` is missed and little that was late.

        `fresh`: nothing was asked for before. What is older than that first range is never counted.
        """
        if want not in self._wants:
            self._wants[want] = _Seen(cursor - OVERLAP if fresh else -inf)
        series = self._wants[want].series.values()
        late = [newest for newest, came in series if end - came <= _ACTIVE]
        return min(cursor - reach, max(min(late, default=inf), end - LATEST))

    def bounded(self, want: Want, start: float) -> float:
        """Not before the first range of all."""
        return max(start, self._wants[want].floor)

    def further(self, want: Want, rows: Iterable[Row], start: float, end: float) -> float | None:
        """From when on to ask once more: a gap ended, or there is nothing at all; else None."""
        seen, rows = self._wants[want], list(rows)
        farthest = max(end - LATEST, seen.floor)
        if not rows:
            active = any(end - came <= _ACTIVE for _, came in seen.series.values())
            if active or end - seen.far < _FAR or farthest >= start:
                return None
            seen.far = end
            return farthest
        lapsed = {key for key, (newest, _) in seen.series.items() if newest < start}
        if not lapsed:
            return None
        back = [seen.series[key][0] for key in _keys(rows) if key in lapsed]
        # The newest sample before the gap comes too, and what is older does not matter.
        return max(min(back), farthest) - 1.0 if back else None

    def note(self, want: Want, rows: Iterable[Row], end: float) -> None:
        """These samples were handed on."""
        seen, rows = self._wants[want], list(rows)
        for key, row in zip(_keys(rows), rows, strict=True):
            newest = row.newest
            if newest > seen.series.get(key, (-inf, 0.0))[0]:
                seen.series[key] = (newest, end)
        if rows and end - seen.far > _FAR:
            seen.far = end
            series = seen.series
            seen.series = {k: at for k, at in series.items() if end - max(at) <= LATEST}

    def forget(self, wants: Iterable[Want]) -> None:
        """Keep nothing of wants but these."""
        kept = set(wants)
        self._wants = {want: seen for want, seen in self._wants.items() if want in kept}


def _keys(rows: Iterable[Row]) -> Iterator[_Key]:
    return (tuple(row.metric.items()) for row in rows)
