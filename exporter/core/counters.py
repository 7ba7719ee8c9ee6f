"""The counters of one batch, process by process.

A *look* is one scrape: the samples of a process that were taken together. The usual look, in which
every series goes on, is counted here; `walk` takes whatever else a batch may hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.core import events
from exporter.core.amounts import MOST_VALUE
from exporter.core.away import Away
from exporter.core.memory import FORGET_AFTER, Memory
from exporter.core.sample import Batch, Reading
from exporter.core.series import MOST_AHEAD, Bounds, Last, clean, with_pace
from exporter.core.slo import CounterSLI
from exporter.core.target_state import LOST, TargetState
from exporter.core.verdicts import GOES_ON, Kind, Verdict, start_moved


class Wanted(NamedTuple):
    """A reading of one term of the SLI; `term` says which.

    `twin`: of a histogram's count, what it shares with its bucket, without which nothing is known
    of it; of a bucket the same. `others`: the terms of a histogram's other form, which counts the
    same observations. `followed`: it does not count now and may later.
    """

    term: int
    reading: Reading
    twin: frozenset[tuple[str, str]] | None = None
    others: tuple[int, ...] = ()
    followed: bool = False


@dataclass(slots=True)
class Line:
    """One wanted series on its way through the looks of a batch.

    `last`: the newest sample before the batch, None where it was never met. `times`, `values`,
    `unders`: its new samples, ascending; `refused`: why others were not taken; `verdicts`: of those
    that had to be explained. `begin`, `ends`, `gained`, `under`: what it gained, end to end from
    `begin` on; a native histogram's part at or under the threshold beside it. `data`: when there
    was data, counted or not. `newest`: the sample to go on from after the batch.
    """

    wanted: Wanted
    last: Last | None
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    unders: list[float] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    begin: float = 0.0
    ends: list[float] = field(default_factory=list)
    data: list[float] = field(default_factory=list)
    gained: list[float] = field(default_factory=list)
    under: list[float] = field(default_factory=list)
    newest: Last | None = None

    @property
    def key(self) -> str:
        """Names the series within its process."""
        return self.wanted.reading.series.key

    def gain_nothing(self, until: float) -> None:
        """Nothing happened from its newest end up to this time."""
        self.ends.append(until)
        self.gained.append(0.0)
        self.under.append(0.0)


class Counters:
    """Made anew for each batch."""

    def __init__(self, memory: Memory, batch: Batch, away: Away) -> None:
        self.memory = memory
        self.batch = batch
        self.away = away
        self.samples = 0
        """Samples with data, counted or not."""
        self.readings: Counter[Verdict] = Counter()
        self.refused: dict[str, int] = {}
        """Samples that were not taken, by reason."""
        self.shared: set[str] = set()
        """Targets that several processes share."""
        self.looked: dict[str, float] = {}
        """The last look at each target that counted, where one did."""
        self.bucketless: set[str] = set()
        """Targets whose histogram has lost its threshold's bucket."""
        self.held: dict[str, int] = {}
        """Targets of which nothing counts since a term has no series any more, and which term."""
        terms = events.terms(memory.slo.sli) if isinstance(memory.slo.sli, CounterSLI) else ()
        # Errors may be yet to come, and an error series may expire.
        self.required = [index for index, term in enumerate(terms) if term.role != "bad"]
        self.derived_good = {index for index, term in enumerate(terms) if term.role == "good"}
        self._threshold = float(getattr(memory.slo.sli, "threshold", 0.0))
        self._bounds = Bounds(batch.at - memory.reach, batch.at + MOST_AHEAD)

    @property
    def kinds(self) -> Counter[tuple[str, str]]:
        """How many readings there were so far, by kind and evidence."""
        readings: Counter[tuple[str, str]] = Counter()
        for verdict, count in self.readings.items():
            readings[verdict.kind.value, verdict.evidence] += count
        return readings

    def refuse(self, reason: str) -> None:
        """One sample was not taken."""
        self.refused[reason] = self.refused.get(reason, 0) + 1
        self.readings[Verdict(Kind.REFUSED, reason)] += 1

    def process(self, target: str, wanted: Sequence[Wanted]) -> list[Line]:
        """What the wanted series of one process gained."""
        from exporter.core.walk import Walk  # It takes lines of here.

        state = self.memory.targets.get(target)
        before = self.looked_before(state, wanted)
        lines = [self._line(one, state) for one in wanted]
        if state is not None and self._is_usual(lines, state, before):
            self._go_on(lines, before)
        else:
            Walk(self, target, state, before, lines).walk()
        for line in lines:
            self._keep(target, line)
        return lines

    def looked_before(self, state: TargetState | None, wanted: Sequence[Wanted]) -> float:
        """When the process was looked at last, also by the page that passes it on; 0 if never."""
        last = state.last if state is not None else 0.0
        page = wanted[0].reading.series.page
        on = self.memory.targets.get(page) if page else None
        return last if on is None else max(last, on.last)

    def _line(self, wanted: Wanted, state: TargetState | None) -> Line:
        samples = wanted.reading.samples
        last = state.series[wanted.term].get(wanted.reading.series.key) if state else None
        if last is None:
            # What memory has let go of was counted.
            after = (self.memory.polled or 0.0) - FORGET_AFTER
        else:
            after = last.time
            last = None if last.value == LOST else last
        refused: list[str] = []
        if len(samples) == 1:
            # The usual answer, without a loop.
            ((time, value),) = samples
            if (
                isinstance(value, float)
                and time > after
                and 0.0 <= value <= MOST_VALUE
                and self._bounds.oldest <= time <= self._bounds.newest
            ):
                return Line(wanted, last, [time], [value], [value])
            if time <= after and self.batch.own_clock:
                if time == self.batch.at:
                    # Dated by our own clock, so it is no old time of the page's.
                    refused.append("duplicate" if time == after else "out_of_order")
                    self.refuse(refused[0])
                return Line(wanted, last, refused=refused)
        found = clean(samples, after, self._bounds, self._threshold, refused.append)
        for reason in refused:
            self.refuse(reason)
        return Line(wanted, last, *found, refused=refused)

    # --- the usual look ---------------------------------------------------------------------------

    def _is_usual(self, lines: Sequence[Line], state: TargetState, before: float) -> bool:
        """Whether every series has one sample more and goes on in the same process."""
        facts = self.batch.targets.get(lines[0].wanted.reading.series.target)
        if state.down or state.troubled or not before or (facts is not None and facts.down):
            return False
        if facts is not None and facts.starts:
            started = state.started
            if started is None or any(start_moved(started, start) for _, start in facts.starts):
                return False
        twins = 0
        for line in lines:
            if not line.times:
                continue
            if not self._goes_on(line, before):
                return False
            if line.wanted.twin is not None:
                twins += 1 if line.wanted.term else -1
        there = {line.wanted.term for line in lines if line.times}
        if any(index not in there and state.series[index] for index in self.required):
            return False
        # Each count has its bucket, and no two looks are in here.
        return twins == 0 and (self.batch.own_clock or _at_once(lines))

    def _goes_on(self, line: Line, before: float) -> bool:
        """Whether a series was there at the last look, and has one sample more, not lower."""
        last, created = line.last, line.wanted.reading.created
        return (
            last is not None
            and len(line.times) == 1
            and line.values[0] >= last.value
            and last.look == before
            and (created is None or created == last.created)
        )

    def _go_on(self, lines: Sequence[Line], before: float) -> None:
        own, at = self.batch.own_clock, self.batch.at
        looks = [at if own else line.times[0] for line in lines if line.times]
        if looks:
            self.looked[lines[0].wanted.reading.series.target] = looks[0]
        for line in lines:
            if not line.times:
                continue
            last = line.last
            assert last is not None  # or it would not be usual
            time, value, under = line.times[0], line.values[0], line.unders[0]
            gained = value - last.value
            line.begin = min(last.time, at) if own else last.time
            line.ends = line.data = [min(time, at) if own else time]
            line.gained = [gained]
            line.under = [min(gained, max(0.0, under - last.under))]
            seen = at if own and time != at else None
            spent = (time if seen is None else seen) - before
            paces = with_pace(last.paces, gained / spent) if spent > 0 else last.paces
            line.newest = Last(time, value, under, line.wanted.reading.created, seen, paces)
            self.readings[GOES_ON] += 1

    def _keep(self, target: str, line: Line) -> None:
        """Write down where a series got to."""
        self.samples += len(line.data)
        if line.newest is not None:
            self.memory.do("series", target, line.wanted.term, line.key, *line.newest)
        elif line.last is not None and self.batch.own_clock and not line.times:
            # The page shows it, with a time that was counted already: it is still there.
            shown = line.last._replace(seen=self.batch.at)
            self.memory.do("series", target, line.wanted.term, line.key, *shown)


def _at_once(lines: Sequence[Line]) -> bool:
    """Whether all have their sample at the same time."""
    return len({line.times[0] for line in lines if line.times}) <= 1
