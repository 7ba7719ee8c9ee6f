"""`/api/slo/v1/removed`: ledgers of SLOs that are gone from the configuration or were edited."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web

from exporter.config.moments import rfc3339
from exporter.web.api import ROOT, Part, Refusal, answer, changes, reading
from exporter.web.schemas import MOMENT, answers, list_of, maybe, object_, text

PATH = f"{ROOT}/removed"
ONE = f"{PATH}/{{slo}}"


@dataclass(frozen=True, slots=True)
class RemovedLedger:
    """A ledger that is kept: since when it is not used and until when it is kept, in unix seconds,
    the events in it (None where it cannot be read), and its size in bytes. `reason`: `removed` or
    `edited`."""

    slo: str
    reason: str
    since: float
    until: float
    good: float | None
    bad: float | None
    bytes: int


class Ledgers(Protocol):
    """What the endpoints need of the kept ledgers."""

    async def listed(self) -> Sequence[RemovedLedger]:
        """All ledgers that are kept; `StateError` when they cannot be read."""
        ...

    def drop(self, slo: str) -> int:
        """Drop those of one SLO; how many there were."""
        ...


def part(ledgers: Ledgers) -> Part:
    """The endpoints and their description."""

    async def listed(_: web.Request) -> web.Response:
        with reading():
            kept = await ledgers.listed()
        return answer({"removed": [_plain(one) for one in kept]})

    async def drop(request: web.Request) -> web.Response:
        slo = request.match_info["slo"]
        if not ledgers.drop(slo):
            raise Refusal(404, f"no ledger of {slo!r} is put away; see {PATH}")
        return web.Response(status=204)

    routes = (web.get(PATH, listed), web.delete(ONE, changes(drop)))
    return Part(routes, _PATHS, _SCHEMAS)


def _plain(one: RemovedLedger) -> dict[str, Any]:
    return {
        "slo": one.slo,
        "reason": one.reason,
        "since": rfc3339(one.since),
        "until": rfc3339(one.until),
        "good": one.good,
        "bad": one.bad,
        "bytes": one.bytes,
    }


_NUMBER = maybe({"type": "number"})
_SCHEMAS = {
    "RemovedLedger": object_(
        ("slo", "reason", "since", "until", "good", "bad", "bytes"),
        slo={"type": "string"},
        reason=text("Why it is not used.", enum=["removed", "edited"]),
        since=MOMENT,
        until={**MOMENT, "description": "When it is dropped; it comes back until then."},
        good=_NUMBER,
        bad=_NUMBER,
        bytes={"type": "integer"},
    )
}
_PATHS = {
    PATH: {
        "get": {
            "summary": "Ledgers of SLOs that are gone from the configuration or were edited.",
            "responses": {
                "200": answers(
                    "The newest first.", object_(("removed",), removed=list_of("RemovedLedger"))
                )
            },
        }
    },
    ONE: {
        "delete": {
            "summary": "Drop the ledgers of one SLO that are put away; the one in use stays.",
            "parameters": [
                {"name": "slo", "in": "path", "required": True, "schema": {"type": "string"}}
            ],
            "responses": {
                "204": {"description": "Dropped."},
                "404": {"description": "None is put away."},
            },
        }
    },
}
