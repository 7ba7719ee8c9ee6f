"""The OpenAPI document of slod's own API, put together from what its parts say of themselves.

Source: OpenAPI Specification 3.1.0.
"""

from __future__ import annotations

from typing import Any

from aiohttp import web

from exporter import __version__
from exporter.web.api import JSON, ROOT, Part, answer

PATH = f"{ROOT}/openapi.json"


def routes(*parts: Part) -> list[web.AbstractRouteDef]:
    """The routes of all parts, and that of the document."""

    async def document(request: web.Request) -> web.Response:
        del request
        return answer(assemble(*parts))

    return [*(route for part in parts for route in part.routes), web.get(PATH, document)]


def assemble(*parts: Part) -> dict[str, Any]:
    """The document. Whatever is refused is refused alike, so that stands here once."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Error": _ERROR}
    for part in parts:
        for path, item in part.paths.items():
            paths[path] = {method: _with_errors(does) for method, does in item.items()}
        schemas.update(part.schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "slod", "version": __version__, "license": _LICENSE},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _with_errors(does: dict[str, Any]) -> dict[str, Any]:
    refused = {
        "description": "Refused; the error says why in one line.",
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    return {**does, "responses": {"default": refused, **does["responses"]}}


_LICENSE = {"name": "Apache-2.0", "identifier": "Apache-2.0"}
_ERROR = {
    "type": "object",
    "properties": {"error": {"type": "string"}},
    "required": ["error"],
}
