"""Small pieces of JSON Schema and OpenAPI, for the descriptions of the API's parts.

Source: OpenAPI Specification 3.1.0.
"""

from __future__ import annotations

from typing import Any

from exporter.web.api import JSON

SCHEMA_REF = "#/components/schemas/"


def object_(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    """An object with these properties."""
    return {"type": "object", "properties": properties, "required": list(required)}


def text(description: str, **more: Any) -> dict[str, Any]:
    """A string."""
    return {"type": "string", "description": description, **more}


def maybe(schema: dict[str, Any]) -> dict[str, Any]:
    """This, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def list_of(name: str) -> dict[str, Any]:
    """A list of what a schema of this name says."""
    return {"type": "array", "items": {"$ref": SCHEMA_REF + name}}


def answers(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A response with a JSON body."""
    return {"description": description, "content": {JSON: {"schema": schema}}}


def query(name: str, description: str, **more: Any) -> dict[str, Any]:
    """A parameter of the query."""
    return {"name": name, "in": "query", "description": description, **more}


MOMENT = text("RFC 3339", format="date-time")
LIMIT = query("limit", "At most so many; 100 unless told.", schema={"type": "integer"})
BY = query("by", "Who; with basic auth, the user.", schema={"type": "string"})
WHY = query("why", "Why.", required=True, schema={"type": "string"})
