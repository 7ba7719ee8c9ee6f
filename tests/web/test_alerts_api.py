"""`/api/slo/v1/alerts` of a real daemon: what fires, what ended, and who was told."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.app.test_daemon import PageServer, page, until, write
from tests.app.test_exclusions import ask, running
from tests.core.builders import aged
from tests.web.test_slos_api import SLOS, Shop

__all__ = ["page"]

API = "/api/slo/v1/alerts"
RECEIVERS = """
[receiver.pager]
type = "webhook"
url = "{url}/pager"
severities = ["page"]
[receiver.desk]
type = "webhook"
url = "{url}/desk"
"""


class Hooks:
    """Receivers that answer what the test wants."""

    def __init__(self) -> None:
        self.status = {"pager": 200, "desk": 200}

    async def take(self, request: web.Request) -> web.Response:
        return web.Response(status=self.status[request.match_info["name"]])


@pytest.fixture
async def shop(tmp_path: Path, page: PageServer) -> AsyncIterator[tuple[Shop, Hooks]]:
    hooks, app = Hooks(), web.Application()
    app.router.add_post("/{name}", hooks.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    shop = Shop(write(tmp_path, page, SLOS, RECEIVERS.format(url=url)), page)
    async with running(shop.file, shop.clock) as shop.daemon:
        await shop.serve(0, 0)
        aged(shop.daemon.engine, shop.clock.now())
        yield shop, hooks
    await runner.cleanup()


async def burns(shop: Shop, query: str = "") -> list[dict[str, Any]]:
    """The burn alerts of the SLO `shop`."""
    status, found = await ask(shop.daemon, "GET", API + query)
    assert status == 200
    alerts = [a for a in found["alerts"] if a["labels"]["alertname"] == "ErrorBudgetBurn"]
    return [a for a in alerts if a["labels"]["slo"] == "shop"]


async def when(shop: Shop, is_so: Any) -> list[dict[str, Any]]:
    """The alerts once it is so; time goes on meanwhile."""
    found: list[dict[str, Any]] = []

    async def look() -> bool:
        await shop.clock.advance(0.5)
        found[:] = await burns(shop)
        return bool(is_so(found))

    await until(look)
    return found


def waiting(alert: dict[str, Any]) -> dict[str, bool]:
    return {told["receiver"]: told["waiting"] for told in alert["receivers"]}


async def test_an_alert_says_who_was_told_and_who_still_waits(shop: tuple[Shop, Hooks]) -> None:
    at, hooks = shop
    hooks.status["desk"] = 503
    await at.serve(0, 100)

    def tried(found: list[dict[str, Any]]) -> bool:
        told = [told for alert in found for told in alert["receivers"]]
        return any(one["attempts"] > 1 for one in told)

    page, ticket = sorted(await when(at, tried), key=lambda a: a["labels"]["severity"])
    assert page["state"] == "firing" and page["said"] and page["ended"] is None
    assert page["annotations"]["summary"] and page["since"].startswith("2023-11-14T22:13:")
    # Only pages are for the pager, who took it; the desk is down, and tried again.
    assert waiting(page) == {"pager": False, "desk": True}
    assert page["receivers"][1]["next_attempt"].startswith("2023-11-14T")
    # A ticket beside a faster page is kept back.
    assert (ticket["state"], ticket["said"], ticket["receivers"]) == ("firing", False, [])
    hooks.status["desk"] = 200
    taken = {"pager": False, "desk": False}
    await when(at, lambda found: taken in [waiting(alert) for alert in found])


async def test_what_ended_is_told_for_a_while_after_what_fires(shop: tuple[Shop, Hooks]) -> None:
    at, _ = shop
    await at.serve(0, 100)
    await when(at, lambda found: len(found) == 2)
    await at.clock.advance(11)
    await at.serve(10, 0)
    found = await when(at, lambda found: [a["state"] for a in found] == ["firing", "resolved"])
    assert [a["labels"]["severity"] for a in found] == ["ticket", "page"]
    # The ticket was kept back, and the errors have ended with the page.
    assert found[1]["ended"] > found[1]["since"] and not found[0]["said"]
    assert await burns(at, "?state=resolved") == found[1:]
    assert await burns(at, "?state=firing") == found[:1]
    at.clock.step(3700)
    await when(at, lambda found: "page" not in [a["labels"]["severity"] for a in found])


async def test_a_state_that_there_is_not_is_refused(shop: tuple[Shop, Hooks]) -> None:
    status, found = await ask(shop[0].daemon, "GET", f"{API}?state=pending")
    assert (status, found["error"]) == (400, "state: must be firing or resolved, not 'pending'")
