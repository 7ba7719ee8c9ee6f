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
from exporter.core.selector import Want

DAY = 86_400.0


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
    """Where the samples of one SLO are. `targets`: what was learnt of targets, and when."""

    source: str
    wants: tuple[Want, ...]
    strands: dict[tuple[Want, str, str], Strand] = field(default_factory=dict)
    targets: list[tuple[float, dict[str, Target]]] = field(default_factory=list)
    start: float = inf
    end: float = -inf


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
        for slo in batch.slos or ():
            index = self.indexes[slo]
            if batch.targets:
                index.targets.append((batch.at, dict(batch.targets)))
            for want in index.wants:
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
        return self._append(times, packed + bytes(-len(packed) % 8), plain=False)

    def columns(self, times: array[float], values: array[float]) -> Portion:
        """Append samples that are columns already."""
        return self._append(times, values.tobytes(), plain=True)

    def _append(self, times: array[float], values: bytes, *, plain: bool) -> Portion:
        portion = Portion(self._at, len(times), plain, len(values))
        self._file.write(times.tobytes())
        self._file.write(values)
        self._at += 8 * len(times) + len(values)
        self.samples += len(times)
        return portion


def batches(path: Path, index: Index) -> Iterator[Batch]:
    """All samples of one SLO in ascending time, a day at a time."""
    if index.start > index.end:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as map_:
        cursors = [_Cursor(map_, strand) for strand in index.strands.values()]
        start = -inf
        # Not more than one process of a target in a batch, see `sources/splitting.py`.
        ends = sorted({at for at, _ in index.targets if index.start < at < index.end})
        while start < index.end:
            end = min(index.end, max(start, index.start) + DAY, *_next(ends, start))
            batch = Batch(index.source, end, own_clock=False, complete=end >= index.end)
            batch.readings = {want: [] for want in index.wants}
            for cursor in cursors:
                if samples := cursor.upto(end):
                    strand = cursor.strand
                    reading = Reading(strand.series, samples, strand.created)
                    batch.readings[strand.want].append(reading)
            batch.targets = _facts(index, start, end)
            yield batch
            start = end


def _next(ends: Sequence[float], start: float) -> Sequence[float]:
    """The first of some moments after another one, if there is one."""
    at = bisect_right(ends, start)
    return ends[at : at + 1]


def _facts(index: Index, start: float, end: float) -> dict[str, Target]:
    """What was learnt of targets in a stretch of time; the last word on when one began counts."""
    out: dict[str, Target] = {}
    for at, targets in index.targets:
        if start < at <= end or (end >= index.end and at > end):
            for name, found in targets.items():
                known = out.setdefault(name, Target())
                known.starts = [*known.starts, *found.starts]
                known.looks = sorted({*known.looks, *found.looks})
                known.down = found.down
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
