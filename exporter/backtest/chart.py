"""The budget over time as SVG, with the incidents and alerts of one outcome beside it.

Colours are classes: the page that it stands in knows whether it is light or dark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import NamedTuple

from exporter.backtest import words
from exporter.backtest.axis import dates, steps
from exporter.backtest.result import Backtest, Fired, Outcome
from exporter.core.alert import PAGE

WIDTH = 960.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 128.0, 16.0, 12.0, 40.0
_PLOT = 220.0
_LANES = _TOP + _PLOT + 8.0
_LANE = 20.0
_BAR = 10.0
_LEAST = 3.0
"""Nothing is drawn narrower, however short it was."""
_LABEL = 20


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


def chart(result: Backtest, outcome: Outcome, ident: str) -> str:
    """One `<svg>`; `ident` makes its ids different from those of others on the page."""
    known = [left for left in (outcome.lowest, outcome.remaining) if left is not None]
    shares = steps(min([0.0, *known]), 1.0)
    frame = Frame(result.start, result.end, min(shares))
    lanes = _lanes(outcome.alerts)
    bottom = _LANES + _LANE * (len(lanes) + 1)
    height = bottom + _BOTTOM
    parts = [
        f'<svg viewBox="0 0 {WIDTH:g} {height:g}" role="img"',
        f' aria-labelledby="{ident}-t {ident}-d">',
        f'<title id="{ident}-t">{escape(_title(result, outcome))}</title>',
        f'<desc id="{ident}-d">{escape(_description(outcome))}</desc>',
        f'<clipPath id="{ident}-c"><rect x="{_LEFT:g}" y="{_TOP:g}"',
        f' width="{WIDTH - _LEFT - _RIGHT:g}" height="{_PLOT:g}"/></clipPath>',
        *_grid(frame, shares, bottom),
        *_incidents(frame, outcome, bottom),
        f'<g clip-path="url(#{ident}-c)">{"".join(_line(frame, outcome))}</g>',
    ]
    for i, lane in enumerate(lanes, 1):
        parts += _alerts(frame, lane, _LANES + _LANE * i)
    return "".join([*parts, "</svg>"])


def _title(result: Backtest, outcome: Outcome) -> str:
    return (
        f"Error budget left over {result.period} at {words.ratio(outcome.objective)}, "
        f"{words.name(result)}"
    )


def _description(outcome: Outcome) -> str:
    if not outcome.burn_down:
        return "No history."
    alerts = [
        f"{words.count(outcome, severity):,} {severity}" for severity in words.severities([outcome])
    ]
    first, last = (words.minute(outcome.burn_down[i][0]) for i in (0, -1))
    return (
        f"From {first} to {last} UTC; {words.left(outcome.remaining)} left at the end, "
        f"{words.left(outcome.lowest)} at the lowest. Incidents: {len(outcome.incidents):,}. "
        f"Alerts: {', '.join(alerts)}."
    )


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
        yield _text(x, bottom + 16, label, "middle")
    yield _text((_LEFT + right) / 2, bottom + 34, "time (UTC)", "middle", "unit")


def _incidents(frame: Frame, outcome: Outcome, bottom: float) -> Iterator[str]:
    y = _LANES + (_LANE - _BAR) / 2
    if outcome.incidents:
        yield _text(_LEFT - 8, y + _BAR - 1, "incidents", "end")
    for one in outcome.incidents:
        x, width = frame.bar(one.start, one.end)
        said = (
            f"incident: {words.when(one.start)}, {words.lasting(one.end - one.start)}, "
            f"{words.share(one.spent)} of the budget, {words.paging(one)}"
        )
        yield (
            f'<g><title>{escape(said)}</title><rect class="band" x="{x:.1f}" y="{_TOP:g}" '
            f'width="{width:.1f}" height="{bottom - _TOP:g}"/>'
            f'<rect class="incident" x="{x:.1f}" y="{y:g}" width="{width:.1f}" '
            f'height="{_BAR:g}" rx="1.5"/></g>'
        )


def _line(frame: Frame, outcome: Outcome) -> Iterator[str]:
    for known, points in groupby(outcome.burn_down, key=lambda point: point[1] is not None):
        if known:
            drawn = " ".join(
                f"{frame.x(when):.1f},{max(-1e6, min(1e6, frame.y(left))):.1f}"
                for when, left in points
                if left is not None
            )
            yield f'<polyline class="left" points="{drawn}"/>'


# --- alerts, a lane for each rule -----------------------------------------------------------------


def _lanes(alerts: Sequence[Fired]) -> list[list[Fired]]:
    by_rule: dict[tuple[bool, str, float, str, str], list[Fired]] = {}
    for one in alerts:
        key = (one.severity != PAGE, one.severity, -one.rate, one.long, one.short)
        by_rule.setdefault(key, []).append(one)
    return [by_rule[key] for key in sorted(by_rule)]


def _alerts(frame: Frame, lane: Sequence[Fired], top: float) -> Iterator[str]:
    y = top + (_LANE - _BAR) / 2
    label = f"{lane[0].severity} {lane[0].long}/{lane[0].short}"
    short = label if len(label) <= _LABEL else label[: _LABEL - 1] + "…"
    yield _text(_LEFT - 8, y + _BAR - 1, short, "end")
    for one in lane:
        end = frame.end if one.end is None else one.end
        x, width = frame.bar(one.start, end)
        lasted = "still firing" if one.end is None else words.lasting(end - one.start)
        said = (
            f"{one.severity} {words.rule(one)}: {words.when(one.start)}, {lasted}, "
            f"peak {words.burn(one.peak)}, {words.share(one.spent)} of the budget"
        )
        yield (
            f'<rect class="{severity_class(one.severity)}" x="{x:.1f}" y="{y:g}" '
            f'width="{width:.1f}" height="{_BAR:g}" rx="1.5">'
            f"<title>{escape(said)}</title></rect>"
        )


def severity_class(severity: str) -> str:
    """A class for its colour: any name may stand in a configuration."""
    return severity if severity in (PAGE, "ticket") else "other"


def _text(x: float, y: float, text: str, anchor: str, kind: str = "tick") -> str:
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
    )
