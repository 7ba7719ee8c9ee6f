"""What came of one batch for one SLO, for whoever counts and logs it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from exporter.core.events import Group


@dataclass(slots=True)
class Taken:
    """`samples`: how many were taken. `readings`: what they were, by kind and evidence; `refused`:
    those that were not taken, by reason. `skipped`: a want was not answered, the next batch
    bridges. `over_cap`: groups past `max_groups`. `bucket_missing`: no target has a bucket that
    ends at the threshold. `surplus`: events of a part that were more than its total, and were let
    go. `late`: samples of a time that was judged already. `notes`: what cannot be told of a target,
    and why, by target. `fault`: why its numbers are not right, in one line. `sights`: by group, the
    targets that had a sample of it that was not there before; empty for an SLO without groups.
    """

    samples: int = 0
    readings: Counter[tuple[str, str]] = field(default_factory=Counter)
    refused: dict[str, int] = field(default_factory=dict)
    skipped: bool = False
    over_cap: set[Group] = field(default_factory=set)
    bucket_missing: bool = False
    surplus: float = 0.0
    late: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    fault: str | None = None
    sights: dict[Group, set[str]] = field(default_factory=dict)

    def see(self, group: Group, target: str) -> None:
        """A target had a sample of a group."""
        if group:
            self.sights.setdefault(group, set()).add(target)

    def refuse(self, reason: str, count: int = 1) -> None:
        """So many samples were not taken."""
        self.refused[reason] = self.refused.get(reason, 0) + count
