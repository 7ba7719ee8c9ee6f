"""How an SLO takes a batch: readings of its wants become increases, gains, events in its ledgers.

All decisions about one sample are in `series` and `events`; here is the order they are made in, and
what of the SLO's memory they are made from.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from math import inf, isfinite

from exporter.core import events
from exporter.core.away import Away
from exporter.core.counters import Counters
from exporter.core.events import Gain, Group, Term
from exporter.core.memory import FORGET_AFTER, LOST, Memory
from exporter.core.runs import Row, Run, ascending, is_long, settled
from exporter.core.sample import Batch, NativeHistogram, Reading, Value
from exporter.core.series import Facts, Increase, Last
from exporter.core.slo import GaugeSLI, HistogramSLI, QuerySLI
from exporter.core.tally import Tally

_CLOCK_SET_BACK = 1.0
"""Smaller steps back (in seconds) cost one refused sample, which the next one bridges."""


@dataclass(slots=True)
class Taken:
    """What came of one batch for one SLO.

    `skipped`: a want was not answered, the next batch bridges. `over_cap`: groups past
    `max_groups`. `bucket_missing`: the histogram is there, its threshold's bucket is not; the batch
    waits until somebody has looked which bounds there are. `sights`: by group, the targets that had
    a sample of it that was not there before; empty for an SLO without groups.
    """

    facts: Facts = field(default_factory=Facts)
    skipped: bool = False
    over_cap: set[Group] = field(default_factory=set)
    bucket_missing: bool = False
    sights: dict[Group, set[str]] = field(default_factory=dict)


class Intake:
    """Counts batches into a memory; `patience` is the longest gap, in seconds, between two samples
    that still counts as covered."""

    def __init__(self, memory: Memory, patience: float) -> None:
        self.memory = memory
        self._patience = patience
        self._away = Away()
        self._terms = events.terms(memory.slo.sli)
        self._derived = events.derives(memory.slo.sli)

    def take(self, batch: Batch) -> Taken:
        """Count what a batch brings, exactly once however often it is brought."""
        taken = Taken()
        if any(term.want in batch.failed for term in self._terms):
            taken.skipped = True
            return taken
        self._follow_clock(batch)
        readings = self._readings(batch, taken)
        if taken.bucket_missing:
            return taken
        if self.memory.tally is None:
            self.memory.tally = Tally(self.memory.targets, batch.at)
        self._away.notice(batch, self.memory.targets.values())
        counters = Counters(self.memory, batch, self._away)
        gains: list[Gain | Run] = []
        seen: dict[Group, list[list[float]]] = {}
        used: list[Reading] = []
        for index, term, whole, counts in readings:
            last, after = self._last(index, whole)
            reading = whole
            if whole.samples[0][0] <= after:
                reading = whole._replace(samples=[s for s in whole.samples if s[0] > after])
                if not reading.samples:
                    continue
            used.append(reading)
            group = tuple(reading.series.labels.get(name, "") for name in self.memory.slo.group_by)
            facts = taken.facts if counts else Facts()
            new = self._gains(index, term, reading, last, counters, group, facts)
            times = self._times(reading, new) if counts else None
            if not times:
                continue
            if not self.memory.admits(group):
                taken.over_cap.add(group)
                continue
            self.memory.instance(group)
            _see(taken.sights, group, batch, reading, last.time if last is not None else after)
            seen.setdefault(group, []).append(times)
            gains += new
        self._book(gains, seen)
        if not isinstance(self.memory.slo.sli, GaugeSLI | QuerySLI):
            counters.end_old_processes()
        self._observe(batch, used)
        self.memory.do("polled", max(batch.at, self.memory.polled or batch.at))
        return taken

    def _follow_clock(self, batch: Batch) -> None:
        """Our own clock was set back: what it dated before moves along.

        Judged by the batch's own targets: a slow one's batch may come after a later one of others.
        """
        if not batch.own_clock:
            return
        known = (self.memory.targets.get(name) for name in batch.targets)
        last = max((state.last for state in known if state), default=batch.at)
        if batch.at < last - _CLOCK_SET_BACK:
            # The sample before this one was most likely taken an interval ago.
            self.memory.do("shift", batch.at - self.memory.slo.interval - last)

    def _readings(self, batch: Batch, taken: Taken) -> list[tuple[int, Term, Reading, bool]]:
        """What matters, oldest first, each with its term, and whether it counts: of a target with
        both, the classic histogram does and the native one is only followed."""
        found = [
            (index, term, reading)
            for index, term in enumerate(self._terms)
            for reading in batch.readings.get(term.want, ())
            if reading.samples
        ]
        found.sort(key=lambda one: one[2].samples[0][0])
        if not isinstance(self.memory.slo.sli, HistogramSLI):
            return [(*one, True) for one in found]
        having: list[set[str]] = [
            {r.series.target for i, _, r in found if i == k} for k in range(3)
        ]
        bucket, count, native = having
        if bucket and not self.memory.bucket_known:
            self.memory.do("bucket", True)
        classic = count if self.memory.bucket_known else set()
        taken.bucket_missing = not count <= classic | native
        return [
            (index, term, reading, (term.role == "native") != (reading.series.target in classic))
            for index, term, reading in found
        ]

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
        if isinstance(self.memory.slo.sli, GaugeSLI | QuerySLI):
            return [*self._values(index, term, reading, last, group, facts)]
        parts: list[Gain | Run] = []
        if is_long(reading) and term.role != "native" and counters.goes_on(reading):
            if last is None:
                # What the first one means needs a look at the target, and at the one after it.
                head = reading._replace(samples=reading.samples[:2])
                parts += self._gains_of(index, term, head, None, counters, group, facts)
                reading = reading._replace(samples=reading.samples[2:])
                last, _ = self._last(index, reading)
            run = counters.run(index, reading, last, facts) if last is not None else None
            if run is not None:
                return [*parts, Run(group, term.role, *run)]
        return parts + self._gains_of(index, term, reading, last, counters, group, facts)

    def _gains_of(
        self,
        index: int,
        term: Term,
        reading: Reading,
        last: Last | None,
        counters: Counters,
        group: Group,
        facts: Facts,
    ) -> list[Gain | Run]:
        return [
            events.gain(term.role, group, i.start, i.end, i.amount, self._under(i, reading))
            for i in counters.increases(index, term.want, reading, last, facts)
        ]

    def _last(self, index: int, reading: Reading) -> tuple[Last | None, float]:
        """The newest sample of a series, and up to when its samples may have been counted before
        memory let go of it."""
        state = self.memory.targets.get(reading.series.target)
        last = state.series[index].get(reading.series.key) if state else None
        if last is None:
            return None, (self.memory.polled or 0.0) - FORGET_AFTER
        return (None, last.time) if last.value == LOST else (last, -inf)

    def _values(
        self,
        index: int,
        term: Term,
        reading: Reading,
        last: Last | None,
        group: Group,
        facts: Facts,
    ) -> list[Gain]:
        """Gauges and queries: each value stands for itself."""
        sli, series = self.memory.slo.sli, reading.series
        samples = [s for s in reading.samples if last is None or s[0] > last.time]
        if not samples:
            return []
        reading = reading._replace(samples=samples)
        # A remembered value of 0: that sample was NaN, and stands before no other.
        since = last.time if last and last.value else None
        if isinstance(sli, GaugeSLI):
            out, since = events.gauge_gains(sli, reading, group, since, self._patience)
        else:
            interval = self.memory.slo.interval
            out, since = events.query_gains(term, reading, group, since, interval)
        facts.samples += len(samples)
        value = 0.0 if since is None else 1.0
        self.memory.do("series", series.target, index, series.key, samples[-1][0], value, 0.0, None)
        return out

    def _times(self, reading: Reading, gains: Sequence[Gain | Run]) -> list[float]:
        """When there was data. A query's NaN is an answer too: nothing happened."""
        if gains and isinstance(run := gains[-1], Run):
            return [time for time, _ in reading.samples[: 1 - len(run.times)]] + run.times[1:]
        query = isinstance(self.memory.slo.sli, QuerySLI)
        return [time for time, value in reading.samples if query or _is_number(value)]

    def _under(self, increase: Increase, reading: Reading) -> float:
        sli = self.memory.slo.sli
        good_if = sli.good_if if isinstance(sli, HistogramSLI) else ()
        good = all(m.matches(reading.series.labels.get(m.label, "")) for m in good_if)
        return increase.under if good else 0.0

    def _book(self, gains: list[Gain | Run], seen: Mapping[Group, list[list[float]]]) -> None:
        by_group: dict[Group, list[Gain | Run]] = {}
        for gain in gains:
            by_group.setdefault(gain.group, []).append(gain)
        for group, times in seen.items():
            instance = self.memory.instance(group)
            found, debt = settled(by_group.get(group, ()), self._derived, instance.debt)
            if debt != instance.debt:
                self.memory.do("debt", group, debt)
            fresh = times[0]
            if any(other != fresh for other in times) or not ascending(fresh):
                fresh = sorted(set(chain.from_iterable(times)))
            if instance.seen is not None:
                fresh = fresh[bisect_right(fresh, instance.seen) :]
            self._write(group, found, fresh)

    def _write(self, group: Group, found: Sequence[Row], fresh: Sequence[float]) -> None:
        """Into the ledger; `fresh`: when there was data."""
        for start, end, good, bad in found:
            self.memory.do("events", group, start, end, good, bad)
        seen = self.memory.instance(group).seen
        if fresh:
            for start, end in self._stretches([fresh[0] if seen is None else seen, *fresh]):
                self.memory.do("cover", group, start, end)

    def _stretches(self, times: list[float]) -> list[tuple[float, float]]:
        """Stretches with a sample at least every `patience` seconds."""
        out = [(times[0], times[0])]
        for start, end in pairwise(times):
            if end - start <= self._patience:
                out[-1] = (out[-1][0], end)
            else:
                out.append((end, end))
        return out

    def _observe(self, batch: Batch, readings: list[Reading]) -> None:
        last: dict[str, float] = {}
        if batch.own_clock:
            last = dict.fromkeys(batch.targets, batch.at)
        for reading in readings:
            target = reading.series.target
            last[target] = max(last.get(target, 0.0), reading.samples[-1][0])
        for target, time in last.items():
            facts = batch.targets.get(target)
            self.memory.do("target", target, time, facts.started if facts else None)


def _see(
    sights: dict[Group, set[str]], group: Group, batch: Batch, reading: Reading, after: float
) -> None:
    """Note which target has a group, unless the sample is one that came before."""
    series = reading.series
    if group and (batch.own_clock or reading.samples[-1][0] > after):
        sights.setdefault(group, set()).add(series.page or series.target)


def _is_number(value: Value) -> bool:
    return isfinite(value.count if isinstance(value, NativeHistogram) else value)
