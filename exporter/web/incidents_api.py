"""`/api/slo/v1/slos/{name}/incidents`: the incidents of an SLO, the same ones as everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
from aiohttp import web

from exporter.config.moments import rfc3339
from exporter.core.slo import SLO
from exporter.web.api import Part, Refusal, answer
from exporter.web.history_api_span import read_moment
from exporter.web.schemas import MOMENT, SCHEMA_REF, answers, list_of, object_, query
from exporter.web.slos_api import GROUP, NAME, ONE, check_group, no_group, no_slo, pairs

PATH = f"{ONE}/incidents"


class IncidentSaid(msgspec.Struct, frozen=True):
    """A burst of errors of one SLO instance. `end`: of the errors so far, while it is `ongoing`.
    `bad` and `total` are whole events. `budget_share`: what it cost of the budget of the period up
    to its end. `seconds`: how long it lasted. `before_slod`: it began before slod watched."""

    group: dict[str, str]
    start: str
    end: str
    ongoing: bool
    bad: int
    total: int
    budget_share: float
    seconds: float
    before_slod: bool


class Incidents(Protocol):
    """Whoever knows them."""

    def now(self) -> float:
        """The time, in unix seconds."""
        ...

    def slos(self) -> Mapping[str, SLO]:
        """Every SLO by its name."""
        ...

    def instances(self, name: str, group: Mapping[str, str]) -> int:
        """How many instances of an SLO have these labels in their group."""
        ...

    async def incidents(
        self, name: str, group: Mapping[str, str], start: float, end: float
    ) -> list[IncidentSaid]:
        """Those that went on at some time from `start` to `end`, by instance in ascending time."""
        ...


def part(known: Incidents) -> Part:
    """The endpoint and its description."""

    async def incidents(request: web.Request) -> web.Response:
        name, slos, now = request.match_info["name"], known.slos(), known.now()
        slo = slos.get(name)
        if slo is None:
            raise no_slo(name, slos)
        group = pairs(request, "group")
        check_group(slo, group)
        if group and not known.instances(name, group):
            raise no_group(name, group)
        try:
            end = read_moment(request.query, "end", now, now)
            start = read_moment(request.query, "start", now, slo.period.start(end))
        except ValueError as error:
            raise Refusal(400, str(error)) from None
        if end < start:
            raise Refusal(400, f"end: {rfc3339(end)} is before the start, {rfc3339(start)}")
        said = {
            "slo": name,
            "start": rfc3339(start),
            "end": rfc3339(end),
            "incidents": await known.incidents(name, group, start, end),
        }
        return answer(said, headers={"Cache-Control": "no-store"})

    _, schemas = msgspec.json.schema_components([IncidentSaid], ref_template=SCHEMA_REF + "{name}")
    return Part((web.get(PATH, incidents),), _PATHS, schemas)


_TEXT = {"type": "string"}
_MOMENT = "RFC 3339, unix seconds, now, or -2h"
_PATHS: dict[str, Any] = {
    PATH: {
        "get": {
            "operationId": "incidentsOfSLO",
            "summary": "The incidents of an SLO",
            "parameters": [
                NAME,
                GROUP,
                query("start", f"{_MOMENT}; the period's begin unless told.", schema=_TEXT),
                query("end", f"{_MOMENT}; now unless told.", schema=_TEXT),
            ],
            "responses": {
                "200": answers(
                    "The incidents.",
                    object_(
                        ("slo", "start", "end", "incidents"),
                        slo=_TEXT,
                        start=MOMENT,
                        end=MOMENT,
                        incidents=list_of(IncidentSaid.__name__),
                    ),
                )
            },
        }
    }
}
