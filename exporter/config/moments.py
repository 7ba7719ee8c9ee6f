"""Points in time as people write them: RFC 3339, TOML's dates and times, unix seconds.

Source: RFC 3339; TOML 1.0.0. A time without an offset is one of a time zone that must be known. If
clocks were put forward over it, it is read with the offset before; if it comes twice it is the
first (RFC 5545, 3.3.5).
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, tzinfo
from typing import TYPE_CHECKING

from exporter.config.findings import nearest
from exporter.core.timestamps import in_utc

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_TIME = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"(?:[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:[Zz]|[+-]\d\d:\d\d(?::\d\d)?)?)?"
)
_YEARS = range(1970, 2200)


def parse_moment(raw: object, zone: tzinfo | None) -> datetime:
    """The moment with its offset; in `zone` if it has none of its own. `ValueError` in one line."""
    found = _read(raw)
    if found.tzinfo is None:
        if zone is None:
            raise ValueError(
                f"which time zone is {raw} in? write it like 2026-11-20T10:00:00Z or give timezone"
            )
        found = found.replace(tzinfo=zone)
    if found.year not in _YEARS:
        raise ValueError(f"the year must be from {_YEARS[0]} to {_YEARS[-1]}, not {found.year}")
    return found


def parse_zone(name: str) -> ZoneInfo:
    """The time zone of this name (`Europe/Berlin`); `ValueError` with the nearest there is."""
    from zoneinfo import ZoneInfo, available_timezones  # half a megabyte, and few have zones

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        hint = nearest(name, available_timezones())
        raise ValueError(f"unknown time zone {name!r}{hint}") from None


def rfc3339(when: float) -> str:
    """Unix seconds as RFC 3339 in UTC, to the millisecond where there are any."""
    exact = in_utc(round(when, 3))
    timespec = "milliseconds" if exact.microsecond else "seconds"
    return exact.isoformat(timespec=timespec).replace("+00:00", "Z")


def _read(raw: object) -> datetime:
    if isinstance(raw, datetime):
        return raw
    if isinstance(raw, date):
        return datetime(raw.year, raw.month, raw.day)  # noqa: DTZ001 - its zone comes after this
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        if 0 <= raw < 1e11:
            return datetime.fromtimestamp(raw, UTC)
    elif isinstance(raw, str) and _TIME.fullmatch(raw):
        try:
            return datetime.fromisoformat(raw.upper())
        except ValueError as error:
            raise ValueError(f"not a time that exists: {raw!r}: {error}") from None
    raise ValueError(f"not a time: {raw!r}; write it like 2026-11-20T10:00:00Z")
