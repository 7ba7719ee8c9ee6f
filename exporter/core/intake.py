"""How an SLO takes a batch: readings of its wants become increases, gains, events in its ledgers.

What a sample means is decided in `evidence`, what an increase means in `events`; here is the order
it is done in, and what is held back because nobody can tell.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise

from exporter.core import events
from exporter.core.amounts import MOST_TEXT, are_events
from exporter.core.away import Away
from exporter.core.counters import Counters, Line, Wanted
from exporter.core.events import Debt, Gain, Group
from exporter.core.histograms import pair
from exporter.core.long_work import Step, Steps
from exporter.core.looked import observe
from exporter.core.memory import Memory
from exporter.core.notes import judge_kind, notes_of, nowhere_fault, surplus_fault, total_is_nowhere
from exporter.core.query_sli import QuerySLI
from exporter.core.runs import LONG, Row, Run, ascending, settled
from exporter.core.sample import Batch
from exporter.core.selector import Want
from exporter.core.slo import GaugeSLI, HistogramSLI
from exporter.core.taken import Taken
from exporter.core.tally import LONG_GAP, Tally
from exporter.core.values import Values
from exporter.core.verdicts import Kind

_CLOCK_SET_BACK = 1.0
"""Smaller steps back (in seconds) cost one refused sample, which the next one bridges."""


class Intake:
    """Counts batches into a memory; `patience` is the longest gap, in seconds, between two samples
    that still counts as covered."""

    def __init__(self, memory: Memory, patience: float) -> None:
        self.memory = memory
        self._patience = patience
        self._away = Away()
        self._terms = events.terms(memory.slo.sli)
        self._derived = events.derives(memory.slo.sli)
        self._own_clock = False
        self._without: set[str] = set()
        self._values = Values(memory, patience)
        self._counts = not isinstance(memory.slo.sli, GaugeSLI | QuerySLI)

    def gone(self, batch: Batch) -> int:
        """How many series of a batch's targets are known and not in it."""
        states = (self.memory.targets.get(name) for name in batch.targets)
        known = sum(len(some) for state in states if state for some in state.series)
        return max(0, known - self._here(batch))

    def _here(self, batch: Batch) -> int:
        return sum(len(batch.readings.get(term.want, ())) for term in self._terms)

    def taking(self, batch: Batch) -> Steps[Taken]:
        """Count what a batch brings, exactly once however often it is brought.

        The long step touches nothing but the targets, the log and the tally of the memory: others
        may read the instances meanwhile, and nobody may change the memory.
        """
        taken = Taken()
        if any(term.want in batch.failed for term in self._terms):
            taken.skipped = True
            return taken
        for term in self._terms:
            if too_long := batch.too_long.get(term.want):
                self._refuse(taken, "too_long", too_long)
        self._follow_clock(batch)
        self._own_clock = batch.own_clock
        self._tally(batch)
        self._away.notice(batch, self.memory.targets.values())
        booked = Booked()
        if self._counts:
            yield from self._take_counters(batch, taken, booked)
        else:
            self._take_values(batch, taken, booked)
        taken.surplus = self._book(booked, taken)
        if taken.surplus and self._derived:
            taken.fault = surplus_fault(self._derived)
        self.memory.do("polled", max(batch.at, self.memory.polled or batch.at))
        return taken

    def _tally(self, batch: Batch) -> Tally:
        """What `explain` tells of each series; begins with the first batch."""
        if self.memory.tally is None:
            gap = max(LONG_GAP, 4 * self.memory.slo.interval)
            self.memory.tally = Tally(self.memory.targets, batch.at, gap)
        return self.memory.tally

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

    # --- counters ---------------------------------------------------------------------------------

    def _take_counters(self, batch: Batch, taken: Taken, booked: Booked) -> Steps[None]:
        counters, tally = Counters(self.memory, batch, self._away), self._tally(batch)
        by_target: dict[str, list[Wanted]] = {}
        lines: list[Line] = []
        untold: list[Want] = []

        def explain() -> None:
            by_target.update(self._wanted(batch, taken))
            there = (one.term for wanted in by_target.values() for one in wanted)
            known = self.memory.targets.values()
            nowhere = total_is_nowhere(self.memory.slo.sli, self._terms, known, there)
            if nowhere is not None:
                untold.append(nowhere)
            for target, wanted in by_target.items():
                found = counters.process(target, wanted)
                tally.took(target, found)
                lines.extend(found)

        yield Step(explain, self._here(batch) + self.gone(batch))
        for one in untold:
            taken.fault = nowhere_fault(one)
        for line in () if untold else lines:
            self._book_line(line, booked, taken)
        observe(self.memory, batch, counters.looked, counters.held)
        taken.samples = counters.samples
        taken.readings.update(counters.kinds)
        for reason, count in counters.refused.items():
            taken.refuse(reason, count)
        without = self._without | counters.bucketless if self.memory.bucket_known else set()
        taken.notes = dict(
            notes_of(
                self.memory.slo.sli,
                self._terms,
                batch,
                without=without,
                held=counters.held,
                shared=counters.shared,
            )
        )

    def _wanted(self, batch: Batch, taken: Taken) -> dict[str, list[Wanted]]:
        """What is wanted of each target, in the order of their first samples."""
        found = [
            Wanted(index, reading)
            for index, term in enumerate(self._terms)
            for reading in batch.readings.get(term.want, ())
            if reading.samples
        ]
        if isinstance(sli := self.memory.slo.sli, HistogramSLI):
            paired = pair(sli, self._terms, found)
            found, self._without = paired.wanted, paired.without
            if paired.found and not self.memory.bucket_known:
                self.memory.do("bucket", True)
            taken.bucket_missing = bool(paired.without) and not self.memory.bucket_known
            if not self.memory.bucket_known:
                judge_kind(sli, batch, taken)
        found.sort(key=_first_time)
        out: dict[str, list[Wanted]] = {}
        for one in found:
            out.setdefault(one.reading.series.target, []).append(one)
        return out

    def _book_line(self, line: Line, booked: Booked, taken: Taken) -> None:
        """What a series gained goes to its group."""
        wanted = line.wanted
        if wanted.followed and wanted.reading.series.target in self._without:
            taken.readings["unknown", "no_bucket"] += len(line.data)
        if wanted.followed or not (line.data or self._shown(line)):
            return
        group = self.memory.slo.group_of(wanted.reading.series.labels)
        if not self._admits(group, taken):
            return
        series = wanted.reading.series
        taken.see(group, series.page or series.target)
        if not line.data:
            return
        role = self._terms[wanted.term].role
        booked.data.setdefault(group, []).append(line.data)
        gains = booked.gains.setdefault(group, [])
        if len(line.gained) >= LONG and role != "native":
            gains.append(Run(group, role, [line.begin, *line.ends], line.gained))
            return
        sli = self.memory.slo.sli
        good = True
        if role == "native" and isinstance(sli, HistogramSLI):
            good = sli.may_be_good(series.labels)
        begin = line.begin
        for end, gained, under in zip(line.ends, line.gained, line.under, strict=True):
            if gained:
                gains.append(events.gain(role, group, begin, end, gained, under if good else 0.0))
            begin = end

    def _shown(self, line: Line) -> bool:
        """Whether a page shows a series that has nothing new."""
        return line.newest is None and bool(self._own_clock and line.wanted.reading.samples)

    def _admits(self, group: Group, taken: Taken) -> bool:
        if any(len(value) > MOST_TEXT for value in group):
            # A label that the target's discovery gave it; those of a page are in the series' name.
            self._refuse(taken, "too_long", 1)
            return False
        if not self.memory.admits(group):
            taken.over_cap.add(group)
            return False
        self.memory.instance(group)
        return True

    # --- gauges and queries -----------------------------------------------------------------------

    def _take_values(self, batch: Batch, taken: Taken, booked: Booked) -> None:
        """Each value stands for itself."""
        looked: dict[str, float] = {}
        for reading, group, gains, times in self._values.take(batch, taken):
            if not times:
                continue
            target = reading.series.target
            looked[target] = max(times[-1], looked.get(target, 0.0))
            if self._admits(group, taken):
                taken.see(group, reading.series.page or target)
                booked.data.setdefault(group, []).append(times)
                booked.gains.setdefault(group, []).extend(gains)
        observe(self.memory, batch, looked, {})

    # --- into the ledgers -------------------------------------------------------------------------

    def _book(self, booked: Booked, taken: Taken) -> float:
        """Write down events and coverage of each group; the surplus that was let go."""
        surplus = 0.0
        for group, times in booked.data.items():
            instance = self.memory.instance(group)
            debt = Debt(instance.debts, instance.grown)
            found = settled(booked.gains.get(group, ()), self._derived, debt)
            if (debt.entries, debt.grown) != (instance.debts, instance.grown):
                self.memory.do("debts", group, debt.entries, debt.grown)
            surplus += debt.surplus
            fresh: Sequence[float] = times[0]
            if any(other != fresh for other in times) or not ascending(fresh):
                fresh = sorted(set(chain.from_iterable(times)))
            if instance.seen is not None:
                taken.late += sum(
                    bisect_right(some, instance.seen - self.memory.slo.interval) for some in times
                )
                fresh = fresh[bisect_right(fresh, instance.seen) :]
            self._write(group, self._countable(found, taken), fresh)
        return surplus

    @staticmethod
    def _countable(rows: Sequence[Row], taken: Taken) -> Sequence[Row]:
        """The rows that a ledger can take; one wrong number in it would be there for good."""
        countable = [row for row in rows if are_events(*row)]
        if refused := len(rows) - len(countable):
            Intake._refuse(taken, "too_large", refused)
        return countable

    @staticmethod
    def _refuse(taken: Taken, reason: str, count: int) -> None:
        taken.refuse(reason, count)
        taken.readings[Kind.REFUSED.value, reason] += count

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


@dataclass(slots=True)
class Booked:
    """What one batch brings, by group: its gains, and when there was data."""

    gains: dict[Group, list[Gain | Run]] = field(default_factory=dict)
    data: dict[Group, list[list[float]]] = field(default_factory=dict)


def _first_time(wanted: Wanted) -> float:
    return wanted.reading.samples[0][0]
