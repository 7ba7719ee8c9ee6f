"""The one HTTP client: bounded answers, redirects to the same host only, errors with a reason.

Everything slod asks or tells over HTTP goes through here, so a limit or a translation of aiohttp's
exceptions stands in one place.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache

from yarl import URL

from exporter import __version__
from exporter.address import parsed
from exporter.bodies import Bodies, Body, NoRoom
from exporter.config.settings import HTTP, TLS
from exporter.errors import ConfigError
from exporter.headers import location
from exporter.http_errors import TransportError, translated
from exporter.inflate import BadEncoding, Inflater, encoding_of
from exporter.lean import aiohttp
from exporter.printable import printable
from exporter.redaction import redact

__all__ = ["Client", "Response", "TransportError"]

_MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CHUNK = 256 * 1024
_BODIES = Bodies()
"""All bodies that this process reads, whoever asked."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer; `body` is decompressed, `headers` are case-insensitive."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Client:
    """An HTTP client by its settings; connections are kept alive, made at the first request.

    Args:
        hide_paths: the paths of its addresses are secrets, and not shown in errors.
        bodies: those that share memory with its answers.
    """

    def __init__(
        self, settings: HTTP, *, hide_paths: bool = False, bodies: Bodies = _BODIES
    ) -> None:
        self._settings = settings
        self._paths = not hide_paths
        self._bodies = bodies
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None
        self._server_name = settings.tls.server_name if settings.tls else None

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        within: float | None = None,
    ) -> Response:
        """Ask and read the whole answer; any failure on the way is a `TransportError`.

        `within`: seconds, where it is not the timeout of the settings.
        """
        with translated(self._shown(url)):
            async with asyncio.timeout(within or float(self._settings.timeout)):
                return await self._follow(method, url, params, headers, body)
        raise AssertionError  # pragma: no cover - translated never swallows

    @asynccontextmanager
    async def stream(
        self,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """A GET whose answer is read as it comes, without a total timeout (a watch)."""
        with translated(self._shown(url)):
            target, login = _split_login(url)
            options = aiohttp.ClientTimeout(total=None, sock_connect=float(self._settings.timeout))
            async with self._ready().get(
                target,
                params=params,
                headers=self._headers(login, {**(headers or {}), "Accept-Encoding": "identity"}),
                allow_redirects=False,
                timeout=options,
                ssl=self._context(target),
                server_hostname=self._server_name,
            ) as response:
                yield response

    async def close(self) -> None:
        """Give back the connections; the next request would open new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _follow(
        self,
        method: str,
        text: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        body: bytes | None,
    ) -> Response:
        url, login = _split_login(text)
        for _ in range(_MAX_REDIRECTS + 1):
            async with self._ready().request(
                method,
                url,
                params=params,
                headers=self._headers(login, headers),
                data=body,
                allow_redirects=False,
                ssl=self._context(url),
                server_hostname=self._server_name,
            ) as response:
                if response.status not in _REDIRECTS or "Location" not in response.headers:
                    return Response(response.status, response.headers, await self._body(response))
                there = location(response.headers, url)
            here = self._shown(str(url))
            if there is None:
                raise TransportError("redirect", f"{here} redirects to what is no HTTP address")
            same = (there.host, there.port, there.scheme) == (url.host, url.port, url.scheme)
            if not same and not self._settings.follow_redirects:
                raise TransportError(
                    "redirect",
                    f"{here} redirects to {self._shown(str(there))}; "
                    "use that address or set follow_redirects = true",
                )
            if not same and (login or self._settings.basic_auth or self._settings.bearer_token):
                # Credentials belong to the host they were configured for.
                raise TransportError(
                    "redirect", f"{here} redirects to another host with credentials"
                )
            url, params = there, None
        raise TransportError("redirect", f"{here}: more than {_MAX_REDIRECTS} redirects")

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        with self._bodies.body() as body:
            return await self._read(response, body)

    async def _read(self, response: aiohttp.ClientResponse, body: Body) -> bytes:
        limit, where = self._settings.max_body_bytes, self._shown(str(response.url))
        try:
            inflater = Inflater(encoding_of(response.headers))
            async for part in response.content.iter_chunked(_CHUNK):
                for piece in inflater.pieces(part):
                    if body.size + len(piece) > limit:
                        raise TransportError(
                            "too_large", f"the answer of {where} is over max_body_bytes = {limit}"
                        )
                    await body.add(piece)
                    if not inflater.is_plain:
                        # A small part may be a bomb: others have their turn between its steps.
                        await asyncio.sleep(0)
            inflater.end()
            return body.whole()
        except BadEncoding as error:
            raise TransportError("bad_encoding", f"{where}: {error}") from None
        except NoRoom as error:
            raise TransportError("too_large", f"{where}: {error}") from None

    def _shown(self, url: str) -> str:
        return printable(redact(url, paths=self._paths))

    def _headers(self, login: str | None, more: Mapping[str, str] | None) -> dict[str, str]:
        settings = self._settings
        headers = {"User-Agent": f"slod/{__version__}", "Accept-Encoding": "gzip"}
        headers |= settings.headers
        if settings.basic_auth is not None:
            login = _basic(settings.basic_auth.username, settings.basic_auth.password.read())
        if login is not None:
            headers["Authorization"] = login
        if (token := settings.bearer_token) is not None:
            headers["Authorization"] = f"Bearer {token.read()}"
        return {**headers, **(more or {})}

    def _context(self, url: URL) -> ssl.SSLContext | bool:
        """What https is checked with; made at the first request that needs it."""
        if url.scheme != "https":
            return True
        if self._tls is None:
            self._tls = _context(self._settings.tls or TLS())
        return self._tls

    def _ready(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                max_line_size=64 * 1024,
                # Inflated here, step by step; aiohttp does a whole part at once.
                auto_decompress=False,
            )
        return self._session


@lru_cache(maxsize=4096)
def _split_login(text: str) -> tuple[URL, str | None]:
    """The URL without user and password, and what they become in the request's header."""
    url = parsed(text)
    if url.user is None and url.password is None:
        return url, None
    return url.with_user(None), _basic(url.user or "", url.password or "")


def _basic(user: str, password: str) -> str:
    """The value of `Authorization` (RFC 7617)."""
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def _context(tls: TLS) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=tls.ca_file)
        if tls.cert_file is not None:
            context.load_cert_chain(tls.cert_file, tls.key_file)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"cannot use the tls settings: {error}") from None
    if tls.insecure_skip_verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
