"""A series as a query reads it: by moments, or all of its samples in stretches of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import lt
from typing import Protocol

from exporter.series.grid import Grid
from exporter.series.recorded import Look, Recorded
from exporter.series.row import Values

Instant = tuple[Sequence[float | None], Sequence[float | None]]
"""By moment: the value of the newest sample, and the sample's own time; None without one."""
Samples = tuple[Sequence[float], Sequence[float]]
"""Times and values, in ascending order of time."""


class Readable(Protocol):
    """`labels`: with the name; moments are ascending, in unix seconds."""

    labels: Mapping[str, str]

    def instant(self, moments: Sequence[float], lookback: float) -> Instant:
        """The newest sample at each moment, less than `lookback` seconds old."""
        ...

    def within(self, moments: Sequence[float], length: float) -> Samples:
        """All samples in (moment - length, moment] of each moment."""
        ...


class Computed:
    """One whose values can be had for any moment."""

    def __init__(
        self, labels: Mapping[str, str], read: Callable[[Sequence[float]], Values], grid: Grid
    ) -> None:
        self.labels = labels
        self._read = read
        self._grid = grid

    def instant(self, moments: Sequence[float], lookback: float) -> Instant:
        """See `Readable`."""
        times = self._grid.at(moments, lookback)
        known = [at for at in times if at is not None]
        if not all(map(lt, known, known[1:])):
            # Several moments have the same sample.
            different = list(dict.fromkeys(known))
            by_time = dict(zip(different, self._read(different), strict=True))
            return [None if at is None else by_time[at] for at in times], times
        values = self._read(known)
        if len(known) < len(times):
            rest = iter(values)
            values = [None if at is None else next(rest) for at in times]
        return values, times

    def within(self, moments: Sequence[float], length: float) -> Samples:
        """See `Readable`."""
        times = self._grid.within(moments, length)
        values = self._read(times)
        found = [(at, v) for at, v in zip(times, values, strict=True) if v is not None]
        return [at for at, _ in found], [value for _, value in found]


class Remembered:
    """One of which the last looks are known; `live`: its value of now, at the moment `now`."""

    def __init__(
        self,
        labels: Mapping[str, str],
        key: str,
        recorded: Recorded,
        now: float,
        live: Callable[[str], float | None],
    ) -> None:
        self.labels = labels
        self._key = key
        self._recorded = recorded
        self._now = now
        self._live = live

    def instant(self, moments: Sequence[float], lookback: float) -> Instant:
        """See `Readable`."""
        looks = self._recorded.newest(moments, lookback)
        values = self._recorded.values(self._key, looks)
        times = [None if look is None else look.at for look in looks]
        for k in range(len(moments) - 1, -1, -1):
            if moments[k] < self._now:
                break
            values[k], times[k] = self._live(self._key), self._now
        return values, times

    def within(self, moments: Sequence[float], length: float) -> Samples:
        """See `Readable`."""
        if not moments:
            return [], []
        looks: list[Look] = self._recorded.looks(moments[0] - length, moments[-1])
        values = self._recorded.values(self._key, looks)
        found = [(look.at, v) for look, v in zip(looks, values, strict=True) if v is not None]
        return [at for at, _ in found], [value for _, value in found]
