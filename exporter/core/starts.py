"""What the start time of a look says, beside the one before: it is weighed, never believed."""

from __future__ import annotations

from enum import StrEnum
from math import log

from exporter.core.verdicts import CLOCKS_APART, START_JITTER, Process, start_moved

_DRAINS = 60.0
"""Seconds for which a process that was replaced may answer on connections that were kept: servers
that are reloaded let them end first."""


class Start(StrEnum):
    """What the start time of a look says, beside the one before."""

    NONE = "none"
    SAME = "same"
    INSIDE = "inside"
    RECENT = "recent"
    PAST = "past"
    FUTURE = "future"
    BACK = "back"


OF_NEW = {
    Start.NONE: log(0.02),
    Start.SAME: log(0.001),
    Start.INSIDE: log(0.5),
    Start.RECENT: log(0.05),
    Start.PAST: log(0.002),
    Start.FUTURE: log(0.01),
    Start.BACK: log(0.001),
}
OF_SAME = {
    Start.NONE: 0.0,
    Start.SAME: 0.0,
    Start.INSIDE: log(0.05),
    Start.RECENT: log(0.02),
    Start.PAST: log(0.02),
    Start.FUTURE: log(0.02),
    Start.BACK: log(0.02),
}


def start_of(process: Process) -> Start:
    """What the start time of a look says, beside the last one that was shown."""
    before, now = process.was_start, process.start
    if now is None:
        return Start.NONE
    if before is None:
        return Start.INSIDE if _where(process, now) is Start.INSIDE else Start.NONE
    if not start_moved(before, now):
        return Start.SAME
    # A start after the last look is by a clock that was set back since: no measure of another one.
    told_by_this_clock = before <= process.before + CLOCKS_APART
    return Start.BACK if now < before and told_by_this_clock else _where(process, now)


def _where(process: Process, start: float) -> Start:
    """Where a start lies: between the last look and this one, or before or after both."""
    if start > process.look + CLOCKS_APART:
        return Start.FUTURE
    if process.before < start + START_JITTER:
        return Start.INSIDE
    return Start.RECENT if process.before - start <= _DRAINS else Start.PAST
