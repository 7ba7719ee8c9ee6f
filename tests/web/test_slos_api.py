"""`/api/slo/v1/slos` of a real daemon: the numbers of its metrics page, filters, the unknown."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tests.app.test_daemon import PageServer, page, until, value, write
from tests.app.test_exclusions import ask, running
from tests.core.builders import aged
from tests.support import ManualClock

__all__ = ["page"]

API = "/api/slo/v1/slos"
SLOS = """
[slo.shop]
service = "checkout"
objective = 90
window = "1h"
sli = { bad = 'requests_total{code="500"}', total = 'requests_total' }
labels = { team = "payments", tier = "1" }
alert_policy = "fast"

[slo.by-code]
objective = 50
window = "1h"
sli = { bad = 'requests_total{code="500"}', total = 'requests_total' }
group_by = ["code"]
alert_policy = "fast"

[slo.quiet]
objective = 99
sli = { bad = 'mails_total{failed="1"}', total = 'mails_total' }

[slo.by-route]
objective = 99
sli = { bad = 'mails_total{failed="1"}', total = 'mails_total' }
labels = { team = "mail" }
group_by = ["route"]

[alert_policy.fast]
rules = [
  { severity = "page", burn_rate = 5, long = "20s", short = "10s" },
  { severity = "ticket", burn_rate = 1, long = "2m", short = "20s" },
]
"""


class Shop:
    """A daemon that counts what the test serves."""

    def __init__(self, file: Path, page: PageServer) -> None:
        self.file, self.page, self.clock = file, page, ManualClock()
        self.daemon: Any = None

    async def serve(self, good: int, bad: int) -> None:
        """So many more events, until slod has counted them."""
        counts = self.page.counts
        counts["200"] = counts.get("200", 0) + good
        counts["500"] = counts.get("500", 0) + bad
        labels = 'slo="shop",service="checkout",team="payments",tier="1"'

        async def counted() -> bool:
            await self.clock.advance(0.1)
            goods = await value(self.daemon, f'slo_events_total{{{labels},result="good"}}')
            bads = await value(self.daemon, f'slo_events_total{{{labels},result="bad"}}')
            return (goods, bads) == (counts["200"], counts["500"])

        await until(counted)

    async def slos(self, path: str = "") -> list[dict[str, Any]]:
        status, found = await ask(self.daemon, "GET", API + path)
        assert status == 200, found
        return list(found["slos"])

    async def refused(self, path: str, status: int) -> str:
        found = await ask(self.daemon, "GET", API + path)
        assert found[0] == status
        return str(found[1]["error"])


@pytest.fixture
async def shop(tmp_path: Path, page: PageServer) -> AsyncIterator[Shop]:
    shop = Shop(write(tmp_path, page, SLOS), page)
    async with running(shop.file, shop.clock) as shop.daemon:
        await shop.serve(0, 0)  # What is counted is counted from the first poll on.
        aged(shop.daemon.engine, shop.clock.now(), "shop", "by-code")
        yield shop


async def test_the_numbers_are_those_of_the_metrics_page(shop: Shop) -> None:
    await shop.serve(92, 8)
    (one,) = await shop.slos("/shop")
    labels = 'slo="shop",service="checkout",team="payments",tier="1"'
    for name, said in (
        ("slo_error_budget_remaining_ratio", one["budget_remaining"]),
        ("slo_error_budget_remaining_events", one["budget_remaining_events"]),
        ("slo_error_budget_exhaustion_seconds", one["exhaustion_seconds"]),
        ("slo_objective_ratio", one["objective"]),
        ("slo_gate_open", float(one["gate"]["allow"])),
    ):
        assert said == pytest.approx(await value(shop.daemon, f"{name}{{{labels}}}")), name
    assert one["budget_remaining"] == pytest.approx(0.2)
    assert [w["window"] for w in one["windows"]] == ["10s", "20s", "2m", "1h"]
    for window in one["windows"]:
        more = f'{{{labels},window="{window["window"]}"}}'
        assert window["burn_rate"] == pytest.approx(
            await value(shop.daemon, "slo_burn_rate" + more)
        )
        assert (window["good"], window["bad"]) == (92, 8)
    assert one["labels"] == {"team": "payments", "tier": "1"} and one["group"] == {}
    assert (one["window"], one["window_seconds"], one["policy_state"]) == (
        "1h",
        3600,
        "freeze_discussion",
    )
    assert one["steps"][0]["state"] == "freeze_discussion" and one["steps"][0]["gate"] == "open"
    assert (one["age"], one["whole_budget_remaining"]) == (3600, one["budget_remaining"])


async def test_nothing_burning_is_told_from_nothing_known(shop: Shop) -> None:
    await shop.serve(100, 0)
    (one,) = await shop.slos("/shop")
    assert one["exhaustion_seconds"] == "+Inf" and one["exhaustion_lower_seconds"] is None
    for name in ("quiet", "by-route"):
        (none,) = await shop.slos(f"/{name}")
        assert none["unknown"] == "there is no data yet" and none["budget_remaining"] is None
        assert none["exhaustion_seconds"] is None and none["gate"]["verdict"] == "unknown"
        assert not none["gate"]["allow"] and none["rules"][0]["firing"] is False
    await shop.serve(0, 100)
    (one,) = await shop.slos("/shop")
    assert one["exhaustion_seconds"] == 0 and one["gate"]["verdict"] == "closed"


async def test_filters_choose_by_service_labels_and_state(shop: Shop) -> None:
    await shop.serve(0, 50)
    names = [one["slo"] for one in await shop.slos()]
    assert names == ["shop", "by-code", "by-code", "quiet", "by-route"]
    for query, expected in {
        "?service=checkout": ["shop"],
        "?label=team=payments&label=tier=1": ["shop"],
        "?label=team=payments&label=tier=2": [],
        "?state=no_such_state": [],
        "?label=code=500": ["by-code"],
        "?state=exhausted&service=checkout": ["shop"],
        "?state=firing&label=tier=1": ["shop"],
        "?state=unknown": ["quiet", "by-route"],
        "?label=team=mail&state=": ["by-route"],
    }.items():
        assert [one["slo"] for one in await shop.slos(query)] == expected, query


async def test_one_slo_gives_its_groups_and_says_what_is_not_there(shop: Shop) -> None:
    await shop.serve(1, 1)
    assert [one["group"] for one in await shop.slos("/by-code")] == [
        {"code": "200"},
        {"code": "500"},
    ]
    (one,) = await shop.slos("/by-code?group=code=500")
    assert one["labels"] == one["group"] == {"code": "500"}
    assert "did you mean 'shop'?" in await shop.refused("/shpo", 404)
    assert "see /api/slo/v1/slos" in await shop.refused("/x", 404)
    assert "'a' is not name=value" in await shop.refused("/by-code?group=a", 400)
    assert "has no groups, not 'a'" in await shop.refused("/shop?group=a=b", 400)
    assert "is grouped by code, not 'a'" in await shop.refused("/by-code?group=a=b", 400)
    assert "SLO 'by-code' has no group code=404" in await shop.refused(
        "/by-code?group=code=404", 404
    )
    assert "like ?label=team=payments" in await shop.refused("?label=payments", 400)
    assert "cannot be '1' and '2'" in await shop.refused("?label=tier=1&label=tier=2", 400)


async def test_an_override_counts_at_once(shop: Shop) -> None:
    await shop.serve(0, 50)
    body = {"for": "shop", "duration": "1h", "reason": "the fix", "owner": "anna"}
    assert (await ask(shop.daemon, "POST", "/api/slo/v1/overrides", json=body))[0] == 201
    (one,) = await shop.slos("/shop")
    assert one["gate"]["verdict"] == "closed"
    assert one["gate"]["allow"] is True and one["gate"]["overridden"] is True


async def test_the_answers_are_as_the_openapi_document_says(shop: Shop) -> None:
    await shop.serve(50, 50)
    _, document = await ask(shop.daemon, "GET", "/api/slo/v1/openapi.json")
    for path in (
        "/api/slo/v1/slos",
        "/api/slo/v1/slos/{name}",
        "/api/slo/v1/slos/{name}/history",
        "/api/slo/v1/slos/{name}/incidents",
        "/api/slo/v1/alerts",
    ):
        described = document["paths"][path]["get"]
        schema = described["responses"]["200"]["content"]["application/json"]["schema"]
        whole = {**schema, "components": document["components"]}
        Draft202012Validator.check_schema(whole)
        status, found = await ask(shop.daemon, "GET", path.replace("{name}", "shop"))
        assert status == 200
        Draft202012Validator(whole).validate(found)
