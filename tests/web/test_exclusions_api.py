"""The endpoints of exclusions: what they refuse, whom they believe, what their document says."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import bcrypt
import pytest

from exporter.app import exclusions as app_exclusions
from exporter.app.exclusions import Exclusions
from exporter.store.database import Store
from exporter.web import exclusions_api, openapi
from exporter.web.server import WebServer
from tests.core.builders import engine, slo
from tests.support import ManualClock
from tests.web.kit import serving

API = "/api/slo/v1/exclusions"
NEW = {
    "slos": "checkout",
    "start": "2023-11-14T20:00:00Z",
    "duration": "2h",
    "reason": "provider outage",
    "owner": "anna",
}
JSON = {"Content-Type": "application/json"}


@asynccontextmanager
async def api(**more: Any) -> AsyncIterator[WebServer]:
    clock = ManualClock()
    store = Store(":memory:", now=clock.now)
    await store.open()
    exclusions = Exclusions(engine(slo("checkout")), store, clock, lambda: None)
    await exclusions.start([])
    try:
        routes = openapi.routes(exclusions_api.part(exclusions))
        async with serving(routes=routes, **more) as server:
            yield server
    finally:
        await store.close()


async def ask(
    server: WebServer, method: str, path: str = "", body: Any = None, **headers: str
) -> tuple[int, Any]:
    data = json.dumps(body) if isinstance(body, (dict, list)) else body
    named = {k.replace("_", "-"): v for k, v in headers.items()} or JSON
    async with aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}{API}{path}"
        async with session.request(
            method, url, data=data, headers=named, skip_auto_headers=["Content-Type"]
        ) as answer:
            text = await answer.text()
            if text:
                assert answer.content_type == "application/json"
                assert len(text.splitlines()) == 1
            return answer.status, json.loads(text) if text else None


async def test_an_exclusion_is_made_listed_and_taken_back() -> None:
    async with api() as server:
        status, made = await ask(server, "POST", "", NEW)
        assert status == 201
        assert made == {
            "id": made["id"],
            "origin": "api",
            "slos": "checkout",
            "start": "2023-11-14T20:00:00+00:00",
            "end": "2023-11-14T22:00:00+00:00",
            "rrule": None,
            "timezone": None,
            "reason": "provider outage",
            "owner": "anna",
            "by": "anna",
            "at": "2023-11-14T22:13:20Z",
            "last": {"start": "2023-11-14T20:00:00Z", "end": "2023-11-14T22:00:00Z"},
            "next": None,
            "active": False,
            "quarantined": None,
            "covers": [{"slo": "checkout", "excluded_seconds": 7200.0}],
        }
        assert await ask(server, "GET") == (200, {"exclusions": [made]})
        path = f"/{made['id']}?by=bert&why=no"
        assert await ask(server, "DELETE", path) == (204, None)
        assert (await ask(server, "DELETE", path))[0] == 404
        assert await ask(server, "GET") == (200, {"exclusions": []})
        _, found = await ask(server, "GET", "/audit?limit=1")
        [record] = found["records"]
        assert (record["number"], record["action"], record["by"]) == (2, "removed", "bert")
        assert record["exclusion"]["reason"] == "provider outage"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"slos": None}, "the key 'slos' is missing"),
        ({"slos": 5}, "slos: must be"),
        ({"start": [1]}, "start: not a time: [1]"),
        ({"end": "2023-11-15T20:00:00Z"}, "needs exactly one of 'end' and 'duration'"),
        ({"start": "2023-11-14 20:00"}, "start: which time zone is 2023-11-14 20:00 in?"),
        ({"rrule": "FREQ=WEEKLY"}, "a rule needs a timezone"),
        ({"rrule": "FREQ=NEVER", "timezone": "UTC"}, "rrule: a recurrence rule"),
        ({"reason": " "}, "reason: must be a text"),
        ({"reason": "x" * 1001}, "reason: must be a text"),
        ({"owner": ""}, "the key 'owner' is missing"),
        ({"ruule": "x"}, "ruule: unknown key 'ruule'; did you mean 'rrule'?"),
    ],
)
async def test_what_cannot_be_made_is_refused_in_one_line(
    change: dict[str, Any], error: str
) -> None:
    async with api() as server:
        status, said = await ask(server, "POST", "", {**NEW, **change})
        assert status == 400 and error in said["error"]
        assert await ask(server, "GET") == (200, {"exclusions": []})


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ("", 400, "the body is empty"),
        ("{", 400, "the body is not JSON"),
        ("[" * 100_000, 413, "longer than 65536 bytes"),
        ("[" * 60_000, 400, "the body is not JSON"),
        ("x" * 1_000_000, 413, "longer than 65536 bytes"),
        ("[]", 400, "must be a JSON object"),
        (b'{"slos":"\xff"}', 400, "the body is not JSON"),
        ('{"start":NaN}', 400, "the body is not JSON"),
    ],
)
async def test_a_body_that_is_no_object_is_refused(
    body: str | bytes, status: int, error: str
) -> None:
    async with api() as server:
        found, said = await ask(server, "POST", "", body)
        assert (found, error in said["error"]) == (status, True), said


async def test_what_a_foreign_page_could_send_is_refused() -> None:
    async with api() as server:
        own = f"http://127.0.0.1:{server.port}"
        foreign = ("http://evil.example", "null", f"http://127.0.0.1.evil:{server.port}", "x://[")
        for origin in foreign:
            status, said = await ask(
                server, "POST", "", NEW, Content_Type="application/json", Origin=origin
            )
            assert status == 403 and "another origin" in said["error"]
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            assert (await ask(server, "POST", "", NEW, Content_Type=kind))[0] == 415
        assert (await ask(server, "DELETE", "/x?by=a&why=b", Accept="*/*"))[0] == 415
        assert await ask(server, "GET") == (200, {"exclusions": []})

        of_ours = {"Content_Type": "application/json", "Origin": own}
        assert (await ask(server, "POST", "", {**NEW, "end": None}, **of_ours))[0] == 201
        assert (await ask(server, "POST", "", NEW, X_Requested_With="curl"))[0] == 201


async def test_who_removes_says_who_and_why() -> None:
    async with api() as server:
        _, made = await ask(server, "POST", "", NEW)
        for query in ("", "?by=bert", "?why=x", "?by=bert&why=+", f"?by={'b' * 201}&why=x"):
            status, said = await ask(server, "DELETE", f"/{made['id']}{query}")
            assert status == 400 and said["error"]


async def test_with_passwords_it_is_the_user_who_is_on_record(tmp_path: Path) -> None:
    hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
    file = tmp_path / "web.yml"
    file.write_text(f"basic_auth_users: {{carla: '{hashed}'}}\n")
    login = "Basic " + base64.b64encode(b"carla:secret").decode()
    as_carla = {"Authorization": login, "Content_Type": "application/json"}
    async with api(web_config=str(file)) as server:
        _, made = await ask(server, "POST", "", {**NEW, "owner": "anna"}, **as_carla)
        assert (made["by"], made["owner"]) == ("carla", "anna")
        path = f"/{made['id']}?by=anna&why=x"
        assert (await ask(server, "DELETE", path, **as_carla))[0] == 204
        _, found = await ask(server, "GET", "/audit", **as_carla)
        assert [r["by"] for r in found["records"]] == ["carla", "carla"]
    async with api() as server:
        # Nobody checked this name.
        _, made = await ask(server, "POST", "", NEW, **as_carla)
        assert made["by"] == "anna"


@pytest.mark.parametrize("limit", ["0", "-1", "x", "", "10001", "9" * 5000, "²"])
async def test_a_limit_that_is_none_is_refused(limit: str) -> None:
    async with api() as server:
        status, said = await ask(server, "GET", f"/audit?limit={limit}")
        assert status == 400 and "limit" in said["error"]


async def test_another_method_is_refused_in_json_too() -> None:
    async with api() as server:
        assert await ask(server, "PUT", "", NEW) == (405, {"error": "PUT is not allowed here"})
        assert await ask(server, "GET", "/x/y") == (404, {"error": "not found; see /"})


async def test_there_is_an_end_to_how_many_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_exclusions, "MOST", 2)
    async with api() as server:
        assert [(await ask(server, "POST", "", NEW))[0] for _ in range(3)] == [201, 201, 400]
        status, said = await ask(server, "POST", "", NEW)
        assert status == 400 and "there are 2 exclusions already" in said["error"]


def references(node: object) -> set[str]:
    if isinstance(node, dict):
        own = {node["$ref"]} if "$ref" in node else set()
        return own.union(*(references(v) for v in node.values()))
    return set().union(*map(references, node)) if isinstance(node, list) else set()


async def test_the_openapi_document_describes_every_route_and_what_it_names_is_there() -> None:
    async with api() as server, aiohttp.ClientSession() as session:
        url = f"http://127.0.0.1:{server.port}/api/slo/v1/openapi.json"
        async with session.get(url) as answer:
            document = await answer.json()
        assert set(document["paths"][API]) == {"get", "post"}
        assert set(document["paths"][f"{API}/{{ident}}"]) == {"delete"}
        schemas = document["components"]["schemas"]
        assert references(document) <= {f"#/components/schemas/{name}" for name in schemas}
        _, made = await ask(server, "POST", "", NEW)
        assert set(made) == set(schemas["Exclusion"]["properties"])
        assert set(NEW) <= set(schemas["NewExclusion"]["properties"])
        _, found = await ask(server, "GET", "/audit")
        assert set(found["records"][0]) == set(schemas["ExclusionRecord"]["properties"])
