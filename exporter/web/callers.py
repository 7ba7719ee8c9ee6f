"""Who may ask, and who may change something.

Reading is open to whoever reaches the port (behind the password, where there is one). A change
needs a user with the role `write`, or a request from this machine itself. A browser is such a
machine's, and may run anybody's page: so the page's origin is checked, and the name that slod was
asked under, which a page's owner can point at any address (DNS rebinding).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from aiohttp import web

from exporter.web.peers import is_loopback, parse_address

WRITE = "write"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that change nothing."""
_WAY_OUT = (
    "ask on slod's own machine under an address or localhost, or as a user of [server] web_config "
    'whose role is "write"'
)
_FORWARDED = ("Forwarded", "Via", "X-Real-IP")
_ALSO_FORWARDED = "x-forwarded-"
_OWN_SITE = frozenset({"same-origin", "none"})
_WILD = "*."


class Callers:
    """The rules of one configuration.

    Args:
        hosts: Names under which slod may be asked, `*.` standing for any labels in front; none for
            any name, which then changes nothing without a password.
        roles: What each user may; one without a role may write.
        origins: Origins whose pages may read the API in a browser; `*` for all.
    """

    def __init__(
        self,
        hosts: Sequence[str] = (),
        roles: Mapping[str, str] | None = None,
        origins: Sequence[str] = (),
    ) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._roles = dict(roles or {})
        self._origins = frozenset(origin.lower() for origin in origins)

    def misdirected(self, request: web.BaseRequest) -> str | None:
        """In one line, why it was asked under a wrong name (421); None if it was not."""
        name = asked_under(request)
        if not self._hosts or name is None or _is_own(name) or self._listed(name):
            return None
        return f"{name!r} is not a name of this slod; list it in [server] hosts if it is"

    def refusal(self, request: web.BaseRequest, user: str | None) -> str | None:
        """In one line, why this request may change nothing (403); None if it may.

        Args:
            user: Whose password came with it; None where none is asked for.
        """
        if _is_of_another_page(request):
            return "refused: the request comes from a page of another origin"
        if user is not None:
            role = self._roles.get(user, WRITE)
            if role == WRITE:
                return None
            return f'refused: the role of {user!r} is "{role}"; it is set in [server] roles'
        if not is_loopback(request.remote):
            return f"refused: {request.remote} may only read; to change something, {_WAY_OUT}"
        if (header := _forwarded(request)) is not None:
            return f"refused: it was passed on by a proxy ({header}); {_WAY_OUT}"
        name = asked_under(request)
        if not self._hosts and name is not None and not _is_own(name):
            return (
                f"refused: it was asked under the name {name!r}; {_WAY_OUT}, "
                "or list the name in [server] hosts"
            )
        return None

    def cross_origin(self, request: web.BaseRequest) -> dict[str, str]:
        """The headers by which a browser lets another origin's page read an answer."""
        if not self._origins:
            return {}
        origin = request.headers.get("Origin", "")
        if "*" not in self._origins and origin.lower() not in self._origins:
            return {"Vary": "Origin"}
        return {"Vary": "Origin", "Access-Control-Allow-Origin": origin or "*"}

    def may_ask_first(self, request: web.BaseRequest) -> bool:
        """True for a browser's question whether a page of another origin may send a request (a
        preflight), if that page may read."""
        return (
            request.method == "OPTIONS"
            and "Access-Control-Request-Method" in request.headers
            and "Access-Control-Allow-Origin" in self.cross_origin(request)
        )

    def _listed(self, name: str) -> bool:
        labels = name.split(".")
        wild = (_WILD + ".".join(labels[i:]) for i in range(1, len(labels)))
        return name in self._hosts or any(one in self._hosts for one in wild)


def asked_under(request: web.BaseRequest) -> str | None:
    """The name in `Host`, in small letters, without a port; None where there is no such header,
    which no browser leaves out. Several of them, or one that cannot be read, are a strange name."""
    found = request.headers.getall("Host", [])
    if not found:
        return None
    text = ",".join(found)
    try:
        name = urlsplit(f"//{text}").hostname
    except ValueError:
        name = None
    return (name or text).lower().rstrip(".")


def _is_own(name: str) -> bool:
    """True for names that nobody can point elsewhere."""
    return name == "localhost" or parse_address(name) is not None


def _is_of_another_page(request: web.BaseRequest) -> bool:
    """Browsers send `Origin` with everything but GET and HEAD, and newer ones `Sec-Fetch-Site`."""
    hosts = [host.lower() for host in request.headers.getall("Host", [])]
    for origin in request.headers.getall("Origin", []):
        try:
            # Not the scheme: a proxy in front may end TLS.
            netloc = urlsplit(origin).netloc.lower()
        except ValueError:
            return True
        if netloc not in hosts:
            return True
    return not _OWN_SITE.issuperset(request.headers.getall("Sec-Fetch-Site", []))


def _forwarded(request: web.BaseRequest) -> str | None:
    """The header that tells of a proxy: what came over it is not of this machine."""
    for name in request.headers:
        if name.lower().startswith(_ALSO_FORWARDED):
            return name
    return next((name for name in _FORWARDED if name in request.headers), None)
