"""`GET /api/slo/v1/slos/{name}/explain`: how an SLO's numbers came to be, as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Protocol

import msgspec
from aiohttp import web

from exporter.config.duration import parse_duration
from exporter.core.explained import Explanation
from exporter.errors import NotFound
from exporter.web.api import JSON, ROOT, Part, Refusal, answer

PATH = f"{ROOT}/slos/{{name}}/explain"
_REF = "#/components/schemas/"
_LONGEST = 366 * 86_400.0


class Explains(Protocol):
    """Whoever can explain; `NotFound` when there is no such SLO."""

    async def explain(
        self, name: str, group: dict[str, str], window: float | None
    ) -> list[Explanation]:
        """One explanation for each instance; `window` in seconds, None the usual, 0 no peers."""
        ...

    def names(self) -> list[str]:
        """Every SLO there is."""
        ...


def part(explains: Explains) -> Part:
    """The endpoint and its description."""

    async def explain(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        try:
            window = _window(request.query.get("window"))
            group = dict(_pair(text) for text in request.query.getall("group", []))
        except ValueError as error:
            raise Refusal(400, str(error)) from None
        try:
            found = await explains.explain(name, group, window)
        except NotFound:
            near = _nearest(name, explains.names())
            raise Refusal(404, f"there is no SLO {name!r}{near}") from None
        if group and not found:
            wanted = ",".join(f"{k}={v}" for k, v in group.items())
            raise Refusal(404, f"SLO {name!r} has no group {wanted}")
        said: web.Response = answer({"slo": name, "instances": found})
        return said

    _, schemas = msgspec.json.schema_components([Explanation], ref_template=_REF + "{name}")
    return Part((web.get(PATH, explain),), {PATH: {"get": _GET}}, schemas)


def _parameter(name: str, where: str, text: str, **more: object) -> dict[str, object]:
    return {"name": name, "in": where, "description": text, "schema": {"type": "string"}, **more}


_GET = {
    "operationId": "explainSLO",
    "summary": "How the numbers of an SLO came to be",
    "parameters": [
        _parameter("name", "path", "The name of the SLO.", required=True),
        _parameter("group", "query", "label=value; only groups with it. May be repeated."),
        _parameter(
            "window",
            "query",
            "Compare with increase() and Sloth over this duration (the longest alert window by "
            "default); `none` leaves the comparison out, and asks the source nothing.",
        ),
    ],
    "responses": {
        "200": {
            "description": "One explanation for each instance of the SLO.",
            "content": {
                JSON: {
                    "schema": {
                        "type": "object",
                        "required": ["slo", "instances"],
                        "properties": {
                            "slo": {"type": "string"},
                            "instances": {
                                "type": "array",
                                "items": {"$ref": f"{_REF}Explanation"},
                            },
                        },
                    }
                }
            },
        },
        "400": {"description": "A parameter cannot be read."},
        "404": {"description": "There is no such SLO or group."},
    },
}


def _window(text: str | None) -> float | None:
    if text is None:
        return None
    if text == "none":
        return 0.0
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        raise ValueError(f"window: {error}; or none, to leave the comparison out") from None
    if not 60 <= seconds <= _LONGEST:
        raise ValueError(f"window: {text} is not between 1m and 366d")
    return seconds


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"group: {text!r} is not label=value")
    return name, value


def _nearest(name: str, names: Sequence[str]) -> str:
    near = get_close_matches(name, names, 1)
    return f"; did you mean {near[0]!r}?" if near else "; see /api/slo/v1/slos"
