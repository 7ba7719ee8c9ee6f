"""An SLO made of other SLOs: all their events, each as often as its SLO weighs.

What a part has counted since it was last looked at is added as one step, up to the moment that all
parts have got to. So no event is left out or comes twice, whatever samples come late. Only history
that was there before is read off the parts' ledgers, in steps of a few minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from exporter.core.amounts import are_events
from exporter.core.ledger import Counts, Ledger
from exporter.core.memory import Memory
from exporter.core.series import Last
from exporter.core.slo import CompositeSLI

STEP = 300.0
MOST = 500
"""Steps of history at a time, so that nothing else waits for it."""


@dataclass(slots=True)
class Part:
    """One group of one SLO: its ledger, what an event of it weighs, and what was taken of it."""

    slo: str
    key: str
    weight: float
    ledger: Ledger
    taken: Counts

    def step(self, start: float, end: float, *, last: bool) -> Counts:
        """What it brings between two moments; at last all that was not taken before."""
        every = self.ledger.all
        if last:
            good, bad = every.good - self.taken.good, every.bad - self.taken.bad
            if bad < -0.5 or good < -0.5:
                # Its ledger began anew.
                good, bad = every
            found = Counts(max(0.0, good), max(0.0, bad))
            self.taken = every
        else:
            found = self.ledger.unadjusted(start, end)
            self.taken = Counts(self.taken.good + found.good, self.taken.bad + found.bad)
        return found


def gather(memory: Memory, others: Mapping[str, Memory], patience: float) -> bool:
    """Take what the parts have; True when that is all there is by now. `others`: by SLO."""
    sli = memory.slo.sli
    assert isinstance(sli, CompositeSLI)  # whoever calls this has looked
    members = {name: others[name] for name, _ in sli.parts if others[name].since is not None}
    newest = max((m.newest for m in members.values()), default=0.0)
    if newest <= 0:
        return True
    if memory.polled is None:
        memory.do("polled", min(m.since for m in members.values() if m.since is not None))
    before = memory.polled or 0.0
    if newest < before:
        # The clock that dates them was set back.
        memory.do("shift", newest - before)
        before = newest
    # One that has been silent for long holds up nobody; its time is not covered.
    end = min(m.newest for m in members.values() if m.newest >= newest - patience)
    if end <= before:
        return True
    parts = list(_parts(memory, members, sli))
    edges = _edges(before, end, memory.slo.interval)
    for start, upto in zip([before, *edges], edges, strict=False):
        good = bad = 0.0
        for part in parts:
            counts = part.step(start, upto, last=upto == end)
            good += part.weight * counts.good
            bad += part.weight * counts.bad
        if (good or bad) and are_events(start, upto, good, bad):
            memory.do("events", (), start, upto, good, bad)
        known = min(_coverage(m, start, upto) for m in members.values())
        if len(members) < len(sli.parts):
            known = 0.0
        memory.do("cover", (), upto - known * (upto - start), upto)
    for part in parts:
        last = Last(edges[-1], part.taken.good, part.taken.bad)
        memory.do("target", part.slo, last.time, None)
        memory.do("series", part.slo, 0, part.key, last.time, last.value, last.under, None)
    memory.do("polled", edges[-1])
    return edges[-1] == end


def _parts(memory: Memory, members: Mapping[str, Memory], sli: CompositeSLI) -> Iterator[Part]:
    for name, weight in sli.parts:
        if name not in members:
            continue
        known = memory.targets.get(name)
        for group, instance in members[name].instances.items():
            key = repr(group)
            last = known.series[0].get(key) if known is not None else None
            taken = Counts(last.value, last.under) if last is not None else Counts(0.0, 0.0)
            yield Part(name, key, weight, instance.ledger, taken)


def _edges(start: float, end: float, interval: float) -> list[float]:
    """Where steps end; one step where no history has to be read."""
    step = max(STEP, interval)
    if end - start <= 4 * step:
        return [end]
    many = int((end - start) / step)
    edges = [start + k * step for k in range(1, min(many, MOST + 1))]
    return edges if many > MOST else [*edges, end]


def _coverage(memory: Memory, start: float, end: float) -> float:
    """How much of a stretch is known of all groups together."""
    shares = (instance.ledger.coverage(start, end) for instance in memory.instances.values())
    return max(shares, default=0.0)
