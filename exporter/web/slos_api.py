"""`/api/slo/v1/slos`: what is known of every SLO now, and of one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Protocol

import msgspec
from aiohttp import web

from exporter.config.moments import rfc3339
from exporter.core.slo import SLO
from exporter.core.status import Snapshot
from exporter.web.api import ROOT, Part, Refusal, answer
from exporter.web.schemas import MOMENT, SCHEMA_REF, answers, list_of, object_, query
from exporter.web.slos_api_said import SLOSaid, said

PATH = f"{ROOT}/slos"
ONE = f"{PATH}/{{name}}"
_AT_ONCE = 100
"""So many instances are put into words before others may run."""


class Numbers(Protocol):
    """Whoever knows them."""

    def snapshot(self) -> Snapshot:
        """The numbers of now."""
        ...

    def slos(self) -> Mapping[str, SLO]:
        """Every SLO by its name, also those that have no numbers yet."""
        ...


def part(numbers: Numbers) -> Part:
    """The endpoints and their description."""

    async def listed(request: web.Request) -> web.Response:
        service, state = request.query.get("service"), request.query.get("state")
        wanted = pairs(request, "label").items()

        def fits(one: SLOSaid) -> bool:
            return (
                (not service or one.service == service)
                and (not state or state in one.states)
                and wanted <= one.labels.items()
            )

        snapshot = numbers.snapshot()
        return _answer(snapshot, await _found(snapshot, numbers.slos(), fits))

    async def one(request: web.Request) -> web.Response:
        name, slos = request.match_info["name"], numbers.slos()
        group = pairs(request, "group")
        slo = slos.get(name)
        if slo is None:
            raise no_slo(name, slos)
        check_group(slo, group)
        snapshot = numbers.snapshot()
        of = await _found(snapshot, {name: slo}, lambda s: group.items() <= s.group.items())
        if not of:
            raise no_group(name, group)
        return _answer(snapshot, of)

    _, schemas = msgspec.json.schema_components([SLOSaid], ref_template=SCHEMA_REF + "{name}")
    return Part((web.get(PATH, listed), web.get(ONE, one)), _PATHS, schemas)


async def _found(
    snapshot: Snapshot, slos: Mapping[str, SLO], fits: Callable[[SLOSaid], bool]
) -> list[SLOSaid]:
    found: list[SLOSaid] = []
    for at, one in enumerate(said(snapshot, slos)):
        if fits(one):
            found.append(one)
        if at % _AT_ONCE == _AT_ONCE - 1:
            await asyncio.sleep(0)
    order = {name: at for at, name in enumerate(slos)}
    found.sort(key=lambda one: (order[one.slo], *one.group.values()))
    return found


def _answer(snapshot: Snapshot, found: Sequence[SLOSaid]) -> web.Response:
    body = {"now": rfc3339(snapshot.now), "slos": found}
    return answer(body, headers={"Cache-Control": "no-store"})


def pairs(request: web.Request, key: str) -> dict[str, str]:
    """What a parameter that may be repeated says: `?label=team=payments&label=tier=1`."""
    found: dict[str, str] = {}
    for text in request.query.getall(key, []):
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise Refusal(400, f"{key}: {text!r} is not name=value, like ?{key}=team=payments")
        if found.get(name, value) != value:
            raise Refusal(400, f"{key}: {name!r} cannot be {found[name]!r} and {value!r}")
        found[name] = value
    return found


def no_slo(name: str, names: Iterable[str]) -> Refusal:
    """There is none of this name."""
    near = get_close_matches(name, list(names), 1)
    hint = f"did you mean {near[0]!r}?" if near else f"see {PATH}"
    return Refusal(404, f"there is no SLO {name!r}; {hint}")


def no_group(name: str, group: Mapping[str, str]) -> Refusal:
    """No group of it has these labels."""
    wanted = ",".join(f"{label}={value}" for label, value in group.items())
    return Refusal(404, f"SLO {name!r} has no group {wanted}; see {PATH}/{name}")


def check_group(slo: SLO, group: Mapping[str, str]) -> None:
    """Refuse labels that its groups do not have."""
    for name in group:
        if name not in slo.group_by:
            has = f"is grouped by {', '.join(slo.group_by)}" if slo.group_by else "has no groups"
            raise Refusal(400, f"group: SLO {slo.name!r} {has}, not {name!r}")


def _several(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "array", "items": {"type": "string"}}
    return query(name, description, schema=schema, style="form", explode=True)


NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The name of the SLO.",
    "schema": {"type": "string"},
}
GROUP = _several("group", "label=value; only groups with it. May be repeated.")
_LISTED = {
    "200": answers(
        "The instances.", object_(("now", "slos"), now=MOMENT, slos=list_of(SLOSaid.__name__))
    )
}
_FILTERS: Sequence[dict[str, Any]] = (
    query("service", "Only SLOs of this service.", schema={"type": "string"}),
    _several("label", "name=value; only SLOs with this label. May be repeated."),
    query(
        "state",
        "Only SLOs in this state of their budget policy, whose alerts are `firing`, or whose "
        "numbers are `unknown`.",
        schema={"type": "string"},
    ),
)
_PATHS = {
    PATH: {
        "get": {
            "operationId": "listSLOs",
            "summary": "What is known of every SLO now",
            "parameters": list(_FILTERS),
            "responses": _LISTED,
        }
    },
    ONE: {
        "get": {
            "operationId": "getSLO",
            "summary": "What is known of one SLO now, one entry for each of its groups",
            "parameters": [NAME, GROUP],
            "responses": _LISTED,
        }
    },
}
