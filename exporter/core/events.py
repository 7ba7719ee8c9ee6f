"""From what one poll saw to good and bad events: one small function for each form of SLI.

Each yields `Gain`s: so much, of this role, of this group, in this stretch of time. `settle` makes
good and bad events of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import isfinite, isinf, isnan
from typing import NamedTuple

from exporter.core.amounts import MOST_VALUE
from exporter.core.query_sli import QuerySLI, Scale
from exporter.core.sample import Reading, Value
from exporter.core.selector import Want
from exporter.core.slo import SLI, CompositeSLI, CounterSLI, GaugeSLI, HistogramSLI

Group = tuple[str, ...]


class Gain(NamedTuple):
    """So many good, bad and total units gained between two moments; a role left out is zero."""

    group: Group
    start: float
    end: float
    good: float = 0.0
    bad: float = 0.0
    total: float = 0.0


class Events(NamedTuple):
    """Good and bad events between two moments."""

    start: float
    end: float
    good: float
    bad: float


_NO_SCALE = Scale("events")
_ROUNDING = 1e-6
"""Excess of an error ratio over 1, or of a value under 0, that sums of many rates make."""


@dataclass(frozen=True, slots=True)
class Term:
    """One want of an SLI and the role its increases play: `good`, `bad`, `total`, or `native` for
    histograms that carry good and total at once. `scale`: the unit of a query's values."""

    want: Want
    role: str
    scale: Scale = _NO_SCALE


def terms(sli: SLI) -> tuple[Term, ...]:
    """The wants of an indicator with their roles, in the order of `sli.wants()`."""
    if isinstance(sli, HistogramSLI):
        roles: list[str] = ["good", "total", "native"]
    elif isinstance(sli, GaugeSLI):
        roles = ["gauge"]
    elif isinstance(sli, QuerySLI) and sli.error_ratio is not None:
        roles = ["error_ratio"]
    elif isinstance(sli, CompositeSLI):
        roles = []
    else:
        roles = [role for role in ("good", "bad", "total") if getattr(sli, role) is not None]
    scales = sli.scales if isinstance(sli, QuerySLI) else {}
    return tuple(
        Term(want, role, scales.get(role, _NO_SCALE))
        for want, role in zip(sli.wants(), roles, strict=True)
    )


def derives(sli: SLI) -> str:
    """Which of good and bad is the rest of total: `good`, `bad`, or none when both are counted."""
    if isinstance(sli, HistogramSLI):
        return "bad"
    if isinstance(sli, CounterSLI | QuerySLI) and sli.total is not None:
        return "bad" if sli.good is not None else "good"
    return ""


def gain(role: str, group: Group, start: float, end: float, amount: float, under: float) -> Gain:
    """What an increase of a term means; `under` only matters to a native histogram."""
    if role == "native":
        return Gain(group, start, end, good=under, total=amount)
    if role == "good":
        return Gain(group, start, end, good=amount)
    if role == "bad":
        return Gain(group, start, end, bad=amount)
    return Gain(group, start, end, total=amount)


def gauge_gains(
    sli: GaugeSLI, reading: Reading, group: Group, since: float | None, longest: float
) -> tuple[list[Gain], float | None]:
    """Each sample stands for the seconds since the one before, `longest` at most.

    Returns the gains and the time of the newest sample; None after a NaN: it stands for nothing,
    and the next sample has none before it.
    """
    out: list[Gain] = []
    for time, value in reading.samples:
        if not isinstance(value, float) or not isfinite(value):
            since = None
            continue
        if since is not None:
            weight = min(time - since, longest)
            good = sli.is_good(value)
            out.append(
                Gain(
                    group,
                    time - weight,
                    time,
                    good=weight if good else 0.0,
                    bad=0.0 if good else weight,
                )
            )
        since = time
    return out, since


def query_refusal(role: str, value: Value) -> str:
    """Reason for which a query's value is not counted; empty for one that is, and for a NaN, which
    is an answer: nothing happened (0 of 0)."""
    if not isinstance(value, float):
        return "native_histogram"
    if role == "error_ratio" and value > 1 + _ROUNDING:
        return "ratio_over_1"
    if isinf(value):
        return "not_a_number"
    if value > MOST_VALUE:
        return "too_large"
    return "negative" if value < -_ROUNDING else ""


