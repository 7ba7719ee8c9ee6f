"""When an upstream looked at its targets last, if it was away itself.

A poll that an upstream answers with nothing new is no look at the targets. Where its samples go on
after a gap, one target's comes some time before the next one's; what began in the gap is news at
all of them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from operator import itemgetter

from exporter.core.memory import TargetState
from exporter.core.sample import Batch, Reading, Value
from exporter.core.series import BIRTH_GRACE

Samples = Sequence[tuple[float, Value]]


class Away:
    """The newest gaps, longer than discovery may take, from which no target had a sample."""

    def __init__(self) -> None:
        # At the end of the batch before, and at the beginning and the end of this one.
        self._gaps: deque[tuple[float, float]] = deque(maxlen=3)
        self._newest = 0.0

    def notice(self, batch: Batch, targets: Iterable[TargetState]) -> None:
        """Look at a batch before it is counted; what we scrape ourselves has no upstream."""
        some = [r.samples for readings in batch.readings.values() for r in readings if r.samples]
        if batch.own_clock or not some:
            return
        seen = self._newest or max((state.last for state in targets), default=0.0)
        self._newest = max(seen, *(samples[-1][0] for samples in some))
        edge = self._newest - BIRTH_GRACE
        if 0.0 < seen <= edge:
            # Others of a gap's end come in this batch, or in the next one.
            self._gap(some, seen, seen)
            self._gap(some, seen, edge)

    def _gap(self, some: Sequence[Samples], seen: float, edge: float) -> None:
        """The gap around a moment, if there is one."""
        back = self._newest
        for samples in some:
            k = bisect_right(samples, edge, key=itemgetter(0))
            if k:
                seen = max(seen, samples[k - 1][0])
            if k < len(samples):
                back = min(back, samples[k][0])
        if back - seen > BIRTH_GRACE:
            self._gaps.append((seen, back))

    def looked(self, reading: Reading, polled: float | None) -> float | None:
        """When the target of an unknown series would have been seen last, had it been there."""
        if polled is None:
            return None
        first = reading.samples[0][0]
        return min([polled, *(s for s, back in self._gaps if first <= back + BIRTH_GRACE)])
