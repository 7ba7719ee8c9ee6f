"""Draws a chart of lines over time: thresholds across, bands behind, lanes of what went on below.

SVG as `frame`'s: colours are classes, all is said in words too. What a pointer shows stands in
`data-plot`, so that a script needs nothing else; without one, the table of values says the same.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from math import floor, inf, log10

from exporter.charts.axis import dates, steps
from exporter.charts.frame import Bar, Lane
from exporter.charts.plot import LEFT, RIGHT, TOP, WIDTH, Plot
from exporter.printable import printable_html as escape

_BOTTOM = 24.0
_LANE, _BAR, _LEAST = 18.0, 9.0, 3.0
_LABEL = 17
_NEAR = 13.0
"""Two labels nearer than this would lie on each other."""


def draw(plot: Plot) -> str:
    """One `<svg>`."""
    bottom = TOP + plot.height + (6 + _LANE * len(plot.lanes) if plot.lanes else 0)
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
        parts += _lane(plot, lane, TOP + plot.height + 6 + _LANE * k)
    return "".join([*parts, "</svg>"])


# --- inside -------------------------------------------------------------------------------------


def _data(plot: Plot) -> str:
    """For the pointer: where moments are, and what to say there."""
    said = {
        "left": LEFT,
        "width": WIDTH - LEFT - RIGHT,
        "top": TOP,
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
    right = WIDTH - RIGHT
    for value, y in _heights(plot):
        kind = "zero" if value == 0 else "grid"
        yield f'<line class="{kind}" x1="{LEFT:g}" x2="{right:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
    for when, label in dates(plot.start, plot.end):
        x = plot.x(when)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP:g}" y2="{bottom:g}"/>'
        yield _text(x, bottom + 16, label, "middle")


def _axis(plot: Plot) -> str:
    """What the heights mean: above all else, since a script keeps it in sight where the picture is
    moved aside."""
    labels = [f'<rect width="{LEFT - 4:g}" height="{TOP + plot.height + 6:g}"/>']
    for value, y in _heights(plot):
        less = "\u2264 " if value <= plot.low and _is_cut(plot) else ""
        labels.append(_text(LEFT - 8, y + 4, less + plot.shown(value), "end"))
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
            f'<rect class="band {bar.kind}" x="{x:.1f}" y="{TOP:g}" width="{width:.1f}" '
            f'height="{bottom - TOP:g}"/>'
        )


def _levels(plot: Plot) -> Iterator[str]:
    right = WIDTH - RIGHT
    levels = sorted(plot.levels, key=lambda level: -level.value)
    across = [plot.y(level.value) for level in levels]
    for level, y, beside in zip(levels, across, _apart(across, TOP + plot.height), strict=True):
        yield (
            f'<line class="level {level.kind}" x1="{LEFT:g}" x2="{right:g}" y1="{y:.1f}" '
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
    yield _text(WIDTH - RIGHT + 6, y + _BAR - 1, _short(lane.label), "start")
    for bar in lane.bars:
        x, width = _across(plot, bar)
        yield (
            f'<rect class="{bar.kind}" x="{x:.1f}" y="{y:g}" width="{width:.1f}" height="{_BAR:g}" '
            f'rx="1.5"><title>{escape(bar.said)}</title></rect>'
        )


def _across(plot: Plot, bar: Bar) -> tuple[float, float]:
    low, high = plot.x(max(bar.start, plot.start)), plot.x(min(bar.end, plot.end))
    width = max(_LEAST, high - low)
    return min(low, WIDTH - RIGHT - width), width


def _short(label: str) -> str:
    return label if len(label) <= _LABEL else label[: _LABEL - 1] + "…"


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )
