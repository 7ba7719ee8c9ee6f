"""What a source tells beside its samples, judged before anything is remembered of it.

Samples are judged one by one where they are counted (`series`, `events`). Start times of processes
and created timestamps are evidence only, so one that is no time at all is left out, and what it
was said of counts by the other evidence. Names that are too long to be kept are left out with
their samples: a state file that held them would be refused at the next start.
"""

from __future__ import annotations

from exporter.core.amounts import MOST_TEXT, is_time
from exporter.core.sample import Batch


def keep_plausible(batch: Batch) -> None:
    """Drop start times, looks and created timestamps that are no times (NaN, infinite, 1e300), and
    series and targets whose names are too long; `Batch.too_long` counts the series."""
    for want, readings in batch.readings.items():
        kept = [r for r in readings if len(r.series.key) <= MOST_TEXT >= len(r.series.target)]
        if len(kept) < len(readings):
            batch.too_long[want] = batch.too_long.get(want, 0) + len(readings) - len(kept)
            readings[:] = kept
        for index, reading in enumerate(readings):
            if reading.created is not None and not is_time(reading.created):
                readings[index] = reading._replace(created=None)
    for name in [name for name in batch.targets if len(name) > MOST_TEXT]:
        del batch.targets[name]
    for target in batch.targets.values():
        if any(not (is_time(when) and is_time(start)) for when, start in target.starts):
            target.starts = [s for s in target.starts if is_time(s[0]) and is_time(s[1])]
        if not all(map(is_time, target.looks)):
            target.looks = [look for look in target.looks if is_time(look)]
