"""`/api/slo/v1/slos/{name}/history`: the numbers of an SLO at many moments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec
from aiohttp import web

from exporter.config.moments import rfc3339
from exporter.core.slo import SLO, Window
from exporter.web.api import Part, Refusal, answer
from exporter.web.history_api_span import MOST, read_seconds, read_span
from exporter.web.schemas import (
    MOMENT,
    SCHEMA_REF,
    answers,
    list_of,
    maybe,
    object_,
    query,
    text,
)
from exporter.web.slos_api import GROUP, NAME, ONE, check_group, no_group, no_slo, pairs

PATH = f"{ONE}/history"
_PERIOD = "period"


class PointSaid(msgspec.Struct, frozen=True, array_like=True):
    """At `t` (unix seconds): the events in the window that ended then; ratios are null without
    events. `budget_remaining` is that of the objective's period, whatever the window."""

    t: float
    good: float
    bad: float
    sli: float | None
    burn_rate: float | None
    coverage: float
    budget_remaining: float | None


class TrackSaid(msgspec.Struct, frozen=True):
    """One SLO instance over time."""

    labels: dict[str, str]
    group: dict[str, str]
    points: list[PointSaid]


class Histories(Protocol):
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

    async def history(
        self, name: str, group: Mapping[str, str], window: float | None, moments: Sequence[float]
    ) -> list[TrackSaid]:
        """One track for each of them; `window` in seconds, None the objective's period."""
        ...


def part(histories: Histories) -> Part:
    """The endpoint and its description."""

    async def history(request: web.Request) -> web.Response:
        name, slos = request.match_info["name"], histories.slos()
        slo = slos.get(name)
        if slo is None:
            raise no_slo(name, slos)
        group = pairs(request, "group")
        check_group(slo, group)
        instances = histories.instances(name, group)
        if group and not instances:
            raise no_group(name, group)
        window = request.query.get("window", _PERIOD)
        try:
            seconds = None if window == _PERIOD else read_seconds(window, "window", "; or period")
            span = read_span(request.query, histories.now(), instances)
        except ValueError as error:
            raise Refusal(400, str(error)) from None
        found = await histories.history(name, group, seconds, span.moments())
        if seconds is None and isinstance(slo.period, Window):
            seconds = slo.period.seconds
        said = {
            "slo": name,
            "window": window,
            "seconds": seconds,
            "start": rfc3339(span.start),
            "end": rfc3339(span.end),
            "step": span.step,
            "columns": list(PointSaid.__struct_fields__),
            "instances": found,
        }
        return answer(said, headers={"Cache-Control": "no-store"})

    _, schemas = msgspec.json.schema_components([TrackSaid], ref_template=SCHEMA_REF + "{name}")
    return Part((web.get(PATH, history),), _PATHS, schemas)


_LISTS = ("columns", "instances")
_TEXT = {"type": "string"}
_MOMENT = "RFC 3339, unix seconds, now, or -2h"
_PATHS: dict[str, Any] = {
    PATH: {
        "get": {
            "operationId": "historyOfSLO",
            "summary": "The numbers of an SLO at many moments",
            "parameters": [
                NAME,
                GROUP,
                query("window", "A duration like 1h, or period (the default).", schema=_TEXT),
                query("start", f"{_MOMENT}; a day before the end unless told.", schema=_TEXT),
                query("end", f"{_MOMENT}; now unless told.", schema=_TEXT),
                query(
                    "step",
                    f"A duration or seconds; about 240 points unless told, {MOST:,} are the most.",
                    schema=_TEXT,
                ),
            ],
            "responses": {
                "200": answers(
                    "One track for each instance.",
                    object_(
                        ("slo", "window", "seconds", "start", "end", "step", *_LISTS),
                        slo=_TEXT,
                        window=text("As it was asked for."),
                        seconds=maybe({"type": "number"}),
                        start=MOMENT,
                        end=MOMENT,
                        step={"type": "number"},
                        columns={"type": "array", "items": _TEXT},
                        instances=list_of(TrackSaid.__name__),
                    ),
                )
            },
        }
    }
}
