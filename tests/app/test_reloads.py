"""Reloads: what is configured as before goes on as if nothing was, what is under way is finished,
and many at once are one."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from exporter.app.daemon import Daemon
from exporter.app.reloads import Reloads
from tests.app.test_daemon import (
    BAD,
    GOOD,
    SLO,
    PageServer,
    has,
    page,
    ready,
    running,
    until,
    value,
    write,
)
from tests.sources.kit import serving

__all__ = ["page"]

POLICY = """
alert_policy = "fast"
[alert_policy.fast]
rules = [{ severity = "page", burn_rate = 2, long = "4s", short = "2s" }]
"""
HOOK = '[receiver.hook]\ntype = "webhook"\nurl = "{url}"\n'


async def test_all_who_ask_while_a_reload_waits_are_answered_by_one() -> None:
    begun = 0
    go_on = asyncio.Event()

    async def reload(allow_empty: bool) -> str | None:
        nonlocal begun
        begun += 1
        number = begun
        await go_on.wait()
        return f"reload {number}"

    reloads = Reloads(reload)
    first = asyncio.create_task(reloads())
    while not begun:
        await asyncio.sleep(0)
    later = [asyncio.create_task(reloads()) for _ in range(100)]
    await asyncio.sleep(0)
    later[0].cancel()  # its asker went away
    go_on.set()
    assert await first == "reload 1"
    assert await asyncio.gather(*later[1:]) == ["reload 2"] * 99
    assert begun == 2


async def test_one_of_those_who_wait_may_allow_that_nothing_is_left() -> None:
    given: list[bool] = []

    async def reload(allow_empty: bool) -> str | None:
        given.append(allow_empty)
        return None

    reloads = Reloads(reload)
    await asyncio.gather(*(reloads(number == 3) for number in range(5)))
    await reloads()
    assert given == [True, False]


async def test_a_reload_under_way_ends_with_the_daemon_and_none_begins_after_that() -> None:
    begun = asyncio.Event()

    async def reload(allow_empty: bool) -> str | None:
        begun.set()
        await asyncio.Event().wait()
        return None

    reloads = Reloads(reload)
    asking, leaves = (asyncio.create_task(reloads()) for _ in range(2))
    await begun.wait()
    waits = asyncio.create_task(reloads())
    await asyncio.sleep(0)
    leaves.cancel()
    await reloads.stop()
    # Who asked is told, and it is no failure that a request was cut off by the end of the daemon.
    assert await asking == await waits == await reloads() == "slod is stopping"
    with pytest.raises(asyncio.CancelledError):
        await leaves


class SlowPage:
    """A page that is on its way until the test lets it arrive."""

    def __init__(self) -> None:
        self.asked = 0
        self.whole = asyncio.Event()
        self.whole.set()
        self.bad = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked += 1
        text = f'requests_total{{code="200"}} 0\nrequests_total{{code="500"}} {self.bad}\n'
        await self.whole.wait()
        return web.Response(text=text)


def leaving(daemon: Daemon) -> Callable[[], Awaitable[bool]]:
    """Whether a reload waits for what is under way."""
    parts = daemon.running

    async def look() -> bool:
        sources = [one.part.source for one in parts.sources.values()]
        deliveries = [one.part for one in parts.receivers.values()]
        return any(vars(one)["_leaving"] for one in (*sources, *deliveries))

    return look


async def test_nothing_changed_nothing_is_touched_and_a_poll_under_way_counts(
    tmp_path: Path,
) -> None:
    slow = SlowPage()
    async with serving(slow.answer) as url:
        at = PageServer()
        at.url = f"{url}/metrics"
        file = write(tmp_path, at, SLO.format(objective=99))
        async with running(file) as daemon:
            await until(ready(daemon))
            slow.whole.clear()
            slow.bad, before = 7, slow.asked

            async def asked() -> bool:
                return slow.asked > before

            await until(asked)
            polling = daemon.running.polling["app"]
            with capture_logs() as logs:
                for _ in range(5):
                    assert await daemon.reload() is None
                file.write_text("# other lines, the same meaning\n" + file.read_text())
                assert await daemon.reload() is None
            assert {line["event"] for line in logs} == {"config.unchanged"}
            assert daemon.running.polling["app"] is polling
            assert slow.asked == before + 1  # the very poll that was under way ...
            slow.whole.set()
            await until(has(daemon, BAD, 7))  # ... counts


async def test_a_source_that_is_configured_otherwise_finishes_its_poll_first(
    tmp_path: Path,
) -> None:
    slow = SlowPage()
    async with serving(slow.answer) as url:
        at = PageServer()
        at.url = f"{url}/metrics"
        file = write(tmp_path, at, SLO.format(objective=99))
        async with running(file) as daemon:
            await until(ready(daemon))
            slow.whole.clear()
            slow.bad, before = 7, slow.asked

            async def asked() -> bool:
                return slow.asked > before

            await until(asked)
            file.write_text(file.read_text().replace("100ms", "1h"))
            reloading = asyncio.create_task(daemon.reload())
            await until(leaving(daemon))
            assert not reloading.done()
            slow.bad = 9
            slow.whole.set()
            assert await reloading is None
            await until(has(daemon, BAD, 9))  # of the first poll of the new one, an hour apart
            assert slow.asked == before + 2


async def test_another_objective_and_a_further_receiver_leave_the_source_alone(
    tmp_path: Path, page: PageServer
) -> None:
    async with running(write(tmp_path, page, SLO.format(objective=99))) as daemon:
        await until(ready(daemon))
        polling = daemon.running.polling["app"]
        hook = HOOK.format(url="http://127.0.0.1:1/")
        write(tmp_path, page, SLO.format(objective=90), hook)
        assert await daemon.reload() is None
        assert daemon.running.polling["app"] is polling
        queue = 'slod_notification_queue_length{receiver="hook"}'
        assert await value(daemon, queue) == 0
        more = SLO.format(objective=90).replace("[slo.shop]", "[slo.other]")
        write(tmp_path, page, SLO.format(objective=90), more)
        assert await daemon.reload() is None
        assert daemon.running.polling["app"] is not polling  # it has one more to ask for
        assert await value(daemon, queue) is None
        page.counts["200"] = 5
        await until(has(daemon, GOOD, 5))


async def test_what_is_removed_stands_on_the_page_no_more(tmp_path: Path, page: PageServer) -> None:
    shop = SLO.format(objective=99)
    up = f'slod_source_up{{source="app",target="{page.url}"}}'
    async with running(write(tmp_path, page, shop)) as daemon:
        await until(has(daemon, up, 1))
        write(tmp_path, page)
        file = tmp_path / "slod.toml"
        file.write_text(file.read_text().replace("[source.app]", "[source.other]"))
        file.write_text(file.read_text() + shop)
        assert await daemon.reload() is None
        await until(has(daemon, up.replace('"app"', '"other"'), 1))
        assert await value(daemon, up) is None


class Hook:
    """A receiver that takes its time."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.go_on = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.keys.append(request.headers["Idempotency-Key"])
        await self.go_on.wait()
        return web.Response()


@pytest.mark.parametrize("other", [False, True])
async def test_a_delivery_under_way_is_finished_and_heard_once(
    tmp_path: Path, page: PageServer, other: bool
) -> None:
    hook = Hook()
    async with serving(hook.answer) as url:
        configured = SLO.format(objective=99) + POLICY + HOOK.format(url=url)
        async with running(write(tmp_path, page, configured)) as daemon:
            await until(ready(daemon))
            page.counts = {"200": 5, "500": 500}

            async def asked() -> bool:
                page.counts["500"] += 5
                return bool(hook.keys)

            await until(asked)
            if other:
                write(tmp_path, page, configured + "timeout = '9s'\n")
            reloading = [asyncio.create_task(daemon.reload()) for _ in range(5)]
            if other:
                await until(leaving(daemon))
            hook.go_on.set()
            assert await asyncio.gather(*reloading) == [None] * 5

            async def delivered() -> bool:
                series = 'slod_notifications_total{receiver="hook",outcome="delivered"}'
                return bool(await value(daemon, series))

            await until(delivered)
            assert hook.keys == list(dict.fromkeys(hook.keys))
            retried = 'slod_notifications_total{receiver="hook",outcome="retried"}'
            assert not await value(daemon, retried)
