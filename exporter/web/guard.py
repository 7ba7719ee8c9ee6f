"""What holds for every path: the name that was asked for, the password, who may change something,
the headers of an answer, and one line for whatever goes wrong.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware

from exporter.printable import printable
from exporter.web import api, prom_api
from exporter.web.auth import BasicAuth, TooManyGuesses, parse_basic
from exporter.web.callers import SAFE, Callers
from exporter.web.door import guest_of
from exporter.web.web_config import WebConfig, WebConfigFile

_CONTINUE = "100-continue"

log = structlog.get_logger()

Failed = Callable[[str, BaseException], None]


class Guard:
    """`file`: with the passwords and headers, if there is one."""

    def __init__(self, file: WebConfigFile | None, callers: Callers) -> None:
        self._file = file
        self._callers = callers
        self._auth = BasicAuth()

    def _config(self) -> WebConfig:
        return self._file.current() if self._file else WebConfig()

    @web.middleware
    async def middleware(
        self,
        request: web.Request,
        handler: api.Handler,
    ) -> web.StreamResponse:
        """Everything that is checked before an endpoint is asked."""
        if (guest := guest_of(request)) is not None:
            guest.head_came()
            request.content.on_eof(guest.body_came)
        say = _way_to_say(request)
        if (why := self._callers.misdirected(request)) is not None:
            return say(421, why)
        if _is_api(request) and self._callers.may_ask_first(request):
            return web.Response(status=204, headers=_answer_to_who_asks_first(request))
        users = self._config().users
        header = request.headers.get("Authorization")
        try:
            allowed = not users or await self._auth.allows(users, header, _owner(request))
        except TooManyGuesses:
            return say(429, "too many passwords at a time", {"Retry-After": "1"})
        if not allowed:
            log.debug("http.unauthorized", path=request.path, remote=request.remote)
            return text(401, "Unauthorized", {"WWW-Authenticate": 'Basic realm="slod"'})
        login = parse_basic(header or "") if users else None
        if not _reads(request):
            why = self._callers.refusal(request, login[0] if login else None)
            if why is not None:
                log.debug("http.change_refused", path=request.path, reason=why)
                return say(403, why)
        api.USER.set(login[0] if login else "")
        return await handler(request)

    async def add_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        """Those that every answer has."""
        headers = response.headers
        headers["Server"] = "slod"
        headers.setdefault("X-Content-Type-Options", "nosniff")
        headers.update({k: v for k, v in self._config().headers.items() if v})
        if _is_api(request) and _reads(request):
            for name, value in self._callers.cross_origin(request).items():
                headers.add(name, value)
        log.debug("http.request", method=request.method, path=request.path, status=response.status)


def unheard(route: str, error: BaseException) -> None:
    """Nobody counts the failures of requests; they are logged."""
    log.error("http.failed", path=route, exc_info=error)


def answer_errors(failed: Failed) -> Middleware:
    """One line for what no handler answered; a handler's own answer passes as it is. `failed` is
    called with the route and the exception of a request that failed by slod's fault."""

    @web.middleware
    async def answer(request: web.Request, handler: api.Handler) -> web.StreamResponse:
        say = _way_to_say(request)
        try:
            return await handler(request)
        except web.HTTPException as error:
            if error is not request.match_info.http_exception:
                raise
            if error.status == 405:
                allowed = error.headers.get("Allow", "")
                return say(405, f"{request.method} is not allowed here", {"Allow": allowed})
            return say(error.status, "not found; see /")
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Of something else that was waited for: the client is still there.
            failed(_route(request), error)
        except MemoryError as error:
            # Of this answer alone: what it had taken is free again here.
            failed(_route(request), error)
            return say(503, "there is not enough memory for this answer; ask for less")
        except Exception as error:  # noqa: BLE001 - the failure of this request alone
            failed(_route(request), error)
        return say(500, "internal error; the log says more")

    return answer


def expecting(
    inner: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
) -> Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]:
    """Answer an expectation that nobody knows. aiohttp does so before any middleware, and fails at
    one that is no text."""

    async def handle(request: web.BaseRequest) -> web.StreamResponse:
        if request.headers.get("Expect", _CONTINUE).lower() != _CONTINUE:
            return text(417, f"Expect: only {_CONTINUE} is known")
        return await inner(request)

    return handle


def text(status: int, line: str, headers: dict[str, str] | None = None) -> web.Response:
    """An answer of plain text."""
    shown = printable(line, keep="\n") + "\n"
    return web.Response(status=status, text=shown, headers=headers)


def _way_to_say(request: web.Request) -> Callable[..., web.Response]:
    """The shape of a refusal: JSON below the API, in Prometheus' envelope below Prometheus' API,
    else one line of text."""
    if _asks(request):
        return prom_api.refused
    return api.refused if _is_api(request) else text


def _route(request: web.Request) -> str:
    """The route's pattern: paths are made by strangers, and metrics keep each label for good."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "other"


def _is_api(request: web.Request) -> bool:
    return request.path.startswith(api.PREFIX)


def _reads(request: web.Request) -> bool:
    """True for a request that can change nothing: by its method, because Prometheus' API has only
    questions, because it says so (`api.reads`), or because there is nothing of that name."""
    info = request.match_info
    return (
        request.method in SAFE
        or _asks(request)
        or api.only_reads(info.handler)
        or info.http_exception is not None
    )


def _answer_to_who_asks_first(request: web.Request) -> dict[str, str]:
    """What a page of another origin may do: read, and send a password along."""
    return {
        "Access-Control-Allow-Methods": "GET, HEAD, POST" if _asks(request) else "GET, HEAD",
        "Access-Control-Allow-Headers": "Authorization",
        "Access-Control-Max-Age": "600",
    }


def _asks(request: web.Request) -> bool:
    """True for Prometheus' API, all of which only reads, by POST too."""
    return request.path.startswith(prom_api.ROOT + "/")


def _owner(request: web.Request) -> str:
    guest = guest_of(request)
    return guest.owner if guest is not None else ""
