"""A query from text to answer: what it needs, and what comes of it. Whoever has the samples stands
between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from exporter.promql.column import Column, Numbers, filled
from exporter.promql.columns import Need
from exporter.promql.errors import BadData
from exporter.promql.evaluate import Columns, Evaluation
from exporter.promql.nodes import Select, kind
from exporter.promql.parse import parse
from exporter.promql.plan import Range, milli, needs

DEFAULT_STEP = 60.0
"""Of a subquery that names none, in seconds; as Prometheus' evaluation interval is by default."""


@dataclass(frozen=True, slots=True)
class Scalar:
    """A number at one moment, in unix seconds."""

    at: float
    value: float


@dataclass(frozen=True, slots=True)
class String:
    """A string."""

    at: float
    value: str


@dataclass(frozen=True, slots=True)
class Vector:
    """Series with one value each."""

    at: float
    series: Sequence[tuple[Mapping[str, str], float]]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Series with samples: times in unix seconds, and values."""

    series: Sequence[tuple[Mapping[str, str], Sequence[float], Sequence[float]]]


Answer = Scalar | String | Vector | Matrix


class Query:
    """One query, at one moment or, with a `step`, at many; all in unix seconds."""

    def __init__(
        self, text: str, start: float, end: float, step: float = 0.0, *, grain: float = DEFAULT_STEP
    ) -> None:
        self._node = parse(text)
        self._kind = kind(self._node)
        self._is_range = step > 0
        if self._is_range and self._kind not in ("scalar", "vector"):
            what = "range vector" if self._kind == "matrix" else self._kind
            raise BadData(
                f'invalid parameter "query": invalid expression type "{what}" for range query, '
                "must be Scalar or instant Vector"
            )
        self._range = Range(milli(start), milli(end), milli(step), milli(grain))
        self._needs = needs(self._node, self._range)

    @property
    def needs(self) -> Sequence[Need]:
        """What has to be read for it."""
        return list(self._needs.values())

    def answer(self, columns: Sequence[Columns], check: Callable[[], None]) -> Answer:
        """What comes of it; `columns`: for each need what was asked for. `check` is called all the
        while, and may raise."""
        by_selector: dict[Select, Columns] = dict(zip(self._needs, columns, strict=True))
        evaluation = Evaluation(self._range, by_selector, check)
        moments = self._range.moments
        at = self._range.start / 1000
        match self._kind:
            case "string":
                return String(at, evaluation.text(self._node))
            case "matrix":
                return self._samples(evaluation)
            case "scalar":
                numbers = evaluation.scalar(self._node, moments)
                if not self._is_range:
                    return Scalar(at, numbers[0])
                return self._matrix([Column({}, numbers)])
            case "vector":
                found = filled(evaluation.vector(self._node, moments))
                if self._is_range:
                    return self._matrix(found)
                return Vector(at, [(c.labels, v) for c in found for v in c.values if v is not None])

    def _matrix(self, columns: Sequence[Column]) -> Matrix:
        times = [at / 1000 for at in self._range.moments]
        out, last = [], times
        for column in columns:
            values: Numbers = [v for v in column.values if v is not None]
            there = times
            if len(values) < len(times):
                pairs = zip(times, column.values, strict=True)
                there = [at for at, v in pairs if v is not None]
            # Most series have the same times; whoever writes them down does it once.
            last = last if there == last else there
            out.append((column.labels, last, values))
        return Matrix(out)

    def _samples(self, evaluation: Evaluation) -> Matrix:
        """A range selector at one moment: the samples themselves."""
        out = []
        for window in evaluation.matrix(self._node, self._range.moments):
            low, high = window.spans[0]
            if low < high:
                times = [at / 1000 for at in window.times[low:high]]
                out.append((window.labels, times, window.values[low:high]))
        return Matrix(out)
