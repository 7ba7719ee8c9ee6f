"""A chart of lines over time, as what it shows, where that lies, and as a table of values;
`plotted` draws it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10
from typing import NamedTuple

from exporter.charts.frame import Lane
from exporter.printable import printable_html as escape

WIDTH = 960.0
LEFT, RIGHT, TOP = 64.0, 112.0, 10.0
"""Around what is drawn."""

Points = Sequence[float | None]


class Line(NamedTuple):
    """`values` by moment, None where nothing is known; `kind` is its class."""

    name: str
    kind: str
    values: Points


class Level(NamedTuple):
    """A line across."""

    value: float
    name: str
    kind: str


class Ahead(NamedTuple):
    """What is to come: from the last known value down to 0 between two moments, most likely at the
    one between (None: after the chart's end)."""

    now: float
    value: float
    sooner: float
    middle: float | None
    later: float | None


@dataclass(frozen=True, slots=True)
class Plot:
    """`end` may lie after the last moment. What is less than `low` stands at the bottom; `log`: the
    axis is logarithmic, and `low` a power of ten. `ident`: its id on the page. `unit`: for people.
    """

    ident: str
    title: str
    description: str
    start: float
    end: float
    moments: Sequence[float]
    lines: Sequence[Line]
    low: float
    high: float
    unit: str
    log: bool = False
    percent: bool = False
    height: float = 200.0
    levels: Sequence[Level] = ()
    lanes: Sequence[Lane] = ()
    ahead: Ahead | None = None

    def x(self, when: float) -> float:
        """Across."""
        share = (when - self.start) / max(self.end - self.start, 1e-9)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Down; what is out of the picture stands at its edge."""
        if self.log:
            value = log10(max(value, self.low)) if value > 0 else log10(self.low)
            low, high = log10(self.low), log10(self.high)
        else:
            low, high = self.low, self.high
        share = min(1.0, max(0.0, (value - low) / (high - low)))
        return TOP + (1 - share) * self.height

    def shown(self, value: float) -> str:
        """A value for people."""
        if self.percent:
            return f"{value * 100:,.4g}%"
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def values(plot: Plot, times: Sequence[str], every: int) -> str:
    """The same as a table, every so many moments; `times` are the moments' names."""
    head = "".join(f'<th scope="col" class="n">{escape(line.name)}</th>' for line in plot.lines)
    rows = []
    for k in range(len(plot.moments) - 1, -1, -every):
        cells = "".join(
            f'<td class="n">{"-" if (v := line.values[k]) is None else plot.shown(v)}</td>'
            for line in plot.lines
        )
        rows.append(f'<tr><th scope="row">{escape(times[k])}</th>{cells}</tr>')
    return (
        f'<table><caption class="hidden">{escape(plot.title)}</caption><thead><tr>'
        f'<th scope="col">Time (UTC)</th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def power_below(value: float) -> float:
    """The next power of ten at or below, where a logarithmic axis may begin."""
    return 10.0 ** floor(log10(value) + 1e-9)


def highest(lines: Iterable[Line], least: float) -> float:
    """The largest value of all lines, or `least`."""
    return max(
        [least, *(v for line in lines for v in line.values if v is not None and isfinite(v))]
    )
