"""`/api/slo/v1/report`: the review, as JSON, Markdown or one HTML document; and where the next one
begins that asks for what came since the last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from difflib import get_close_matches
from typing import Any, Protocol

from aiohttp import web

from exporter.charts.page import CSP
from exporter.config.duration import parse_duration
from exporter.config.moments import parse_moment, rfc3339
from exporter.errors import NotFound, StateError
from exporter.web.api import JSON, ROOT, Part, Refusal, answer, changes, read_object

PATH = f"{ROOT}/report"
END = "X-Slod-Report-End"
"""The header that says up to when the report is."""
TYPES = {"json": JSON, "markdown": "text/markdown", "html": "text/html"}
LAST = "last"
_LONGEST = 400 * 86_400.0


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: `since` that moment (or `last`: the end of the last report), or the last
    `period` seconds; of all services, or some."""

    period: float | None = None
    since: float | str | None = None
    services: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A report in words, and up to when it is, in unix seconds."""

    text: str
    end: float


class Reports(Protocol):
    """Whoever can write one."""

    async def write(self, asked: Asked, form: str) -> Written:
        """In one of the `TYPES`; `NotFound` with the name of a service that there is not."""
        ...

    async def mark(self, end: float) -> None:
        """The last report is up to here; `StateError` when it cannot be kept."""
        ...

    def services(self) -> Sequence[str]:
        """All there are."""
        ...

    def now(self) -> float:
        """The time, in unix seconds."""
        ...


def part(reports: Reports) -> Part:
    """The endpoints and their description."""
    to = _Endpoints(reports)
    routes = (web.get(PATH, to.read), web.post(f"{PATH}/{LAST}", changes(to.mark)))
    return Part(routes, _PATHS)


class _Endpoints:
    def __init__(self, reports: Reports) -> None:
        self._reports = reports

    async def read(self, request: web.Request) -> web.Response:
        query = request.query
        form = query.get("format", "json")
        if form not in TYPES:
            raise Refusal(400, f"format: must be one of {', '.join(TYPES)}, not {form!r}")
        try:
            asked = self._asked(request)
        except ValueError as error:
            raise Refusal(400, str(error)) from None
        try:
            written = await self._reports.write(asked, form)
        except NotFound as error:
            near = get_close_matches(error.name, self._reports.services(), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise Refusal(404, f"there is no service {error.name!r}{hint}") from None
        except StateError as error:
            raise Refusal(503, str(error)) from None
        headers = {END: rfc3339(written.end), "Referrer-Policy": "no-referrer"}
        if form == "html":
            headers["Content-Security-Policy"] = CSP
        return web.Response(
            text=written.text, content_type=TYPES[form], charset="utf-8", headers=headers
        )

    async def mark(self, request: web.Request) -> web.Response:
        raw = (await read_object(request)).get("end")
        try:
            end = parse_moment(raw, UTC).timestamp()
        except ValueError as error:
            raise Refusal(400, f"end: {error}") from None
        if end > self._reports.now() + 60:
            raise Refusal(400, "end: is yet to come")
        try:
            await self._reports.mark(end)
        except StateError as error:
            raise Refusal(503, f"nothing was changed: {error}") from None
        return answer({"end": rfc3339(end)})

    def _asked(self, request: web.Request) -> Asked:
        period, since = request.query.get("period"), request.query.get("since")
        services = tuple(request.query.getall("service", []))
        if period is not None and since is not None:
            raise ValueError("period and since exclude each other; leave one out")
        if period is not None:
            return Asked(period=_seconds("period", period, parse_duration), services=services)
        if since is None or since == LAST:
            return Asked(since=since, services=services)
        if since[:1].isdigit() and "-" not in since:
            return Asked(period=_seconds("since", since, parse_duration), services=services)
        moment = _seconds("since", since, lambda text: parse_moment(text, UTC).timestamp())
        now = self._reports.now()
        if not now - _LONGEST <= moment < now:
            raise ValueError("since: must lie in the past, at most 400d ago")
        return Asked(since=moment, services=services)


def _seconds(name: str, text: str, parse: Callable[[str], float]) -> float:
    try:
        found = parse(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if parse is parse_duration and not 60 <= found <= _LONGEST:
        raise ValueError(f"{name}: {text} is not between 1m and 400d")
    return found


def _parameter(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "schema": {"type": "string"}}


_PATHS: dict[str, Any] = {
    PATH: {
        "get": {
            "operationId": "readReport",
            "summary": "The reliability review of a time",
            "parameters": [
                _parameter("period", "A duration that ends now; 30d if there is no since either."),
                _parameter("since", "A moment, a duration, or `last`: the end of the last report."),
                _parameter("service", "Only this service. May be repeated."),
                _parameter("format", "json (default), markdown or html."),
            ],
            "responses": {
                "200": {
                    "description": "The review.",
                    "headers": {
                        END: {"description": "Its end, RFC 3339.", "schema": {"type": "string"}}
                    },
                    "content": {
                        JSON: {"schema": {"type": "object"}},
                        "text/markdown": {"schema": {"type": "string"}},
                        "text/html": {"schema": {"type": "string"}},
                    },
                },
                "400": {"description": "A parameter cannot be read."},
                "404": {"description": "There is no such service."},
            },
        }
    },
    f"{PATH}/{LAST}": {
        "post": {
            "operationId": "markReport",
            "summary": "Say that a report was written up to this moment; `since=last` begins here",
            "requestBody": {
                "required": True,
                "content": {
                    JSON: {
                        "schema": {
                            "type": "object",
                            "required": ["end"],
                            "properties": {"end": {"type": "string", "format": "date-time"}},
                        }
                    }
                },
            },
            "responses": {
                "200": {"description": "It does.", "content": {JSON: {"schema": {}}}},
                "400": {"description": "It cannot be read."},
            },
        }
    },
}
