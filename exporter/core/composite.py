"""An SLO made of other SLOs: all their events, each as often as its SLO weighs.

What a part has counted since it was last looked at is added as one step, up to the moment that all
parts have got to. So no event is left out or comes twice, whatever samples come late. History that
was there before is read off the parts' ledgers, in steps of the parts' own points: what they say of
any window the composite says, too. What is excluded of a part alone is left out of the composite
where it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, pairwise
from math import inf

from exporter.core import excluded
from exporter.core.amounts import are_events
from exporter.core.exclusion import Span, without
from exporter.core.instance import Instance
from exporter.core.ledger import Counts, Ledger
from exporter.core.memory import Memory
from exporter.core.series import Last
from exporter.core.slo import CompositeSLI
from exporter.core.weave import interpolated

STEP = 300.0
"""A composite that is behind by less than four times so many seconds takes all in one step."""
MOST = 1000
"""Steps of history at a time, so that nothing else waits for it."""
_STEPS = 20_000
"""Steps of all of history at most. Hundreds of parts have more points than that between them; the
shortest steps are put together then."""
_BAD, _TOTAL, _COVERED = range(3)
"""The polylines of a ledger."""


@dataclass(slots=True)
class Part:
    """One group of one SLO: its ledger, what an event of it weighs, and what was taken of it."""

    slo: str
    key: str
    weight: float
    ledger: Ledger
    taken: Counts

    def steps(self, edges: Sequence[float]) -> Iterator[Counts]:
        """What it brings between neighbouring moments."""
        bads, totals = (_read(self.ledger, which, edges) for which in (_BAD, _TOTAL))
        for (bad, total), (bad_then, total_then) in pairwise(zip(bads, totals, strict=True)):
            bad = bad_then - bad
            found = Counts(total_then - total - bad, bad)
            self.taken = Counts(self.taken.good + found.good, self.taken.bad + found.bad)
            yield found

    def rest(self) -> Counts:
        """All that was not taken before."""
        every = self.ledger.all
        good, bad = every.good - self.taken.good, every.bad - self.taken.bad
        if bad < -0.5 or good < -0.5:
            # Its ledger began anew.
            good, bad = every
        self.taken = every
        return Counts(max(0.0, good), max(0.0, bad))


def gather(memory: Memory, others: Mapping[str, Memory], patience: float) -> bool:
    """Take what the parts have; True when that is all there is by now. `others`: by SLO."""
    sli = memory.slo.sli
    assert isinstance(sli, CompositeSLI)  # whoever calls this has looked
    members = {name: others[name] for name, _ in sli.parts if others[name].since is not None}
    newest = max((m.newest for m in members.values()), default=0.0)
    if newest <= 0:
        return True
    if memory.polled is None:
        # Where their events begin, not where the first poll ended that brought some.
        starts = [i.ledger.first for m in members.values() for i in m.instances.values()]
        starts += [m.since for m in members.values() if m.since is not None]
        memory.do("polled", min(starts))
    before = memory.polled or 0.0
    if newest < before:
        # The clock that dates them was set back.
        memory.do("shift", newest - before)
        before = newest
    # One that has been silent for long holds up nobody; its time is not covered.
    end = min(m.newest for m in members.values() if m.newest >= newest - patience)
    if end <= before:
        return True
    parts = list(_parts(memory, members, sli, before))
    ledgers = [part.ledger for part in parts]
    edges = _edges(ledgers, before, end, memory.slo.interval)
    if edges[-1] == end:
        *history, start = before, *edges[:-1]
        columns = [[*part.steps([*history, start]), part.rest()] for part in parts]
    else:
        columns = [[*part.steps([before, *edges])] for part in parts]
    known = _coverages(members, [before, *edges])
    complete = len(members) == len(sli.parts)
    for k, (start, upto) in enumerate(pairwise([before, *edges])):
        good = sum(p.weight * c[k].good for p, c in zip(parts, columns, strict=True))
        bad = sum(p.weight * c[k].bad for p, c in zip(parts, columns, strict=True))
        if (good or bad) and are_events(start, upto, good, bad):
            memory.do("events", (), start, upto, good, bad)
        share = known[k] if complete else 0.0
        memory.do("cover", (), upto - share * (upto - start), upto)
    for part in parts:
        last = Last(edges[-1], part.taken.good, part.taken.bad)
        memory.do("target", part.slo, last.time, None)
        memory.do("series", part.slo, 0, part.key, last.time, last.value, last.under, None)
    memory.do("polled", edges[-1])
    return edges[-1] == end


def _parts(
    memory: Memory, members: Mapping[str, Memory], sli: CompositeSLI, before: float
) -> Iterator[Part]:
    for name, weight in sli.parts:
        if name not in members:
            continue
        known = memory.targets.get(name)
        for group, instance in members[name].instances.items():
            key, ledger = repr(group), instance.ledger
            last = known.series[0].get(key) if known is not None else None
            if last is not None:
                taken = Counts(last.value, last.under)
            else:
                # What its ledger has forgotten, or held before there was a composite, is no news.
                good, bad = ledger.unadjusted(before, inf)
                every = ledger.all
                taken = Counts(every.good - good, every.bad - bad)
            yield Part(name, key, weight, ledger, taken)


def leave_out(memory: Memory, others: Mapping[str, Memory]) -> None:
    """Leave out of a composite what is excluded of its parts alone."""
    sli = memory.slo.sli
    assert isinstance(sli, CompositeSLI)  # whoever calls this has looked
    whole = memory.instance(())
    known = whole.ledger.exclusion
    own = known.spans if known is not None else ()
    wanted = [
        (weight, instance.ledger, spans)
        for name, weight in sli.parts
        for instance in others[name].instances.values()
        if (spans := _spans(instance, own))
    ]
    if [(w, spans) for w, _, spans in wanted] == [
        (weight, part.spans) for weight, part in (known.parts if known is not None else ())
    ]:
        return
    parts = tuple(excluded.Part(w, ledger.events_in(spans)) for w, ledger, spans in wanted)
    whole.ledger.exclude(own, parts)
    whole.configure(whole.slo)


def _spans(instance: Instance, own: tuple[Span, ...]) -> tuple[Span, ...]:
    exclusion = instance.ledger.exclusion
    return without(exclusion.spans, own) if exclusion is not None else ()


def _edges(ledgers: Sequence[Ledger], start: float, end: float, interval: float) -> list[float]:
    """Where steps end; one step where no history has to be read."""
    if end - start <= 4 * max(STEP, interval):
        return [end]
    least = max(interval / 2, (end - start) / _STEPS)
    times = {
        when
        for ledger in ledgers
        for which in (_BAD, _TOTAL, _COVERED)
        for when in ledger.polyline(which, start)[0]
        if start < when < end
    }
    spans = (ledger.exclusion.spans for ledger in ledgers if ledger.exclusion is not None)
    sharp = {when for span in chain.from_iterable(spans) for when in span if start < when < end}
    edges: list[float] = []
    before = start
    for when in sorted(times | sharp):
        if when in sharp or when - before >= least:
            edges.append(when)
            before = when
            if len(edges) == MOST:
                return edges
    return [*edges, end]


def _read(ledger: Ledger, which: int, moments: Sequence[float]) -> list[float]:
    return interpolated(*ledger.polyline(which, moments[0]), moments)


def _coverages(members: Mapping[str, Memory], edges: Sequence[float]) -> list[float]:
    """How much of each step is known of all parts; of a part's groups the one with most counts."""
    steps = [end - start for start, end in pairwise(edges)]
    out = [1.0] * len(steps)
    for memory in members.values():
        best = [0.0] * len(steps)
        for instance in memory.instances.values():
            covered = _read(instance.ledger, _COVERED, edges)
            shares = (
                min(1.0, (b - a) / step)
                for (a, b), step in zip(pairwise(covered), steps, strict=True)
            )
            best = list(map(max, best, shares))
        out = list(map(min, out, best))
    return out
