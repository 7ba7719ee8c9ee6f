"""When groups of an SLO were gone in the past, so that their alerts ended; see `core/places.py`.

A poll of the past is a sample of any series that the SLO wants, or a look of the upstream (`up` 1).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import inf

from exporter.backtest.tape import Track
from exporter.core.events import Group
from exporter.core.group_presence import Sights
from exporter.core.sample import Batch

Span = tuple[float, float]
"""From when a group counted as gone until its first sample after that, in unix seconds."""


class Absences:
    """The groups of one SLO so far; `patience`: seconds of absence after which alerts end."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._targets: dict[Group, set[str]] = {}
        self._seen: dict[Group, float] = {}
        self.gone: set[Group] = set()
        """The groups that were gone at the end of the last batch."""
        self._down: set[str] = set()
        self._looked_at: set[str] = set()
        """The targets of which the upstream says whether they are up."""

    def take(
        self, batch: Batch, tracks: Mapping[Group, Track], sights: Sights
    ) -> dict[Group, list[Span]]:
        """Return the spans that groups were gone in a batch; the last may end at infinity, or the
        first have begun before."""
        for name, target in batch.targets.items():
            if target.looks or target.down:
                self._looked_at.add(name)
            (self._down.add if target.down else self._down.discard)(name)
        answers = _Answers(batch)
        out: dict[Group, list[Span]] = {}
        for group in self._targets.keys() | sights.keys():
            self._targets.setdefault(group, set()).update(sights.get(group, ()))
            spans = list(self._spans(group, tracks.get(group, Track()).seen, answers))
            if spans:
                out[group] = spans
        return out

    def _spans(self, group: Group, seen: Sequence[float], answers: _Answers) -> list[Span]:
        times = [*seen, inf]
        if (last := self._seen.get(group)) is not None:
            times.insert(0, last)
        if seen:
            self._seen[group] = seen[-1]
        spans: list[Span] = []
        if group in self.gone:
            spans.append((-inf, times[1]))
            del times[0]
        for start, end in pairwise(times):
            if end - start > self._patience:
                since = self._gone_since(group, start, end, answers)
                if since is not None:
                    spans.append((since, end))
        if spans and spans[-1][1] == inf:
            self.gone.add(group)
        else:
            self.gone.discard(group)
        return spans

    def _gone_since(
        self, group: Group, start: float, end: float, answers: _Answers
    ) -> float | None:
        """Return when the targets have answered without a group for so long that it is gone; None
        where one of them may fail, or the batch ends before."""
        due = start + self._patience
        # Where the SLO as a whole has no data, nothing is gone.
        moments = [answers.first(None, due)]
        for target in self._targets[group]:
            when = answers.first(target, due)
            if when >= end:
                if target in self._down or target not in self._looked_at:
                    return None
                # It exists no more, once it was silent for as long; others say that slod looked.
                silent = answers.last(target, end) or start
                when = answers.first(None, silent + self._patience)
            moments.append(when)
        when = max(moments)
        return when if when < end else None


class _Answers:
    """When the targets of a batch answered; found for those that are asked for."""

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._times: dict[str | None, list[float]] = {}

    def first(self, target: str | None, since: float) -> float:
        """Return the first answer of a target (None: of any) from a moment on, infinity without."""
        times = self._all(target)
        at = bisect_left(times, since)
        return times[at] if at < len(times) else inf

    def last(self, target: str, before: float) -> float | None:
        """Return the last answer of a target before a moment."""
        times = self._all(target)
        at = bisect_left(times, before)
        return times[at - 1] if at else None

    def _all(self, target: str | None) -> list[float]:
        if target not in self._times:
            self._times[target] = sorted(self._of(target))
        return self._times[target]

    def _of(self, target: str | None) -> set[float]:
        found = self._batch.targets.get(target) if target is not None else None
        out = set(found.looks) if found is not None else set[float]()
        for readings in self._batch.readings.values():
            for reading in readings:
                if target is None or target in (reading.series.target, reading.series.page):
                    out.update(time for time, _ in reading.samples)
        return out
