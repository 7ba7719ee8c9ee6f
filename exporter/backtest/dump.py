"""History from a file: OpenMetrics text with timestamps, packed by gzip or not.

That is what `promtool tsdb create-blocks-from openmetrics` reads and `promtool tsdb
dump-openmetrics` writes; the lines of `promtool tsdb dump`, with milliseconds and the name among
the labels, are read too. Series may come one after the other or mixed; the samples of each must be
in ascending time.

Source: OpenMetrics 1.0, "ABNF" and "Timestamps".
"""

from __future__ import annotations

import gzip
from array import array
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from math import isnan
from pathlib import Path
from typing import IO, cast

from exporter.backtest.spool import Index, Spool, Strand
from exporter.core.sample import Series
from exporter.core.selector import NAME, Selector
from exporter.errors import SourceError
from exporter.sources.exposition.lines import parse_key, parse_rest
from exporter.sources.processes import START, UP, Processes
from exporter.sources.promapi import Row, series_key

_NAME_IS = b"{__name__="
_GZIP = b"\x1f\x8b"
_MILLIS_FROM = 1e11
"""A time from here on (the year 5138 in seconds) is in milliseconds."""
_AT_ONCE = 1_000_000
"""Samples in memory until they are written."""
_TELL_EVERY = 100_000
_CREATED = "_created"
_SUFFIXES = ("_total", "_bucket", "_count", "_sum")
_EARLIEST = 1e9
"""What is less, 2001, is no time of creation: `jobs_created` may as well be a gauge."""

Tell = Callable[[float], None]
"""Hears how much of the file is read, 0 to 1."""


class Column:
    """One series of the file, and those who want it. `created`: the metric whose series it says the
    beginning of. `fact`: what it says of a target, with a sample for each change; `looks`: when
    that was scraped."""

    __slots__ = ("created", "fact", "last", "looked", "looks", "strands", "times", "values")

    def __init__(
        self, created: str, fact: Row | None, strands: list[tuple[Index, Strand]], looked: Strand
    ) -> None:
        self.created = created
        self.fact = fact
        self.strands = strands
        self.looked = looked
        self.times, self.values, self.looks = array("d"), array("d"), array("d")
        self.last = float("-inf")


