"""Counts once for all variants: what the daemon would write into ledgers, kept in order of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.core.counters import Line
from exporter.core.events import Group
from exporter.core.intake import Booked, Intake
from exporter.core.memory import Memory
from exporter.core.runs import Row
from exporter.core.sample import Batch
from exporter.core.slo import SLO
from exporter.core.taken import Taken
from exporter.core.verdicts import Kind


@dataclass(slots=True)
class Track:
    """What one batch brought for one group: events by their end, and when there was data; in
    `covered`, the stretches that have it without a break."""

    events: Sequence[Row] = field(default_factory=list)
    seen: Sequence[float] = field(default_factory=list)
    covered: Sequence[tuple[float, float]] = field(default_factory=list)


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
        taken = super().take(batch)
        self.memory.log.clear()
        self.skipped += taken.skipped or taken.bucket_missing
        self.over_cap |= taken.over_cap
        for reason, count in taken.refused.items():
            self.refused[reason] = self.refused.get(reason, 0) + count
        return taken

    def _book_line(self, line: Line, booked: Booked, taken: Taken) -> None:
        super()._book_line(line, booked, taken)
        if not line.wanted.followed:
            group = self.memory.slo.group_of(line.wanted.reading.series.labels)
            sums = self.sums.setdefault(group, Sums())
            sums.resets += sum(v.kind is Kind.RESET for v in line.verdicts)
            sums.births += sum(v.kind is Kind.BIRTH for v in line.verdicts)

    def _write(self, group: Group, found: Sequence[Row], fresh: Sequence[float]) -> None:
        instance = self.memory.instance(group)
        track = self.tracks[group] = Track(found, fresh)
        if fresh:
            before = fresh[0] if instance.seen is None else instance.seen
            track.covered = self._stretches([before, *fresh])
            covered = sum(end - start for start, end in track.covered)
            self.sums.setdefault(group, Sums()).covered += covered
            instance.seen = fresh[-1]
