"""Which moments a history is asked for: `?start=&end=&step=` and `?window=`."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC

from exporter.config.duration import format_duration, parse_duration
from exporter.config.moments import parse_moment, rfc3339

MOST = 11_000
"""Points of one instance, as many as Prometheus gives."""
MOST_OF_ALL = 10 * MOST
"""Points of one answer."""
_DAY = 86_400.0
_POINTS = 240
_AGO = re.compile(r"(?:now)?-(\w+)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Span:
    """From `start` to `end`, in unix seconds, every `step` seconds."""

    start: float
    end: float
    step: float

    @property
    def count(self) -> int:
        """How many moments that are."""
        return math.floor((self.end - self.start) / self.step + 1e-9) + 1

    def moments(self) -> list[float]:
        """All of them."""
        return [round(self.start + at * self.step, 3) for at in range(self.count)]


def read_span(given: Mapping[str, str], now: float, instances: int) -> Span:
    """What was asked for: the last day unless told, in about 240 points. `ValueError` in one line,
    also when that would be too many points for so many instances."""
    end = read_moment(given, "end", now, now)
    start = read_moment(given, "start", now, end - _DAY)
    if end < start:
        raise ValueError(f"end: {rfc3339(end)} is before the start, {rfc3339(start)}")
    if "step" in given:
        step = read_seconds(given["step"], "step")
    else:
        step = float(max(1, math.ceil((end - start) / _POINTS)))
    found = Span(start, end, step)
    most = min(MOST, MOST_OF_ALL // max(instances, 1))
    if found.count > most:
        least = format_duration(math.ceil((end - start) / max(most - 1, 1)))
        of = (
            f" for each of {instances} groups; name one (?group=label=value),"
            if most < MOST
            else ";"
        )
        raise ValueError(
            f"that would be {found.count:,} points, and {most:,} are the most{of} "
            f"ask for a shorter time or a step of at least {least}"
        )
    return found


def read_seconds(text: str, name: str, more: str = "") -> float:
    """A length of time, as a duration or in seconds; `more`: what else it might have been."""
    try:
        seconds = float(text) if _NUMBER.fullmatch(text) else parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}{more}") from None
    if not 0 < seconds < math.inf:
        raise ValueError(f"{name}: must be more than nothing, not {text!r}{more}")
    return seconds


def read_moment(given: Mapping[str, str], name: str, now: float, default: float) -> float:
    """RFC 3339, unix seconds (as Prometheus' API takes them, too), `now`, or `-2h`."""
    text = given.get(name)
    if text is None:
        return default
    if text == "now":
        return now
    try:
        if ago := _AGO.fullmatch(text):
            return now - parse_duration(ago[1])
        raw: object = float(text) if _NUMBER.fullmatch(text) else text
        return parse_moment(raw, UTC if isinstance(raw, float) else None).timestamp()
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
