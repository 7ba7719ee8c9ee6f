"""`/api/slo/v1/slos/{name}/incidents` of a real daemon."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.config.moments import rfc3339
from tests.app.test_exclusions import ask
from tests.web.test_slos_api import API, Shop, page, shop

__all__ = ["page", "shop"]


async def get(shop: Shop, path: str) -> tuple[int, Any]:
    return await ask(shop.daemon, "GET", f"{API}/{path}")


async def test_an_outage_is_told_while_it_goes_on_and_when_it_is_over(shop: Shop) -> None:
    for good, bad in [(100, 0)] * 10 + [(0, 100)] * 5:
        await shop.serve(good, bad)
        await shop.clock.advance(5)
    began = None
    for ongoing in (True, False):
        status, found = await get(shop, "shop/incidents")
        assert (status, found["slo"]) == (200, "shop")
        [one] = found["incidents"]
        assert one["ongoing"] is ongoing and one["bad"] == 500 and one["total"] == 500
        assert one["budget_share"] > 0.01 and one["seconds"] > 0
        assert not one["before_slod"] and one["group"] == {}
        assert began in (None, one["start"])
        began = one["start"]
        await shop.serve(100, 0)
    end = rfc3339(shop.clock.now() - 3000)
    status, found = await get(shop, f"shop/incidents?start=-2h&end={end}".replace("+", "%2B"))
    assert (status, found["incidents"], found["end"]) == (200, [], end)
    assert (await get(shop, "by-route/incidents"))[1]["incidents"] == []


@pytest.mark.parametrize(
    ("path", "status", "why"),
    [
        ("shpo/incidents", 404, "did you mean 'shop'?"),
        ("by-code/incidents?group=code=1", 404, "has no group code=1"),
        ("shop/incidents?group=code=1", 400, "has no groups"),
        ("shop/incidents?start=soon", 400, "start: not a time: 'soon'"),
        ("shop/incidents?start=-1h&end=-2h", 400, "is before the start"),
    ],
)
async def test_what_cannot_be_answered_is_refused_with_a_way_out(
    shop: Shop, path: str, status: int, why: str
) -> None:
    found = await get(shop, path)
    assert found[0] == status and why in found[1]["error"]