def is_answer(role: str, value: Value) -> bool:
    """Check whether a query's value says what happened in its time; else that is unknown.

    A negative one does: rates that a server stretches to a window's edges differ by a little, so
    `total - good` is under 0 again and again while all is well.
    """
    return query_refusal(role, value) in ("", "negative")


def query_gains(
    term: Term, reading: Reading, group: Group, since: float | None, width: float
) -> tuple[list[Gain], float | None]:
    """Each value of a query stands for the `width` seconds before it, by the scale of its term; an
    error ratio weighs as much as that time.

    Values that `query_refusal` names a reason for bring nothing. Returns the gains and the time of
    the newest sample.
    """
    weight = term.scale.weight(width)
    out: list[Gain] = []
    for time, value in reading.samples:
        since = time
        if query_refusal(term.role, value) or not isinstance(value, float) or isnan(value):
            continue
        if term.role == "error_ratio":
            bad = min(1.0, max(0.0, value)) * width
            out.append(Gain(group, time - width, time, good=width - bad, bad=bad))
        else:
            amount = max(0.0, value) * weight
            out.append(gain(term.role, group, time - width, time, amount, 0.0))
    return out, since


LATE = 150.0
"""Seconds for which a part that is more than its total waits for it: samples come up to two minutes
late, and a poll later."""

LASTING = 5
"""Looks in a row whose part was more than their total: it is none of it."""


class Debt:
    """Derived events that came out negative, and are still to be taken from what follows.

    Counters of one page are not read at one instant, and a part may come before its total. What
    waits for longer, or grows look by look, is no such thing: it is let go, or a surplus of a month
    would hide the next outage. `surplus`: what was let go since it was asked last.
    """

    __slots__ = ("entries", "grown", "surplus")

    def __init__(self, entries: Iterable[tuple[float, float]] = (), grown: int = 0) -> None:
        self.entries = [(time, amount) for time, amount in entries]
        self.grown = grown
        self.surplus = 0.0

    @property
    def total(self) -> float:
        """What is still to be taken back."""
        return sum(amount for _, amount in self.entries)

    def settle(self, rest: float, time: float) -> float:
        """What is left of a look's derived events; what is missing is owed from now on."""
        if not rest:
            return 0.0
        if self.entries and self.entries[0][0] < time - LATE:
            self.surplus += sum(amount for when, amount in self.entries if when < time - LATE)
            self.entries = [one for one in self.entries if one[0] >= time - LATE]
        if rest < 0.0:
            self.grown += 1
            if self.grown >= LASTING:
                self.surplus += self.total - rest
                self.entries = []
            else:
                self.entries.append((time, -rest))
            return 0.0
        while self.entries and rest > 0.0:
            when, amount = self.entries[0]
            if amount > rest:
                self.entries[0] = (when, amount - rest)
                return 0.0
            rest -= amount
            del self.entries[0]
        if rest > 0.0:
            self.grown = 0
        return rest


def settle(gains: Iterable[Gain], derived: str, debt: Debt) -> list[Events]:
    """Good and bad events of one group, in ascending time; `debt` is changed."""
    sums: dict[tuple[float, float], list[float]] = {}
    for g in gains:
        entry = sums.setdefault((g.end, g.start), [0.0, 0.0, 0.0])
        entry[0] += g.good
        entry[1] += g.bad
        entry[2] += g.total
    out: list[Events] = []
    # Increases that end together were read together, however long ago each was read before:
    # surpluses first, so that they are taken from their own total and not from a later one.
    ordered = sorted(sums.items(), key=lambda s: (s[0][0], s[1][2] - s[1][0] - s[1][1], s[0][1]))
    for (end, start), (good, bad, total) in ordered:
        if derived:
            rest = debt.settle(total - (good if derived == "bad" else bad), end)
            good, bad = (good, rest) if derived == "bad" else (rest, bad)
        if good or bad:
            out.append(Events(start, end, good, bad))
    return out
