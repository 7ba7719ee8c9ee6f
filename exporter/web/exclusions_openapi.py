"""What the OpenAPI document says of `/api/slo/v1/exclusions`."""

from __future__ import annotations

from typing import Any

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
    text,
)

PATH = f"{ROOT}/exclusions"


_SPAN = object_(("start", "end"), start=MOMENT, end=MOMENT)
_WHAT: dict[str, Any] = {
    "slos": {
        "description": 'Label matchers like {service="checkout"}, a name, or names of SLOs.',
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    },
    "rrule": maybe(text("A recurrence rule of RFC 5545; it needs a timezone.")),
    "timezone": maybe(text("The zone of times without an offset, and of the rule.")),
    "reason": text("Why this time does not count."),
    "owner": maybe(text("Whose it is.")),
}
_TIME = {
    "description": "RFC 3339, a local time of the timezone, or unix seconds.",
    "type": ["string", "number"],
}

SCHEMAS = {
    "NewExclusion": object_(
        ("slos", "start", "reason"),
        **_WHAT,
        start=_TIME,
        end=_TIME,
        duration=text("A Prometheus duration like 2h, in place of end."),
    ),
    "Exclusion": object_(
        ("id", "origin", "slos", "start", "end", "reason", "covers"),
        **_WHAT,
        id=text("The table's name in the configuration, or made by slod."),
        origin=text("Where it was made.", enum=["config", "api"]),
        start=MOMENT,
        end=MOMENT,
        by=text("Who made it."),
        at=MOMENT,
        last={**maybe(_SPAN), "description": "The newest span that has begun."},
        next={**maybe(_SPAN), "description": "The span that begins next."},
        active={"type": "boolean"},
        quarantined=maybe(text("Why this version cannot apply it; its time counts.")),
        covers={
            "description": "The SLOs it is for, and how much of their periods it excludes by now.",
            "type": "array",
            "items": object_(
                ("slo", "excluded_seconds"),
                slo={"type": "string"},
                excluded_seconds={"type": "number"},
            ),
        },
    ),
    "ExclusionRecord": object_(
        ("number", "at", "by", "action"),
        number={"type": "integer"},
        at=MOMENT,
        by=text("Who did it; `config` for the configuration."),
        action=text("What was done.", enum=["added", "changed", "removed", "unreadable"]),
        origin={"type": "string"},
        id={"type": "string"},
        why={"type": "string"},
        exclusion={"description": "The exclusion as it was then.", "type": ["object", "null"]},
    ),
}

PATHS = {
    PATH: {
        "get": {
            "operationId": "listExclusions",
            "summary": "All exclusions, those of the configuration first",
            "responses": {
                "200": answers(
                    "The exclusions.", object_(("exclusions",), exclusions=list_of("Exclusion"))
                )
            },
        },
        "post": {
            "operationId": "addExclusion",
            "summary": "Leave time out of budgets, also time that is past",
            "requestBody": {
                "required": True,
                "content": {JSON: {"schema": {"$ref": SCHEMA_REF + "NewExclusion"}}},
            },
            "responses": {"201": answers("Made.", {"$ref": SCHEMA_REF + "Exclusion"})},
        },
    },
    f"{PATH}/audit": {
        "get": {
            "operationId": "exclusionRecords",
            "summary": "What was done to exclusions, by whom, when and why; newest first",
            "parameters": [LIMIT],
            "responses": {
                "200": answers(
                    "The records.", object_(("records",), records=list_of("ExclusionRecord"))
                )
            },
        }
    },
    f"{PATH}/{{ident}}": {
        "delete": {
            "operationId": "removeExclusion",
            "summary": "Take an exclusion back that was made at run time; its time counts again",
            "parameters": [
                {"name": "ident", "in": "path", "required": True, "schema": {"type": "string"}},
                BY,
                WHY,
            ],
            "responses": {"204": {"description": "Taken back."}},
        }
    },
}
