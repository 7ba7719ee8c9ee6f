"""Which samples a query needs: each selector at its own moments, with `offset`, `@` and the steps
of subqueries taken into account.

All times inside are whole milliseconds, as in Prometheus: sums and differences of them are exact.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from exporter.promql.columns import Need
from exporter.promql.errors import TooMuch
from exporter.promql.meter import VALUE, Meter
from exporter.promql.nodes import At, Node, Select, Subquery, children

MOST_STEPS = 50_000
"""Moments at which one subquery is asked at most."""
_MOMENT = 40
"""Bytes of a moment in milliseconds, with its place in a list."""


def milli(seconds: float) -> int:
    """Whole milliseconds."""
    return round(seconds * 1000)


@dataclass(frozen=True, slots=True)
class Range:
    """The moments of a query, in milliseconds; `default_step`: of subqueries that name none."""

    start: int
    end: int
    step: int
    default_step: int

    @property
    def moments(self) -> Sequence[int]:
        """All of them."""
        return range(self.start, self.end + 1, max(1, self.step))


def shifted(node: Select | Subquery, moments: Sequence[int], of: Range) -> Sequence[int]:
    """The moments that a selector or subquery looks at: one alone where `@` fixes it."""
    offset = milli(node.offset)
    if node.at is None:
        return [at - offset for at in moments] if offset else moments
    fixed = {"start": of.start, "end": of.end}
    at = fixed[node.at] if isinstance(node.at, str) else milli(node.at)
    return [at - offset]


def steps(node: Subquery, moments: Sequence[int], of: Range, meter: Meter) -> Sequence[int]:
    """When the inside of a subquery is asked: multiples of its step in (moment - range, moment]."""
    step = of.default_step if node.step is None else max(1, milli(node.step))
    length = milli(node.range)
    out: list[int] = []
    for at in shifted(node, moments, of):
        first = (at - length) // step * step + step
        if out:
            first = max(first, out[-1] + step)
        more = range(first, at + 1, step)
        if len(out) + len(more) > MOST_STEPS:
            raise TooMuch(f"a subquery of more than {MOST_STEPS:,} steps; choose a longer one")
        meter.take(_MOMENT * len(more))
        out.extend(more)
    return out


def needs(node: Node, of: Range, meter: Meter) -> Mapping[Select, Need]:
    """Samples that each selector needs."""
    return dict(_Needs(of, meter).of(node, of.moments))


class _Needs:
    """Selectors that look at the same moments share one list of them."""

    def __init__(self, of: Range, meter: Meter) -> None:
        self._of = of
        self._meter = meter
        self._known: dict[tuple[int, float, At], tuple[Sequence[int], Sequence[float]]] = {}

    def of(self, node: Node, moments: Sequence[int]) -> Iterator[tuple[Select, Need]]:
        """Needs of a node that is computed at these moments."""
        self._meter.check()
        if isinstance(node, Select):
            yield node, Need(node.matchers, self._seconds(node, moments), node.range)
            return
        if isinstance(node, Subquery):
            moments = steps(node, moments, self._of, self._meter)
        for child in children(node):
            yield from self.of(child, moments)

    def _seconds(self, node: Select, moments: Sequence[int]) -> Sequence[float]:
        at = id(moments), node.offset, node.at
        if at not in self._known:
            self._meter.take((VALUE + _MOMENT) * len(moments))
            seconds = [at / 1000 for at in shifted(node, moments, self._of)]
            # The moments are kept beside them, so that their id is not another's.
            self._known[at] = moments, seconds
        return self._known[at][1]
