"""A query from text to answer: what it needs, and what comes of it. Whoever has the samples stands
between the two.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.promql.column import Column, Sparse, present
from exporter.promql.columns import Need
from exporter.promql.errors import BadData
from exporter.promql.evaluate import Columns, Evaluation
from exporter.promql.meter import PLACE, VALUE, Meter, series_bytes
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
        self,
        text: str,
        start: float,
        end: float,
        step: float = 0.0,
        *,
        grain: float = DEFAULT_STEP,
        meter: Meter | None = None,
    ) -> None:
        self._meter = meter = Meter() if meter is None else meter
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
        self._needs = needs(self._node, self._range, meter)

    @property
    def needs(self) -> Sequence[Need]:
        """What has to be read for it."""
        return list(self._needs.values())

    def answer(self, columns: Sequence[Columns]) -> Answer:
        """The answer, for which alone bytes are counted from then on.

        Args:
            columns: for each need the series that were read for it.
        """
        answer = self._answer(columns)
        self._meter.settle(0, _bytes(answer))
        return answer

    def _answer(self, columns: Sequence[Columns]) -> Answer:
        by_selector: dict[Select, Columns] = dict(zip(self._needs, columns, strict=True))
        evaluation = Evaluation(self._range, by_selector, self._meter)
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
                found = evaluation.vector(self._node, moments)
                if self._is_range:
                    return self._matrix(found)
                return Vector(at, [(c.labels, v) for c in found for _, v in present(c.values)])

    def _matrix(self, columns: list[Column]) -> Matrix:
        """Every series as arrays, which take a quarter of what lists do: a reader may be slow."""
        self._meter.values(len(self._range.moments))
        times = array("d", (at / 1000 for at in self._range.moments))
        out, last = [], times
        columns.reverse()
        while columns:
            labels, values = columns.pop()
            own = times
            if isinstance(values, Sparse) or None in values:
                self._meter.take(PLACE * sum(1 for _ in present(values)))
                own = array("d", (times[at] for at, _ in present(values)))
            self._meter.take(PLACE * len(own))
            # Most series have the same times; whoever writes them down does it once.
            last = last if own == last else own
            out.append((labels, last, array("d", (v for _, v in present(values)))))
        return Matrix(out)

    def _samples(self, evaluation: Evaluation) -> Matrix:
        """A range selector at one moment: the samples themselves."""
        out = []
        for window in evaluation.matrix(self._node, self._range.moments):
            low, high = window.lows[0], window.highs[0]
            if low < high:
                self._meter.series(window.labels)
                self._meter.take(2 * PLACE * (high - low))
                times = array("d", (at / 1000 for at in window.times[low:high]))
                out.append((window.labels, times, array("d", window.values[low:high])))
        return Matrix(out)


def _bytes(answer: Answer) -> int:
    match answer:
        case Vector(_, series):
            return sum(series_bytes(labels) + VALUE for labels, _ in series)
        case Matrix(series):
            size, last = 0, None
            for labels, times, values in series:
                size += series_bytes(labels) + PLACE * len(values)
                size += PLACE * len(times) if times is not last else 0
                last = times
            return size
    return VALUE
