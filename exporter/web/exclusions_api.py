"""`/api/slo/v1/exclusions`: time that does not count, listed, made, taken back, and the record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from exporter.config.moments import rfc3339
from exporter.core.exclusion import Span
from exporter.web.api import (
    Part,
    answer,
    by_whom,
    changes,
    limit,
    read_object,
    reading,
    refusing,
    who_and_why,
)
from exporter.web.exclusions_openapi import PATH, PATHS, SCHEMAS


@dataclass(frozen=True, slots=True)
class Entry:
    """One exclusion and what it comes to now.

    `origin`: `config`, whose id is the table's name, or `api`. `document` is what was asked for.
    `last`: the newest span that has begun. `covers`: each SLO it is for, and how many seconds of
    that SLO's period it excludes by now. `quarantined`: why it is not applied; empty where it is.
    """

    id: str
    origin: str
    document: Mapping[str, Any]
    by: str
    at: float
    last: Span | None
    next: Span | None
    active: bool
    covers: Sequence[tuple[str, float]]
    quarantined: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the audit record; `document` as it was then. `unreadable`: damaged on disk."""

    number: int
    at: float = 0.0
    by: str = ""
    action: str = "unreadable"
    origin: str = ""
    id: str = ""
    why: str = ""
    document: Mapping[str, Any] | None = None


class Exclusions(Protocol):
    """Whoever keeps them."""

    async def listed(self) -> Sequence[Entry]:
        """All of them, those of the configuration first."""
        ...

    async def add(self, raw: Mapping[str, Any], by: str) -> Entry:
        """Make one; `ConfigError` when it cannot be, `StateError` when it cannot be kept."""
        ...

    async def remove(self, ident: str, by: str, why: str) -> None:
        """Take one back; `NotFound` when there is none, otherwise as `add`."""
        ...

    async def records(self, most: int) -> Sequence[Record]:
        """The audit record, newest first; `StateError` when it cannot be read."""
        ...


def part(exclusions: Exclusions) -> Part:
    """The endpoints and their description."""
    to = _Endpoints(exclusions)
    routes = (
        web.get(PATH, to.list_all),
        web.post(PATH, changes(to.add)),
        web.get(f"{PATH}/audit", to.audit),
        web.delete(f"{PATH}/{{ident}}", changes(to.remove)),
    )
    return Part(routes, PATHS, SCHEMAS)


class _Endpoints:
    def __init__(self, exclusions: Exclusions) -> None:
        self._exclusions = exclusions

    async def list_all(self, request: web.Request) -> web.Response:
        return answer({"exclusions": [_entry(entry) for entry in await self._exclusions.listed()]})

    async def add(self, request: web.Request) -> web.Response:
        raw = await read_object(request)
        by = by_whom(raw, "owner")
        with refusing():
            return answer(_entry(await self._exclusions.add(raw, by)), 201)

    async def remove(self, request: web.Request) -> web.Response:
        ident = request.match_info["ident"]
        by, why = who_and_why(request)
        with refusing(f"there is no exclusion {ident!r}; see {PATH}", wrong=409):
            await self._exclusions.remove(ident, by, why)
        return web.Response(status=204)

    async def audit(self, request: web.Request) -> web.Response:
        most = limit(request)
        with reading():
            found = await self._exclusions.records(most)
        return answer({"records": [_record(record) for record in found]})


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "origin": entry.origin,
        **entry.document,
        "by": entry.by,
        "at": rfc3339(entry.at),
        "last": _span(entry.last),
        "next": _span(entry.next),
        "active": entry.active,
        "quarantined": entry.quarantined or None,
        "covers": [
            {"slo": slo, "excluded_seconds": round(seconds, 3)} for slo, seconds in entry.covers
        ],
    }


def _record(record: Record) -> dict[str, Any]:
    return {
        "number": record.number,
        "at": rfc3339(record.at),
        "by": record.by,
        "action": record.action,
        "origin": record.origin,
        "id": record.id,
        "why": record.why,
        "exclusion": record.document,
    }


def _span(span: Span | None) -> dict[str, str] | None:
    return None if span is None else {"start": rfc3339(span[0]), "end": rfc3339(span[1])}
