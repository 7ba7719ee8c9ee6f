"""Prometheus durations: `500ms`, `30s`, `1h30m`, `30d`, `4w`, `1y`; and durations for the eye.

Source: Prometheus documentation, "Querying basics", time durations. A day has 24 hours, a week 7
days and a year 365 days; each unit stands at most once, the largest first.
"""

from __future__ import annotations

import re

_MILLIS = {
    "y": 365 * 86_400_000,
    "w": 7 * 86_400_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_DURATION = re.compile("".join(f"(?:(?P<{unit}>[0-9]{{1,18}}){unit})?" for unit in _MILLIS))
# What fits Prometheus' signed 64 bits of nanoseconds.
_LONGEST_MILLIS = (2**63 - 1) // 1_000_000


def parse_millis(text: str) -> int:
    """The duration in milliseconds; `ValueError` says in one line what is wrong with it."""
    found = _DURATION.fullmatch(text)
    if text == "0":
        return 0
    if not text or found is None:
        raise ValueError(
            f"not a duration: {text!r}; write it like 500ms, 30s, 5m, 1h30m or 30d, "
            "whole numbers and the largest unit first"
        )
    millis = sum(int(found[unit] or 0) * size for unit, size in _MILLIS.items())
    if millis > _LONGEST_MILLIS:
        raise ValueError(f"the duration {text!r} is longer than 292 years")
    return millis


def parse_duration(text: str) -> float:
    """The duration in seconds; `ValueError` as above."""
    return parse_millis(text) / 1000


def format_duration(seconds: float) -> str:
    """The shortest spelling that Prometheus itself uses, to the millisecond: `30d`, `1h30m`.

    Years and weeks only when nothing is left over, so that 30 days stay `30d`.
    """
    left = round(seconds * 1000)
    if left == 0:
        return "0s"
    out = ""
    for unit, size in _MILLIS.items():
        if unit in "yw" and left % size:
            continue
        count, left = divmod(left, size)
        out += f"{count}{unit}" if count else ""
    return out


def approximate(seconds: float) -> str:
    """The two largest units of it, rounded, for people: `52s`, `8m38s`, `2d2h`."""
    millis = round(seconds * 1000)
    if millis < 1000:
        return format_duration(millis / 1000)
    units = [_MILLIS[unit] for unit in "dhms"]
    at = next(i for i, size in enumerate(units) if millis >= size)
    finest = units[min(at + 1, len(units) - 1)]
    rounded = round(millis / finest) * finest
    days, rest = divmod(rounded, _MILLIS["d"])
    return (f"{days}d" if days else "") + (format_duration(rest / 1000) if rest or not days else "")
