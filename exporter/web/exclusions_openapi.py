"""What the OpenAPI document says of `/api/slo/v1/exclusions`."""

from __future__ import annotations

from typing import Any

from exporter.web.api import JSON, ROOT

PATH = f"{ROOT}/exclusions"
_SCHEMAS = "#/components/schemas/"


def _object(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


def _text(description: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": description, **more}


def _maybe(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


def _list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "items": {"$ref": _SCHEMAS + name}}


def _answers(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _query(name: str, description: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, **more}


_MOMENT = _text("RFC 3339", format="date-time")
_SPAN = _object(("start", "end"), start=_MOMENT, end=_MOMENT)
_WHAT: dict[str, Any] = {
    "slos": {
        "description": 'Label matchers like {service="checkout"}, a name, or names of SLOs.',
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    },
    "rrule": _maybe(_text("A recurrence rule of RFC 5545; it needs a timezone.")),
    "timezone": _maybe(_text("The zone of times without an offset, and of the rule.")),
    "reason": _text("Why this time does not count."),
    "owner": _maybe(_text("Whose it is.")),
}
_TIME = {
    "description": "RFC 3339, a local time of the timezone, or unix seconds.",
    "type": ["string", "number"],
}

SCHEMAS = {
    "NewExclusion": _object(
        ("slos", "start", "reason"),
        **_WHAT,
        start=_TIME,
        end=_TIME,
        duration=_text("A Prometheus duration like 2h, in place of end."),
    ),
    "Exclusion": _object(
        ("id", "origin", "slos", "start", "end", "reason", "covers"),
        **_WHAT,
        id=_text("The table's name in the configuration, or made by slod."),
        origin=_text("Where it was made.", enum=["config", "api"]),
        start=_MOMENT,
        end=_MOMENT,
        by=_text("Who made it."),
        at=_MOMENT,
        last={**_maybe(_SPAN), "description": "The newest span that has begun."},
        next={**_maybe(_SPAN), "description": "The span that begins next."},
        active={"type": "boolean"},
        covers={
            "description": "The SLOs it is for, and how much of their periods it excludes by now.",
            "type": "array",
            "items": _object(
                ("slo", "excluded_seconds"),
                slo={"type": "string"},
                excluded_seconds={"type": "number"},
            ),
        },
    ),
    "ExclusionRecord": _object(
        ("number", "at", "by", "action"),
        number={"type": "integer"},
        at=_MOMENT,
        by=_text("Who did it; `config` for the configuration."),
        action=_text("What was done.", enum=["added", "changed", "removed", "unreadable"]),
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
                "200": _answers(
                    "The exclusions.", _object(("exclusions",), exclusions=_list_of("Exclusion"))
                )
            },
        },
        "post": {
            "operationId": "addExclusion",
            "summary": "Leave time out of budgets, also time that is past",
            "requestBody": {
                "required": True,
                "content": {JSON: {"schema": {"$ref": _SCHEMAS + "NewExclusion"}}},
            },
            "responses": {"201": _answers("Made.", {"$ref": _SCHEMAS + "Exclusion"})},
        },
    },
    f"{PATH}/audit": {
        "get": {
            "operationId": "exclusionRecords",
            "summary": "What was done to exclusions, by whom, when and why; newest first",
            "parameters": [
                _query("limit", "At most so many; 100 unless told.", schema={"type": "integer"})
            ],
            "responses": {
                "200": _answers(
                    "The records.", _object(("records",), records=_list_of("ExclusionRecord"))
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
                _query("by", "Who; with basic auth, the user.", schema={"type": "string"}),
                _query("why", "Why.", required=True, schema={"type": "string"}),
            ],
            "responses": {"204": {"description": "Taken back."}},
        }
    },
}
