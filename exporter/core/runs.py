"""Long readings at one go: a day of a plain counter's samples as columns, not one by one.

All of it gives what `series` and `events` give sample by sample, to the last bit, or says that it
cannot.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import inf, isfinite
from operator import add, itemgetter, le, lt, sub
from typing import NamedTuple, cast

from exporter.core.events import Gain, Group, gain, settle
from exporter.core.sample import Reading, Value
from exporter.core.series import Last

_LONG = 16
_PLAIN = {float, int}
_NOTHING = Last(-inf, 0.0, 0.0)
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


def is_long(reading: Reading) -> bool:
    """Whether it is worth it, and the first two samples are numbers that something can begin at."""
    samples = reading.samples
    return len(samples) >= _LONG and columns(samples[:2], _NOTHING) is not None


def plain(samples: Sequence[tuple[float, Value]]) -> tuple[list[float], list[float]] | None:
    """Times and values, if all are finite numbers."""
    # Faster than to ask each one.
    values = cast(list[float], [value for _, value in samples])
    if set(map(type, values)) <= _PLAIN and isfinite(sum(values)):
        return [time for time, _ in samples], values
    return None


def columns(
    samples: Sequence[tuple[float, Value]], last: Last
) -> tuple[list[float], list[float], list[float], int] | None:
    """Times from `last` on, values, what was gained between, and how often the counter was reset;
    None where a sample has to be refused, or is no number."""
    found = plain(samples)
    if found is None or min(found[1]) < 0:
        return None
    fresh, values = found
    times = [last.time, *fresh]
    if not ascending(times):
        return None
    before = [last.value, *values[:-1]]
    if all(map(le, before, values)):
        return times, values, list(map(sub, values, before)), 0
    gained = [b - a if b >= a else b for a, b in zip(before, values, strict=True)]
    return times, values, gained, sum(map(lt, values, before))


def settled(parts: Sequence[Gain | Run], derived: str, debt: float) -> tuple[Sequence[Row], float]:
    """As `events.settle`, of gains and runs of one group."""
    if any(isinstance(part, Run) for part in parts):
        found = _settled(parts, derived) if debt == 0.0 else None
        if found is not None:
            return found, debt
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
