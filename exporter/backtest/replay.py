"""Replays history through the daemon's own counting, ledger and alerts, on a simulated clock.

Counting does not depend on deciding, so a batch of a day is counted once; its events are then
added to one ledger, poll by poll, and every variant looks at it at each poll, as the daemon would.
Stretches in which no variant can change (see `core/watch.py`) are added at one go.
"""

from __future__ import annotations

import gc
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil, inf, nextafter

from exporter.backtest.absences import Absences, Span
from exporter.backtest.coming import Coming
from exporter.backtest.judge import Judge
from exporter.backtest.outcome import summed_up
from exporter.backtest.result import Backtest
from exporter.backtest.tape import Sums, Tape, Track
from exporter.backtest.variant import Variant
from exporter.backtest.whole import Whole
from exporter.core.arrivals import INTERVALS, Arrivals
from exporter.core.events import Group
from exporter.core.group_presence import Sights
from exporter.core.instance import patience
from exporter.core.sample import Batch
from exporter.core.slo import SLO
from exporter.core.words import Show


def replay(
    slo: SLO,
    batches: Iterable[Batch],
    variants: Sequence[Variant],
    *,
    significant: float,
    show: Show,
) -> list[Backtest]:
    """What would have been: one result for each instance of an SLO.

    `batches`: all samples of its wants, in ascending time, a day or so each. `variants`: what is
    configured first. `significant`: the share of a period's budget from which on an incident should
    have been paged. `show`: see `Instance.evaluate`.
    """
    collecting = gc.isenabled()
    # Millions of tuples without a cycle; to look for one would take a quarter of the time.
    gc.disable()
    try:
        past = Past(slo, variants, show)
        for batch in batches:
            past.take(batch)
        return past.results(significant)
    finally:
        if collecting:
            gc.enable()


_FAR = 1e9
"""Seconds; longer than any history."""
_RECENT = 32
"""Samples that tell how they arrive: those of the last polls, also where each brings a few."""


class Past:
    """One SLO's history so far."""

    def __init__(self, slo: SLO, variants: Sequence[Variant], show: Show) -> None:
        self.slo = slo
        self.variants = variants
        self.patience = patience(slo)
        self.tape = Tape(slo, self.patience)
        self._absences = Absences(self.patience)
        self.lines: dict[Group, Line] = {}
        self.show = show
        self._began: float | None = None
        self._end = 0.0

    def take(self, batch: Batch) -> None:
        """Count a batch, and look at every poll in it."""
        for part in self._parts(batch):
            sights = self.tape.take(part).sights
            gone = self._find_gone(part, sights) if self.slo.group_by else {}
            for group in self.tape.tracks:
                if group not in self.lines:
                    labels = dict(zip(self.slo.group_by, group, strict=True))
                    self.lines[group] = Line(self, labels)
            for group, line in self.lines.items():
                line.run(self.tape.tracks.get(group, Track()), part.at, gone.get(group, []))
            self._end = max(self._end, part.at)

    def _find_gone(self, part: Batch, sights: Sights) -> dict[Group, list[Span]]:
        """Return when each group was gone in a batch; those that are have no place any more."""
        spans = self._absences.take(part, self.tape.tracks, sights)
        for group in self._absences.gone & self.tape.memory.instances.keys():
            self.tape.memory.do("drop", group)
        return spans

    def _parts(self, batch: Batch) -> Iterator[Batch]:
        """The very first samples are baselines: a short batch of them loses the fewest births."""
        if self._began is None:
            firsts = [
                r.samples[0][0] for some in batch.readings.values() for r in some if r.samples
            ]
            if not firsts:
                return
            self._began = min(firsts)
            split = self._began + self.slo.interval / 2
            if split < batch.at:
                yield _between(batch, -inf, split)
                batch = _between(batch, split, batch.at)
        yield batch

    def moment(self, k: int) -> float:
        """When the daemon would have polled: well between two samples that come by the clock."""
        assert self._began is not None
        return self._began + (k + 0.5) * self.slo.interval

    def first_from(self, when: float) -> int:
        """The first poll at or after a moment."""
        assert self._began is not None
        since = min(max(0.0, when - self._began), _FAR)
        k = ceil(since / self.slo.interval)
        while k > 0 and self.moment(k - 1) >= when:
            k -= 1
        return k

    def results(self, significant: float) -> list[Backtest]:
        """What came of it, by group."""
        tape = self.tape
        for line in self.lines.values():
            line.finish(self._end)
        notes = _notes(tape)
        return [
            summed_up(
                self.slo,
                self.variants,
                line.judges,
                line.ledger,
                (self._began or 0.0, self._end),
                tape.sums.get(group, Sums()),
                significant,
                notes,
            )
            for group, line in self.lines.items()
        ]


