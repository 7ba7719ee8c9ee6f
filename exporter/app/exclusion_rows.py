"""What is written down of an exclusion, and of what was done to it: JSON, for people too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from exporter.config.exclusions import Planned, read_exclusion
from exporter.config.findings import Findings
from exporter.web.exclusions_api import Record

_encode = msgspec.json.Encoder(order="sorted").encode
_SHOWN, _MAYBE = ("slos", "start", "end", "reason"), ("rrule", "timezone", "owner")
_UNREADABLE = (msgspec.MsgspecError, AttributeError, KeyError, TypeError, ValueError)


@dataclass(frozen=True, slots=True)
class Kept:
    """An exclusion, and who made it when."""

    plan: Planned
    by: str
    at: float


def packed(kept: Kept) -> bytes:
    """An exclusion as it is kept."""
    return _encode({"exclusion": kept.plan.document, "by": kept.by, "at": kept.at})


@dataclass(frozen=True, slots=True)
class Refused:
    """A document that was written whole and cannot be applied; `reason` in one line."""

    document: Mapping[str, Any]
    by: str
    at: float
    reason: str


def unpacked(body: bytes | None, ident: str) -> Kept | Refused | None:
    """Read what `packed` wrote; None when it is damaged."""
    try:
        found = msgspec.json.decode(body or b"")
        by, at = str(found["by"]), float(found["at"])
        document = {key: value for key, value in found["exclusion"].items() if value is not None}
    except _UNREADABLE:
        return None
    findings = Findings("")
    plan = read_exclusion((), document, findings)
    if plan is not None:
        return Kept(replace(plan, name=ident), by, at)
    shown = {key: str(document.get(key, "")) for key in _SHOWN}
    slos = document.get("slos")
    if isinstance(slos, list):
        shown["slos"] = ", ".join(map(str, slos))
    rest = {key: document.get(key) and str(document[key]) for key in _MAYBE}
    return Refused({**shown, **rest}, by, at, str(findings.errors[0]))


def record(
    action: str,
    origin: str,
    ident: str,
    document: Mapping[str, Any],
    by: str,
    at: float,
    why: str,
) -> bytes:
    """One line of the audit record."""
    said = {"action": action, "origin": origin, "id": ident, "by": by, "at": at, "why": why}
    return _encode({**said, "document": document})


def read_record(number: int, body: bytes | None) -> Record:
    """The same back; it says so when it cannot be read."""
    try:
        return Record(number=number, **msgspec.json.decode(body or b""))
    except _UNREADABLE:
        return Record(number)
