"""Small pictures in a line of text: how much budget is left, how fast it burned."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from exporter.charts.figures import left as left_words
from exporter.page.state import State

WIDTH, HEIGHT = 132.0, 26.0
_MARGIN = 2.0
PACE = 1.0
"""At this burn rate the budget lasts exactly as long as the period."""


def bar(left: float | None, state: State) -> str:
    """The budget as a bar; overspent, it is full and hatched."""
    share = 0.0 if left is None else min(1.0, max(0.0, left))
    over = left is not None and left < 0
    kind = "over" if over else state.value
    width = 100.0 if over else 100 * share
    return (
        f'<svg class="bar {kind}" role="img" viewBox="0 0 100 8" preserveAspectRatio="none" '
        f'aria-label="{escape(left_words(left))} of the budget left">'
        '<rect class="rest" width="100" height="8"/>'
        f'<rect class="left" width="{width:.2f}" height="8"/></svg>'
    )


def sparkline(rates: Sequence[float | None], said: str) -> str:
    """Burn rates at even distances; the dashed line is the pace at which the budget just lasts."""
    known = [rate for rate in rates if rate is not None]
    if not known:
        return '<span class="soft">no events</span>'
    most = max(*known, 2 * PACE)
    step = (WIDTH - 2 * _MARGIN) / max(1, len(rates) - 1)

    def y(rate: float) -> float:
        return HEIGHT - _MARGIN - (HEIGHT - 2 * _MARGIN) * rate / most

    lines: list[list[str]] = [[]]
    for k, rate in enumerate(rates):
        if rate is None:
            lines.append([])
        else:
            lines[-1].append(f"{_MARGIN + k * step:.1f},{y(rate):.1f}")
    drawn = "".join(f'<polyline points="{" ".join(line)}"/>' for line in lines if line)
    return (
        f'<svg class="spark" role="img" viewBox="0 0 {WIDTH:g} {HEIGHT:g}" '
        f'aria-label="{escape(said)}"><title>{escape(said)}</title>'
        f'<line x1="0" x2="{WIDTH:g}" y1="{y(PACE):.1f}" y2="{y(PACE):.1f}"/>{drawn}</svg>'
    )
