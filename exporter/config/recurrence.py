"""When something happens again: the recurrence rules of calendars, in wall-clock time.

Source: RFC 5545, 3.3.10 (the rule) and 3.3.5 (local times that come twice). A local time that does
not exist, because clocks were put forward, is left out and not counted; one that comes twice is the
first of the two. Rules finer than days are not taken: `FREQ=DAILY;BYHOUR=0,6,12,18` says as much.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

MOST_STEPS = 50_000
"""A rule is followed so far from its start, in occurrences: some tenths of a second."""

_FREQS = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_ONLY_WITH = {
    "BYSETPOS": ("MONTHLY", "YEARLY"),
    "BYWEEKNO": ("YEARLY",),
    "BYYEARDAY": ("YEARLY",),
    "BYMONTHDAY": ("DAILY", "MONTHLY", "YEARLY"),
}
_RANGES = {
    "BYSECOND": (0, 59),
    "BYMINUTE": (0, 59),
    "BYHOUR": (0, 23),
    "BYMONTH": (1, 12),
    "BYMONTHDAY": (-31, 31),
    "BYYEARDAY": (-366, 366),
    "BYWEEKNO": (-53, 53),
    "BYSETPOS": (-366, 366),
    "INTERVAL": (1, 10_000),
    "COUNT": (1, MOST_STEPS),
}
_DAY = "(?:MO|TU|WE|TH|FR|SA|SU)"
_FORMS = {
    "BYDAY": (re.compile(rf"(?:[+-]?[1-9][0-9]?)?{_DAY}"), "MO,TU or 1SU,-1FR"),
    "WKST": (re.compile(_DAY), "MO"),
    "UNTIL": (re.compile(r"[0-9]{8}(?:T[0-9]{6}Z?)?"), "20271231T235959Z or 20271231"),
}


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern`: the rule without its end. `until`: a moment if aware, else a local time."""

    pattern: str
    count: int | None = None
    until: datetime | None = None


def parse_rule(text: str) -> Rule:
    """Read `FREQ=WEEKLY;BYDAY=SU`; `ValueError` says in one line what is wrong with it."""
    parts: dict[str, str] = {}
    for part in text.strip().upper().removeprefix("RRULE:").split(";"):
        key, _, value = part.partition("=")
        if key in parts:
            raise ValueError(f"{key} stands twice in {text!r}")
        parts[key] = value
    freq = parts.get("FREQ")
    if freq not in _FREQS:
        given = f"not {freq!r}" if freq else f"and {text!r} has none"
        raise ValueError(
            f"a recurrence rule (RFC 5545) like FREQ=WEEKLY;BYDAY=SU needs a FREQ, one of "
            f"{', '.join(_FREQS)}, {given}"
        )
    for key, value in parts.items():
        _check(key, value, freq)
    if "COUNT" in parts and "UNTIL" in parts:
        raise ValueError("COUNT and UNTIL exclude each other; leave one out")
    count, until = parts.pop("COUNT", None), parts.pop("UNTIL", None)
    return Rule(
        ";".join(f"{key}={value}" for key, value in parts.items()),
        int(count) if count else None,
        _until(until) if until else None,
    )


def starts(rule: Rule, first: datetime, zone: ZoneInfo, since: float) -> Iterator[float]:
    """When it happens from `since` on, in unix seconds; `first` is a local time of the zone.

    Ends with the rule; `ValueError` when it has to be followed too far.
    """
    from dateutil.rrule import rrulestr  # few have a rule

    # Everything before may be skipped unread: no zone is further than a day from UTC.
    skip = _wall(since, zone) - timedelta(days=2)
    left = rule.count
    steps = 0
    for local in rrulestr(rule.pattern, dtstart=first):
        steps += 1
        if steps > MOST_STEPS:
            raise ValueError(
                f"it happens more than {MOST_STEPS} times from its start on; start later, or use a "
                "rule with fewer"
            )
        if rule.until is not None and rule.until.tzinfo is None and local > rule.until:
            return
        if left is None and local < skip:
            continue
        moment = local.replace(tzinfo=zone).astimezone(UTC)
        if moment.astimezone(zone).replace(tzinfo=None) != local:
            continue
        if rule.until is not None and rule.until.tzinfo is not None and moment > rule.until:
            return
        if local >= skip and (when := moment.timestamp()) >= since:
            yield when
        if left is not None:
            left -= 1
            if left == 0:
                return


def _wall(when: float, zone: ZoneInfo) -> datetime:
    earliest = datetime(1900, 1, 1)  # noqa: DTZ001 - a local time on purpose
    if when < -2e9:
        return earliest
    return datetime.fromtimestamp(when, zone).replace(tzinfo=None)


def _check(key: str, value: str, freq: str) -> None:
    """One part of a rule; the library would take many a nonsense silently."""
    if freq not in _ONLY_WITH.get(key, _FREQS):
        raise ValueError(f"{key} goes with FREQ={' or '.join(_ONLY_WITH[key])}, not {freq}")
    values = value.split(",") if key.startswith("BY") else [value]
    if key in _RANGES:
        for one in values:
            _check_number(key, one)
    elif key in _FORMS:
        form, example = _FORMS[key]
        for one in values:
            if not form.fullmatch(one):
                raise ValueError(f"{key} must be like {example}, not {one!r}")
            if key == "BYDAY" and len(one) > 2 and freq not in ("MONTHLY", "YEARLY"):
                raise ValueError(f"BYDAY={one} goes with FREQ=MONTHLY or YEARLY, not {freq}")
    elif key != "FREQ":
        raise ValueError(f"unknown part {key!r} in a recurrence rule (RFC 5545)")


def _check_number(key: str, text: str) -> None:
    low, high = _RANGES[key]
    if not re.fullmatch(r"[+-]?[0-9]{1,6}", text) or not low <= int(text) <= high:
        raise ValueError(f"{key} must be from {low} to {high}, not {text!r}")
    if int(text) == 0 and low < 0:
        raise ValueError(f"{key} must not be 0")


def _until(text: str) -> datetime:
    try:
        if "T" not in text:
            # The whole of that day.
            return datetime.strptime(text + "T235959", "%Y%m%dT%H%M%S")  # noqa: DTZ007 - local
        local = datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007 - local
    except ValueError:
        raise ValueError(f"UNTIL={text} is no date that exists") from None
    return local.replace(tzinfo=UTC) if text.endswith("Z") else local
