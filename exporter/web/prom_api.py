"""Prometheus' HTTP API over slod's own series, so that Grafana's data source, promtool and others'
clients point straight at slod.

Source: Prometheus documentation, "HTTP API": its envelope, its errors and their status codes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from typing import Protocol

import msgspec
from aiohttp import web

from exporter.web.bodies import BadBody
from exporter.web.prom_params import LONGEST_TIMEOUT, Params, Wrong
from exporter.web.prom_stream import JSON, Stream, Terms, send, send_whole

ROOT = "/api/v1"
_KINDS = {404: "not_found", 500: "internal", 503: "unavailable"}
"""Prometheus' `errorType` by status code."""
_encode = msgspec.json.Encoder().encode

Handler = Callable[[Params], Awaitable[object]]


class Fault(Exception):
    """Why there is no answer: Prometheus' `errorType` and status code, and one line."""

    def __init__(self, kind: str, status: int, why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.status = status


class Answers(Protocol):
    """Whoever knows the series; times are unix seconds. Every method may raise `Fault`; `limit`: so
    many at most, or all with 0."""

    def now(self) -> float:
        """The time."""
        ...

    async def query(self, text: str, at: float, terms: Terms) -> Stream:
        """A query at one moment."""
        ...

    async def query_range(
        self, text: str, start: float, end: float, step: float, terms: Terms
    ) -> Stream:
        """A query at many moments."""
        ...

    async def series(self, selectors: Sequence[str], limit: int, terms: Terms) -> Stream:
        """The labels of the series that one of the selectors names; of all, without selectors."""
        ...

    async def labels(self, selectors: Sequence[str], limit: int, terms: Terms) -> Stream:
        """The names of their labels, in order."""
        ...

    async def values(self, name: str, selectors: Sequence[str], limit: int, terms: Terms) -> Stream:
        """The values of one label of them, in order."""
        ...

    def format_query(self, text: str) -> str:
        """A query, laid out."""
        ...

    def metadata(self) -> Mapping[str, Mapping[str, str]]:
        """Type and help of each metric, by its name."""
        ...

    async def rules(self, terms: Terms) -> Stream:
        """An object with the alert rules, as `groups`."""
        ...

    async def alerts(self, terms: Terms) -> Stream:
        """An object with the `alerts` that fire."""
        ...

    def build(self) -> Mapping[str, str]:
        """What this is."""
        ...


def routes(answers: Answers) -> Sequence[web.AbstractRouteDef]:
    """The endpoints, GET and POST."""
    api = _Api(answers)
    found: list[web.AbstractRouteDef] = []
    for path, handler, methods in (
        ("query", api.query, ("GET", "POST")),
        ("query_range", api.query_range, ("GET", "POST")),
        ("labels", api.labels, ("GET", "POST")),
        ("label/{name}/values", api.values, ("GET",)),
        ("series", api.series, ("GET", "POST")),
        ("format_query", api.format_query, ("GET", "POST")),
        ("query_exemplars", api.exemplars, ("GET", "POST")),
        ("metadata", api.metadata, ("GET",)),
        ("rules", api.rules, ("GET",)),
        ("alerts", api.alerts, ("GET",)),
        ("status/buildinfo", api.build, ("GET",)),
        ("status/flags", api.flags, ("GET",)),
    ):
        found += [
            web.route(method, f"{ROOT}/{path}", _answering(handler, answers.now))
            for method in methods
        ]
        found.append(web.route("*", f"{ROOT}/{path}", _allowing(methods)))
    return [*found, web.route("*", f"{ROOT}/{{path:.*}}", _not_here)]


class _Api:
    """A handler takes the parameters and gives what stands under `data`."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def query(self, params: Params) -> object:
        at = params.moment("time", params.now)
        return await self._answers.query(params.text("query"), at, params.terms())

    async def query_range(self, params: Params) -> object:
        start, end, step = params.span()
        text = params.text("query")
        return await self._answers.query_range(text, start, end, step, params.terms())

    async def labels(self, params: Params) -> object:
        return await self._answers.labels(params.selectors(), params.limit(), params.terms())

    async def values(self, params: Params) -> object:
        name, selectors = params.path["name"], params.selectors()
        return await self._answers.values(name, selectors, params.limit(), params.terms())

    async def series(self, params: Params) -> object:
        selectors = params.selectors()
        if not selectors:
            raise Wrong("no match[] parameter provided")
        return await self._answers.series(selectors, params.limit(), params.terms())

    async def format_query(self, params: Params) -> object:
        return self._answers.format_query(params.text("query"))

    async def exemplars(self, params: Params) -> object:
        params.text("query")
        return []

    async def metadata(self, params: Params) -> object:
        wanted = params.all("metric")
        known = self._answers.metadata()
        found = {name: [about] for name, about in known.items() if not wanted or name in wanted}
        return dict(islice(found.items(), params.limit() or None))

    async def rules(self, params: Params) -> object:
        for kind in params.all("type"):
            if kind == "record":
                return {"groups": []}
            if kind != "alert":
                raise Wrong(f'invalid parameter "type": not supported value "{kind}"')
        return await self._answers.rules(params.terms())

    async def alerts(self, params: Params) -> object:
        return await self._answers.alerts(params.terms())

    async def build(self, params: Params) -> object:
        return self._answers.build()

    async def flags(self, params: Params) -> object:
        # Editors ask for the metrics' prefix that a server was given, and slod has none.
        return {"query.timeout": f"{LONGEST_TIMEOUT:g}s"}


def _answering(
    handler: Handler, now: Callable[[], float]
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            data = await handler(await Params.of(request, now()))
        except Wrong as error:
            return _refused("bad_data", error.status, str(error))
        except Fault as error:
            return _refused(error.kind, error.status, str(error))
        except BadBody as error:
            return _refused("bad_data", error.status, str(error))
        if isinstance(data, Stream):
            return await send(request, data)
        return await send_whole(request, _encode(data))

    return answer


async def _not_here(request: web.Request) -> web.StreamResponse:
    return _refused("not_found", 404, f"slod does not answer {request.method} {request.path}")


def _allowing(methods: Sequence[str]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """What answers the other methods."""

    async def refuse(request: web.Request) -> web.StreamResponse:
        refused = _refused("bad_data", 405, f"{request.path} is not asked by {request.method}")
        refused.headers["Allow"] = ", ".join(methods)
        return refused

    return refuse


def refused(status: int, why: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Prometheus' envelope for a request that no handler answered."""
    refusal = _refused(_KINDS.get(status, "bad_data"), status, why)
    refusal.headers.update(headers or {})
    return refusal


def _refused(kind: str, status: int, why: str) -> web.Response:
    said = {"status": "error", "errorType": kind, "error": why}
    return web.Response(status=status, body=_encode(said) + b"\n", content_type=JSON)
