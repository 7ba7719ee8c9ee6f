"""`/api/slo/v1/events`: what happened beside the numbers, and what each of it spent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiohttp import web

from exporter.config.moments import parse_moment, rfc3339
from exporter.core.timeline import Blame, Cost, Event
from exporter.headers import idempotency_key
from exporter.web.api import (
    Part,
    Refusal,
    answer,
    by_whom,
    changes,
    limit,
    read_object,
    reading,
    refusing,
    who_and_why,
)
from exporter.web.events_openapi import PATH, PATHS, SCHEMAS

_DAYS = 30 * 86_400.0
_MOST_ROWS = 20_000
"""So many costs, of an event to an SLO instance, are computed for one answer: less than a second.
Events beyond it are left out, and the answer says `more`."""
Span = tuple[float, float]


class Timeline(Protocol):
    """Whoever keeps them."""

    def now(self) -> float:
        """The time, in unix seconds."""
        ...

    def between(self, start: float, end: float) -> Sequence[tuple[Event, Span]]:
        """Those that matter between two moments, newest first, and from when to when they do."""
        ...

    async def costs(self, event: Event, start: float, end: float) -> Sequence[Cost]:
        """What one spent, by SLO instance."""
        ...

    async def add(self, raw: Mapping[str, Any], by: str, key: str | None) -> tuple[Event, bool]:
        """Make one, and whether it is new; `ConfigError` when it cannot be, `StateError` when it
        cannot be kept."""
        ...

    async def end(self, ident: str, raw: Any, by: str) -> Event:
        """Say when one was over; `NotFound` when there is none, otherwise as `add`."""
        ...

    async def remove(self, ident: str, by: str, why: str) -> None:
        """Take one back; as `end`."""
        ...

    async def records(self, most: int) -> Sequence[Mapping[str, Any]]:
        """The audit record, newest first."""
        ...


def part(timeline: Timeline) -> Part:
    """The endpoints and their description."""
    to = _Endpoints(timeline)
    routes = (
        web.get(PATH, to.listed),
        web.post(PATH, changes(to.add)),
        web.get(f"{PATH}/audit", to.audit),
        web.post(f"{PATH}/{{ident}}/end", changes(to.end)),
        web.delete(f"{PATH}/{{ident}}", changes(to.remove)),
    )
    return Part(routes, PATHS, SCHEMAS)


class _Endpoints:
    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline

    async def listed(self, request: web.Request) -> web.Response:
        query, now = request.query, self._timeline.now()
        end = _moment(query, "end", now)
        start = _moment(query, "start", end - _DAYS)
        most = limit(request)
        found = [
            (event, span)
            for event, span in self._timeline.between(start, end)
            if event.kind == query.get("kind", event.kind)
            and event.service == query.get("service", event.service)
        ]
        entries: list[dict[str, Any]] = []
        rows = 0
        for event, span in found[:most]:
            if rows >= _MOST_ROWS:
                break
            entry = await self._entry(event, *span)
            entries.append(entry)
            rows += len(entry["spent"])
            # Others have their turn between two events.
            await asyncio.sleep(0)
        return answer({"events": entries, "more": len(entries) < len(found)})

    async def add(self, request: web.Request) -> web.Response:
        raw = await read_object(request)
        by = by_whom(raw, "by", asked=False)
        with refusing():
            key = idempotency_key(request.headers)
            event, new = await self._timeline.add(raw, by, key)
        return answer(await self._whole(event), 201 if new else 200)

    async def end(self, request: web.Request) -> web.Response:
        raw = await read_object(request)
        by, ident = by_whom(raw, "by", asked=False), request.match_info["ident"]
        with refusing(f"there is no event {ident!r}; see {PATH}"):
            event = await self._timeline.end(ident, raw.get("end"), by)
        return answer(await self._whole(event))

    async def remove(self, request: web.Request) -> web.Response:
        ident = request.match_info["ident"]
        by, why = who_and_why(request)
        with refusing(f"there is no event {ident!r}; see {PATH}"):
            await self._timeline.remove(ident, by, why)
        return web.Response(status=204)

    async def audit(self, request: web.Request) -> web.Response:
        most = limit(request)
        with reading():
            found = await self._timeline.records(most)
        return answer({"records": found})

    async def _whole(self, event: Event) -> dict[str, Any]:
        every = self._timeline.between(event.start, event.start + 1)
        span = next((span for one, span in every if one.id == event.id), (event.start, event.start))
        return await self._entry(event, *span)

    async def _entry(self, event: Event, start: float, end: float) -> dict[str, Any]:
        costs = await self._timeline.costs(event, start, end)
        shares = {one.title: one.share for one in costs}
        return {
            "id": event.id,
            "origin": event.origin,
            "kind": event.kind,
            "name": event.name,
            "service": event.service,
            "slos": list(event.slos),
            "start": rfc3339(start),
            "end": None if event.end is None else rfc3339(event.end),
            "effect_until": rfc3339(end),
            "link": event.link,
            "by": event.by,
            "at": rfc3339(event.at),
            "spent": [_cost(one) for one in costs],
            "blamed": [_blame(one, shares.get(one.title, one.spent)) for one in event.blamed],
        }


def _cost(one: Cost) -> dict[str, Any]:
    return {
        "slo": one.slo,
        "instance": one.title,
        "bad": one.bad,
        "total": one.total,
        "budget_share": one.share,
        "budget_seconds": one.seconds,
        "budget_share_above_before": one.more,
    }


def _blame(one: Blame, share: float | None) -> dict[str, Any]:
    return {
        "slo": one.slo,
        "instance": one.title,
        "at": rfc3339(one.at),
        "p": one.p,
        "burn_rate_before": one.before,
        "burn_rate_after": one.after,
        "budget_share": share,
    }


def _moment(query: Mapping[str, str], name: str, default: float) -> float:
    text = query.get(name)
    if text is None:
        return default
    try:
        # Unix seconds are what Prometheus' API takes, too.
        return float(text)
    except ValueError:
        pass
    try:
        return parse_moment(text, None).timestamp()
    except ValueError as error:
        raise Refusal(400, f"{name}: {error}") from None
