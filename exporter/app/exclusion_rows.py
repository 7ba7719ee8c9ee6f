"""What is written down of an exclusion, and of what was done to it: JSON, for people too."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from exporter.config.exclusions import Planned, read_exclusion
from exporter.config.findings import Findings
from exporter.web.exclusions_api import Record

_encode = msgspec.json.Encoder(order="sorted").encode
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


def unpacked(body: bytes | None, ident: str) -> Kept | None:
    """The same back; None when it cannot be read."""
    try:
        found = msgspec.json.decode(body or b"")
        document = {key: value for key, value in found["exclusion"].items() if value is not None}
        plan = read_exclusion((ident,), document, Findings(""))
        return None if plan is None else Kept(plan, str(found["by"]), float(found["at"]))
    except _UNREADABLE:
        return None


def record(action: str, origin: str, ident: str, kept: Kept, by: str, at: float, why: str) -> bytes:
    """One line of the audit record."""
    document = kept.plan.document
    said = {"action": action, "origin": origin, "id": ident, "by": by, "at": at, "why": why}
    return _encode({**said, "document": document})


def read_record(number: int, body: bytes | None) -> Record:
    """The same back; it says so when it cannot be read."""
    try:
        return Record(number=number, **msgspec.json.decode(body or b""))
    except _UNREADABLE:
        return Record(number)
