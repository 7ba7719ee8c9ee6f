"""Samples on disk while a backtest runs: columns of doubles, read back a day at a time.

Whatever the history comes from, its samples are appended series by series in any portions, each
series in ascending time. What is in memory is an index of the portions. Processes that replay
one SLO each open the file by themselves.
"""

from __future__ import annotations

import mmap
import pickle
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from exporter.core.sample import Batch, Reading, Series, Target, Value
from exporter.core.selector import Selector, Want

DAY = 86_400.0
_LOOKS = Selector("up")


class Portion(NamedTuple):
    """Some samples of a series: where in the file their times stand, the values behind them."""

    offset: int
    length: int
    plain: bool
    """Doubles; otherwise pickled, as native histograms are, and `size` bytes long."""
    size: int


@dataclass(slots=True)
class Strand:
    """One series' samples; `last` is the time of the newest."""

    want: Want
    series: Series
    created: float | None = None
    last: float = -inf
    portions: list[Portion] = field(default_factory=list)


@dataclass(slots=True)
class Index:
    """Where the samples of one SLO are. `starts`: by target, start times of its processes, as in
    `Target`; `looks`: when targets were scraped, as samples whose values do not matter, each strand
    of whichever target its series names; `downs`: when it went down or was up again; `widths`: as
    in `Batch`."""

    source: str
    wants: tuple[Want, ...]
    strands: dict[tuple[Want, str, str], Strand] = field(default_factory=dict)
    starts: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    looks: dict[str, Strand] = field(default_factory=dict)
    downs: dict[str, list[tuple[float, bool]]] = field(default_factory=dict)
    widths: dict[Want, float] = field(default_factory=dict)
    start: float = inf
    end: float = -inf

    def note_down(self, target: str, time: float, down: bool) -> None:
        """At this time a target was down, or was not."""
        downs = self.downs.setdefault(target, [])
        if down != (downs[-1][1] if downs else False):
            downs.append((time, down))


class Spool:
    """Writes one file; `indexes` by SLO tell where what stands."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.indexes: dict[str, Index] = {}
        self.samples = 0
        self._file = path.open("wb")
        self._at = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def expect(self, slo: str, source: str, wants: tuple[Want, ...]) -> None:
        """An SLO whose samples will come."""
        self.indexes[slo] = Index(source, wants)

    def take(self, batch: Batch) -> None:
        """Keep a source's batch for those it was asked for."""
        portions: dict[tuple[Want, str, str, float], tuple[Portion, float, float]] = {}
        looks: dict[tuple[str, float], Portion] = {}
        for slo in batch.slos or ():
            index = self.indexes[slo]
            for name, target in batch.targets.items():
                self.learn(index, name, target, looks)
                index.note_down(name, batch.at, target.down)
            for want in index.wants:
                if want in batch.widths:
                    index.widths[want] = batch.widths[want]
                for reading in batch.readings.get(want, ()):
                    self._keep(index, want, reading, portions)

    def _keep(
        self,
        index: Index,
        want: Want,
        reading: Reading,
        written: dict[tuple[Want, str, str, float], tuple[Portion, float, float]],
    ) -> None:
        series, strand = reading.series, self.strand(index, want, reading.series)
        # Ranges overlap a little.
        samples = [s for s in reading.samples if s[0] > strand.last]
        if not samples:
            return
        strand.created = reading.created if reading.created is not None else strand.created
        # Several SLOs may want the same.
        key = (want, series.target, series.key, samples[0][0])
        if key not in written:
            written[key] = (self.write(samples), samples[0][0], samples[-1][0])
        self.note(index, strand, *written[key])

    def learn(
        self, index: Index, name: str, target: Target, written: dict[tuple[str, float], Portion]
    ) -> None:
        """Keep what is news of a target; `written`: looks that another SLO has written already."""
        starts = index.starts.setdefault(name, [])
        for time, start in target.starts:
            if not starts or (time > starts[-1][0] and start != starts[-1][1]):
                starts.append((time, start))
        strand = index.looks.setdefault(name, Strand(_LOOKS, Series(_LOOKS.name, name, {})))
        fresh = target.looks[bisect_right(target.looks, strand.last) :]
        if fresh:
            key = (name, fresh[0])
            if key not in written:
                written[key] = self.looks(array("d", fresh))
            strand.portions.append(written[key])
            strand.last = fresh[-1]

    def strand(self, index: Index, want: Want, series: Series) -> Strand:
        """A series' samples so far, none when it is new."""
        key = (want, series.target, series.key)
        strand = index.strands.get(key)
        if strand is None:
            strand = index.strands[key] = Strand(want, series)
        return strand

    def note(
        self, index: Index, strand: Strand, portion: Portion, first: float, last: float
    ) -> None:
        """These samples are its newest."""
        strand.portions.append(portion)
        strand.last = last
        index.start, index.end = min(index.start, first), max(index.end, last)

    def write(self, samples: Sequence[tuple[float, Value]]) -> Portion:
        """Append samples to the file."""
        times = array("d", (time for time, _ in samples))
        values = [value for _, value in samples]
        if all(isinstance(value, float) for value in values):
            return self.columns(times, array("d", (v for v in values if isinstance(v, float))))
        packed = pickle.dumps(values)
        self.samples += len(times)
        return self._append(times, packed + bytes(-len(packed) % 8), plain=False)

    def columns(self, times: array[float], values: array[float]) -> Portion:
        """Append samples that are columns already."""
        self.samples += len(times)
        return self._append(times, values.tobytes(), plain=True)

    def looks(self, times: array[float]) -> Portion:
        """Append times that are no samples: when a target was scraped."""
        return self._append(times, times.tobytes(), plain=True)

    def _append(self, times: array[float], values: bytes, *, plain: bool) -> Portion:
        portion = Portion(self._at, len(times), plain, len(values))
        self._file.write(times.tobytes())
        self._file.write(values)
        self._at += 8 * len(times) + len(values)
        return portion


