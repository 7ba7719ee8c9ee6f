"""What was seen of each series of an SLO since this process began to count it: for `explain`.

A counter's increase is its newest value, which memory has anyway, less a base. So the usual sample
costs nothing here: only births, resets, refusals and ends move a base or a number. At most so many
series are told apart; the rest are one sum for each want.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING

from exporter.core.series import Last
from exporter.core.target_state import TargetState
from exporter.core.verdicts import Kind

if TYPE_CHECKING:  # Lines are made with memory, which has a tally.
    from exporter.core.counters import Line as Counted

MOST = 1000
"""Series that are told apart; each is some 300 bytes."""
LONG_GAP = 300.0
"""So many seconds (or four intervals) without a sample are a gap in a series."""

Key = tuple[int, str, str]
"""The want's index, the target, the series' key."""


@dataclass(slots=True)
class Line:
    """One series, or the sum of many. `labels` are None while it was only remembered from an
    earlier run; `readings` counts those that had to be explained, by kind and evidence, `gaps` the
    times without a sample for longer than is waited for one."""

    labels: Mapping[str, str] | None = None
    base: float = 0.0
    gaps: int = 0
    readings: dict[tuple[str, str], int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)

    @property
    def resets(self) -> int:
        """How often it began anew."""
        return sum(n for (kind, _), n in self.readings.items() if kind == Kind.RESET)

    @property
    def births(self) -> dict[str, int]:
        """How often it was born, by evidence."""
        return {why: n for (kind, why), n in self.readings.items() if kind == Kind.BIRTH}


@dataclass(frozen=True, slots=True)
class Seen:
    """A line for readers; `last` is the newest sample, None once it was let go."""

    index: int
    target: str
    key: str
    line: Line
    last: Last | None
    increase: float


class Tally:
    """`since`: unix seconds. `gap`: how many seconds without a sample are one. `targets` is
    memory's own, and is read, never changed."""

    def __init__(self, targets: Mapping[str, TargetState], since: float, gap: float) -> None:
        self.since = since
        self._gap = gap
        self.others: dict[int, Line] = {}
        """By want: those that are not told apart."""
        self._targets = targets
        self._most = MOST
        self._lines: dict[Key, Line] = {}
        for target, state in targets.items():
            for index, series in enumerate(state.series):
                for key, last in series.items():
                    self._line((index, target, key)).base += _value(last)

    def _line(self, key: Key) -> Line:
        line = self._lines.get(key)
        if line is None:
            if len(self._lines) >= self._most:
                return self.others.setdefault(key[0], Line())
            line = self._lines[key] = Line()
        return line

    # --- what happens ---------------------------------------------------------------------------

    def took(self, target: str, lines: Sequence[Counted]) -> None:
        """What a batch held of one process; series that simply went on cost next to nothing."""
        for one in lines:
            known, newest = one.last, one.newest
            gap = known is not None and bool(one.times) and one.times[0] - known.time > self._gap
            moved = 0.0
            if newest is not None:
                moved = _value(newest) - _value(known) - sum(one.gained)
            if not (gap or one.verdicts or one.refused or moved):
                continue
            key = (one.wanted.term, target, one.key)
            line = self._line(key)
            if line is not self.others.get(key[0]):
                line.labels = one.wanted.reading.series.labels
            line.gaps += gap
            for verdict in one.verdicts:
                told = (verdict.kind.value, verdict.evidence)
                line.readings[told] = line.readings.get(told, 0) + 1
            for reason in one.refused:
                line.refused[reason] = line.refused.get(reason, 0) + 1
            line.base += moved

    def lost(self, key: Key, last: Last) -> None:
        """A series goes on under another name, or at zero."""
        self._line(key).base -= _value(last)

    def forgot(self, key: Key, last: Last) -> None:
        """Memory lets go of a series that is long over: it is not told apart any more."""
        line = self._lines.pop(key, Line())
        rest = self.others.setdefault(key[0], Line())
        rest.base += line.base - _value(last)
        rest.gaps += line.gaps
        for told, count in line.readings.items():
            rest.readings[told] = rest.readings.get(told, 0) + count
        for reason, count in line.refused.items():
            rest.refused[reason] = rest.refused.get(reason, 0) + count

    # --- for readers ----------------------------------------------------------------------------

    def seen(self) -> tuple[list[Seen], dict[int, tuple[int, float, Line]]]:
        """Each series that is told apart; by want how many others, their increase and the rest."""
        rest: dict[int, tuple[int, float]] = {}
        lasts: dict[Key, Last] = {}
        # Those of gauges and queries count nothing.
        plain: list[Seen] = []
        for target, state in self._targets.items():
            for index, series in enumerate(state.series):
                for key, last in series.items():
                    if (index, target, key) in self._lines:
                        lasts[index, target, key] = last
                    elif index in self.others:
                        count, total = rest.get(index, (0, 0.0))
                        rest[index] = (count + 1, total + _value(last))
                    elif len(plain) < self._most:
                        plain.append(Seen(index, target, key, Line(), last, 0.0))
        lines = plain + [
            Seen(*key, line, lasts.get(key), _value(lasts.get(key)) - line.base)
            for key, line in self._lines.items()
        ]
        nothing = (0, 0.0)
        others = {
            index: (rest.get(index, nothing)[0], rest.get(index, nothing)[1] - line.base, line)
            for index, line in self.others.items()
        }
        return lines, others


def _value(last: Last | None) -> float:
    """What a series' newest sample counts for; nothing once it goes on elsewhere."""
    return 0.0 if last is None or last.value == inf else last.value
