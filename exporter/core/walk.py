"""Through the looks of a batch, a process at a time, where more than the usual sample came.

The samples of all its series, and what an upstream tells of its own scrapes, are put in order of
looks. A look in which something is unusual (a fall, a new series, one that returns, a start that
moved) is explained by `evidence`; all between are counted at one go. So what comes out does not
depend on where a history is cut into batches.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from heapq import heapify, heappop, heappush
from itertools import chain, pairwise
from math import inf
from operator import attrgetter, itemgetter, sub

from exporter.core import evidence
from exporter.core.away import BIRTH_GRACE
from exporter.core.counters import Counters, Line
from exporter.core.histograms import Continued, continued, other_form, same_child
from exporter.core.looks import LONG_AGO, NONE, Cursor, clustered, spacing, unusual_of
from exporter.core.sample import Target
from exporter.core.series import LOOKS, Last, lately_of, looks_of, pace_of, with_pace
from exporter.core.siblings import Siblings
from exporter.core.target_state import LOST, TargetState
from exporter.core.verdicts import GOES_ON, Decision, Kind, Process, Seen, Verdict, start_moved

_SHARED_FROM = 4
"""Trouble (see `_weight`) within `_FEW` looks from which on several processes share an address."""
_FEW = 10
_TIMES, _EVENTS = 3.0, 10.0
"""Times the usual events, and events, that a process may well have had since the last look."""

_HARDLY = 4
"""Fewer looks than this tell little of a pace."""
_MISSED = 2.2
"""So many times the usual time between two looks is a gap: looks failed."""

_HELD = Verdict(Kind.UNKNOWN, "required_term_missing")
_NO_BUCKET = Verdict(Kind.UNKNOWN, "no_bucket")
_FIRST_BUCKET = Verdict(Kind.BASELINE, "no_bucket_before")
_OTHER_FORM = Verdict(Kind.BASELINE, "other_form_before")
_WENT_OVER = Verdict(Kind.INCREASE, "other_form")
_SHARED = Verdict(Kind.REFUSED, "several_processes")
_ZERO = Verdict(Kind.RESET, "created_zero")
_FORKED = 0.02
"""Seconds by which the starts of two processes differ at least."""
_NO_LOOK = "created_zero"
"""In place of an explanation, of what an upstream stored between two looks."""


class Walk:
    """One process of one batch; `before`: when it was looked at last, 0 if never."""

    def __init__(
        self,
        counters: Counters,
        target: str,
        state: TargetState | None,
        before: float,
        lines: Sequence[Line],
    ) -> None:
        self._counters = counters
        self._memory, self._batch = counters.memory, counters.batch
        self._target = target
        self._state = state
        self._facts = self._batch.targets.get(target) or Target()
        self._scrapes = frozenset(self._facts.looks)
        self._first = self._before = before
        self._shown = (
            max((s.look for some in state.series for s in some.values()), default=0.0)
            if state
            else 0.0
        )
        self._earliest = self._began_after(lines)
        self._spacing = spacing(lines, self._memory.slo.interval)
        self._looks = self._looks_of(lines)
        self._late = bisect_right(self._looks, self._first)
        """How many looks lie before the last one that counted: a part of the process comes late."""
        self._cursors = [self._cursor(line) for line in lines]
        self._pairs = list(self._paired())
        """The bucket, in each of its spellings, and the count of each histogram of which both are
        here."""
        self._named = {(c.index, c.key): c for c in reversed(self._cursors)}
        self._held: int | None = None
        self._counted = self._late - 1
        """The last look that counted."""
        self._met = state is not None and any(state.series)
        self._found_old = False
        """The process was met in this batch, and is older than the looks at it."""
        self._down = state is not None and state.down
        self._started = state.started if state is not None else None
        self._belief = state.belief if state is not None else 0
        self._troubled = list(state.troubled) if state is not None else []
        self._others = state.others if state is not None else ()
        self._siblings = Siblings(self._memory.targets)
        self._over: dict[tuple[int, str], Continued] = {}
        """Series of the look that is explained which go on from a histogram's other form."""
        self._usual: tuple[int, float | None] = (NONE, None)
        """A look, and the usual pace by then."""
        self._page = lines[0].wanted.reading.series.page

    def walk(self) -> None:
        """Count everything; the lines hold what came of it."""
        for look in range(self._late):
            self._take_late(look)
        done = self._late
        todo = self._unusual()
        while todo:
            look = heappop(todo)
            if look < done:
                continue
            self._go_on(done, look)
            if (term := self._missing(look)) is not None:
                self._hold(look, term)
            else:
                for again in self._explain(look):
                    heappush(todo, again)
            done = look + 1
        self._go_on(done, len(self._looks))
        self._remember()

    def _remember(self) -> None:
        """Write down where the process and its series got to."""
        if self._before > self._first:
            self._counters.looked[self._target] = self._before
        if self._held is not None:
            self._counters.held[self._target] = self._held
        for cursor in self._cursors:
            if cursor.mark is not cursor.line.last:
                cursor.line.newest = cursor.mark or cursor.lost
        state = self._state
        before = (state.belief, state.troubled, state.others) if state is not None else (0, (), ())
        if (self._belief, tuple(self._troubled), self._others) != before:
            self._memory.do("process", self._target, self._belief, self._troubled, [*self._others])

    # --- holding back -----------------------------------------------------------------------------

    def _missing(self, look: int) -> int | None:
        """A term without which nothing can be told, that had series at the last look that counted
        and has none at this one: errors without a total would all be 100%."""
        present = [c for c in self._cursors if c.next == look]
        if not present or self._before <= 0:
            return None
        there = {cursor.index for cursor in present}
        for index in self._counters.required:
            if index in there or not self._was_there(index):
                continue
            # All events of a new process may be of one kind.
            if index in self._counters.derived_good and self._may_be_new(look, present):
                continue
            return index
        return None

    def _was_there(self, index: int) -> bool:
        """Whether a term had series at the last look that counted."""
        if any(c.index == index and c.look >= self._counted for c in self._cursors):
            return True
        return self._counted < self._late and any(
            term == index and last.look >= self._first for term, _, last in self._unwalked()
        )

    def _was_ever(self, index: int) -> bool:
        """Whether a term ever had series."""
        known = [c.index for c in self._cursors if c.mark is not None]
        return index in known or any(term == index for term, _, _ in self._unwalked())

    def _told_pace(self) -> int:
        """How many looks told of the pace of a series, at most."""
        marks = [c.mark for c in self._cursors if c.mark is not None]
        marks += [last for _, _, last in self._unwalked()]
        return max((looks_of(mark.paces) for mark in marks), default=0)

    def _may_be_new(self, look: int, present: Sequence[Cursor]) -> bool:
        if start_moved(self._started, self._start_at(look)):
            return True
        return any(c.mark is not None and c.line.values[c.at] < c.mark.value for c in present)

    def _hold(self, look: int, term: int) -> None:
        """Count nothing of a look; the next one that counts bridges it."""
        present = [c for c in self._cursors if c.next == look]
        rows = self._rows(present, look, self._before)
        met = not self._batch.own_clock and self._is_first_look(
            look, self._start_at(look), [*rows.values()]
        )
        for cursor in present:
            if met and cursor.mark is None:
                # It may be as old as the others, whenever it is shown with them.
                self._count(cursor, evidence.FIRST_LOOK)
                continue
            cursor.at += 1
            cursor.line.verdicts.append(_HELD)
            self._counters.readings[_HELD] += 1
        self._held = term

    # --- looks ------------------------------------------------------------------------------------

    def _began_after(self, lines: Sequence[Line]) -> float:
        """From when on a process that was never looked at would have been seen."""
        memory = self._memory
        times = [line.times[0] for line in lines if line.times]
        if not times:
            return inf
        if memory.polled is None:
            # It counts from the time on that was asked for first.
            return max(self._asked()) or inf
        # What reaches an upstream late was not there for the polls since, either.
        first = min(times)
        looked = self._counters.away.looked(first, min(first, memory.polled))
        return max(memory.since or 0.0, looked - BIRTH_GRACE)

    def _looks_of(self, lines: Sequence[Line]) -> list[float]:
        """The times of the looks after the last one, each that of its newest sample."""
        if self._batch.own_clock and all(len(line.times) <= 1 for line in lines):
            return [self._batch.at]
        with_samples = [line.times for line in lines if line.times]
        times: Sequence[float]
        if with_samples and all(t == with_samples[0] for t in with_samples):
            times = with_samples[0]
        else:
            times = sorted({time for some in with_samples for time in some})
        after = self._first or self._earliest
        if self._memory.polled is None and self._scrapes.issuperset(times):
            # History tells of looks before the first poll; not of samples with times of their own.
            after = 0.0
        # Targets are asked about from a little earlier on than their series.
        after = max(after, *self._asked())
        if known := [t for t in self._facts.looks if after < t <= self._batch.at]:
            times = sorted({*times, *known})
        looks = clustered(times, self._spacing)
        # No look shows a series twice, but an upstream may store a zero right before a sample.
        if any(_twice(line.times, looks) for line in lines):
            return list(times)
        return looks

    def _asked(self) -> Iterator[float]:
        """From when on each part of the SLI was asked for."""
        return (self._batch.asked.get(want, 0.0) for want in self._memory.slo.sli.wants())

    def _cursor(self, line: Line) -> Cursor:
        looks: Sequence[int] = range(len(self._looks))
        if len(line.times) != len(self._looks):
            looks = [bisect_left(self._looks, time) for time in line.times]
        return Cursor(line, looks, self._shown_last(line.last))

    def _shown_last(self, last: Last | None) -> int:
        """The look that showed a series last: the last one that counted, or one before it."""
        present = last is not None and last.look >= self._first > 0
        return self._late - 1 if present else LONG_AGO

    def _unusual(self) -> list[int]:
        """The looks that have to be explained, as a heap."""
        found: set[int] = set()
        for cursor in self._cursors:
            found.update(unusual_of(cursor))
        shown = min((c.next for c in self._cursors), default=NONE)
        if self._down and shown != NONE:
            found.add(shown)
        started = self._started
        for time, start in self._facts.starts:
            if started is None or start_moved(started, start):
                found.add(bisect_left(self._looks, time))
            started = start
        found |= self._incomplete()
        if self._troubled:
            found.update(range(len(self._looks)))
        todo = [look for look in found if self._late <= look < len(self._looks)]
        heapify(todo)
        return todo

    def _incomplete(self) -> set[int]:
        """The looks without a bucket of a count, or without any series of a required term."""
        found: set[int] = set()
        for buckets, count in self._pairs:
            if any(bucket.looks != count.looks for bucket in buckets):
                odd = set(count.looks).symmetric_difference(chain(*(b.looks for b in buckets)))
                found |= odd | {look + 1 for look in odd}
        for index in self._counters.required:
            there = [set(c.looks) for c in self._cursors if c.index == index]
            if there or (self._state is not None and self._state.series[index]):
                found.update(set(range(len(self._looks))).difference(*there))
        return found

    def _paired(self) -> Iterator[tuple[list[Cursor], Cursor]]:
        twins: dict[frozenset[tuple[str, str]], list[Cursor]] = {}
        for cursor in self._cursors:
            if cursor.line.wanted.term == 0 and cursor.line.wanted.twin is not None:
                twins.setdefault(cursor.line.wanted.twin, []).append(cursor)
        for cursor in self._cursors:
            twin = cursor.line.wanted.twin
            if twin is not None and cursor.index and twin in twins:
                yield twins[twin], cursor

    # --- counting what goes on --------------------------------------------------------------------

    def _date(self, time: float) -> float:
        """When events happened: no page knows of a future, however far its clock is ahead."""
        return min(time, self._batch.at) if self._batch.own_clock else time

    def _go_on(self, first: int, end: int) -> None:
        """Count the looks from `first` up to `end`, of which none is unusual."""
        for cursor in self._cursors:
            if cursor.next >= end:
                continue
            stop = bisect_left(cursor.looks, end, cursor.at)
            mark, line = cursor.mark, cursor.line
            assert mark is not None  # the first sample of a series is explained
            values, unders = line.values[cursor.at : stop], line.unders[cursor.at : stop]
            gained = list(map(sub, values, [mark.value, *values[:-1]]))
            under = gained
            if unders != values:
                steps = map(sub, unders, [mark.under, *unders[:-1]])
                under = [min(g, max(0.0, u)) for g, u in zip(gained, steps, strict=True)]
            self._counters.readings[GOES_ON] += len(values)
            self._add(cursor, stop, gained, under, values[-1], unders[-1], paced=True)
        if end > first:
            self._before = self._looks[end - 1]
            self._counted = end - 1
            self._held = None
            shown = (self._looks[c.look] for c in self._cursors if c.look >= first)
            self._shown = max(self._shown, *shown, 0.0)

    def _add(
        self,
        cursor: Cursor,
        stop: int,
        gained: Sequence[float],
        under: Sequence[float],
        value: float,
        below: float,
        *,
        paced: bool = False,
        begin: float | None = None,
    ) -> None:
        """Take the samples up to `stop`: what they gained, and the mark that they leave."""
        line, start, mark = cursor.line, cursor.at, cursor.mark
        times = line.times[start:stop]
        if not line.data:
            known = mark.time if mark is not None else times[0]
            line.begin = self._date(min(known if begin is None else begin, times[0]))
        dated = [self._date(time) for time in times] if self._batch.own_clock else times
        line.data += dated
        line.ends += dated
        line.gained += gained
        line.under += under
        paces = mark.paces if mark is not None else b""
        if paced:
            assert mark is not None  # the difference to it has a pace
            looks = [mark.look, *(self._looks[look] for look in cursor.looks[start:stop])]
            for i in range(max(0, len(times) - LOOKS), len(times)):
                if (spent := looks[i + 1] - looks[i]) > 0:
                    paces = with_pace(paces, gained[i] / spent)
        self._mark(cursor, stop, value, below, paces)

    def _mark(
        self, cursor: Cursor, stop: int, value: float, below: float, paces: bytes = b""
    ) -> None:
        """Remember how far a series was read, and from which values it goes on."""
        time, look = cursor.line.times[stop - 1], cursor.looks[stop - 1]
        seen = None if self._looks[look] == time else self._looks[look]
        created = cursor.line.wanted.reading.created
        cursor.mark = Last(time, value, below, created, seen, paces)
        cursor.at, cursor.look = stop, look

    # --- explaining one look ----------------------------------------------------------------------

    def _explain(self, look: int) -> Iterable[int]:
        """Count one look by its explanation; the looks that have to be explained because of it."""
        time = self._looks[look]
        present = [c for c in self._cursors if c.next == look]
        start = self._start_at(look)
        self._over = self._gone_over(present)
        rows = self._rows(present, look, self._before)
        absent = [] if self._before <= 0 else list(self._absent(look, rows))
        decision = self._decide(look, start, [*rows.values(), *absent])
        verdicts = dict(zip(rows, decision.verdicts, strict=False))
        fell = any((s.value or 0.0) < (s.last or 0.0) for s in rows.values())
        self._correct(look, verdicts, decision, fell=fell, young=_young(rows.values()))
        self._take_over(present, verdicts)
        for cursor in present:
            self._count(cursor, verdicts[cursor.key])
        self._over = {}
        if decision.explanation is _NO_LOOK:
            return self._next_if_troubled(look)
        if decision.explanation is evidence.NEW and present:
            self._begin_anew(look, start)
        if present:
            self._met, self._down, self._shown = True, False, time
        self._belief = decision.belief
        self._started = start if start is not None else self._started
        self._before, self._counted, self._held = time, look, None
        return self._next_if_troubled(look) or [
            cursor.next
            for cursor in present
            if cursor.next != NONE and cursor.mark and cursor.mark.value > cursor.shown
        ]

    def _next_if_troubled(self, look: int) -> list[int]:
        return [look + 1] if self._troubled and look + 1 < len(self._looks) else []

    def _take_late(self, look: int) -> None:
        """Count what comes of a look that counted without it. Nothing is gone of what was counted
        then, and what the process did since is known."""
        time = self._looks[look]
        present = [c for c in self._cursors if c.next == look]
        before = self._looked_before(time)
        rows = {
            key: replace(s, absent=False) for key, s in self._rows(present, look, before).items()
        }
        process = Process(time, before, met=self._met, passed_on=bool(self._page))
        decision = evidence.decide(process, [*rows.values()])
        verdicts = dict(zip(rows, decision.verdicts, strict=True))
        self._judge_histograms(look, verdicts)
        for cursor in present:
            new = cursor.mark is None and before <= 0
            self._count(cursor, evidence.FOUND_LATE if new else verdicts[cursor.key])
            cursor.look = self._shown_last(cursor.mark)

    def _looked_before(self, time: float) -> float:
        """The newest look before a time, of all that was asked for; 0 if there is none."""
        asked = max(self._asked(), default=0.0)
        samples = (line.line.wanted.reading.samples for line in self._cursors)
        looks = chain(self._facts.looks, (t for some in samples for t, _ in some))
        return max((t for t in looks if asked < t < time), default=0.0)

    def _start_at(self, look: int) -> float | None:
        """The newest start time that was known by a look; None where it tells none."""
        if (known := self._facts.started(self._looks[look])) is not None:
            return known
        return self._started if not self._facts.starts and not self._batch.own_clock else None

    def _rows(self, present: Iterable[Cursor], look: int, before: float) -> dict[str, Seen]:
        """The series of a look, each once; `before`: the look before it, 0 if there was none."""
        rows: dict[str, Seen] = {}
        for cursor in present:
            if cursor.key not in rows:
                rows[cursor.key] = self._seen(cursor, look, before)
        return rows

    def _seen(self, cursor: Cursor, look: int, before: float) -> Seen:
        over = self._over.get((cursor.index, cursor.key))
        mark, time = over.mark if over else cursor.mark, self._looks[look]
        value = cursor.line.values[cursor.at]
        if mark is None:
            idle = time - before if before > 0 else 0.0
            twins = None if self._met else self._siblings.of_twins(cursor.index, cursor.key)
            pace = self._usual_pace(look) if twins is None else twins
            return Seen(
                cursor.index, cursor.key, value, None, pace, idle,
                created=cursor.line.wanted.reading.created,
            )  # fmt: skip
        own = pace_of(mark.paces)
        return Seen(
            cursor.index,
            cursor.key,
            value,
            mark.value,
            self._usual_pace(look) if own is None else own,
            max(0.0, time - mark.look),
            absent=over is None and cursor.look < self._counted,
            created=cursor.line.wanted.reading.created,
            was_created=mark.created,
            lately=lately_of(mark.paces),
        )

    def _absent(self, look: int, shown: Iterable[str]) -> Iterator[Seen]:
        """The known series of the process that a look does not show, each once."""
        done, time = set(shown), self._looks[look]
        if self._batch.own_clock:
            # A page may show a series with a time that was counted already.
            done.update(c.key for c in self._cursors if c.line.wanted.reading.samples)
        known = [(c.index, c.key, c.mark, c.look) for c in self._cursors]
        for index, key, last in self._unwalked():
            known.append((index, key, last, self._shown_last(last)))
        went_on = {(term, same_child(key)) for term, key in self._over}
        for index, key, mark, newest in sorted(known, key=itemgetter(0, 1)):
            if mark is None or key in done:
                continue
            if went_on and not went_on.isdisjoint((o, same_child(key)) for o in other_form(index)):
                # Its histogram is there in the other form.
                continue
            done.add(key)
            pace, idle = pace_of(mark.paces), time - mark.look
            absent = newest < self._counted
            yield Seen(index, key, None, mark.value, pace, idle, absent=absent)

    def _unwalked(self) -> Iterator[tuple[int, str, Last]]:
        """What is known of series that the batch has nothing of: term, key, newest sample."""
        if self._state is None:
            return
        for index, series in enumerate(self._state.series):
            for key, last in list(series.items()):
                if (index, key) not in self._named and last.value != LOST:
                    yield index, key, last

    def _decide(self, look: int, start: float | None, rows: Sequence[Seen]) -> Decision:
        process = Process(
            self._looks[look],
            # A process may have begun while nothing of it was there to be seen.
            self._shown or self._before,
            start,
            self._started,
            self._belief,
            down=self._down,
            passed_on=bool(self._page),
            met=self._met,
            missed=self._looks[look] - self._before > _MISSED * self._spacing,
            troubled=sum(weight for _, weight in self._troubled) > 1,
            incomplete=any(not self._was_ever(index) for index in self._counters.required),
            hardly_known=self._told_pace() < _HARDLY,
            other_form=any(c.next == look and self._is_other_form(c) for c in self._cursors),
        )
        if self._before <= 0:
            met = evidence.meet(process, rows, self._earliest)
            self._found_old = not any(map(_begins, met))
            return Decision(evidence.SAME, [*met], self._belief)
        if not self._batch.own_clock and self._is_first_look(look, start, rows):
            decision = evidence.decide(process, rows)
            verdicts = [*map(_first_look, rows, decision.verdicts)]
            return Decision(evidence.SAME, verdicts, self._belief)
        shown = [s for s in rows if s.value is not None]
        # One that was 0 before goes on.
        zeros = not any(s.value for s in shown) and any(s.last != 0.0 for s in shown)
        zeros = zeros and not self._batch.own_clock
        scraped = self._looks[look] in self._scrapes or start_moved(self._started, start)
        if zeros and not scraped and any(s.value is None and not s.absent for s in rows):
            # A zero at a created time, which an upstream put between its scrapes: nothing was
            # looked at, so what is not here is not gone.
            kinds = [None if s.value is None else _ZERO for s in rows]
            return Decision(_NO_LOOK, [*kinds], self._belief)
        return evidence.decide(process, rows)

    def _is_first_look(self, look: int, start: float | None, rows: Sequence[Seen]) -> bool:
        """Whether the first look at the process is not over for all of its series, so that one
        that was not there yet may be as old as the others."""
        if start_moved(self._started, start):
            return False
        times = [c.line.times[c.at] for c in self._cursors if c.next == look]
        if times and self._scrapes:
            # Its upstream's scrapes say nothing of samples with times of their own.
            return not self._scrapes.issuperset(times) and (self._found_old or not self._met)
        if not self._met or any(s.last is not None for s in rows if s.value is not None):
            return False
        # Nothing tells of its scrapes; the first one is over once any series comes again.
        marks = [c.mark for c in self._cursors if c.mark is not None]
        return not any(mark.paces for mark in (*marks, *(last for _, _, last in self._unwalked())))

    def _correct(
        self,
        look: int,
        verdicts: dict[str, Verdict | None],
        decision: Decision,
        *,
        fell: bool,
        young: bool,
    ) -> None:
        """What one decision about the process does not know: addresses that several processes
        share, and histograms that were counted in their other form."""
        self._note_trouble(decision, look, fell=fell, young=young)
        if sum(weight for _, weight in self._troubled) >= _SHARED_FROM:
            self._counters.shared.add(self._target)
            verdicts.update(dict.fromkeys(verdicts, _SHARED))
        if decision.explanation is not evidence.NEW:
            for cursor in self._cursors:
                if cursor.next == look and self._is_other_form(cursor):
                    verdicts[cursor.key] = _OTHER_FORM
        self._judge_histograms(look, verdicts)

    def _judge_histograms(self, look: int, verdicts: dict[str, Verdict | None]) -> None:
        """Nothing is known of a count without its bucket."""
        for buckets, count in self._pairs:
            if count.next != look:
                continue
            shown = [bucket for bucket in buckets if bucket.next == look]
            if not shown:
                verdicts[count.key] = _NO_BUCKET
                self._counters.bucketless.add(self._target)
            elif (
                max(bucket.look for bucket in buckets) < self._counted
                and count.look >= self._counted
                and not _begins(verdicts[count.key])
            ):
                # The count is known, its bucket is not: what it had before is no news.
                verdicts.update((bucket.key, _FIRST_BUCKET) for bucket in shown)
                verdicts[count.key] = _NO_BUCKET

    def _gone_over(self, present: Sequence[Cursor]) -> dict[tuple[int, str], Continued]:
        """Histograms whose other form was there last, and from what the series of this form go on:
        both count the same observations."""
        out: dict[tuple[int, str], Continued] = {}
        for cursor in present:
            if not (marks := self._counted_otherwise(cursor)):
                continue
            after = continued(self._form(cursor), marks, cursor.index)
            if after is None:
                continue
            spent = max(0.0, self._looks[cursor.next] - after.mark.look)
            pace = pace_of(after.mark.paces)
            if after.gained < 0.0 or evidence.goes_on_in(after.gained, after.total, pace, spent):
                out[cursor.index, cursor.key] = after
        return out

    def _take_over(self, present: Sequence[Cursor], verdicts: dict[str, Verdict | None]) -> None:
        """Go on from the other form, where a histogram did."""
        for cursor in present:
            after = self._over.get((cursor.index, cursor.key))
            if after is None:
                continue
            if verdicts[cursor.key] == GOES_ON:
                verdicts[cursor.key] = _WENT_OVER if after.exact else _OTHER_FORM
                if not after.exact:
                    continue
            cursor.mark = after.mark
            if cursor.line.data:
                # It counted in this very batch, before the other form did.
                cursor.line.gain_nothing(self._date(after.mark.time))

    def _form(self, cursor: Cursor) -> dict[int, tuple[float, float]]:
        """What a look shows of a histogram in the form of one of its series: by term, values and
        the part at or under the threshold."""
        child = same_child(cursor.key)
        return {
            c.index: (c.line.values[c.at], c.line.unders[c.at])
            for c in self._cursors
            if c.next == cursor.next
            and c.index not in cursor.line.wanted.others
            and same_child(c.key) == child
        }

    def _is_other_form(self, cursor: Cursor) -> bool:
        """Whether the other form counted after this one, which does not go on from it."""
        over = (cursor.index, cursor.key) in self._over
        return not over and bool(self._counted_otherwise(cursor))

    def _counted_otherwise(self, cursor: Cursor) -> dict[int, Last]:
        """The newest samples of the other form of a histogram, by term, where it counted after this
        one; else none."""
        wanted = cursor.line.wanted
        if not wanted.others or cursor.look >= self._counted:
            return {}
        # One that is only followed has not counted in this batch.
        known = [
            (c.index, c.key, c.line.last if c.line.wanted.followed else c.mark)
            for c in self._cursors
        ]
        known += self._unwalked()
        child = same_child(cursor.key)
        marks: dict[int, Last] = {}
        for index, key, mark in known:
            if mark is not None and index != cursor.index and same_child(key) == child:
                marks[index] = max(mark, marks.get(index, mark), key=_look_of)
        counted = max((marks[k].look for k in wanted.others if k in marks), default=-inf)
        before = cursor.mark.look if cursor.mark is not None else -inf
        # What began after that shares nothing with it.
        return marks if counted > before and (wanted.reading.created or -inf) <= counted else {}

    def _note_trouble(self, decision: Decision, look: int, *, fell: bool, young: bool) -> None:
        time, start = self._looks[look], self._start_at(look)
        spent = max(time - self._before, 1.0)
        kept = [(when, weight) for when, weight in self._troubled if time - when <= _FEW * spent]
        back = start_moved(self._started, start) and (start or 0.0) < (self._started or 0.0)
        # A start time that wobbles while the counters go on is no process' at all.
        back = back and decision.belief < evidence.MOST_BELIEF
        weight = _weight(decision, back=back, again=bool(kept), young=young)
        if fell and self._is_anothers(start):
            weight = 2
        if weight and self._before > 0:
            kept.append((time, weight))
        self._troubled = kept[-_FEW:]

    def _is_anothers(self, start: float | None) -> bool:
        """Whether a start differs from the one before by so little that it counts as the same, and
        was there before that one already: workers that were forked in one moment."""
        if start is None or self._started is None or start_moved(self._started, start):
            return False
        apart = abs(start - self._started)
        # One that is computed anew from an uptime differs by whole seconds, or is never the same.
        if apart < _FORKED or abs(apart - round(apart)) < _FORKED / 10:
            return False
        found = start in self._others
        self._others = (*(o for o in self._others if o != self._started), self._started)[-_FEW:]
        return found

    def _count(self, cursor: Cursor, verdict: Verdict | None) -> None:
        """Count one sample as its verdict says."""
        assert verdict is not None  # the look showed it
        mark, line, at = cursor.mark, cursor.line, cursor.at
        value, below, time = line.values[at], line.unders[at], line.times[at]
        line.verdicts.append(verdict)
        if verdict.kind is Kind.REFUSED:
            self._counters.refuse(verdict.evidence)
        else:
            self._counters.readings[verdict] += 1
        begin: float | None = None
        gained, under = 0.0, 0.0
        if verdict.kind in (Kind.BIRTH, Kind.RESET):
            gained, under = value, below
            if mark is None:
                begin = self._born_at(cursor, time)
        elif verdict.kind is Kind.INCREASE:
            if verdict.before:
                mark = self._twin(cursor.index, verdict.before)
                begin = mark.time if mark is not None else None
            if mark is not None:
                gained = max(0.0, value - mark.value)
                under = min(gained, max(0.0, below - mark.under))
        elif verdict.kind is Kind.BASELINE and mark is None:
            self._base(cursor)
            return
        elif verdict.kind is Kind.JITTER and mark is not None:
            value, below = mark.value, mark.under
        paced = verdict.kind is Kind.INCREASE and not verdict.before
        self._add(cursor, at + 1, [gained], [under], value, below, paced=paced, begin=begin)

    def _base(self, cursor: Cursor) -> None:
        """The first sample of a series, of which nothing counts."""
        line, at = cursor.line, cursor.at
        dated = self._date(line.times[at])
        if line.data:
            # It was counted under this name before, in this very batch.
            line.gain_nothing(dated)
        else:
            line.begin = dated
        line.data.append(dated)
        self._mark(cursor, at + 1, line.values[at], line.unders[at])

    def _born_at(self, cursor: Cursor, time: float) -> float:
        """When a new series may have begun: one sample before its first, after the last look."""
        times, look = cursor.line.times, self._looks[cursor.looks[cursor.at]]
        following = times[cursor.at + 1] if cursor.at + 1 < len(times) else None
        spacing = self._memory.slo.interval if following is None else following - time
        looked = self._before - (look - time)
        return max(time - spacing, looked) if 0.0 < looked < time else time - spacing

    def _twin(self, index: int, key: str) -> Last | None:
        """The newest sample of a series that goes on under another name; its own name is over."""
        cursor = self._named.get((index, key))
        if cursor is not None and cursor.mark is not None:
            mark, cursor.mark = cursor.mark, None
            cursor.lost = mark._replace(value=LOST)
            return mark
        last = self._state.series[index].get(key) if self._state is not None else None
        if last is not None:
            self._memory.do("lost", self._target, index, key)
        return last

    def _begin_anew(self, look: int, start: float | None) -> None:
        """What a new process has not shown yet will begin at 0, however high it is then."""
        # Not after this look, where a clock is ahead: what comes next would seem to be older.
        begun = min(max(self._before, start if start is not None else 0.0), self._looks[look])
        for cursor in self._cursors:
            if cursor.look != look and cursor.mark is not None:
                cursor.mark = _at_zero(cursor.mark, begun)
                line, dated = cursor.line, self._date(cursor.mark.time)
                if line.data and dated > (line.ends or [line.begin])[-1]:
                    line.gain_nothing(dated)
        tally = self._memory.tally
        assert tally is not None  # it begins with the first batch
        for index, key, last in self._unwalked():
            tally.lost((index, self._target, key), last)
            self._memory.do("series", self._target, index, key, *_at_zero(last, begun))

    def _usual_pace(self, look: int) -> float | None:
        """The pace of a series before a look: found once, for however many are new in it."""
        if self._usual[0] != look:
            own = [(c.index, c.mark) for c in self._cursors if c.mark is not None]
            own += [(index, last) for index, _, last in self._unwalked()]
            self._usual = look, self._siblings.usual(own)
        return self._usual[1]