class Dump:
    """Reads one file into a spool. `refused`: samples not in ascending time."""

    def __init__(self, path: Path, spool: Spool) -> None:
        self.refused = 0
        self._path = path
        self._spool = spool
        self._columns: dict[bytes, Column | None] = {}
        self._by_series: dict[str, Column | None] = {}
        self._buffered = 0
        self._facts: list[Column] = []
        self._created: dict[str, float] = {}
        wants = [want for index in spool.indexes.values() for want in index.wants]
        self._bases = {_base(want.name) for want in wants if isinstance(want, Selector)}

    def read(self, tell: Tell) -> None:
        """All of it; `SourceError` names the line that cannot be read."""
        try:
            with self._path.open("rb") as raw:
                packed = raw.peek(2)[:2] == _GZIP
                lines = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if packed else raw
                self._lines(lines, raw, tell)
        except (OSError, EOFError) as error:
            said = getattr(error, "strerror", None) or error
            raise SourceError("unreadable", f"{self._path}: cannot be read: {said}") from None
        self._flush()
        self._name_targets()
        for index in self._spool.indexes.values():
            for strand in index.strands.values():
                name = strand.series.key.partition("{")[0]
                strand.created = self._created.get(_origin(_base(name), strand.series.labels))

    def _name_targets(self) -> None:
        """Tell processes apart, now that all there is of them was read."""
        processes = Processes()
        wants = [want for index in self._spool.indexes.values() for want in index.wants]
        names = {want.name for want in wants if isinstance(want, Selector)}
        facts = [column.fact for column in self._facts if column.fact is not None]
        targets = processes.learn(facts, 0.0, names)
        for column in self._facts:
            column.looked.series = replace(
                column.looked.series, target=processes.target_of(column.looked.series.labels)
            )
        for index in self._spool.indexes.values():
            index.starts = {name: list(target.starts) for name, target in targets.items()}
            for number, column in enumerate(self._facts):
                if column.looked.portions:
                    index.looks[str(number)] = column.looked
                if column.fact is not None and column.fact.metric[NAME] == UP:
                    for time, text in column.fact.values:
                        index.note_down(column.looked.series.target, time, text == "0")
            for strand in index.strands.values():
                target = processes.target_of(strand.series.labels)
                strand.series = replace(strand.series, target=target)

    def _lines(self, lines: Iterable[bytes], raw: IO[bytes], tell: Tell) -> None:
        size = max(1, self._path.stat().st_size)
        for number, line in enumerate(lines, 1):
            if number % _TELL_EVERY == 0:
                tell(raw.tell() / size)
            if line.startswith(b"#") or line.isspace():
                continue
            self._line(line.rstrip(b"\r\n"), number)

    def _line(self, line: bytes, number: int) -> None:
        if b"#" in line:
            # An exemplar, or a label's value that looks so: the careful way.
            key = parse_key(line)
            end = key.length if key else 0
        else:
            # Up to the value: after the labels, or after the name.
            end = line.rfind(b"}") + 1 or line.find(b" ")
        begin = line[:end]
        column = self._columns.get(begin, self)
        if column is self:
            column = self._columns[begin] = self._column(line, number)
        if column is None:
            return
        parsed = parse_rest(line[end:])
        if parsed is None:
            raise self._wrong(number, "no value and timestamp at its end")
        value, stamp = parsed
        if stamp is None:
            raise self._wrong(
                number, "has no timestamp; write the file with promtool tsdb dump-openmetrics"
            )
        self._add(cast("Column", column), stamp / 1000 if stamp >= _MILLIS_FROM else stamp, value)

    def _add(self, column: Column, time: float, value: float) -> None:
        if time <= column.last:
            self.refused += 1
            return
        if column.created:
            # The first is what a birth is told by; later ones come with resets.
            if _EARLIEST <= value <= time:
                self._created.setdefault(column.created, value)
        elif column.fact is not None:
            self._note_fact(column, column.fact, time, value)
        column.last = time
        if column.strands:
            column.times.append(time)
            column.values.append(value)
            self._buffered += 1
        if self._buffered >= _AT_ONCE:
            self._flush()

    def _note_fact(self, column: Column, fact: Row, time: float, value: float) -> None:
        text = f"{value:.0f}" if value in (0.0, 1.0) else "NaN" if isnan(value) else repr(value)
        values = fact.values
        if values and values[-1][1] == text:
            # Between the first and the last of the same, nothing is of interest.
            if len(values) > 1 and values[-2][1] == text:
                values.pop()
        values.append((time, text))
        if value == 1.0 and fact.metric[NAME] == UP:
            # One that was only unreachable was not observed.
            column.looks.append(time)
            self._buffered += 1

    def _flush(self) -> None:
        for column in self._by_series.values():
            if column is not None and column.times:
                portion = self._spool.columns(column.times, column.values)
                for index, strand in column.strands:
                    self._spool.note(index, strand, portion, column.times[0], column.last)
                column.times, column.values = array("d"), array("d")
        for column in self._facts:
            if column.looks:
                column.looked.portions.append(self._spool.looks(column.looks))
                column.looks = array("d")
        self._buffered = 0

    # --- series -----------------------------------------------------------------------------------

    def _column(self, line: bytes, number: int) -> Column | None:
        # `{__name__="up", job="a"}` of `promtool tsdb dump` is `{"up", job="a"}` elsewhere.
        key = parse_key(line.replace(_NAME_IS, b"{", 1))
        if key is None:
            raise self._wrong(number, "is not OpenMetrics")
        name, labels = key.name, {k: v for k, v in key.labels.items() if v}
        identity = series_key(name, sorted(labels.items()))
        if identity not in self._by_series:
            column = self._by_series[identity] = self._wanted(name, identity, labels)
            if column is not None and column.fact is not None:
                self._facts.append(column)
        return self._by_series[identity]

    def _wanted(self, name: str, key: str, labels: dict[str, str]) -> Column | None:
        created = ""
        if name.endswith(_CREATED) and name.removesuffix(_CREATED) in self._bases:
            created = _origin(name.removesuffix(_CREATED), labels)
        is_fact = name == UP or name.endswith(START)
        fact = Row({NAME: name, **labels}) if is_fact else None
        # Whose it is shows when all facts were read.
        series = Series(key, "", dict(sorted(labels.items())))
        strands = [
            (index, self._spool.strand(index, want, series))
            for index in self._spool.indexes.values()
            for want in index.wants
            if isinstance(want, Selector) and want.name == name and want.matches(labels)
        ]
        if not (strands or created or is_fact):
            return None
        return Column(created, fact, strands, Strand(Selector(UP), series))

    def _wrong(self, number: int, what: str) -> SourceError:
        return SourceError("malformed", f"{self._path}:{number}: {what}")


def _base(name: str) -> str:
    return next((name.removesuffix(s) for s in _SUFFIXES if name.endswith(s)), name)


def _origin(base: str, labels: Mapping[str, str]) -> str:
    """What a metric's series have in common with the one that says when they were created."""
    return f"{base} {sorted(pair for pair in labels.items() if pair[0] != 'le')}"
