"""How figures are written, in every table and on every page alike."""

from __future__ import annotations

from math import floor, log10

from exporter.config.duration import approximate
from exporter.core.timestamps import in_utc

NONE = "-"


def when(seconds: float) -> str:
    """A moment in UTC."""
    return in_utc(seconds).strftime("%Y-%m-%d %H:%M:%S")


def minute(seconds: float) -> str:
    """A moment in UTC, without seconds."""
    return in_utc(seconds).strftime("%Y-%m-%d %H:%M")


def lasting(seconds: float | None) -> str:
    """A duration of two units."""
    return NONE if seconds is None else approximate(seconds)


def ratio(objective: float) -> str:
    """An objective, or another share as somebody wrote it."""
    return f"{objective * 100:.10g}%"


def share(value: float | None) -> str:
    """A share in two digits at least, so that a small one is not nothing."""
    if value is None:
        return NONE
    percent = abs(value) * 100
    digits = max(0, 1 - floor(log10(percent))) if 0 < percent < 10 else 0
    return f"{value:.{min(digits, 6)}%}"


def left(value: float | None) -> str:
    """What is left of a budget, rounded down: what is overspent never looks like just spent."""
    return NONE if value is None else f"{floor(value * 1000 + 1e-6) / 10:,.1f}%"


def number(value: float) -> str:
    """A count of events."""
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:,.1f}"


def plural(many: int, of: str) -> str:
    """So many of something."""
    return f"{many:,} {of}" if many == 1 else f"{many:,} {of}s"


def burn(value: float) -> str:
    """A burn rate."""
    return f"{value:.3g}x" if value < 100 else f"{value:,.0f}x"
