"""Cuts a chunk of history where processes begin, so that no batch sees more than one of a target.

The counting takes a target's process start as it was at the end of a batch, as it is when a page is
scraped. In a chunk of hours a process may have begun several times, and each time its counters
started from zero, also those that soon were higher than before.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, nextafter

from exporter.core.sample import Batch, Reading, Target
from exporter.core.selector import Want
from exporter.sources.promclient import Facts


def split(batch: Batch, facts: Mapping[str, Facts], start: float) -> list[Batch]:
    """The same batch in pieces, in ascending time; `start`: from when on its samples are new."""
    # Right before the first sample that a new process had a part in, by the server's own clock.
    cuts = {
        nextafter(time, -inf)
        for one in facts.values()
        for time, _ in one.starts[1:]
        if start < time <= batch.at
    }
    out: list[Batch] = []
    low = -inf
    for high in (*sorted(cuts), batch.at):
        readings = batch.readings if not cuts else _between(batch, low, high)
        targets = {name: _target(one, high) for name, one in facts.items()}
        out.append(
            Batch(
                batch.source,
                high,
                own_clock=False,
                readings=readings,
                targets=targets,
                failed=batch.failed,
                complete=batch.complete and high == batch.at,
                slos=batch.slos,
            )
        )
        low = high
    return out


def _target(facts: Facts, upto: float) -> Target:
    started = facts.started(upto)
    return Target(
        starts=[] if started is None else [(upto, started)],
        looks=[] if facts.observed is None else [facts.observed],
    )


def _between(batch: Batch, low: float, high: float) -> dict[Want, list[Reading]]:
    """Samples after `low`, up to `high`; in the last piece all that are left."""
    last = high == batch.at
    out: dict[Want, list[Reading]] = {}
    for want, readings in batch.readings.items():
        out[want] = []
        for reading in readings:
            samples = [s for s in reading.samples if low < s[0] and (last or s[0] <= high)]
            if samples:
                out[want].append(reading._replace(samples=samples))
    return out
