"""`[report]`: when the reliability review is sent by itself, to whom, and about which time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING, TypeVar

import msgspec

from exporter.config.convert import convert
from exporter.config.duration import parse_duration
from exporter.config.findings import Findings, nearest
from exporter.config.moments import parse_zone
from exporter.config.recurrence import Rule, parse_rule, starts

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_PATH = ("report",)
_SHORT = re.compile(r"(?:(?P<days>[A-Z]{2}(?:,[A-Z]{2})*) )?(?P<hour>\d\d):(?P<minute>\d\d)")
_FIRST = datetime(2018, 1, 1)  # noqa: DTZ001 - a Monday, in the local time of the zone
_LONGEST = 400 * 86_400.0
_OFTEN = 20 * 3600.0
"""A day may have 23 hours, and a rule is followed from its beginning."""
LAST = "last"
T = TypeVar("T")


class ReportTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of the table; see `docs/report.md`."""

    schedule: str
    timezone: str = "UTC"
    receivers: tuple[str, ...] = ()
    period: str = "30d"


@dataclass(frozen=True, slots=True)
class ReportPlan:
    """A review each time that the rule holds in the local time of `zone`, about the last `period`
    seconds (None: since the last one), to these receivers, or to all."""

    rule: Rule
    zone: ZoneInfo
    receivers: tuple[str, ...]
    period: float | None

    def around(self, since: float, now: float) -> tuple[float | None, float]:
        """The last moment after `since` and not after `now` (None when there was none), and the
        first after `now` (infinity when there is none)."""
        found = None
        for when in starts(self.rule, _FIRST, self.zone, since):
            if when > now:
                return found, when
            found = when if when > since else found
        return found, inf


def read_report(
    document: Mapping[str, object], receivers: Iterable[str], findings: Findings
) -> ReportPlan | None:
    """The plan of a file; None without a `[report]`, or when `findings` have an error of it."""
    if "report" not in document:
        return None
    before = len(findings.errors)
    table = convert(document["report"], ReportTable, _PATH, findings)
    if table is None:
        return None
    known = list(receivers)
    for name in table.receivers:
        if name not in known:
            findings.error(
                (*_PATH, "receivers"), f"there is no receiver {name!r}{nearest(name, known)}"
            )
    zone = _try(parse_zone, table.timezone, "timezone", findings)
    rule = _try(lambda text: _schedule(text, zone), table.schedule, "schedule", findings)
    period = _try(_period, table.period, "period", findings)
    if len(findings.errors) > before or rule is None or zone is None:
        return None
    return ReportPlan(rule, zone, table.receivers, period)


def _try(read: Callable[[str], T], text: str, key: str, findings: Findings) -> T | None:
    try:
        return read(text)
    except (ValueError, OverflowError) as error:
        findings.error((*_PATH, key), str(error))
        return None


def _period(text: str) -> float | None:
    if text == LAST:
        return None
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{error}; or {LAST!r}, since the last review") from None
    if not 60 <= found <= _LONGEST:
        raise ValueError(f"must be from 1m to 400d, not {text}")
    return found


def _schedule(text: str, zone: ZoneInfo | None) -> Rule:
    rule = parse_rule(_rule(text))
    if zone is None:
        return rule
    moments = starts(rule, _FIRST, zone, _FIRST.replace(tzinfo=zone).timestamp())
    some = [when for when, _ in zip(moments, range(50), strict=False)]
    if not some:
        raise ValueError("never happens")
    if any(b - a < _OFTEN for a, b in pairwise(some)):
        raise ValueError("happens more often than once a day")
    return rule


def _rule(text: str) -> str:
    """`MO 08:00` and `08:00` stand for the rule that says the same."""
    short = _SHORT.fullmatch(text.strip())
    if short is None:
        if "=" not in text:
            raise ValueError(
                f'must be like "MO 08:00", "08:00" or FREQ=MONTHLY;BYMONTHDAY=1;BYHOUR=8 '
                f"(RFC 5545), not {text!r}"
            )
        return text
    days = f"WEEKLY;BYDAY={short['days']}" if short["days"] else "DAILY"
    return f"FREQ={days};BYHOUR={int(short['hour'])};BYMINUTE={int(short['minute'])}"
