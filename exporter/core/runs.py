"""Long chains of increases at one go: a day of a plain counter as columns, not one by one.

All of it gives what `events` gives increase by increase, to the last bit, or tells that it cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from operator import add, itemgetter, lt, sub
from typing import NamedTuple

from exporter.core.events import Debt, Gain, Group, gain, settle

LONG = 16
"""Increases from which on columns are faster."""
_ROLES = ("good", "bad", "total")

Row = tuple[float, float, float, float]
"""As `Events`: start, end, good, bad."""


class Run(NamedTuple):
    """Increases end to end: `amounts[i]` from `times[i]` to `times[i + 1]`, all of one role."""

    group: Group
    role: str
    times: list[float]
    amounts: list[float]

    def gains(self) -> Iterator[Gain]:
        """The same one by one."""
        for (start, end), amount in zip(pairwise(self.times), self.amounts, strict=True):
            yield gain(self.role, self.group, start, end, amount, 0.0)


def ascending(times: Sequence[float]) -> bool:
    """Whether each is later than the one before."""
    return all(map(lt, times, times[1:]))


def settled(parts: Sequence[Gain | Run], derived: str, debt: Debt) -> Sequence[Row]:
    """As `events.settle`, of gains and runs of one group."""
    if not debt.entries and any(isinstance(part, Run) for part in parts):
        found = _settled(parts, derived)
        if found is not None:
            rest = 3 if derived == "bad" else 2
            if debt.grown and any(row[rest] for row in found):
                debt.grown = 0
            return found
    return settle(_gains(parts), derived, debt)


def _gains(parts: Iterable[Gain | Run]) -> Iterator[Gain]:
    for part in parts:
        if isinstance(part, Run):
            yield from part.gains()
        else:
            yield part


def _settled(parts: Iterable[Gain | Run], derived: str) -> list[Row] | None:
    """None where something has to be woven together, or comes out negative."""
    found = _joined(_by_time(parts))
    if found is None:
        return None
    starts, ends, good, bad, total = found
    if derived:
        rest = list(map(sub, total, good if derived == "bad" else bad))
        if min(rest) < 0.0:
            return None
        good, bad = (good, rest) if derived == "bad" else (rest, bad)
    return [row for row in zip(starts, ends, good, bad, strict=True) if row[2] or row[3]]


Columns = tuple[Sequence[float], ...]
"""Starts, ends, good, bad, total."""


def _joined(blocks: Sequence[Columns]) -> Columns | None:
    """In ascending time; None where two end together, which had to be told apart."""
    if len(blocks) == 1:
        return blocks[0]
    rows = [row for block in blocks for row in zip(*block, strict=True)]
    rows.sort(key=itemgetter(1))
    out = tuple(zip(*rows, strict=True))
    return out if ascending(out[1]) else None


def _by_time(parts: Iterable[Gain | Run]) -> list[Columns]:
    """What was read at the same times is summed up, in the order it came."""
    alone: dict[tuple[float, float], list[float]] = {}
    blocks: list[tuple[list[float], list[list[float]]]] = []
    for part in parts:
        if isinstance(part, Gain):
            entry = alone.setdefault(part[1:3], [0.0, 0.0, 0.0])
            entry[:] = map(add, entry, part[3:])
            continue
        sums = next((sums for times, sums in blocks if times == part.times), None)
        if sums is None:
            sums = [[0.0] * len(part.amounts)] * 3
            blocks.append((part.times, sums))
        role = _ROLES.index(part.role)
        sums[role] = list(map(add, sums[role], part.amounts))
    out: list[Columns] = [(times[:-1], times[1:], *sums) for times, sums in blocks]
    if alone:
        rows = [(start, end, *sums) for (start, end), sums in alone.items()]
        out.append(tuple(zip(*rows, strict=True)))
    return out
