"""Times that a source tells beside its samples, judged before anything is remembered of them.

Samples are judged one by one where they are counted (`series`, `events`). Start times of processes
and created timestamps are evidence only, so one that is no time at all is left out, and what it
was said of counts by the other evidence.
"""

from __future__ import annotations

from exporter.core.amounts import is_time
from exporter.core.sample import Batch


def keep_plausible(batch: Batch) -> None:
    """Drop start times, looks and created timestamps that are no times (NaN, infinite, 1e300)."""
    for readings in batch.readings.values():
        for index, reading in enumerate(readings):
            if reading.created is not None and not is_time(reading.created):
                readings[index] = reading._replace(created=None)
    for target in batch.targets.values():
        if any(not (is_time(when) and is_time(start)) for when, start in target.starts):
            target.starts = [s for s in target.starts if is_time(s[0]) and is_time(s[1])]
        if not all(map(is_time, target.looks)):
            target.looks = [look for look in target.looks if is_time(look)]
