"""The addresses of the pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import cache
from hashlib import blake2s
from html import escape
from importlib.resources import files
from typing import Protocol
from urllib.parse import urlencode

from aiohttp import web

from exporter.errors import NotFound
from exporter.page.filters import Filters
from exporter.page.live import Live
from exporter.page.shell import CSP, document

_TYPES = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
_FILES = ("slod.css", "events.js", "slod.js", "detail.css", "detail.js", "icon.svg")
_HEADERS = {
    "Content-Security-Policy": CSP,
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Shows(Protocol):
    """Whoever knows what stands on the pages; each answers whole documents."""

    async def overview(self, filters: Filters) -> str:
        """All objectives."""
        ...

    async def slo(self, name: str, query: Mapping[str, str]) -> tuple[str, bool]:
        """One of them, or of its groups, and whether there is that group; `NotFound` where there is
        no such objective."""
        ...

    async def alerts(self) -> str:
        """What fires and was said."""
        ...

    def sources(self) -> str:
        """Where numbers come from."""
        ...

    def configuration(self) -> str:
        """What is in force."""
        ...


def routes(shows: Shows, live: Live) -> Sequence[web.AbstractRouteDef]:
    """All of them."""

    async def overview(request: web.Request) -> web.StreamResponse:
        return _page(await shows.overview(Filters.read(request.query.items())))

    async def slo(request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        try:
            text, found = await shows.slo(name, dict(request.query))
        except NotFound:
            body = (
                f'<h1 id="headline">There is no objective {escape(name)}</h1>'
                f'<p><a href="/?{escape(urlencode({"q": name}))}">Look for it</a></p>'
            )
            return _page(document("Not found", "", body), 404)
        return _page(text, 200 if found else 404)

    async def alerts(_: web.Request) -> web.StreamResponse:
        return _page(await shows.alerts())

    async def sources(_: web.Request) -> web.StreamResponse:
        return _page(shows.sources())

    async def configuration(_: web.Request) -> web.StreamResponse:
        return _page(shows.configuration())

    return [
        web.get("/", overview),
        web.get("/slo/{name}", slo),
        web.get("/alerts", alerts),
        web.get("/sources", sources),
        web.get("/configuration", configuration),
        web.get("/events", live.events),
        *(web.get(f"/static/{name}", _static(name)) for name in _FILES),
    ]


def _page(text: str, status: int = 200) -> web.Response:
    response = web.Response(
        status=status, text=text, content_type="text/html", charset="utf-8", headers=_HEADERS
    )
    if len(text) > 8192:
        response.enable_compression()
    return response


@cache
def _file(name: str) -> tuple[bytes, str]:
    """A file of the package, and its ETag."""
    body = files("exporter.page").joinpath("static", name).read_bytes()
    return body, f'"{blake2s(body, digest_size=8).hexdigest()}"'


def _static(name: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        body, tag = _file(name)
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers=headers)
        kind = _TYPES[name.rpartition(".")[2]]
        response = web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)
        response.enable_compression()
        return response

    return answer
