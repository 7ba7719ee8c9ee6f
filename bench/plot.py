"""Plain SVG: panels of points on two logarithmic axes, for light and dark pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from bench.table import plain

_WIDTH, _HEIGHT = 300, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 20, 54, 46

_STYLE = """\
text { font: 12px sans-serif; fill: #24292f } .title { font-weight: bold }
.axis { stroke: #57606a; fill: none } .grid { stroke: #d0d7de }
.line { stroke: #0969da; stroke-width: 2; fill: none } .point { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .axis { stroke: #8b949e } .grid { stroke: #30363d }
  .line { stroke: #58a6ff } .point { fill: #58a6ff }
}"""


@dataclass(frozen=True, slots=True)
class Panel:
    """A title, and what the axes count."""

    title: str
    across: str
    up: str


def svg(
    title: str, panels: Mapping[str, Panel], found: Mapping[str, Sequence[tuple[float, float]]]
) -> str:
    """The whole picture; every figure stands in its text alternative too."""
    drawn = [name for name in panels if found.get(name)]
    told = "; ".join(_told(panels[name], found[name]) for name in drawn)
    width = _WIDTH * len(drawn)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {_HEIGHT}"',
        f'width="{width}" height="{_HEIGHT}" role="img" aria-labelledby="title desc">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(told)}.</desc>',
        f"<style>{_STYLE}</style>",
    ]
    for at, name in enumerate(drawn):
        parts += [f'<g transform="translate({_WIDTH * at} 0)">']
        parts += _panel(panels[name], found[name])
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _told(panel: Panel, points: Sequence[tuple[float, float]]) -> str:
    each = ", ".join(f"{plain(y)} at {plain(x)} {panel.across}" for x, y in points)
    return f"{panel.title}, in {panel.up}: {each}"


def _panel(panel: Panel, points: Sequence[tuple[float, float]]) -> list[str]:
    x_low, x_high = _decades([x for x, _ in points])
    y_low, y_high = _decades([y for _, y in points])
    right, bottom = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM

    def across(value: float) -> float:
        share = (math.log10(value) - x_low) / (x_high - x_low)
        return round(_LEFT + share * (right - _LEFT), 1)

    def up(value: float) -> float:
        share = (math.log10(value) - y_low) / (y_high - y_low)
        return round(bottom - share * (bottom - _TOP), 1)

    out = [f'<text class="title" x="{_LEFT}" y="22">{escape(panel.title)}</text>']
    for power in range(y_low, y_high + 1):
        y = up(10.0**power)
        out.append(f'<path class="grid" d="M{_LEFT} {y}H{right}"/>')
        out.append(f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{plain(10**power)}</text>')
    for power in range(x_low, x_high + 1):
        x = across(10.0**power)
        label = plain(10**power)
        out.append(f'<text x="{x}" y="{bottom + 18}" text-anchor="middle">{label}</text>')
    out.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{bottom}H{right}"/>')
    middle = (_LEFT + right) / 2
    out.append(f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">{panel.across}</text>')
    out.append(f'<text x="6" y="{_TOP - 14}">{escape(panel.up)}</text>')
    line = " ".join(f"{across(x)},{up(y)}" for x, y in points)
    out.append(f'<polyline class="line" points="{line}"/>')
    for x, y in points:
        out.append(f'<circle class="point" cx="{across(x)}" cy="{up(y)}" r="3.5"/>')
        above = up(y) - 9
        out.append(f'<text x="{across(x)}" y="{above}" text-anchor="middle">{plain(y)}</text>')
    return out


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """The powers of ten that enclose all values; at least one apart."""
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    return low, max(high, low + 1)