def batches(path: Path, index: Index) -> Iterator[Batch]:
    """All samples of one SLO in ascending time, a day at a time."""
    if index.start > index.end:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as map_:
        cursors = [_Cursor(map_, strand) for strand in index.strands.values()]
        looks = [_Cursor(map_, strand) for strand in index.looks.values()]
        start = -inf
        while start < index.end:
            end = min(index.end, max(start, index.start) + DAY)
            batch = Batch(index.source, end, own_clock=False, complete=end >= index.end)
            batch.widths = index.widths
            batch.readings = {want: [] for want in index.wants}
            for cursor in cursors:
                if samples := cursor.upto(end):
                    strand = cursor.strand
                    reading = Reading(strand.series, samples, strand.created)
                    batch.readings[strand.want].append(reading)
            batch.targets = _targets(index, looks, start, end)
            yield batch
            start = end


def _targets(index: Index, looks: Sequence[_Cursor], start: float, end: float) -> dict[str, Target]:
    """What is known of targets in a stretch of time."""
    times: dict[str, list[float]] = {}
    for cursor in looks:
        if found := cursor.upto(end):
            times.setdefault(cursor.strand.series.target, []).extend(time for time, _ in found)
    out = {name: Target(looks=sorted(some)) for name, some in times.items()}
    for name, starts in index.starts.items():
        if began := [one for one in starts if start < one[0] <= end]:
            out.setdefault(name, Target()).starts = began
    for name, downs in index.downs.items():
        if [down for time, down in downs if time <= end][-1:] == [True]:
            out.setdefault(name, Target()).down = True
    return out


class _Cursor:
    """Reads a strand on from where it got to."""

    def __init__(self, map_: mmap.mmap, strand: Strand) -> None:
        self.strand = strand
        self._map = map_
        self._portion = 0
        self._done = 0

    def upto(self, end: float) -> list[tuple[float, Value]]:
        """The samples that were not read yet, up to a moment."""
        out: list[tuple[float, Value]] = []
        while self._portion < len(self.strand.portions):
            offset, length, plain, size = self.strand.portions[self._portion]
            # Copied: a view would keep the map from being closed.
            times = array("d", self._map[offset + 8 * self._done : offset + 8 * length])
            high = bisect_right(times, end)
            if high:
                begin = offset + 8 * length
                if plain:
                    low = begin + 8 * self._done
                    values: Sequence[Value] = array("d", self._map[low : low + 8 * high])
                else:
                    packed = pickle.loads(self._map[begin : begin + size])  # noqa: S301 (our own)
                    values = packed[self._done : self._done + high]
                out += zip(times[:high], values, strict=True)
            self._done += high
            if self._done < length:
                break
            self._portion, self._done = self._portion + 1, 0
        return out
