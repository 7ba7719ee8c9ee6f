"""What an expression gives: a number for each moment, or series with a number for each moment."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from exporter.core.selector import NAME
from exporter.promql.errors import Failed

Numbers = Sequence[float]
"""A scalar, by moment."""
Values = Sequence[float | None]
"""A series, by moment; None where it has no sample."""


class Column(NamedTuple):
    """One series of a vector."""

    labels: Mapping[str, str]
    values: Values


class Windows(NamedTuple):
    """One series of a matrix: its samples, and which of them lie in the window of each moment.

    Times are milliseconds, as Prometheus has them: their differences are exact. `spans`: for each
    moment, the first sample and the one after the last; `ends`: where each window ends. `check` is
    called before each that is looked through, and may raise.
    """

    labels: Mapping[str, str]
    times: Sequence[int]
    values: Sequence[float]
    spans: Sequence[tuple[int, int]]
    ends: Sequence[int]
    check: Callable[[], None]

    def inside(self) -> Iterator[Sequence[float]]:
        """The values of each window."""
        for low, high in self.spans:
            self.check()
            yield self.values[low:high]


def nameless(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels without the metric's name."""
    return {k: v for k, v in labels.items() if k != NAME}


def key(labels: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The same for the same labels; one that is empty is none."""
    return tuple(sorted((k, v) for k, v in labels.items() if v))


def shown(labels: Mapping[str, str]) -> str:
    """Labels as they are written."""
    inside = ", ".join(f'{k}="{v}"' for k, v in sorted(labels.items()))
    return f"{{{inside}}}"


def unique(
    columns: Iterable[Column], why: str = "vector cannot contain metrics with the same labelset"
) -> list[Column]:
    """Series with the same labels become one; `Failed` where both have a sample at a moment."""
    found: dict[tuple[tuple[str, str], ...], Column] = {}
    for column in columns:
        at = key(column.labels)
        before = found.get(at)
        if before is None:
            found[at] = column
            continue
        pairs = list(zip(before.values, column.values, strict=True))
        if any(a is not None and b is not None for a, b in pairs):
            raise Failed(why)
        found[at] = Column(before.labels, [b if a is None else a for a, b in pairs])
    return list(found.values())


def filled(columns: Iterable[Column]) -> list[Column]:
    """Those that have any sample."""
    return [c for c in columns if any(v is not None for v in c.values)]
