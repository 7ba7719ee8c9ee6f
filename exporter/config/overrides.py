"""An override of a gate, as somebody asks for it."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from exporter.config.convert import Span, convert
from exporter.config.duration import format_duration
from exporter.config.findings import Findings, nearest
from exporter.config.moments import parse_moment
from exporter.config.texts import text_fault
from exporter.core.override import Verdict

LONGEST = 30 * 86_400.0
"""An override ends by itself; within so many seconds at the latest."""
_LONGEST_TEXT = 1000


class OverrideTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`for`: an SLO or a service. Exactly one of `duration` and `until`."""

    scope: str = msgspec.field(name="for")
    reason: str
    gate: Literal["open", "closed"] = "open"
    owner: str = ""
    duration: Span | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked for, read; `until` in unix seconds."""

    scope: str
    verdict: Verdict
    reason: str
    until: float


def read_override(raw: Mapping[str, Any], known: Collection[str], now: float) -> Asked:
    """`ConfigError` with all that is wrong with it; `known`: the SLOs and services there are."""
    findings = Findings("")
    table = convert(dict(raw), OverrideTable, (), findings)
    findings.raise_errors()
    assert table is not None  # or there were errors
    if table.scope not in known:
        findings.error(
            ("for",), f"there is no service or SLO {table.scope!r}{nearest(table.scope, known)}"
        )
    if fault := text_fault(table.reason.strip(), _LONGEST_TEXT):
        findings.error(("reason",), fault)
    until = _until(table, now, findings)
    findings.raise_errors()
    return Asked(table.scope, Verdict(table.gate), table.reason.strip(), until)


def _until(table: OverrideTable, now: float, findings: Findings) -> float:
    if (table.duration is None) == (table.until is None):
        findings.error((), "needs exactly one of 'duration' and 'until'")
        return now
    until = now + float(table.duration or 0.0)
    if table.until is not None:
        try:
            until = parse_moment(table.until, datetime.UTC).timestamp()
        except ValueError as error:
            findings.error(("until",), str(error))
            return now
    if not now < until <= now + LONGEST:
        findings.error((), f"must end within {format_duration(LONGEST)}, and not in the past")
    return until
