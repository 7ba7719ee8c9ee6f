"""Who may ask under which name, and who may change something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import aiohttp
import bcrypt
import pytest
from aiohttp import web
from multidict import CIMultiDict

from exporter.web import api
from exporter.web.callers import Callers
from exporter.web.peers import is_loopback, owner
from exporter.web.server import WebServer
from tests.web.kit import serving
from tests.web.test_auth import basic

HERE = {"Host": "127.0.0.1:9947"}


class Asked:
    """The part of a request that counts."""

    def __init__(
        self, headers: list[tuple[str, str]], remote: str = "127.0.0.1", method: str = "POST"
    ) -> None:
        self.headers = CIMultiDict(headers)
        self.remote = remote
        self.method = method


def refusal(
    headers: dict[str, str], remote: str = "127.0.0.1", user: str | None = None, **rules: Any
) -> str | None:
    return Callers(**rules).refusal(cast(Any, Asked(list(headers.items()), remote)), user)


@pytest.mark.parametrize("host", ["127.0.0.1:9947", "[::1]:9947", "localhost", "LOCALHOST.", ""])
@pytest.mark.parametrize("remote", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_this_machine_itself_may_change_something(host: str, remote: str) -> None:
    assert refusal({"Host": host} if host else {}, remote) is None


@pytest.mark.parametrize("remote", ["192.0.2.7", "::ffff:192.0.2.7", "2001:db8::1", "", "unix"])
def test_nobody_else_may_without_a_password(remote: str) -> None:
    why = refusal(HERE, remote)
    assert why is not None and "web_config" in why and "\n" not in why
    assert refusal(HERE, remote, user="ops") is None


@pytest.mark.parametrize(
    "name",
    ["Forwarded", "X-Forwarded-For", "x-forwarded-host", "X-Forwarded-Proto", "Via", "X-Real-IP"],
)
def test_what_a_proxy_passed_on_is_not_of_this_machine(name: str) -> None:
    assert "passed on by a proxy" in (refusal({**HERE, name: "x"}) or "")
    assert refusal({**HERE, name: "x"}, user="ops") is None


@pytest.mark.parametrize(
    "host", ["rebound.example", "localhost.example", "127.0.0.1.example", "a,b"]
)
def test_under_a_name_that_may_point_anywhere_nothing_changes_without_a_password(
    host: str,
) -> None:
    assert "asked under the name" in (refusal({"Host": host}) or "")
    assert refusal({"Host": host}, user="ops") is None
    assert refusal({"Host": host}, hosts=[host]) is None  # its own, by the operator's word


ORIGINS = ["http://elsewhere.example", "null", "http://127.0.0.1:8080", "http://[", "https://"]


@pytest.mark.parametrize("origin", ORIGINS)
@pytest.mark.parametrize("user", [None, "ops"])
def test_no_page_of_another_origin_changes_anything(origin: str, user: str | None) -> None:
    assert "another origin" in (refusal({**HERE, "Origin": origin}, user=user) or "")


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_page_of_another_site_does_whatever_its_origin(site: str) -> None:
    assert "another origin" in (refusal({**HERE, "Sec-Fetch-Site": site}, user="ops") or "")


def test_an_own_page_does() -> None:
    own = {**HERE, "Origin": "https://127.0.0.1:9947", "Sec-Fetch-Site": "same-origin"}
    assert refusal(own) is None
    assert refusal({**HERE, "Sec-Fetch-Site": "none"}) is None
    two = [*own.items(), ("Origin", "http://elsewhere.example")]
    assert Callers().refusal(cast(Any, Asked(two)), None) is not None


def test_roles_say_what_users_may_and_one_without_may_write() -> None:
    roles = {"ops": "write", "grafana": "read"}
    for user, may in (("ops", True), ("grafana", False), ("anna", True)):
        for remote in ("127.0.0.1", "192.0.2.7"):
            why = refusal(HERE, remote, user, roles=roles)
            assert (why is None) == may
            assert may or ("'grafana'" in str(why) and "[server] roles" in str(why))


@pytest.mark.parametrize(
    ("host", "right"),
    [
        ("slod.example", True),
        ("SLOD.example.:443", True),
        ("slod.monitoring.svc:9947", True),
        ("a.svc", True),
        ("svc", False),
        ("other.example", False),
        ("x.slod.example", False),
        ("slod.example.evil", False),
        ("a.svc.evil", False),
        ("192.0.2.1:9947", True),
        ("[2001:db8::1]", True),
        ("localhost:1", True),
        ("", True),
    ],
)
def test_with_hosts_any_other_name_is_misdirected(host: str, right: bool) -> None:
    asked = cast(Any, Asked([("Host", host)] if host else [], method="GET"))
    found = Callers(hosts=["Slod.example", "*.svc"]).misdirected(asked)
    assert (found is None) == right
    assert found is None or "[server] hosts" in found
    assert Callers().misdirected(asked) is None


def test_what_counts_as_one_peer() -> None:
    assert owner(("192.0.2.7", 1)) == owner(("::ffff:192.0.2.7", 2, 0, 0)) == "192.0.2.7"
    assert owner(("2001:db8::1", 1, 0, 0)) == owner(("2001:db8::2:1", 9, 0, 0)) == "2001:db8::"
    assert owner(("fe80::1%eth0", 1, 0, 0)) == "fe80::"
    assert owner(None) == owner("") == ""
    assert owner(("not an address", 1)) == "not an address"
    assert not is_loopback(None)


# --- through the door ----------------------------------------------------------------------------


async def change(request: web.Request) -> web.Response:
    return api.answer({"by": api.USER.get()})


async def ask_only(request: web.Request) -> web.Response:
    return api.answer({})


PATH, QUESTION = "/api/slo/v1/thing", "/api/slo/v1/question"
ROUTES = [
    *(web.route(method, PATH, change) for method in ("POST", "PUT", "PATCH", "DELETE")),
    web.get(PATH, change),
    web.post(QUESTION, api.reads(ask_only)),
    web.post("/api/v1/query", ask_only),
]


class Client:
    """A session with one server."""

    def __init__(self, server: WebServer, session: aiohttp.ClientSession) -> None:
        self.url = f"http://127.0.0.1:{server.port}"
        self.session = session

    async def __call__(
        self, method: str, path: str, **headers: str
    ) -> tuple[int, str, aiohttp.ClientResponse]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(method, self.url + path, headers=named) as response:
            return response.status, await response.text(), response


def changing() -> Iterator[tuple[str, str]]:
    for method in ("POST", "PUT"):
        yield method, "/-/reload"
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        yield method, PATH


@pytest.mark.parametrize(("method", "path"), list(changing()))
async def test_every_method_that_changes_is_checked_on_every_path(method: str, path: str) -> None:
    async with serving(routes=ROUTES) as server, aiohttp.ClientSession() as session:
        ask = Client(server, session)
        assert (await ask(method, path))[0] == 200
        for headers in (
            {"Origin": "http://elsewhere.example"},
            {"Host": "rebound.example", "Origin": "http://rebound.example"},
            {"X_Forwarded_For": "192.0.2.7"},
            {"Forwarded": "for=192.0.2.7"},
        ):
            status, text, _ = await ask(method, path, **headers)
            assert status == 403 and "refused" in text and text.count("\n") == 1


async def test_a_question_is_open_by_post_too_and_what_is_not_there_is_just_that() -> None:
    async with serving(routes=ROUTES) as server, aiohttp.ClientSession() as session:
        ask = Client(server, session)
        for method, path in (("GET", PATH), ("POST", QUESTION), ("POST", "/api/v1/query")):
            assert (await ask(method, path, X_Forwarded_For="192.0.2.7"))[0] == 200
        assert (await ask("POST", "/nothing", X_Forwarded_For="192.0.2.7"))[0] == 404
        assert (await ask("PUT", QUESTION, X_Forwarded_For="192.0.2.7"))[0] == 405


async def test_users_change_something_from_anywhere_by_their_role(tmp_path: Path) -> None:
    file = tmp_path / "web.yml"
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(4)).decode()
    file.write_text(f"basic_auth_users: {{ops: '{hashed}', grafana: '{hashed}'}}\n")
    roles = {"grafana": "read"}
    async with (
        serving(routes=ROUTES, web_config=str(file), roles=roles) as server,
        aiohttp.ClientSession() as session,
    ):
        ask = Client(server, session)

        async def by(user: str, method: str, path: str) -> int:
            login = basic(user, b"right")
            return (await ask(method, path, Authorization=login, X_Forwarded_For="192.0.2.7"))[0]

        assert (await by("ops", "POST", PATH), await by("ops", "POST", "/-/reload")) == (200, 200)
        assert (await by("grafana", "POST", PATH), await by("grafana", "GET", PATH)) == (403, 200)
        assert (await ask("POST", PATH))[0] == 401  # from this machine too, where there are users


async def test_with_hosts_another_name_is_421_on_every_path() -> None:
    async with (
        serving(routes=ROUTES, hosts=["slod.example"]) as server,
        aiohttp.ClientSession() as session,
    ):
        ask = Client(server, session)
        for path in ("/", "/metrics", "/-/healthy", PATH, "/api/v1/query", "/nothing"):
            status, text, _ = await ask("GET", path, Host="rebound.example")
            assert status == 421 and "[server] hosts" in text and text.count("\n") == 1
            assert (await ask("GET", path, Host="slod.example"))[0] != 421
        assert (await ask("POST", PATH, Host="slod.example"))[0] == 200


PAGE = "https://grafana.example"


async def test_a_page_of_an_allowed_origin_reads_the_api_and_no_more() -> None:
    async with (
        serving(routes=ROUTES, origins=[PAGE]) as server,
        aiohttp.ClientSession() as session,
    ):
        ask = Client(server, session)

        async def allowed(method: str, path: str, origin: str = PAGE, **more: str) -> str | None:
            _, _, response = await ask(method, path, Origin=origin, **more)
            assert len(response.headers.getall("Access-Control-Allow-Origin", [])) < 2
            return response.headers.get("Access-Control-Allow-Origin")

        assert await allowed("GET", PATH) == PAGE
        assert await allowed("POST", QUESTION) == PAGE
        assert await allowed("POST", "/api/v1/query") == PAGE
        assert await allowed("GET", "/api/nothing") == PAGE
        for method, path in (("POST", PATH), ("DELETE", PATH), ("POST", "/-/reload")):
            assert (await ask(method, path, Origin=PAGE))[0] == 403
            assert await allowed(method, path) is None
        assert await allowed("GET", "/metrics") is None
        assert await allowed("GET", PATH, "https://other.example") is None
        _, _, response = await ask("GET", PATH)
        assert response.headers["Vary"] == "Origin"

        first = {"Access_Control_Request_Method": "GET"}
        status, text, response = await ask("OPTIONS", PATH, Origin=PAGE, **first)
        assert (status, text) == (204, "")
        assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD"
        assert response.headers["Access-Control-Allow-Headers"] == "Authorization"
        assert response.headers.getall("Access-Control-Allow-Origin") == [PAGE]
        _, _, response = await ask("OPTIONS", "/api/v1/query", Origin=PAGE, **first)
        assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, POST"
        for origin, path in (("https://other.example", PATH), (PAGE, "/metrics")):
            assert (await ask("OPTIONS", path, Origin=origin, **first))[0] == 405


async def test_by_default_no_other_page_reads_anything() -> None:
    async with serving(routes=ROUTES) as server, aiohttp.ClientSession() as session:
        ask = Client(server, session)
        _, _, response = await ask("GET", PATH, Origin=PAGE)
        assert not [name for name in response.headers if name.startswith("Access-Control")]
        assert "Vary" not in response.headers
