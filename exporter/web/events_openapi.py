"""What the OpenAPI document says of `/api/slo/v1/events`."""

from __future__ import annotations

from exporter.web.api import JSON, ROOT
from exporter.web.schemas import (
    BY,
    LIMIT,
    MOMENT,
    SCHEMA_REF,
    WHY,
    answers,
    list_of,
    maybe,
    object_,
    query,
    text,
)

PATH = f"{ROOT}/events"
_NUMBER = {"type": "number"}
_NAMES = {"type": "array", "items": {"type": "string"}}
_IDENT = {"name": "ident", "in": "path", "required": True, "schema": {"type": "string"}}
_EVENT = {"$ref": SCHEMA_REF + "Event"}
_TIME = {"description": "RFC 3339 or unix seconds.", "type": ["string", "number"]}
_KIND = text("deploy, incident, config_change, feature_flag, or another word.")

SCHEMAS = {
    "NewEvent": object_(
        ("kind",),
        kind=_KIND,
        name=text("What people call it: a version, a ticket. The kind, unless told."),
        service=text("The service it is for; or else give slos."),
        slos=_NAMES,
        start={**_TIME, "description": "Now, unless told."},
        end=_TIME,
        link={"type": "string"},
        by=text("Who says so; with basic auth, the user."),
        id=text("The same id twice makes one event; a header Idempotency-Key does the same."),
    ),
    "EventEnd": object_((), by={"type": "string"}, end={**_TIME, "description": "Now."}),
    "EventCost": object_(
        ("slo", "instance", "bad", "total", "budget_share", "budget_seconds"),
        slo={"type": "string"},
        instance=text("The SLO with its group."),
        bad=_NUMBER,
        total=_NUMBER,
        budget_share={**maybe(_NUMBER), "description": "Of the period's budget."},
        budget_seconds={**maybe(_NUMBER), "description": "The same share of the period."},
        budget_share_above_before={
            **maybe(_NUMBER),
            "description": "What is above the burn before it.",
        },
    ),
    "EventBlame": object_(
        ("slo", "instance", "at", "p", "burn_rate_before", "burn_rate_after", "budget_share"),
        slo={"type": "string"},
        instance={"type": "string"},
        at=MOMENT,
        p={**_NUMBER, "description": "Of a one-sided test of two proportions."},
        burn_rate_before=_NUMBER,
        burn_rate_after=_NUMBER,
        budget_share=_NUMBER,
    ),
    "Event": object_(
        ("id", "origin", "kind", "name", "start", "end", "effect_until", "spent", "blamed"),
        id={"type": "string"},
        origin=text("`api`, or the name of the table that found it."),
        kind=_KIND,
        name={"type": "string"},
        service={"type": "string"},
        slos=_NAMES,
        start=MOMENT,
        end=maybe(MOMENT),
        effect_until=MOMENT,
        link={"type": "string"},
        by={"type": "string"},
        at=MOMENT,
        spent=list_of("EventCost"),
        blamed=list_of("EventBlame"),
    ),
}


def _body(name: str) -> dict[str, object]:
    return {"required": True, "content": {JSON: {"schema": {"$ref": SCHEMA_REF + name}}}}


PATHS = {
    PATH: {
        "get": {
            "operationId": "listEvents",
            "summary": "Events, newest first, and what each spent",
            "parameters": [
                query("start", "30 days before the end unless told.", schema=_TIME),
                query("end", "Now unless told.", schema=_TIME),
                query("kind", "Of this kind only.", schema={"type": "string"}),
                query("service", "Of this service only.", schema={"type": "string"}),
                LIMIT,
            ],
            "responses": {
                "200": answers(
                    "The events. `more`: further ones were left out.",
                    object_(("events", "more"), events=list_of("Event"), more={"type": "boolean"}),
                )
            },
        },
        "post": {
            "operationId": "addEvent",
            "summary": "Say that something happened",
            "requestBody": _body("NewEvent"),
            "responses": {
                "201": answers("Made.", _EVENT),
                "200": answers("It was there already.", _EVENT),
            },
        },
    },
    f"{PATH}/audit": {
        "get": {
            "operationId": "eventRecords",
            "summary": "What was done to events, by whom, when and why; newest first",
            "parameters": [LIMIT],
            "responses": {
                "200": answers(
                    "The records.",
                    object_(("records",), records={"type": "array", "items": {"type": "object"}}),
                )
            },
        }
    },
    f"{PATH}/{{ident}}/end": {
        "post": {
            "operationId": "endEvent",
            "summary": "Say when it was over",
            "parameters": [_IDENT],
            "requestBody": _body("EventEnd"),
            "responses": {"200": answers("Ended.", _EVENT)},
        }
    },
    f"{PATH}/{{ident}}": {
        "delete": {
            "operationId": "removeEvent",
            "summary": "Take an event back",
            "parameters": [_IDENT, BY, WHY],
            "responses": {"204": {"description": "Taken back."}},
        }
    },
}
