"""Exclusions as people ask for them: `[exclusion.NAME]` of the file, and the API's objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from exporter.config.convert import Span, convert
from exporter.config.findings import Findings, nearest
from exporter.config.lines import Path
from exporter.config.moments import parse_moment, parse_zone
from exporter.config.recurrence import Rule, parse_rule, starts
from exporter.config.texts import text_fault
from exporter.config.where import parse_where
from exporter.core.selector import Matcher
from exporter.core.slo import SLO

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

_LONGEST_TEXT = 1000


class ExclusionTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The keys of an exclusion: `end` or `duration`; times are looked at by hand."""

    slos: str | tuple[str, ...]
    start: Any
    end: Any = None
    duration: Span | None = None
    rrule: str | None = None
    timezone: str | None = None
    reason: str
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class Planned:
    """An exclusion whose words have been understood.

    It lasts `seconds` from `start` on, and with a `rule` again each time that it holds, in the
    local time of `zone`. `document` says the same in JSON's types, and can be read again.
    """

    name: str
    where: tuple[Matcher, ...]
    start: float
    seconds: float
    document: Mapping[str, Any] = field(compare=False)
    rule: Rule | None = None
    first: datetime | None = None
    zone: ZoneInfo | None = None

    def may_cover(self, slo: SLO) -> bool:
        """Whether it is for this SLO, or may be for one of its groups."""
        labels = {**slo.labels, "slo": slo.name, "service": slo.service}
        return all(
            m.matches(labels.get(m.label, "")) for m in self.where if m.label not in slo.group_by
        )


def read_exclusion(path: Path, raw: object, findings: Findings) -> Planned | None:
    """One exclusion, named by the last part of `path`; None when `findings` have an error of it."""
    before = len(findings.errors)
    table = convert(raw, ExclusionTable, path, findings)
    if table is None:
        return None
    for key in ("reason", "owner"):
        text = getattr(table, key)
        if text is not None and (fault := text_fault(text, _LONGEST_TEXT)):
            findings.error((*path, key), fault)
    where = parse_where(table.slos, (*path, "slos"), findings)
    zone = _try(parse_zone, table.timezone, (*path, "timezone"), findings)
    faulty_zone = table.timezone is not None and zone is None
    begin = _moment(table.start, zone, (*path, "start"), findings, quiet=faulty_zone)
    if not isinstance(raw, dict) or ("end" in raw) == ("duration" in raw):
        findings.error(path, "needs exactly one of 'end' and 'duration'")
        return None
    seconds = None if begin is None else _seconds(table, begin, zone, path, findings)
    rule = _try(parse_rule, table.rrule, (*path, "rrule"), findings)
    if table.rrule is not None and table.timezone is None:
        findings.error(path, 'a rule needs a timezone, such as "Europe/Berlin" or "UTC"')
    if begin is None or seconds is None or len(findings.errors) > before:
        return None
    here = begin if zone is None else begin.astimezone(zone)
    if rule is not None and here.astimezone(UTC).astimezone(zone).hour != here.hour:
        findings.error((*path, "start"), "does not exist that day: clocks are put forward over it")
        return None
    plan = Planned(
        str(path[-1]) if path else "",
        where,
        begin.timestamp(),
        seconds,
        _document(table, here, seconds),
        rule,
        here.replace(tzinfo=None) if rule is not None else None,
        zone,
    )
    return plan if _happens(plan, (*path, "rrule"), findings) else None


def warn_of_idle(
    plans: Mapping[str, Planned | None], slos: Iterable[SLO], findings: Findings
) -> None:
    """A warning for each exclusion of the file that is for no SLO."""
    known = list(slos)
    for name, plan in plans.items():
        if plan is not None and not any(plan.may_cover(slo) for slo in known):
            wanted = next((m.value for m in plan.where if m.label == "slo"), "")
            hint = nearest(wanted, (s.name for s in known)) if wanted else ""
            findings.warning(("exclusion", name, "slos"), f"is for no SLO there is{hint}")


def _seconds(
    table: ExclusionTable, begin: datetime, zone: ZoneInfo | None, path: Path, findings: Findings
) -> float | None:
    if table.end is None:
        # One that is faulty was reported.
        if table.duration is None:
            return None
        seconds = float(table.duration)
        end = _moment(begin.timestamp() + seconds, zone, (*path, "duration"), findings)
        return None if end is None else seconds
    end = _moment(table.end, zone, (*path, "end"), findings)
    if end is None:
        return None
    # Not a difference of the two: of one zone it would be one of their wall clocks.
    seconds = end.timestamp() - begin.timestamp()
    if seconds <= 0:
        findings.error((*path, "end"), "must be after 'start'")
        return None
    return seconds


def _moment(
    raw: object, zone: ZoneInfo | None, path: Path, findings: Findings, *, quiet: bool = False
) -> datetime | None:
    try:
        return parse_moment(raw, zone)
    except ValueError as error:
        if not quiet:
            findings.error(path, str(error))
        return None


def _try(parse: Any, text: str | None, path: Path, findings: Findings) -> Any:
    try:
        return None if text is None else parse(text)
    except ValueError as error:
        findings.error(path, str(error))
        return None


def _happens(plan: Planned, path: Path, findings: Findings) -> bool:
    """Whether the rule ever holds, and not too often."""
    if plan.rule is None or plan.first is None or plan.zone is None:
        return True
    try:
        when = next(starts(plan.rule, plan.first, plan.zone, 0), None)
    except (ValueError, OverflowError) as error:
        findings.error(path, str(error))
        return False
    if when is None:
        findings.error(path, "never happens from 'start' on")
    return when is not None


def _document(table: ExclusionTable, start: datetime, seconds: float) -> dict[str, Any]:
    end = datetime.fromtimestamp(start.timestamp() + seconds, start.tzinfo)
    slos: Any = table.slos if isinstance(table.slos, str) else list(table.slos)
    return {
        "slos": slos,
        "start": start.isoformat(),
        "end": end.isoformat(),
        "rrule": table.rrule,
        "timezone": table.timezone,
        "reason": table.reason,
        "owner": table.owner,
    }
