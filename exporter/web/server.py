"""The HTTP server: metrics, health, readiness, reload and what others serve, on one port.

What the pages show is asked for through the callables of `Web`; other rooms' endpoints come in as
`routes`. Authentication, who may change something, and headers hold for every path alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog
from aiohttp import web

from exporter import descriptors
from exporter.errors import SlodError
from exporter.web.auth import require_bcrypt
from exporter.web.backlog import Backlog
from exporter.web.bodies import MOST as _MAX_BODY
from exporter.web.callers import Callers
from exporter.web.door import (
    BACKLOG,
    IDLE,
    MOST,
    PATIENCE,
    READING,
    Answered,
    Door,
    keep_little,
)
from exporter.web.exposition import OPENMETRICS, TEXT, Family
from exporter.web.guard import Failed, Guard, answer_errors, expecting, text, unheard
from exporter.web.guest import Guest
from exporter.web.listen import cannot_listen, parse_listen
from exporter.web.metrics_page import MetricsPage
from exporter.web.negotiate import accepts_gzip, wants_openmetrics
from exporter.web.pieces import in_pieces
from exporter.web.tls import Listener
from exporter.web.web_config import WebConfig, WebConfigFile

log = structlog.get_logger()

_MAX_LINE = 16 * 1024
_OF_DESCRIPTORS = 2
"""The port takes one descriptor of so many at most; the others are for polls and the state file."""


@dataclass(frozen=True, slots=True)
class Health:
    """Whether the daemon does its work; `text` is one line."""

    ok: bool = True
    text: str = "slod is healthy."


@dataclass(frozen=True, slots=True)
class Readiness:
    """Ready when nothing is `missing`; each of them is a short phrase (`source prom: first poll`).

    `notes` are said either way and do not count (`state is kept in memory only: disk full`).
    """

    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """What the server is to serve.

    `page` gives the families of the metrics page; it is asked only when `version` has changed.
    `reload` takes whether a file without SLOs may take the place of one with some, and answers
    None, or why the old configuration stays. `failed` is called with the route and the exception
    of a request that failed by slod's fault. `stop_timeout` is in seconds.
    `connections`, `patience` and `reading`: see `door`; `hosts`, `roles` and `origins`: `callers`.
    """

    listen: str
    web_config: str | None = None
    page: Callable[[], Sequence[Family]]
    version: Callable[[], Hashable]
    health: Callable[[], Health]
    ready: Callable[[], Readiness]
    reload: Callable[[bool], Awaitable[str | None]]
    failed: Failed = unheard
    routes: Sequence[web.AbstractRouteDef] = ()
    stop_timeout: float = 5.0
    connections: int = MOST
    patience: float = PATIENCE
    reading: float = READING
    hosts: Sequence[str] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    origins: Sequence[str] = ()


class WebServer:
    """Serves from `start` to `stop`; `port` is the bound one, also when 0 was asked for."""

    def __init__(self, settings: Web) -> None:
        self._settings = settings
        self._file = WebConfigFile(settings.web_config) if settings.web_config else None
        callers = Callers(settings.hosts, settings.roles, settings.origins)
        self._guard = Guard(self._file, callers)
        self._page = MetricsPage(settings.page, settings.version)
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._backlog: Backlog | None = None
        self.door: Door | None = None
        self.port = 0
        self.context: ssl.SSLContext | None = None
        """TLS of the port, None without."""

    async def start(self) -> None:
        """Bind and serve; `ConfigError` when the address or the web_config cannot be used."""
        host, port = parse_listen(self._settings.listen)
        self.context = context = listening(self._file.load()) if self._file else None
        runner = web.AppRunner(
            self._app(),
            handle_signals=False,
            access_log=logging.getLogger(__name__),
            access_log_class=Answered,
            keepalive_timeout=IDLE,
            auto_decompress=False,
            shutdown_timeout=self._settings.stop_timeout,
            max_line_size=_MAX_LINE,
            max_field_size=_MAX_LINE,
        )
        await runner.setup()
        try:
            assert runner.server is not None  # made by setup
            runner.server.request_handler = expecting(runner.server.request_handler)
            self.door = Door(
                runner.server,
                most=min(self._settings.connections, descriptors.limit() // _OF_DESCRIPTORS),
                patience=self._settings.patience,
                reading=self._settings.reading,
                tls=context,
            )
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(self.door, host, port, backlog=BACKLOG)
            keep_little(self._listener.sockets)
            self._backlog = Backlog(self._listener, partial(Guest, self.door))
            self.door.drain = self._backlog.drain
        except OSError as error:
            await runner.cleanup()
            raise cannot_listen(self._settings.listen, error) from None
        self._runner = runner
        self.port = int(self._listener.sockets[0].getsockname()[1])
        log.info("web.listening", address=self._settings.listen, port=self.port, tls=bool(context))

    async def stop(self) -> None:
        """Take no new requests, let the running ones end within the timeout, close."""
        runner, self._runner = self._runner, None
        if runner is not None:
            assert self._listener is not None  # both or none
            self._listener.close()
            if self._backlog is not None:
                self._backlog.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(runner.cleanup(), self._settings.stop_timeout + 1)
            if self.door is not None:
                self.door.close()

    @property
    def listeners(self) -> list[int]:
        """File descriptors of the sockets that are listened on."""
        return [] if self._listener is None else [s.fileno() for s in self._listener.sockets]

    @property
    def guests(self) -> int:
        """How many connections there are."""
        return self.door.guests if self.door is not None else 0

    def _app(self) -> web.Application:
        app = web.Application(
            middlewares=[answer_errors(self._settings.failed), self._guard.middleware],
            client_max_size=_MAX_BODY,
        )
        app.on_response_prepare.extend((self._guard.add_headers, in_pieces))
        app.add_routes(
            [
                web.get("/metrics", self._metrics),
                web.get("/-/healthy", self._healthy),
                web.get("/-/ready", self._ready),
                web.post("/-/reload", self._reload),
                web.put("/-/reload", self._reload),
                *self._settings.routes,
            ]
        )
        return app

    # --- the endpoints -----------------------------------------------------------------------

    async def _metrics(self, request: web.Request) -> web.Response:
        openmetrics = wants_openmetrics(",".join(request.headers.getall("Accept", [])))
        packed = accepts_gzip(",".join(request.headers.getall("Accept-Encoding", [])))
        headers = {
            "Content-Type": OPENMETRICS if openmetrics else TEXT,
            "Vary": "Accept, Accept-Encoding",
        }
        if packed:
            headers["Content-Encoding"] = "gzip"
        body = await self._page.body(openmetrics=openmetrics, packed=packed)
        return web.Response(body=body, headers=headers)

    async def _healthy(self, request: web.Request) -> web.Response:
        health = self._settings.health()
        return text(200 if health.ok else 503, health.text)

    async def _ready(self, request: web.Request) -> web.Response:
        found = self._settings.ready()
        first = "slod is ready."
        if found.missing:
            first = "slod is not ready, missing: " + "; ".join(found.missing)
        refused = self._file.refused if self._file is not None else None
        kept = (f"web_config: the last good one is in force: {refused}",) if refused else ()
        return text(503 if found.missing else 200, "\n".join((first, *found.notes, *kept)))

    async def _reload(self, request: web.Request) -> web.Response:
        if "Content-Encoding" in request.headers:
            return text(415, "send no body: nothing of one would be read")
        try:
            allow_empty = request.query.get("allow_empty") in ("1", "true")
            problem = await self._settings.reload(allow_empty)
        except SlodError as error:
            problem = str(error)
        if problem is None:
            return text(200, "reloaded")
        return text(500, f"not reloaded, the old configuration stays: {problem}")


def listening(config: WebConfig) -> ssl.SSLContext | None:
    """What a port with this web_config listens with; `ConfigError` where it cannot be used."""
    if config.users:
        require_bcrypt()
    return Listener(config.tls).context if config.tls else None
