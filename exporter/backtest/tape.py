"""Counts once for all variants: what the daemon would write into ledgers, kept in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import sub

from exporter.core.counters import Counters
from exporter.core.events import Gain, Group, Term
from exporter.core.intake import Intake, Taken
from exporter.core.memory import Memory
from exporter.core.runs import Row, Run
from exporter.core.sample import Batch, Reading, Target
from exporter.core.series import Facts, Last
from exporter.core.slo import SLO


@dataclass(slots=True)
class Track:
    """What one batch brought for one group: events by their end, and when there was data."""

    events: Sequence[Row] = field(default_factory=list)
    seen: Sequence[float] = field(default_factory=list)


@dataclass(slots=True)
class Sums:
    """Facts of one group over the whole history; `covered` in seconds."""

    resets: int = 0
    births: int = 0
    covered: float = 0.0


class Tape(Intake):
    """The daemon's own intake, whose events go to `tracks` instead of into ledgers."""

    def __init__(self, slo: SLO, patience: float) -> None:
        super().__init__(Memory(slo), patience)
        self.tracks: dict[Group, Track] = {}
        """By group, what the last batch brought."""
        self.sums: dict[Group, Sums] = {}
        self.refused: dict[str, int] = {}
        self.skipped = 0
        self.over_cap: set[Group] = set()

    def take(self, batch: Batch) -> Taken:
        """Count a batch; `tracks` is what it brought."""
        self.tracks = {}
        taken = super().take(_observed(batch))
        self.memory.log.clear()
        self.skipped += taken.skipped or taken.bucket_missing
        self.over_cap |= taken.over_cap
        for reason, count in (taken.facts.refused or {}).items():
            self.refused[reason] = self.refused.get(reason, 0) + count
        return taken

    def _gains(
        self,
        index: int,
        term: Term,
        reading: Reading,
        last: Last | None,
        counters: Counters,
        group: Group,
        facts: Facts,
    ) -> list[Gain | Run]:
        resets, births = facts.resets, facts.births
        out = super()._gains(index, term, reading, last, counters, group, facts)
        sums = self.sums.setdefault(group, Sums())
        sums.resets += facts.resets - resets
        sums.births += facts.births - births
        return out

    def _write(self, group: Group, found: Sequence[Row], fresh: Sequence[float]) -> None:
        instance = self.memory.instance(group)
        self.tracks[group] = Track(found, fresh)
        if fresh:
            times = [fresh[0] if instance.seen is None else instance.seen, *fresh]
            gaps = map(sub, fresh, times)
            covered = sum(gap for gap in gaps if gap <= self._patience)
            self.sums.setdefault(group, Sums()).covered += covered
            instance.seen = fresh[-1]


def _observed(batch: Batch) -> Batch:
    """A batch of a day knows of a target that is new in it only what it says itself: a series that
    is later than the others of its target was born while the target was watched."""
    firsts: dict[str, float] = {}
    for readings in batch.readings.values():
        for reading in readings:
            if reading.samples:
                target, first = reading.series.target, reading.samples[0][0]
                firsts[target] = min(first, firsts.get(target, first))
    targets = dict(batch.targets)
    for name, first in firsts.items():
        known = targets.get(name, Target())
        if known.observed is None:
            targets[name] = replace(known, looks=[first])
    return replace(batch, targets=targets)
