"""How an SLO takes a batch: readings of its wants become increases, gains, events in its ledgers.

All decisions about one sample are in `series` and `events`; here is the order they are made in, and
what of the SLO's memory they are made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from exporter.core import events
from exporter.core.events import Gain, Group, Term
from exporter.core.memory import Memory, TargetState
from exporter.core.sample import Batch, Reading, Target
from exporter.core.series import (
    Facts,
    Increase,
    Known,
    Last,
    increases,
    is_birth,
    relabelled,
    restarted,
)
from exporter.core.slo import GaugeSLI, HistogramSLI, QuerySLI

_CLOCK_SET_BACK = 1.0
"""Smaller steps back (in seconds) cost one refused sample, which the next one bridges."""


@dataclass(slots=True)
class Taken:
    """What came of one batch for one SLO.

    `skipped`: a want was not answered, the next batch bridges. `over_cap`: groups past
    `max_groups`. `bucket_missing`: the histogram is there, its threshold's bucket is not; the batch
    waits until somebody has looked which bounds there are.
    """

    facts: Facts = field(default_factory=Facts)
    skipped: bool = False
    over_cap: set[Group] = field(default_factory=set)
    bucket_missing: bool = False


class Intake:
    """Counts batches into a memory; `patience` is the longest gap, in seconds, between two samples
    that still counts as covered."""

    def __init__(self, memory: Memory, patience: float) -> None:
        self.memory = memory
        self._patience = patience
        self._terms = events.terms(memory.slo.sli)
        self._derived = events.derives(memory.slo.sli)

    def take(self, batch: Batch) -> Taken:
        """Count what a batch brings, exactly once however often it is brought."""
        taken = Taken()
        if any(term.want in batch.failed for term in self._terms):
            taken.skipped = True
            return taken
        if (
            batch.own_clock
            and self.memory.polled is not None
            and batch.at < self.memory.polled - 1.0
        ):
            # Our own clock was set back: what it dated before moves along.
            self.memory.do("shift", batch.at - self.memory.polled)
        readings = self._readings(batch, taken)
        if taken.bucket_missing:
            return taken
        gains: list[Gain] = []
        seen: dict[Group, set[float]] = {}
        for index, term, reading in readings:
            group = tuple(reading.series.labels.get(name, "") for name in self.memory.slo.group_by)
            new = self._gains(index, term, reading, batch, group, taken.facts)
            if (
                group not in self.memory.instances
                and len(self.memory.instances) >= self.memory.slo.max_groups
            ):
                taken.over_cap.add(group)
                continue
            seen.setdefault(group, set()).update(time for time, _ in reading.samples)
            gains += new
        self._book(gains, seen)
        self._observe(batch, readings)
        self.memory.do("polled", max(batch.at, self.memory.polled or batch.at))
        return taken

    def _readings(self, batch: Batch, taken: Taken) -> list[tuple[int, Term, Reading]]:
        """The readings that matter, each with its term; a classic histogram before a native one."""
        by_term = [
            [r for r in batch.readings.get(term.want, ()) if r.samples] for term in self._terms
        ]
        if isinstance(self.memory.slo.sli, HistogramSLI):
            bucket, count, native = by_term
            if bucket or (count and self.memory.bucket_known):
                by_term[2] = []
                self.memory.bucket_known = True
            elif native:
                by_term[1] = []
            elif count:
                taken.bucket_missing = True
        return [
            (index, term, reading)
            for index, (term, found) in enumerate(zip(self._terms, by_term, strict=True))
            for reading in found
        ]

    def _gains(
        self,
        index: int,
        term: Term,
        reading: Reading,
        batch: Batch,
        group: Group,
        facts: Facts,
    ) -> list[Gain]:
        sli, series = self.memory.slo.sli, reading.series
        state = self.memory.targets.get(series.target)
        last = state.series[index].get(series.key) if state else None
        if isinstance(sli, GaugeSLI | QuerySLI):
            since = last.time if last else None
            if isinstance(sli, GaugeSLI):
                out, newest = events.gauge_gains(sli, reading, group, since, self._patience)
            else:
                out, newest = events.query_gains(
                    term, reading, group, since, self.memory.slo.interval
                )
            facts.samples += sum(since is None or t > since for t, _ in reading.samples)
            if newest is None:
                self.memory.do("lost", series.target, index, series.key)
            elif newest != since:
                self.memory.do("series", series.target, index, series.key, newest, 0.0, 0.0, None)
            return out
        return [
            events.gain(term.role, group, i.start, i.end, i.amount, self._under(i, reading))
            for i in self._increases(index, reading, batch, state, last, facts)
        ]

    def _under(self, increase: Increase, reading: Reading) -> float:
        sli = self.memory.slo.sli
        good_if = sli.good_if if isinstance(sli, HistogramSLI) else ()
        good = all(m.matches(reading.series.labels.get(m.label, "")) for m in good_if)
        return increase.under if good else 0.0

    def _increases(
        self,
        index: int,
        reading: Reading,
        batch: Batch,
        state: TargetState | None,
        last: Last | None,
        facts: Facts,
    ) -> list[Increase]:
        series = reading.series
        target = batch.targets.get(series.target)
        known = Known(state.last, state.started) if state else None
        born: float | None = None
        if last is None:
            if state is not None:
                last = self._go_on(index, reading, batch, state, target)
            if last is None and is_birth(
                reading, known, target, self.memory.polled, self.memory.since or 0.0
            ):
                born = self._birth_begins(reading, known)
        sli = self.memory.slo.sli
        out, newest = increases(
            reading,
            last,
            born=born,
            restarted=restarted(known, target),
            threshold=sli.threshold if isinstance(sli, HistogramSLI) else 0.0,
            facts=facts,
        )
        if newest is not None and newest is not last:
            self.memory.do("series", series.target, index, series.key, *newest)
        return out

    def _go_on(
        self,
        index: int,
        reading: Reading,
        batch: Batch,
        state: TargetState,
        target: Target | None,
    ) -> Last | None:
        """The newest sample under another name, where the target changed its labels."""
        olds = state.series[index]
        first = reading.samples[0][0]
        if not olds or reading.created is not None or any(o.time >= first for o in olds.values()):
            return None
        target_name = reading.series.target
        present = {
            r.series.key
            for r in batch.readings.get(self._terms[index].want, ())
            if r.series.target == target_name and r.samples[-1:] and r.samples[-1][0] >= first
        }
        if not present.isdisjoint(olds):
            return None
        started = target.started if target else None
        if started is not None and any(started > old.time for old in olds.values()):
            return None
        found = relabelled(reading, list(olds.items()), reading.series.key)
        if found is None:
            return None
        self.memory.do("lost", target_name, index, found[0])
        return found[1]

    def _birth_begins(self, reading: Reading, known: Known | None) -> float:
        """One sample before the first; the series came to be some time after."""
        times = [time for time, _ in reading.samples[:2]]
        spacing = times[1] - times[0] if len(times) > 1 else self.memory.slo.interval
        begin = times[0] - spacing
        return max(begin, known.last) if known and known.last < times[0] else begin

    def _book(self, gains: list[Gain], seen: Mapping[Group, set[float]]) -> None:
        by_group: dict[Group, list[Gain]] = {}
        for gain in gains:
            by_group.setdefault(gain.group, []).append(gain)
        for group, times in seen.items():
            instance = self.memory.instance(group)
            found, debt = events.settle(by_group.get(group, ()), self._derived, instance.debt)
            for start, end, good, bad in found:
                self.memory.do("events", group, start, end, good, bad)
            if debt != instance.debt:
                self.memory.do("debt", group, debt)
            fresh = sorted(t for t in times if instance.seen is None or t > instance.seen)
            if fresh:
                begin = fresh[0] if instance.seen is None else instance.seen
                for start, end in self._stretches([begin, *fresh]):
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

    def _observe(self, batch: Batch, readings: list[tuple[int, Term, Reading]]) -> None:
        last: dict[str, float] = {}
        if batch.own_clock:
            last = dict.fromkeys(batch.targets, batch.at)
        for _, _, reading in readings:
            target = reading.series.target
            last[target] = max(last.get(target, 0.0), reading.samples[-1][0])
        for target, time in last.items():
            facts = batch.targets.get(target)
            self.memory.do("target", target, time, facts.started if facts else None)
