"""The endpoint that explains: what it takes, what it refuses, and what it says of itself."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from jsonschema import Draft202012Validator

from exporter.core.account import Account
from exporter.core.explain import explain
from exporter.core.explained import Explanation
from exporter.errors import NotFound
from exporter.web import explain_api
from tests.web.kit import NOW, serving, slo


class Known:
    """Explains one SLO and remembers what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], float | None]] = []

    async def explain(
        self, name: str, group: dict[str, str], window: float | None
    ) -> list[Explanation]:
        self.asked.append((name, group, window))
        if name != "checkout":
            raise NotFound(name)
        return [] if group else [explain(Account(slo()), (), NOW, str)]

    def names(self) -> list[str]:
        return ["checkout", "login"]


async def ask(known: Known, path: str) -> tuple[int, Any]:
    async with serving(routes=explain_api.part(known).routes) as server:
        url = f"http://127.0.0.1:{server.port}/api/slo/v1/slos/{path}"
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            assert response.content_type == "application/json"
            return response.status, json.loads(await response.read())


async def test_it_answers_one_explanation_for_each_instance() -> None:
    status, body = await ask(known := Known(), "checkout/explain")
    assert (status, body["slo"]) == (200, "checkout")
    (one,) = body["instances"]
    assert one["objective"] == 0.999
    assert one["rules"][0]["outages"][0]["error_ratio"] == 1.0
    assert one["budget"]["exhaustion"] is None
    assert known.asked == [("checkout", {}, None)]


async def test_groups_and_window_are_handed_on() -> None:
    known = Known()
    await ask(known, "checkout/explain?group=route=/a%3Db&group=pod=1&window=1h30m")
    await ask(known, "checkout/explain?window=none")
    assert known.asked == [
        ("checkout", {"route": "/a=b", "pod": "1"}, 5400.0),
        ("checkout", {}, 0.0),
    ]


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("chekout/explain", 404, "there is no SLO 'chekout'; did you mean 'checkout'?"),
        ("xyz/explain", 404, "there is no SLO 'xyz'; see /api/slo/v1/slos"),
        ("checkout/explain?group=a=b", 404, "SLO 'checkout' has no group a=b"),
        ("checkout/explain?group=a", 400, "group: 'a' is not label=value"),
        ("checkout/explain?window=1s", 400, "window: 1s is not between 1m and 366d"),
        ("checkout/explain?window=soon", 400, "window: not a duration: 'soon'; write it like"),
    ],
)
async def test_what_cannot_be_answered_is_refused_in_one_line(
    path: str, status: int, said: str
) -> None:
    found, body = await ask(Known(), path)
    assert found == status
    assert body["error"].startswith(said)


async def test_the_answer_is_as_the_document_says() -> None:
    part = explain_api.part(Known())
    _, body = await ask(Known(), "checkout/explain")
    get = part.paths[explain_api.PATH]["get"]
    schema = get["responses"]["200"]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": {"schemas": dict(part.schemas)}}).validate(body)
