"""A chart of lines over time: thresholds across, bands behind, lanes of what went on below.

SVG as `frame`'s: colours are classes, all is said in words too. What a pointer shows stands in
`data-plot`, so that a script needs nothing else; without one, the table of values says the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from math import floor, inf, isfinite, log10
from typing import NamedTuple

from exporter.charts.axis import dates, steps
from exporter.charts.frame import Bar, Lane

WIDTH = 960.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 64.0, 112.0, 10.0, 24.0
_LANE, _BAR, _LEAST = 18.0, 9.0, 3.0
_LABEL = 17
_NEAR = 13.0
"""Two labels nearer than this would lie on each other."""

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
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Down; what is out of the picture stands at its edge."""
        if self.log:
            value = log10(max(value, self.low)) if value > 0 else log10(self.low)
            low, high = log10(self.low), log10(self.high)
        else:
            low, high = self.low, self.high
        share = min(1.0, max(0.0, (value - low) / (high - low)))
        return _TOP + (1 - share) * self.height

    def shown(self, value: float) -> str:
        """A value for people."""
        if self.percent:
            return f"{value * 100:,.4g}%"
        return f"{value:,.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def draw(plot: Plot) -> str:
    """One `<svg>`."""
    bottom = _TOP + plot.height + (6 + _LANE * len(plot.lanes) if plot.lanes else 0)
    head = (
        f'<svg class="plot" id="{escape(plot.ident)}" viewBox="0 0 {WIDTH:g} {bottom + _BOTTOM:g}" '
        f'role="img" tabindex="0" aria-label="{escape(plot.title)}. {escape(plot.description)}" '
        f"data-plot='{_data(plot)}'>"
    )
    parts = [
        head,
        *_grid(plot, bottom),
        *_bands(plot, bottom),
        *_levels(plot),
        *_lines(plot),
        *_ahead(plot),
        _axis(plot),
    ]
    for k, lane in enumerate(plot.lanes):
        parts += _lane(plot, lane, _TOP + plot.height + 6 + _LANE * k)
    return "".join([*parts, "</svg>"])


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


# --- inside -------------------------------------------------------------------------------------


def _data(plot: Plot) -> str:
    """For the pointer: where moments are, and what to say there."""
    said = {
        "left": _LEFT,
        "width": WIDTH - _LEFT - _RIGHT,
        "top": _TOP,
        "height": plot.height,
        "start": round(plot.start, 3),
        "end": round(plot.end, 3),
        "times": [round(when, 3) for when in plot.moments],
        "lines": [
            {
                "name": line.name,
                "kind": line.kind,
                "said": [None if v is None else plot.shown(v) for v in line.values],
                "y": [None if v is None else round(plot.y(v), 1) for v in line.values],
            }
            for line in plot.lines
        ],
    }
    return escape(json.dumps(said, separators=(",", ":")))


def _grid(plot: Plot, bottom: float) -> Iterator[str]:
    right = WIDTH - _RIGHT
    for value, y in _heights(plot):
        kind = "zero" if value == 0 else "grid"
        yield f'<line class="{kind}" x1="{_LEFT:g}" x2="{right:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
    for when, label in dates(plot.start, plot.end):
        x = plot.x(when)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP:g}" y2="{bottom:g}"/>'
        yield _text(x, bottom + 16, label, "middle")


def _axis(plot: Plot) -> str:
    """What the heights mean: above all else, since a script keeps it in sight where the picture is
    moved aside."""
    labels = [f'<rect width="{_LEFT - 4:g}" height="{_TOP + plot.height + 6:g}"/>']
    for value, y in _heights(plot):
        less = "\u2264 " if value <= plot.low and _is_cut(plot) else ""
        labels.append(_text(_LEFT - 8, y + 4, less + plot.shown(value), "end"))
    return f'<g class="axis">{"".join(labels)}</g>'


def _heights(plot: Plot) -> Iterator[tuple[float, float]]:
    """The values that are named, and where; none so near to another that it could not be read."""
    last = inf
    for value in _ticks(plot):
        y = plot.y(value)
        if last - y >= _NEAR:
            yield value, y
            last = y


def _is_cut(plot: Plot) -> bool:
    return any(v is not None and v < plot.low for line in plot.lines for v in line.values)


