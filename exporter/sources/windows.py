"""What `{{.window}}` of a query stands for, and how long one of its values counts.

`rate()` and `increase()` need two samples in their window. So the window is the poll interval, or
twice the interval at which the upstream scrapes where that is longer, and the query is evaluated
once a window: steps of its width, on multiples of it, never overlap, so no event counts twice.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from statistics import median
from typing import Any

from exporter.config.duration import format_duration
from exporter.core.selector import NAME, Query, label_text, quote
from exporter.sources.promapi import Row
from exporter.sources.refusals import TooMuch

_WINDOW = re.compile(r"\{\{\s*\.window\s*\}\}")
_SENTINEL = 7_654.321
"""Seconds that stand for the window while a query is parsed: nobody writes them."""
_REACHES = (120.0, 600.0, 3600.0)
"""Seconds of raw samples that tell how often series are scraped: enough for intervals of half a
minute, of two, and of a quarter of an hour."""
_MOST = 0.9
"""Share of the series whose spacing must show in the first reach; few are young."""
_LEARN_EVERY = 3600.0
"""Seconds after which the spacing is looked for again: somebody may have changed it."""
_RETRY = 60.0
"""Seconds after which it is looked for again when there were no samples."""
_ROUGH = 0.05
"""Scrapes are some milliseconds early or late: spacings are rounded to a share of themselves, so
that the width stays the same."""
_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}

Samples = Callable[[str, float], Awaitable[Sequence[Row]]]
"""Answers a selector with its raw samples of the last so many seconds."""


@dataclass(slots=True)
class _Width:
    seconds: float
    learnt: float
    known: bool


class Windows:
    """Of one source, which polls every `interval` seconds."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._widths: dict[Query, _Width] = {}

    async def width(self, want: Query, now: float, samples: Samples) -> float:
        """Seconds that one value of the query stands for.

        Args:
            want: the query.
            now: the monotonic clock.
            samples: answers a selector with its raw samples.
        """
        known = self._widths.get(want)
        if known is not None:
            patience = _LEARN_EVERY if known.known else _RETRY
            if now - known.learnt <= patience:
                return known.seconds
        spacing = await _spacing(selectors(want.expr), samples)
        if spacing is None and known is not None:
            # Nothing there at the moment is no reason to count by other windows.
            known.learnt = now
            return known.seconds
        seconds = self._interval
        if spacing is not None and 2 * spacing > seconds * (1 + _ROUGH):
            seconds = 2 * spacing
        self._widths[want] = _Width(seconds, now, spacing is not None)
        return seconds


def expression(want: Query, width: float) -> str:
    """The query with its window filled in."""
    return _WINDOW.sub(format_duration(width), want.expr)


def selectors(expr: str) -> list[str]:
    """The range selectors of a query whose range is the window; none where it has no window, or is
    written in a dialect that only its server reads."""
    if not _WINDOW.search(expr):
        return []
    tree = _parsed(_WINDOW.sub(format_duration(_SENTINEL), expr))
    found = [] if tree is None else [_text(node) for node in _nodes(tree) if _is_window(node)]
    return list(dict.fromkeys(found))


def _parsed(text: str) -> Any:
    # Late: the library takes 3 MB, and only queries need it.
    from exporter import promql_text

    try:
        return promql_text.read(text)
    except ValueError:
        return None


def _nodes(tree: Any) -> Iterator[Any]:
    left = [tree]
    while left:
        node = left.pop()
        yield node
        for name in ("lhs", "rhs", "expr", "param"):
            child = getattr(node, name, None)
            if child is not None and not isinstance(child, str):
                left.append(child)
        left += getattr(node, "args", None) or []


def _is_window(node: Any) -> bool:
    length = getattr(node, "range", None)
    return (
        length is not None
        and hasattr(node, "vector_selector")
        and abs(length.total_seconds() - _SENTINEL) < 1e-3
    )


def _text(node: Any) -> str:
    """The selector without range, offset and time: its series are scraped as often."""
    from exporter.promql_text import value

    vector = node.vector_selector
    matchers = [(m.name, str(m.op).rpartition(".")[2], value(m)) for m in vector.matchers.matchers]
    if vector.name is not None:
        matchers.insert(0, (NAME, "Equal", vector.name))
    inside = ",".join(f"{label_text(k)}{_OPERATORS[op]}{quote(v)}" for k, op, v in matchers)
    return f"{{{inside}}}"


async def _spacing(texts: Iterable[str], samples: Samples) -> float | None:
    """Seconds between samples of the slowest of these series; None when there are too few."""
    slowest: float | None = None
    for text in texts:
        for reach in _REACHES:
            try:
                rows = await samples(text, reach)
            except TooMuch:
                break
            spacings = [s for row in rows if (s := _typical(row))]
            slowest = max(slowest or 0.0, *spacings) if spacings else slowest
            if spacings and (reach > _REACHES[0] or len(spacings) >= _MOST * len(rows)):
                break
    return slowest


def _typical(row: Row) -> float | None:
    times = [time for time, _ in row.values] or [time for time, _ in row.histograms]
    # VictoriaMetrics may have each sample twice.
    gaps = [now - then for then, now in pairwise(times) if now > then]
    if len(gaps) < 2:
        return None
    typical = median(gaps)
    # To the next of 1, 2, 3 ... twentieths of a second, of a second, of ten.
    unit = 10.0 ** (len(str(int(typical))) - 1) * _ROUGH
    return max(unit, round(ceil(typical / unit - 0.5) * unit, 3))