class Line:
    """One group's ledger and judges, and how far they are."""

    def __init__(self, past: Past, group: Mapping[str, str]) -> None:
        self.ledger = Whole()
        self.judges = [Judge(past.slo, v, group, self.ledger, past.show) for v in past.variants]
        self._past = past
        self._sure = [(-inf, 0.0, 0.0)] * len(self.judges)
        """Of each judge, see `Judge.sure`."""
        self._next = 0
        """The next poll, see `Past.moment`."""
        self._seen: list[float] = []
        """The newest samples of before."""
        self._gone: list[Span] = []
        self._edges: list[float] = []
        """When the group goes and comes back, as far as that was not looked at."""

    def run(self, track: Track, until: float, gone: list[Span]) -> None:
        """Add what a batch brought, and look at every poll up to a moment that matters; `gone`: in
        which spans the group was."""
        past, coming = self._past, Coming(self.ledger, track.events)
        for start, end in track.covered:
            # Ahead of the events: readings look no further than the moment they are for.
            self.ledger.cover(start, end)
        # The last poll of before may lie before the end of a span of before.
        self._gone = [*(span for span in self._gone[-1:] if span[1] < inf), *gone]
        self._edges += [edge for span in gone for edge in span if abs(edge) < inf]
        while True:
            k = self._first_that_matters(coming)
            now = past.moment(k)
            coming.upto(min(now, until))
            if now > until:
                break
            self._look(now, track.seen)
            self._next = k + 1
        self._next = max(self._next, past.first_from(nextafter(until, inf)))
        self._seen = [*self._seen, *track.seen[-_RECENT:]][-_RECENT:]

    def finish(self, end: float) -> None:
        """The last look."""
        self._look(end, ())

    def _look(self, now: float, seen: Sequence[float]) -> None:
        i = bisect_right(seen, now)
        recent = seen[max(0, i - _RECENT) : i]
        if len(recent) < _RECENT:
            recent = [*self._seen, *recent][-_RECENT:]
        last = recent[-1] if recent else None
        at = self._as_of(now, recent)
        gone = any(start <= now < end for start, end in self._gone)
        while self._edges and self._edges[0] <= now:
            del self._edges[0]
        for i, judge in enumerate(self.judges):
            until, bad, total = self._sure[i]
            if (
                at >= until
                or self.ledger.bad > bad
                or self.ledger.total > total
                or gone is not judge.gone
            ):
                judge.seen, judge.gone = last, gone
                judge.look(at)
                self._sure[i] = judge.sure()

    def _as_of(self, now: float, recent: Sequence[float]) -> float:
        """See `Instance.as_of`; `recent`: the newest samples up to now."""
        interval = self._past.slo.interval
        if not recent:
            return now
        if now <= recent[-1] + INTERVALS * interval:
            return recent[-1]
        arrivals = Arrivals(interval)
        polls = {self._past.moment(self._past.first_from(when)): when for when in recent}
        for poll, newest in polls.items():
            arrivals.note(poll, newest)
        return recent[-1] if now <= recent[-1] + min(arrivals.grace, self._past.patience) else now

    def _first_that_matters(self, coming: Coming) -> int:
        """The first poll at which an alert could begin or end."""
        when = min(min(s[0], coming.exceeds(*s[1:])) for s in self._sure)
        when = min([when, *self._edges[:1]])
        return max(self._next, self._past.first_from(when))


def _between(batch: Batch, start: float, end: float) -> Batch:
    """The samples after `start` up to `end`."""
    readings = {
        want: [r._replace(samples=[s for s in r.samples if start < s[0] <= end]) for r in some]
        for want, some in batch.readings.items()
    }
    return replace(batch, at=min(end, batch.at), readings=readings)


def _notes(tape: Tape) -> tuple[str, ...]:
    """What a reader should know before they trust the numbers."""
    notes = [
        f"samples refused as {reason.replace('_', ' ')}: {count:,}"
        for reason, count in sorted(tape.refused.items())
    ]
    if tape.over_cap:
        notes.append(f"groups past max_groups, not counted: {len(tape.over_cap):,}")
    if tape.skipped:
        notes.append("some selectors were not answered, or the threshold is no bucket bound")
    return tuple(notes)
