"""What every chart of a budget over time is made of: a frame, its grid, a line, lanes of bars.

Charts are SVG. Colours are classes: the page that a chart stands in knows whether it is light or
dark. Every chart has axes with units, and says in words what it shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from exporter.charts.axis import dates, steps
from exporter.printable import printable_html as escape

WIDTH = 960.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 128.0, 16.0, 12.0, 40.0
_PLOT = 220.0
_LANES = _TOP + _PLOT + 8.0
_LANE = 20.0
_BAR = 10.0
_LEAST = 3.0
"""Nothing is drawn narrower, however short it was."""
_LABEL = 20
_HALF_DATE = 24.0


class Bar(NamedTuple):
    """Something that went on for a while; `said` is its text alternative, `kind` its class."""

    start: float
    end: float
    kind: str
    said: str


class Lane(NamedTuple):
    """Bars in one row under the plot. `band`: they are shaded in the plot too."""

    label: str
    bars: Sequence[Bar]
    band: bool = False


class Frame(NamedTuple):
    """Where a moment and a share of the budget are; `floor` is the least share that is shown."""

    start: float
    end: float
    floor: float

    def x(self, when: float) -> float:
        """Across."""
        share = (when - self.start) / max(self.end - self.start, 1.0)
        return _LEFT + share * (WIDTH - _LEFT - _RIGHT)

    def y(self, left: float) -> float:
        """Down; what is below the floor is out of the picture."""
        return _TOP + (1 - left) / (1 - self.floor) * _PLOT

    def bar(self, start: float, end: float) -> tuple[float, float]:
        """Where something of some length begins, and how wide it is."""
        low, high = self.x(start), self.x(end)
        width = max(_LEAST, high - low)
        return min(low, WIDTH - _RIGHT - width), width


def budget_chart(
    title: str,
    description: str,
    span: tuple[float, float],
    points: Sequence[tuple[float, float | None]],
    lowest: float | None,
    lanes: Sequence[Lane],
    ident: str,
) -> str:
    """One `<svg>` of the budget that is left over a time, with what went on beside it.

    `points`: (time, share of the budget), None where it is unknown. `lowest`: the least share that
    must be seen. `ident` makes its ids different from those of others on the page.
    """
    shares = steps(min(0.0, lowest if lowest is not None else 0.0), 1.0)
    frame = Frame(*span, min(shares))
    bottom = _LANES + _LANE * len(lanes)
    height = bottom + _BOTTOM
    parts = [
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img"',
        f' aria-labelledby="{ident}-t {ident}-d">',
        f'<title id="{ident}-t">{escape(title)}</title>',
        f'<desc id="{ident}-d">{escape(description)}</desc>',
        f'<clipPath id="{ident}-c"><rect x="{_LEFT:g}" y="{_TOP:g}"',
        f' width="{WIDTH - _LEFT - _RIGHT:g}" height="{_PLOT:g}"/></clipPath>',
        *_grid(frame, shares, bottom),
        *_bands(frame, lanes, bottom),
        f'<g clip-path="url(#{ident}-c)">{"".join(_line(frame, points))}</g>',
    ]
    for i, lane in enumerate(lanes):
        parts += _bars(frame, lane, _LANES + _LANE * i)
    return "".join([*parts, "</svg>"])


def _grid(frame: Frame, shares: Sequence[float], bottom: float) -> Iterator[str]:
    right = WIDTH - _RIGHT
    for share in shares:
        y = frame.y(share)
        kind = "zero" if share == 0 else "grid"
        yield f'<line class="{kind}" x1="{_LEFT:g}" x2="{right:g}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(_LEFT - 8, y + 4, f"{share * 100:,.10g}%", "end")
    middle = _TOP + _PLOT / 2
    yield (
        f'<text class="unit" text-anchor="middle" transform="translate(16 {middle:g}) rotate(-90)">'
        "budget left (% of the period's)</text>"
    )
    for when, label in dates(frame.start, frame.end):
        x = frame.x(when)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP:g}" y2="{bottom:g}"/>'
        if x > right - _HALF_DATE:
            # Centred it would be cut off.
            yield _text(right + _RIGHT, bottom + 16, label, "end")
        else:
            yield _text(x, bottom + 16, label, "middle")
    yield _text((_LEFT + right) / 2, bottom + 34, "time (UTC)", "middle", "unit")


def _bands(frame: Frame, lanes: Iterable[Lane], bottom: float) -> Iterator[str]:
    for bar in (bar for lane in lanes if lane.band for bar in lane.bars):
        x, width = frame.bar(bar.start, bar.end)
        yield (
            f'<rect class="band {bar.kind}" x="{x:.1f}" y="{_TOP:g}" '
            f'width="{width:.1f}" height="{bottom - _TOP:g}"/>'
        )


def _line(frame: Frame, points: Sequence[tuple[float, float | None]]) -> Iterator[str]:
    for known, some in groupby(points, key=lambda point: point[1] is not None):
        if known:
            drawn = " ".join(
                f"{frame.x(when):.1f},{max(-1e6, min(1e6, frame.y(left))):.1f}"
                for when, left in some
                if left is not None
            )
            yield f'<polyline class="left" points="{drawn}"/>'


def _bars(frame: Frame, lane: Lane, top: float) -> Iterator[str]:
    y = top + (_LANE - _BAR) / 2
    label = lane.label
    short = label if len(label) <= _LABEL else label[: _LABEL - 1] + "…"
    yield _text(_LEFT - 8, y + _BAR - 1, short, "end")
    for bar in lane.bars:
        x, width = frame.bar(bar.start, bar.end)
        yield (
            f'<rect class="{bar.kind}" x="{x:.1f}" y="{y:g}" width="{width:.1f}" '
            f'height="{_BAR:g}" rx="1.5"><title>{escape(bar.said)}</title></rect>'
        )


def severity_class(severity: str) -> str:
    """A class for its colour: any name may stand in a configuration."""
    return severity if severity in ("page", "ticket") else "other"


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )
