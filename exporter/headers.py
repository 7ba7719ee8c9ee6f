"""Header fields of others, judged in one place.

A field that is not what it should be (repeated, endless, with characters that no field has, a
number or a date that is none) counts as if it were not there. No function here raises.

Source: RFC 9110: 5.5 (values), 5.6.7 (dates), 8.3 (Content-Type), 8.6 (Content-Length), 10.2.2
(Location), 10.2.3 (Retry-After).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from yarl import URL

from exporter.address import parsed

LONGEST_WAIT = 86_400.0
"""Seconds; a longer `Retry-After` counts as this. Whoever waits has a shorter bound of its own."""
_LONGEST = 8192
"""Characters of a field: the longest address that servers commonly take."""
_LONGEST_DATE = 64
"""Characters of a date, which has 29."""
_TEXT = re.compile(r"[\t\x20-\x7e\x80-\U0010ffff]*")
_SURROGATE = re.compile("[\ud800-\udfff]")
_DIGITS = re.compile(r"[0-9]+")


def field(headers: Mapping[str, str], name: str) -> str:
    """Return the value of a field that is there once; empty if it is not, or not usable."""
    every = getattr(headers, "getall", None)
    values = every(name, ()) if every is not None else [headers[name]] if name in headers else []
    if len(values) != 1 or len(values[0]) > _LONGEST or not _TEXT.fullmatch(values[0]):
        return ""
    # Bytes that are no UTF-8 come as surrogates, which cannot be written anywhere.
    return "" if _SURROGATE.search(values[0]) else values[0].strip()


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds to wait by `Retry-After`, from 0 to `LONGEST_WAIT`; None without one.

    Args:
        now: unix seconds, which a date is counted from.
    """
    text = field(headers, "Retry-After")
    if _DIGITS.fullmatch(text):
        # Digits without end are no number to be made of, and as good as many.
        return LONGEST_WAIT if len(text) > 9 else min(LONGEST_WAIT, float(text))
    if not text or len(text) > _LONGEST_DATE:
        return None
    try:
        when = parsedate_to_datetime(text)
        # A date without a zone is in UTC, as all dates of HTTP are.
        seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError, OSError):
        return None
    return min(LONGEST_WAIT, max(0.0, seconds))


def content_type(headers: Mapping[str, str]) -> str:
    """Return `Content-Type` with its parameters; empty if there is none that can be used."""
    return field(headers, "Content-Type")


def is_delimited(headers: Mapping[str, str]) -> bool:
    """Return whether an answer says where it ends, other than by closing the connection."""
    chunked = "chunked" in field(headers, "Transfer-Encoding").lower()
    return chunked or bool(_DIGITS.fullmatch(field(headers, "Content-Length")))


def location(headers: Mapping[str, str], base: URL) -> URL | None:
    """Return the address that an answer from `base` points to; None without a usable one."""
    text = field(headers, "Location")
    if not text:
        return None
    try:
        there = base.join(parsed(text))
        usable = there.scheme in ("http", "https") and bool(there.host) and there.port is not None
    except (ValueError, TypeError):
        return None
    return there if usable else None


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """Return the key by which a repeated request is known; None without a usable one."""
    return field(headers, "Idempotency-Key") or None
