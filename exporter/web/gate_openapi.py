"""What the OpenAPI document says of `/api/slo/v1/gate` and `/api/slo/v1/overrides`."""

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

GATE = f"{ROOT}/gate/{{name}}"
OVERRIDES = f"{ROOT}/overrides"
_BOOLEAN = {"type": "boolean"}
_VERDICT = text("What the budget policies say.", enum=["open", "closed", "unknown"])
_OVERRIDE = {"$ref": SCHEMA_REF + "Override"}
_TEXTS = {"type": "array", "items": {"type": "string"}}

SCHEMAS = {
    "Override": object_(
        ("id", "for", "gate", "owner", "reason", "since", "until"),
        id={"type": "string"},
        **{"for": text("The SLO or service.")},
        gate=text("What the gate is made to say.", enum=["open", "closed"]),
        owner={"type": "string"},
        reason={"type": "string"},
        since=MOMENT,
        until=MOMENT,
    ),
    "NewOverride": object_(
        ("for", "reason"),
        **{"for": text("An SLO or a service.")},
        gate=text("open unless told", enum=["open", "closed"]),
        owner=text("Whose word it is; with basic auth, the user."),
        reason={"type": "string"},
        duration=text("A Prometheus duration like 2h."),
        until={**MOMENT, "description": "In place of duration."},
    ),
    "GateState": object_(
        ("state", "gate"),
        state={"type": "string"},
        gate=text("What this state makes of the gate.", enum=["open", "closed"]),
        since=maybe(MOMENT),
        due=maybe(MOMENT),
        action={"type": "string"},
        owner={"type": "string"},
        runbook_url={"type": "string"},
    ),
    "GateSLO": object_(
        ("slo", "verdict", "allow", "reason", "budget_remaining", "state", "states"),
        slo={"type": "string"},
        labels={"type": "object", "additionalProperties": {"type": "string"}},
        verdict=_VERDICT,
        allow=_BOOLEAN,
        reason={"type": "string"},
        budget_remaining=maybe({"type": "number"}),
        whole_budget_remaining={
            **maybe({"type": "number"}),
            "description": "Of the whole period's budget, at the pace seen; the policy goes by it.",
        },
        age={
            **maybe({"type": "number"}),
            "description": "Seconds of the period that have passed since its data begin.",
        },
        state=maybe(text("The budget policy's state.")),
        states=list_of("GateState"),
    ),
    "Gate": object_(
        ("name", "service", "verdict", "allow", "reason", "slos", "override"),
        name=text("What was asked for."),
        service={"type": "string"},
        verdict=_VERDICT,
        allow={**_BOOLEAN, "description": "The verdict, overrides heeded; unknown is not open."},
        reason={"type": "string"},
        reopens_at={**maybe(MOMENT), "description": "If nothing fails any more."},
        warnings={**_TEXTS, "description": "What else speaks against a deployment."},
        slos=list_of("GateSLO"),
        override=maybe(_OVERRIDE),
    ),
    "OverrideRecord": object_(
        ("number", "at", "by", "action", "why"),
        number={"type": "integer"},
        at=MOMENT,
        by={"type": "string"},
        action=text("What was done.", enum=["added", "removed", "unreadable"]),
        why={"type": "string"},
        override=maybe(_OVERRIDE),
    ),
}

_GATE = {"$ref": SCHEMA_REF + "Gate"}
_ASK = {
    "summary": "May I deploy?",
    "parameters": [
        {
            "name": "name",
            "in": "path",
            "required": True,
            "description": "A service or an SLO.",
            "schema": {"type": "string"},
        },
        query(
            "enforce",
            "1: answer 423 when it is closed and 503 when it is unknown.",
            schema={"type": "string"},
        ),
    ],
    "responses": {
        "200": answers("The verdict.", _GATE),
        "423": answers("Closed, with enforce=1.", _GATE),
        "503": answers("Unknown, with enforce=1.", _GATE),
    },
}
PATHS = {
    GATE: {
        "get": {"operationId": "gate", **_ASK},
        "post": {"operationId": "gateWebhook", **_ASK},
    },
    OVERRIDES: {
        "get": {
            "operationId": "listOverrides",
            "summary": "The overrides that are in force",
            "responses": {
                "200": answers(
                    "The overrides.", object_(("overrides",), overrides=list_of("Override"))
                )
            },
        },
        "post": {
            "operationId": "addOverride",
            "summary": "Open or close a gate whatever the policy says, for a while",
            "requestBody": {
                "required": True,
                "content": {JSON: {"schema": {"$ref": SCHEMA_REF + "NewOverride"}}},
            },
            "responses": {"201": answers("Made.", _OVERRIDE)},
        },
    },
    f"{OVERRIDES}/audit": {
        "get": {
            "operationId": "overrideRecords",
            "summary": "Who overrode which gate, when and why; newest first",
            "parameters": [LIMIT],
            "responses": {
                "200": answers(
                    "The records.", object_(("records",), records=list_of("OverrideRecord"))
                )
            },
        }
    },
    f"{OVERRIDES}/{{ident}}": {
        "delete": {
            "operationId": "removeOverride",
            "summary": "End an override before its time",
            "parameters": [
                {"name": "ident", "in": "path", "required": True, "schema": {"type": "string"}},
                BY,
                WHY,
            ],
            "responses": {"204": {"description": "Ended."}},
        }
    },
}
