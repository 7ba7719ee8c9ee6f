"""When an upstream looked at its targets last, if it was away itself.

A poll that an upstream answers with nothing new is no look at the targets. Where its samples go on
after a gap, one target's comes some time before the next one's; what began in the gap is news at
all of them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from exporter.core.sample import Batch
from exporter.core.target_state import TargetState

BIRTH_GRACE = 120.0
"""A target met for the first time may have started this many seconds before the last poll, which
could not see it yet: discovery and the upstream's own scrape take their time."""


class Away:
    """The newest gaps, longer than discovery may take, from which no target had a sample."""

    def __init__(self) -> None:
        # At the end of the batch before, and at the beginning and the end of this one.
        self._gaps: deque[tuple[float, float]] = deque(maxlen=3)
        self._newest = 0.0

    def notice(self, batch: Batch, targets: Iterable[TargetState]) -> None:
        """Look at a batch before it is counted; what we scrape ourselves has no upstream."""
        if batch.own_clock or not (newest := batch.presence.newest):
            return
        seen = self._newest or max((state.last for state in targets), default=0.0)
        self._newest = max(seen, newest)
        edge = self._newest - BIRTH_GRACE
        if 0.0 < seen <= edge:
            # Others of a gap's end come in this batch, or in the next one.
            for when in (seen, edge):
                before, after = batch.presence.around(when)
                start, end = max(before, seen), min(after, self._newest)
                if end - start > BIRTH_GRACE:
                    self._gaps.append((start, end))

    def looked(self, first: float, polled: float) -> float:
        """When the target of a series that is seen first now would have been seen last, had it
        been there."""
        return min([polled, *(s for s, back in self._gaps if first <= back + BIRTH_GRACE)])
