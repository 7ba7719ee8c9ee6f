"""The HTTP server: metrics, health, readiness, reload and what others serve, on one port.

What the pages show is asked for through the callables of `Web`; other rooms' endpoints come in as
`routes`. Authentication and headers hold for every path alike.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass

import structlog
from aiohttp import web

from exporter.errors import SlodError
from exporter.printable import printable
from exporter.web import api
from exporter.web.auth import BasicAuth, parse_basic, require_bcrypt
from exporter.web.door import MOST, PATIENCE, Door
from exporter.web.exposition import OPENMETRICS, TEXT, Family
from exporter.web.listen import cannot_listen, parse_listen
from exporter.web.metrics_page import MetricsPage
from exporter.web.negotiate import accepts_gzip, wants_openmetrics
from exporter.web.tls import Listener
from exporter.web.web_config import WebConfig, WebConfigFile

log = structlog.get_logger()

_MAX_BODY = 256 * 1024
_MAX_LINE = 16 * 1024


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
    `reload` answers None, or why the old configuration stays. `stop_timeout` is in seconds.
    `connections` and `patience`: see `door`.
    """

    listen: str
    web_config: str | None = None
    page: Callable[[], Sequence[Family]]
    version: Callable[[], Hashable]
    health: Callable[[], Health]
    ready: Callable[[], Readiness]
    reload: Callable[[], Awaitable[str | None]]
    routes: Sequence[web.AbstractRouteDef] = ()
    stop_timeout: float = 5.0
    connections: int = MOST
    patience: float = PATIENCE


class WebServer:
    """Serves from `start` to `stop`; `port` is the bound one, also when 0 was asked for."""

    def __init__(self, settings: Web) -> None:
        self._settings = settings
        self._file = WebConfigFile(settings.web_config) if settings.web_config else None
        self._auth = BasicAuth()
        self._page = MetricsPage(settings.page, settings.version)
        self._reloading = asyncio.Lock()
        self._runner: web.AppRunner | None = None
        self._listener: asyncio.Server | None = None
        self._door: Door | None = None
        self.port = 0

    async def start(self) -> None:
        """Bind and serve; `ConfigError` when the address or the web_config cannot be used."""
        host, port = parse_listen(self._settings.listen)
        config = self._file.load() if self._file else WebConfig()
        context = Listener(config.tls).context if config.tls else None
        if config.users:
            require_bcrypt()
        runner = web.AppRunner(
            self._app(),
            handle_signals=False,
            access_log=None,
            shutdown_timeout=self._settings.stop_timeout,
            max_line_size=_MAX_LINE,
            max_field_size=_MAX_LINE,
        )
        await runner.setup()
        try:
            assert runner.server is not None  # made by setup
            self._door = Door(
                runner.server, most=self._settings.connections, patience=self._settings.patience
            )
            loop = asyncio.get_running_loop()
            self._listener = await loop.create_server(self._door, host, port, ssl=context)
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
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(runner.cleanup(), self._settings.stop_timeout + 1)

    @property
    def guests(self) -> int:
        """How many connections there are."""
        return self._door.guests if self._door is not None else 0

    def _app(self) -> web.Application:
        app = web.Application(middlewares=[_answer_errors, self._guard], client_max_size=_MAX_BODY)
        app.on_response_prepare.append(self._add_headers)
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

    def _config(self) -> WebConfig:
        return self._file.current() if self._file else WebConfig()

    # --- what holds for every path -----------------------------------------------------------

    @web.middleware
    async def _guard(
        self,
        request: web.Request,
        handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
    ) -> web.StreamResponse:
        if self._door is not None:
            self._door.asked(request.transport)
        users = self._config().users
        if users and not await self._auth.allows(users, request.headers.get("Authorization")):
            log.debug("http.unauthorized", path=request.path, remote=request.remote)
            return _text(401, "Unauthorized", {"WWW-Authenticate": 'Basic realm="slod"'})
        login = parse_basic(request.headers.get("Authorization", "")) if users else None
        api.USER.set(login[0] if login else "")
        return await handler(request)

    async def _add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        headers["Server"] = "slod"
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.update({k: v for k, v in self._config().headers.items() if v})
        log.debug("http.request", method=request.method, path=request.path, status=response.status)

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
        return _text(200 if health.ok else 503, health.text)

    async def _ready(self, request: web.Request) -> web.Response:
        found = self._settings.ready()
        first = "slod is ready."
        if found.missing:
            first = "slod is not ready, missing: " + "; ".join(found.missing)
        return _text(503 if found.missing else 200, "\n".join((first, *found.notes)))

    async def _reload(self, request: web.Request) -> web.Response:
        async with self._reloading:
            try:
                problem = await self._settings.reload()
            except SlodError as error:
                problem = str(error)
        if problem is None:
            return _text(200, "reloaded")
        return _text(500, f"not reloaded, the old configuration stays: {problem}")


@web.middleware
async def _answer_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """One line for what no handler answered; a handler's own answer passes as it is."""
    say = api.refused if request.path.startswith(api.PREFIX) else _text
    try:
        return await handler(request)
    except web.HTTPException as error:
        if error is not request.match_info.http_exception:
            raise
        if error.status == 405:
            allowed = error.headers.get("Allow", "")
            return say(405, f"{request.method} is not allowed here", {"Allow": allowed})
        return say(error.status, "not found; see /")
    except asyncio.CancelledError:
        raise
    except Exception as error:
        log.error("http.failed", path=request.path, exc_info=error)
        return say(500, "internal error; the log says more")


def _text(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    shown = printable(text, keep="\n") + "\n"
    return web.Response(status=status, text=shown, headers=headers)
