"""What was seen of each series of an SLO since this process began to count it: for `explain`.

A counter's increase is its newest value, which memory has anyway, less a base. So the usual sample
costs nothing here: only births, resets, refusals and ends move a base or a number. At most so many
series are told apart; the rest are one sum for each want.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import TYPE_CHECKING

from exporter.core.sample import NativeHistogram, Reading, Target
from exporter.core.series import Increase, Known, Last

if TYPE_CHECKING:  # Memory has a tally.
    from exporter.core.memory import TargetState

MOST = 1000
"""Series that are told apart; each is some 300 bytes."""
LONG_GAP = 300.0
"""So many seconds (or four intervals) without a sample are a gap in a series."""

Key = tuple[int, str, str]
"""The want's index, the target, the series' key."""


@dataclass(slots=True)
class Line:
    """One series, or the sum of many. `labels` are None while it was only remembered from an
    earlier run; `births` counts by what evidence they began at zero, `gaps` the times without a
    sample for longer than is waited for one."""

    labels: Mapping[str, str] | None = None
    base: float = 0.0
    resets: int = 0
    gaps: int = 0
    births: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)


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
    """`since`: unix seconds. `targets` is memory's own, and is read, never changed."""

    def __init__(self, targets: Mapping[str, TargetState], since: float) -> None:
        self.since = since
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

    def took(
        self,
        index: int,
        reading: Reading,
        known: Last | None,
        newest: Last | None,
        gained: Sequence[Increase],
        *,
        resets: int,
        gap: bool,
        evidence: str | None,
    ) -> None:
        """A reading that was not simply the next sample of a series that went on counting.

        `known` is what memory had under this very name before, `newest` what it has now, `gained`
        what came in between. `evidence`: by which it was born.
        """
        line = self._line((index, reading.series.target, reading.series.key))
        if line is not self.others.get(index):
            line.labels = reading.series.labels
        line.resets += resets
        line.gaps += gap
        if evidence is not None:
            line.births[evidence] = line.births.get(evidence, 0) + 1
        if newest is not None:
            line.base += _value(newest) - _value(known) - sum(g.amount for g in gained)
        for reason in _refused(reading, known):
            line.refused[reason] = line.refused.get(reason, 0) + 1

    def lost(self, key: Key, last: Last) -> None:
        """A series goes on under another name, or at zero."""
        self._line(key).base -= _value(last)

    def forgot(self, key: Key, last: Last) -> None:
        """Memory lets go of a series that is long over: it is not told apart any more."""
        line = self._lines.pop(key, Line())
        rest = self.others.setdefault(key[0], Line())
        rest.base += line.base - _value(last)
        rest.resets += line.resets
        rest.gaps += line.gaps
        for mine, its in ((rest.births, line.births), (rest.refused, line.refused)):
            for reason, count in its.items():
                mine[reason] = mine.get(reason, 0) + count

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


def evidence(reading: Reading, known: Known | None, target: Target | None) -> str:
    """Why a series is taken to have begun at zero, where `is_birth` says so; in its order."""
    if known is not None and known.last < reading.samples[0][0]:
        return "target observed before"
    if reading.created is not None:
        return "created timestamp"
    if target is not None and target.started is not None:
        return "process start"
    return "target observed by the upstream before"


def _value(last: Last | None) -> float:
    """What a series' newest sample counts for; nothing once it goes on elsewhere."""
    return 0.0 if last is None or last.value == inf else last.value


def _refused(reading: Reading, known: Last | None) -> list[str]:
    """Why samples of a reading were refused; as `series` does it, for the few where any was.

    Samples of an overlap that were counted before are none of them.
    """
    out: list[str] = []
    newest = known.time if known is not None else -inf
    for time, value in reading.samples:
        if known is not None and time <= known.time:
            continue
        number = value.count if isinstance(value, NativeHistogram) else value
        if not isfinite(number):
            out.append("not_a_number")
        elif number < 0:
            out.append("negative")
        elif time <= newest:
            out.append("duplicate" if time == newest else "out_of_order")
        else:
            newest = time
    return out
