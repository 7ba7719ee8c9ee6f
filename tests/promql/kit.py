"""Series in memory, and how they answer what a query needs: the plain way, sample by sample."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from exporter.core.selector import NAME
from exporter.promql.columns import LOOKBACK, InstantColumn, Need, RangeColumn
from exporter.promql.meter import Meter
from exporter.promql.query import Matrix, Query, Scalar, String, Vector

Key = tuple[tuple[str, str], ...]
Samples = dict[float, float]
"""What a series answers: values by unix seconds."""
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Series:
    """One series: `times` in ascending order, unix seconds."""

    labels: Mapping[str, str]
    times: Sequence[float]
    values: Sequence[float]


def labels(text: str) -> dict[str, str]:
    """`name{a="b"}` as labels."""
    name, _, inside = text.partition("{")
    return {**({NAME: name} if name else {}), **dict(_LABEL.findall(inside))}


def load(text: str, every: float = 60.0) -> Store:
    """A line for each series: its name and labels, and its values from 0 s on; `_` is none."""
    made = []
    for line in filter(None, map(str.strip, text.splitlines())):
        name, _, values = line.partition(" ")
        there = [(every * k, float(v)) for k, v in enumerate(values.split()) if v != "_"]
        made.append(Series(labels(name), [at for at, _ in there], [v for _, v in there]))
    return Store(made)


class Store:
    """Series that can be asked."""

    def __init__(self, series: Sequence[Series]) -> None:
        self.series = series

    def columns(self, need: Need) -> list[InstantColumn] | list[RangeColumn]:
        """What a query is told."""
        found = [
            s
            for s in self.series
            if all(m.matches(s.labels.get(m.label, "")) for m in need.matchers)
        ]
        if need.range:
            return [RangeColumn(s.labels, s.times, s.values) for s in found]
        return [_instant(s, need.moments) for s in found]

    def ask(
        self,
        text: str,
        start: float,
        end: float | None = None,
        step: float = 0.0,
        meter: Meter | None = None,
    ) -> Any:
        """The answer at one moment, or at many."""
        query = Query(text, start, start if end is None else end, step, meter=meter)
        return query.answer([self.columns(need) for need in query.needs])

    def said(self, text: str, start: float, end: float | None = None, step: float = 0.0) -> Any:
        """The same in plain words: a number, a string, or samples by series."""
        answer = self.ask(text, start, end, step)
        match answer:
            case Scalar() | String():
                return answer.value
            case Vector():
                return [(key(own), {answer.at: value}) for own, value in answer.series]
            case Matrix():
                return [
                    (key(own), dict(zip(times, values, strict=True)))
                    for own, times, values in answer.series
                ]


def key(own: Mapping[str, str]) -> Key:
    """Labels that can be compared and sorted."""
    return tuple(sorted(own.items()))


def _instant(series: Series, moments: Sequence[float]) -> InstantColumn:
    values: list[float | None] = []
    times: list[float | None] = []
    for at in moments:
        k = bisect_right(series.times, at) - 1
        fresh = k >= 0 and series.times[k] > at - LOOKBACK
        values.append(series.values[k] if fresh else None)
        times.append(series.times[k] if fresh else None)
    return InstantColumn(series.labels, values, times)
