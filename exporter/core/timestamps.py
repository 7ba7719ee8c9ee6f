"""Moments as dates, of any number that a page or a file may hold."""

from __future__ import annotations

from datetime import UTC, datetime

_FIRST, _LAST = -62_135_596_800.0, 253_402_300_799.0
"""The first second of year 1 and the last of year 9999; Python knows no dates beyond."""


def in_utc(seconds: float) -> datetime:
    """Return unix seconds as a date in UTC: the nearest there is, and never an error.

    One number that is no date must not end what shows it beside others.
    """
    # Comparisons with NaN are false, so it comes out as the first there is.
    if not seconds > _FIRST:
        seconds = _FIRST
    return datetime.fromtimestamp(min(seconds, _LAST), UTC)


def rfc3339(seconds: float, timespec: str = "seconds") -> str:
    """Return unix seconds as RFC 3339 in UTC; what is finer than `timespec` is cut off."""
    return in_utc(seconds).isoformat(timespec=timespec).replace("+00:00", "Z")