def _first_look(s: Seen, verdict: Verdict | None) -> Verdict | None:
    """Whatever is new was there before."""
    return evidence.FIRST_LOOK if s.last is None and verdict is not None else verdict


def _twice(times: Sequence[float], looks: Sequence[float]) -> bool:
    """Whether two samples of a series are in one look."""
    if len(times) < 2 or times == looks:
        return False
    places = [bisect_left(looks, time) for time in times]
    return any(a == b for a, b in pairwise(places))


_look_of = attrgetter("look")


def _begins(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.kind in (Kind.BIRTH, Kind.RESET)


def _young(rows: Iterable[Seen]) -> bool:
    """Whether what a look shows may all have come since the last one, by the pace."""
    known = [s for s in rows if s.pace is not None]
    room = sum((s.pace or 0.0) * s.idle for s in known)
    return bool(known) and sum(s.value or 0.0 for s in known) <= _TIMES * room + _EVENTS


def _weight(decision: Decision, *, back: bool, again: bool, young: bool) -> int:
    """How much a look speaks for several processes at one address; `back`: its start time moved
    back, `again`: so did one of the last few looks; `young`: its values are small, as those of a
    process are that crashes all the time.
    """
    if decision.explanation is evidence.OTHER:
        return 2
    # The starts of one process that crashes all the time only ever move forward.
    if back or decision.explanation is evidence.PART_LEFT:
        return 1
    if young:
        return 0
    unproven = {"all_fell", "process_start_elsewhere"} if again else {"all_fell"}
    found = any(v is not None and v.evidence in unproven for v in decision.verdicts)
    return 1 if decision.explanation is evidence.NEW and found else 0


def _at_zero(last: Last, begun: float) -> Last:
    # What comes of the old process after all is from before this moment.
    return last._replace(time=max(last.time, begun), value=0.0, under=0.0, seen=last.look)
