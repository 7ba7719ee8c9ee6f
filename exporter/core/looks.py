"""The looks of a batch: samples of a process that were taken together, and a series among them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from math import inf
from operator import lt
from statistics import median_low

from exporter.core.counters import Line
from exporter.core.series import Last

_APART = 0.5
"""Samples of one look are closer together than this share of the usual time between two looks."""

_GAPS = 200
"""Gaps between samples that tell the usual one."""

NONE, LONG_AGO = 1 << 62, -2
"""The look of a sample that does not come any more, and of one before the last that counted."""


class Cursor:
    """A line while it is walked.

    `looks`: of each sample, the index of its look. `at`: the sample that comes next. `mark`: the
    newest one before it; after jitter it holds the higher value. `lost`: that of a series that goes
    on under another name. `look`: the look that showed the series last.
    """

    __slots__ = ("at", "index", "key", "line", "look", "looks", "lost", "mark")

    def __init__(self, line: Line, looks: Sequence[int], look: int) -> None:
        self.line = line
        self.index = line.wanted.term
        self.key = line.key
        self.looks = looks
        self.at = 0
        self.mark = line.last
        self.lost: Last | None = None
        self.look = look

    @property
    def next(self) -> int:
        """The look of its next sample; after all looks when there is none left."""
        return self.looks[self.at] if self.at < len(self.looks) else NONE

    @property
    def shown(self) -> float:
        """The value that the newest look of the series showed."""
        return self.line.values[self.at - 1]


def clustered(times: Sequence[float], usual: float) -> list[float]:
    """The looks that ascending times of samples are of, each by the time of its newest sample;
    `usual`: seconds between two looks."""
    apart = _APART * usual
    out: list[float] = []
    begin = -inf
    for time in times:
        if time - begin >= apart:
            begin = time
            out.append(time)
        else:
            out[-1] = time
    return out


def spacing(lines: Sequence[Line], usual: float) -> float:
    """The seconds between two samples of one series; `usual` where nothing tells."""
    raw = (line.wanted.reading.samples for line in lines)
    gaps = (after[0] - before[0] for samples in raw for before, after in pairwise(samples))
    # A series may have been gone between two of its samples, so a longer gap says less.
    return max(0.0, median_low(found)) if (found := [*islice(gaps, _GAPS)]) else usual


def unusual_of(cursor: Cursor) -> Iterator[int]:
    """The looks in which one series does not simply go on, of those that are to come."""
    values, looks = cursor.line.values[cursor.at :], cursor.looks[cursor.at :]
    if not values:
        return
    last, created = cursor.mark, cursor.line.wanted.reading.created
    if (
        last is None
        or values[0] < last.value
        or cursor.look != looks[0] - 1
        or (created is not None and created != last.created)
    ):
        yield looks[0]
    if any(map(lt, values[1:], values)):
        yield from (looks[i + 1] for i, (a, b) in enumerate(pairwise(values)) if b < a)
    if not isinstance(looks, range):
        yield from (after for before, after in pairwise(looks) if after - before != 1)
