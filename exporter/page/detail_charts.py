"""The three pictures of an objective: its budget over the period, its burn rates, its traffic."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, isfinite

from exporter.charts import figures
from exporter.charts.axis import steps
from exporter.charts.frame import Bar, Lane
from exporter.charts.plot import Ahead, Level, Line, Plot, highest, power_below, values
from exporter.charts.plotted import draw
from exporter.core.status import SLOStatus

ROWS = 24
"""Rows of the table of values of a chart."""
LEAST_BURN = 0.01
_LEAST_BUDGET = -2.0
_FORESEEN = 0.25
"""A forecast may take so much of the width of the period that is past."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Values at moments, oldest first; None where nothing is known or happened."""

    moments: Sequence[float]
    lines: Sequence[tuple[str, Sequence[float | None]]]


@dataclass(frozen=True, slots=True)
class Beside:
    """What went on meanwhile: from when to when, what kind of thing, in words."""

    lane: str
    kind: str
    start: float
    end: float
    said: str


def budget(status: SLOStatus, past: Columns, beside: Sequence[Beside], now: float) -> str:
    """What was left at each moment, what may come, and what went on."""
    [(name, left)] = past.lines
    start = past.moments[0]
    ahead = _ahead(status, now)
    end = now
    if ahead is not None:
        end = min(ahead.later or inf, now + _FORESEEN * (now - start))
    known = [value for value in left if value is not None]
    high = max([1.0, *known])
    # An outage that took a hundred budgets must not make a line of all the rest.
    low = max(_LEAST_BUDGET, steps(min([0.0, *known]), high)[0])
    levels = [
        Level(step.below, step.state.replace("_", " "), "soft")
        for step in status.slo.steps
        if step.below is not None and step.below > 0
    ]
    plot = Plot(
        ident="chart-budget",
        title=f"Error budget left over {status.slo.period.label}",
        description=_budget_words(known),
        start=start,
        end=end,
        moments=past.moments,
        lines=[Line(name, "left", left)],
        low=low,
        high=high,
        unit="% of the period's",
        percent=True,
        levels=levels,
        lanes=list(_lanes(beside, start, end)),
        ahead=ahead if end > now else None,
    )
    return _figure("Error budget", plot)


def burn(status: SLOStatus, past: Columns, beside: Sequence[Beside]) -> str:
    """The burn rates of all windows, and the rules' thresholds."""
    lines = [Line(name, f"w{k}", rates) for k, (name, rates) in enumerate(past.lines)]
    different = {
        (rule.rate, rule.severity): f"{rule.severity} {rule.rate:.4g}" for rule in status.rules
    }
    levels = [
        Level(rate, name, figures_kind(severity)) for (rate, severity), name in different.items()
    ]
    most = max((level.value for level in levels), default=1.0)
    plot = Plot(
        ident="chart-burn",
        title="Burn rates",
        description="; ".join(
            f"over {line.name} {_last(line)}, at most {highest([line], 0.0):.3g}" for line in lines
        ),
        start=past.moments[0],
        end=past.moments[-1],
        moments=past.moments,
        lines=lines,
        low=LEAST_BURN,
        high=highest(lines, most) * 1.5,
        unit="1 is the pace at which the budget just lasts",
        log=True,
        levels=[*levels, Level(1.0, "lasts", "pace")],
        lanes=list(_lanes(beside, past.moments[0], past.moments[-1])),
    )
    return _figure("Burn rate by window", plot, _legend(lines))


def traffic(past: Columns, beside: Sequence[Beside]) -> str:
    """Events a second, all and bad ones."""
    lines = [
        Line(name, kind, rates)
        for (name, rates), kind in zip(past.lines, ("events", "bad"), strict=True)
    ]
    some = [v for line in lines for v in line.values if v]
    low = power_below(max(min(some, default=0.01), highest(lines, 1.0) / 1e6))
    plot = Plot(
        ident="chart-traffic",
        title="Traffic and errors",
        description="; ".join(
            f"{line.name} {_last(line)} a second, at most {highest([line], 0.0):.3g}"
            for line in lines
        ),
        start=past.moments[0],
        end=past.moments[-1],
        moments=past.moments,
        lines=lines,
        low=low,
        high=highest(lines, low * 10) * 1.3,
        unit="events a second",
        log=True,
        height=150.0,
        lanes=[lane for lane in _lanes(beside, past.moments[0], past.moments[-1]) if lane.band],
    )
    return _figure("Traffic and errors", plot, _legend(lines))


# --- inside -------------------------------------------------------------------------------------


def _figure(caption: str, plot: Plot, legend: str = "") -> str:
    times = [figures.when(when) for when in plot.moments]
    every = max(1, len(times) // ROWS)
    return (
        f'<figure id="figure-{plot.ident}"><figcaption>{caption} <small>{plot.unit}</small>{legend}'
        "</figcaption>"
        f'<div class="wide chart">{draw(plot)}</div>'
        f'<details id="values-{plot.ident}"><summary>Values</summary>'
        f'<div class="wide" role="region" aria-label="Values: {caption}" tabindex="0">'
        f"{values(plot, times, every)}</div></details></figure>"
    )


def _legend(lines: Sequence[Line]) -> str:
    keys = "".join(f'<span class="key {line.kind}">{line.name}</span>' for line in lines)
    return f' <span class="legend">{keys}</span>'


def _lanes(beside: Sequence[Beside], start: float, end: float) -> Iterator[Lane]:
    """Of what went on between two moments."""
    meanwhile = [one for one in beside if one.start < end and one.end > start]
    for lane in dict.fromkeys(one.lane for one in meanwhile):
        own = [one for one in meanwhile if one.lane == lane]
        bars = [Bar(one.start, one.end, one.kind, one.said) for one in own]
        yield Lane(lane, bars, band=own[0].kind in ("excluded", "incident"))


def _ahead(status: SLOStatus, now: float) -> Ahead | None:
    left = status.whole_remaining
    sooner, middle, later = (
        status.exhaustion_lower,
        status.exhaustion_seconds,
        status.exhaustion_upper,
    )
    if left is None or left <= 0 or middle is None or sooner is None or not isfinite(sooner):
        return None
    return Ahead(now, left, now + sooner, _moment(now, middle), _moment(now, later))


def _moment(now: float, seconds: float | None) -> float | None:
    return now + seconds if seconds is not None and isfinite(seconds) else None


def _budget_words(known: Sequence[float]) -> str:
    if not known:
        return "nothing is known of it yet"
    return f"{figures.left(known[-1])} is left now, {figures.left(min(known))} at the lowest"


def _last(line: Line) -> str:
    value = line.values[-1] if line.values else None
    return "unknown" if value is None else f"{value:.3g}"


def figures_kind(severity: str) -> str:
    """A class for its colour: any name may stand in a configuration."""
    return severity if severity in ("page", "ticket") else "other"