def _ticks(plot: Plot) -> Sequence[float]:
    if not plot.log:
        return [value for value in steps(plot.low, plot.high) if value >= plot.low]
    low, high = round(log10(plot.low)), floor(log10(plot.high) + 1e-9)
    apart = max(1, (high - low) // 5 + ((high - low) % 5 > 0))
    return [10.0**k for k in range(low, high + 1, apart)]


def _bands(plot: Plot, bottom: float) -> Iterator[str]:
    for bar in (bar for lane in plot.lanes if lane.band for bar in lane.bars):
        x, width = _across(plot, bar)
        yield (
            f'<rect class="band {bar.kind}" x="{x:.1f}" y="{_TOP:g}" width="{width:.1f}" '
            f'height="{bottom - _TOP:g}"/>'
        )


def _levels(plot: Plot) -> Iterator[str]:
    right = WIDTH - _RIGHT
    levels = sorted(plot.levels, key=lambda level: -level.value)
    across = [plot.y(level.value) for level in levels]
    for level, y, beside in zip(levels, across, _apart(across, _TOP + plot.height), strict=True):
        yield (
            f'<line class="level {level.kind}" x1="{_LEFT:g}" x2="{right:g}" y1="{y:.1f}" '
            f'y2="{y:.1f}"><title>{escape(level.name)}</title></line>'
        )
        yield _text(right + 6, beside + 4, _short(level.name), "start", f"level {level.kind}")


def _apart(wanted: Sequence[float], most: float) -> list[float]:
    """Labels from the top down: where they are wanted, but none on another nor below `most`."""
    found: list[float] = []
    for y in wanted:
        found.append(max(y, found[-1] + _NEAR) if found else y)
    for k in reversed(range(len(found))):
        found[k], most = min(found[k], most), min(found[k], most) - _NEAR
    return found


def _lines(plot: Plot) -> Iterator[str]:
    for line in plot.lines:
        pairs = zip(plot.moments, line.values, strict=True)
        for known, some in groupby(pairs, key=lambda pair: pair[1] is not None):
            if known:
                drawn = " ".join(
                    f"{plot.x(when):.1f},{plot.y(v):.1f}" for when, v in some if v is not None
                )
                yield (
                    f'<polyline class="line {line.kind}" points="{drawn}">'
                    f"<title>{escape(line.name)}</title></polyline>"
                )


def _ahead(plot: Plot) -> Iterator[str]:
    if plot.ahead is None:
        return
    now, value, sooner, middle, later = plot.ahead

    def reach(when: float | None) -> tuple[float, float]:
        """Where the way down to 0 leaves the picture."""
        if when is not None and when <= plot.end:
            return plot.x(when), plot.y(0.0)
        gone = 0.0 if when is None else (plot.end - now) / max(when - now, 1.0)
        return plot.x(plot.end), plot.y(value * (1 - gone))

    corners = [(plot.x(now), plot.y(value)), reach(sooner), reach(later)]
    if sooner < plot.end < (later if later is not None else inf):
        corners.insert(2, (plot.x(plot.end), plot.y(0.0)))
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    yield f'<polygon class="ahead" points="{drawn}"/>'
    (x, y), (end, low) = corners[0], reach(middle)
    yield f'<line class="ahead" x1="{x:.1f}" y1="{y:.1f}" x2="{end:.1f}" y2="{low:.1f}"/>'


def _lane(plot: Plot, lane: Lane, top: float) -> Iterator[str]:
    y = top + (_LANE - _BAR) / 2
    yield _text(WIDTH - _RIGHT + 6, y + _BAR - 1, _short(lane.label), "start")
    for bar in lane.bars:
        x, width = _across(plot, bar)
        yield (
            f'<rect class="{bar.kind}" x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{_BAR:g}" '
            f'rx="1.5"><title>{escape(bar.said)}</title></rect>'
        )


def _across(plot: Plot, bar: Bar) -> tuple[float, float]:
    low, high = plot.x(max(bar.start, plot.start)), plot.x(min(bar.end, plot.end))
    width = max(_LEAST, high - low)
    return min(low, WIDTH - _RIGHT - width), width


def _short(label: str) -> str:
    return label if len(label) <= _LABEL else label[: _LABEL - 1] + "…"


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )


def power_below(value: float) -> float:
    """The next power of ten at or below, where a logarithmic axis may begin."""
    return 10.0 ** floor(log10(value) + 1e-9)


def highest(lines: Iterable[Line], least: float) -> float:
    """The largest value of all lines, or `least`."""
    return max(
        [least, *(v for line in lines for v in line.values if v is not None and isfinite(v))]
    )
