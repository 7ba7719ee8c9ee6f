"""The pages in a real browser, over a daemon with an hour of data and an outage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, Route

from tests.app.test_daemon import until
from tests.app.test_exclusions import ask
from tests.app.test_prom import World, world
from tests.core.builders import T
from tests.page.browser import PHONE, accessible, chromium, fits, keep, opened
from tests.page.test_pages import daemon_of
from tests.support import ManualClock

__all__ = ["world"]

pytestmark = pytest.mark.real
PAGES = ("/", "/slo/shop", "/alerts", "/sources", "/configuration")


async def test_every_page_is_accessible_in_light_and_dark_and_fits_a_phone(
    world: World, tmp_path: Path
) -> None:
    event = {"kind": "deploy", "name": "v1", "slos": ["shop"], "by": "anna"}
    assert (await ask(world.daemon, "POST", "/api/slo/v1/events", json=event))[0] == 201
    async with chromium() as browser:
        for path in PAGES:
            name = path.strip("/").replace("/", "-") or "overview"
            url = f"http://127.0.0.1:{world.daemon.port}{path}"
            for scheme in ("light", "dark"):
                async with opened(browser, url, color_scheme=scheme) as page:
                    await accessible(page)
                    await keep(page, f"{name}-{scheme}", tmp_path)
            async with opened(browser, url, viewport=PHONE, is_mobile=True) as page:
                assert await fits(page), path
                await keep(page, f"{name}-phone", tmp_path)


async def test_filters_live_in_the_address_and_answer_at_once(world: World) -> None:
    url = f"http://127.0.0.1:{world.daemon.port}/"
    async with chromium() as browser:
        async with opened(browser, url) as page:
            rows = page.locator("table.objectives tbody tr:not(.service)")
            assert await rows.count() == 3
            await page.fill("#q", "routes 200")
            await page.wait_for_function(
                "() => document.querySelectorAll('table.objectives tbody tr').length === 2"
            )
            assert "q=routes+200" in page.url
            # What was typed is still there, and the cursor in it.
            assert await page.input_value("#q") == "routes 200"
            assert await page.evaluate("document.activeElement.id") == "q"
            await page.reload()
            assert await rows.count() == 1
            await page.fill("#q", "nothing like it")
            await page.get_by_text("No objective matches").wait_for()
            await page.get_by_role("link", name="Show all").click()
            await page.wait_for_function(
                "() => document.querySelectorAll('table.objectives tbody tr').length >= 4"
            )
            await page.locator("th small a", has_text="code: 500").click()
            assert "label=code" in page.url and await rows.count() == 1
            await page.locator("a.chip").click()
            assert await rows.count() == 3


async def test_without_script_filters_and_links_work_by_loading_pages(world: World) -> None:
    url = f"http://127.0.0.1:{world.daemon.port}/"
    async with chromium() as browser:
        async with opened(browser, url, java_script_enabled=False) as page:
            await page.fill("#q", "shop")
            await page.get_by_role("button", name="Search").click()
            assert page.url.endswith("?q=shop")
            await page.locator("tbody th a").nth(1).click()
            assert page.url.endswith("/slo/shop")
            await page.get_by_role("link", name="6h").click()
            assert page.url.endswith("?chart-span=6h")


async def test_new_numbers_appear_by_themselves_and_what_the_reader_did_stays(
    world: World,
) -> None:
    url = f"http://127.0.0.1:{world.daemon.port}/slo/shop"
    async with chromium() as browser:
        async with opened(browser, url) as page:
            await page.locator("#values-chart-traffic summary").click()
            await page.locator("#chart-burn").focus()
            await page.keyboard.press("End")
            before = await page.locator(".summary").text_content()
            await page.evaluate("window.mark = document.getElementById('chart-burn')")
            await world.live(1, 1000, 900)
            # The stream looks once a second, by the daemon's clock.
            await world.clock.advance(2)
            await _says_another(page, before)
            assert await page.evaluate("window.mark === document.getElementById('chart-burn')")
            assert await page.evaluate("document.activeElement.id") == "chart-burn"
            assert await page.locator("#values-chart-traffic").get_attribute("open") is not None
            assert await page.locator(".said").count() == 1


async def _says_another(page: Page, before: str | None) -> None:
    """Wait until the page has fresh numbers, by itself."""
    await page.wait_for_function(
        "before => document.querySelector('.summary').textContent !== before", arg=before
    )


async def test_a_chart_says_its_values_to_pointer_and_keyboard(world: World) -> None:
    url = f"http://127.0.0.1:{world.daemon.port}/slo/shop"
    async with chromium() as browser:
        async with opened(browser, url) as page:
            await page.locator("#chart-burn").scroll_into_view_if_needed()
            await page.locator("#chart-burn").hover(position={"x": 500, "y": 50})
            assert "UTC" in (await page.locator(".said b").text_content() or "")
            rows = await page.locator(".said span").all_text_contents()
            assert [row.split()[0] for row in rows] == ["5m", "30m", "1h", "2h", "6h", "1d"]
            await page.mouse.move(5, 5)
            assert await page.locator(".said").count() == 0
            await page.locator("#chart-budget").focus()
            await page.keyboard.press("End")
            last = await page.locator(".said").text_content()
            await page.keyboard.press("Home")
            assert await page.locator(".said").text_content() != last
            await page.keyboard.press("Escape")
            assert await page.locator(".said").count() == 0


async def test_on_a_phone_a_chart_keeps_its_heights_and_the_keyboard_s_moment_in_sight(
    world: World,
) -> None:
    url = f"http://127.0.0.1:{world.daemon.port}/slo/shop"
    seen = """() => {
        const box = document.querySelector('#figure-chart-burn .chart').getBoundingClientRect();
        return ['.axis', '.cross'].every((selector) => {
            const it = document.querySelector(`#chart-burn ${selector}`)?.getBoundingClientRect();
            return it && box.left - 1 <= it.left && it.right <= box.right + 1;
        });
    }"""
    async with chromium() as browser:
        async with opened(browser, url, viewport={"width": 360, "height": 780}) as page:
            assert await page.evaluate(
                "document.querySelector('#figure-chart-burn .chart').scrollLeft > 100"
            )
            await page.locator("#chart-burn").focus()
            for key in ("Home", "PageDown", "End"):
                await page.keyboard.press(key)
                # Scrolling is told of with the next picture.
                await page.wait_for_function(seen)


async def test_eight_open_pages_share_a_connection_and_all_of_them_hear(world: World) -> None:
    url = f"http://127.0.0.1:{world.daemon.port}/slo/shop"
    async with chromium() as browser:
        context = await browser.new_context()
        # A browser opens six connections to a host.
        pages = [await context.new_page() for _ in range(8)]
        for page in pages:
            await page.goto(url)
        before = await pages[0].locator(".summary").text_content()
        await world.live(1, 1000, 900)
        await world.clock.advance(2)
        for page in pages:
            await _says_another(page, before)
        await pages[0].close()
        before = await pages[1].locator(".summary").text_content()
        await world.live(1, 1000, 900)
        await world.clock.advance(2)
        await _says_another(pages[1], before)
        await context.close()


async def test_a_daemon_that_went_away_is_said_and_forgotten_when_it_is_back(world: World) -> None:
    url = f"http://127.0.0.1:{world.daemon.port}/"
    async with chromium() as browser:
        context = await browser.new_context()
        page = await context.new_page()
        await page.goto(url)
        await page.wait_for_load_state("load")
        await context.set_offline(True)
        await page.evaluate("refresh()")
        await page.locator("#live.lost").wait_for()
        assert "not connected since" in (await page.locator("#live").text_content() or "")
        await context.set_offline(False)
        await page.evaluate("refresh()")
        await page.wait_for_function("() => document.getElementById('live').textContent === ''")
        await context.close()


@asynccontextmanager
async def alone(browser: Browser, url: str) -> AsyncIterator[tuple[Page, list[Route]]]:
    """A page that hears slod by itself, with the time in the test's hand; what it asks of `/events`
    next is in the list, and waits for an answer."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.add_init_script("delete globalThis.SharedWorker")
    await page.clock.install()
    await page.goto(url)
    await page.clock.pause_at(await page.evaluate("Date.now() / 1000") + 4)
    asked: list[Route] = []

    async def wait(route: Route) -> None:
        asked.append(route)

    await page.route("**/events", wait)
    try:
        yield page, asked
    finally:
        await context.close()


async def test_a_daemon_that_is_silent_is_looked_for_and_not_being_found_is_said(
    world: World,
) -> None:
    url = f"http://127.0.0.1:{world.daemon.port}/"
    async with chromium() as browser, alone(browser, url) as (page, asked):
        await page.route(url, lambda route: route.abort())
        since = await page.evaluate("heard.toISOString().slice(11, 19)")
        await page.clock.run_for(15_000)
        assert not asked and await page.locator("#live").text_content() == ""
        await page.clock.run_for(12_000)
        await page.locator("#live.lost").wait_for()
        # Since when is the last word, not the moment at which the silence was noticed.
        assert await page.locator("#live").text_content() == f"not connected since {since} UTC"
        await until(lambda: _some(asked))
        await page.unroute(url)
        await asked[0].continue_()
        await page.wait_for_function("() => document.getElementById('live').textContent === ''")


async def test_a_proxy_that_answers_for_slod_does_not_end_the_live_page(world: World) -> None:
    url = f"http://127.0.0.1:{world.daemon.port}/"
    async with chromium() as browser, alone(browser, url) as (page, asked):
        await page.route(url, lambda route: route.fulfill(status=502))
        await page.clock.run_for(26_000)
        for _ in range(3):
            await until(lambda: _some(asked))
            await asked.pop().fulfill(status=502)
            await page.locator("#live.lost").wait_for()
            said = await page.locator("#live").text_content()
            await page.clock.run_for(11_000)
            assert await page.locator("#live").text_content() == said
        await until(lambda: _some(asked))
        await page.unroute(url)
        await asked.pop().continue_()
        await page.wait_for_function("() => document.getElementById('live').textContent === ''")


async def _some(found: list[Route]) -> bool:
    return bool(found)


async def test_a_row_that_moves_up_keeps_the_focus(world: World) -> None:
    url = f"http://127.0.0.1:{world.daemon.port}/"
    async with chromium() as browser, opened(browser, url) as page:
        last = page.locator("table.objectives tbody tr:not(.service) th a").last
        await last.focus()
        named = await last.text_content()
        focused = "document.activeElement.textContent"
        assert await page.evaluate(focused) == named
        # As a page that says it in another order: the service of the last one first.
        await page.route(url, _last_first)
        await page.evaluate("refresh()")
        await page.wait_for_function("() => document.title === 'turned'")
        assert await page.evaluate(focused) == named


async def _last_first(route: Route) -> None:
    answer = await route.fetch()
    head, *bodies = (await answer.text()).split("<tbody>")
    last, end = bodies[-1].split("</tbody>")
    turned = "<tbody>".join([head, f"{last}</tbody>", *bodies[:-1]]) + end
    turned = turned.replace("<title>", "<title>turned</title><title>", 1)
    await route.fulfill(response=answer, body=turned)


async def test_long_names_do_not_make_a_phone_s_page_wider(tmp_path: Path) -> None:
    clock, name = ManualClock(T), "checkout_availability_eu_central_1_production_" + "v" * 60
    async with daemon_of(tmp_path, clock, name=name, evil=name) as daemon, chromium() as browser:
        for path in (
            "/",
            "/alerts",
            "/sources",
            "/configuration",
            f"/slo/{name}",
            f"/?label=team:{name}",
            f"/?q={name}",
        ):
            url = f"http://127.0.0.1:{daemon.port}{path}"
            async with opened(browser, url, viewport=PHONE, is_mobile=True) as page:
                assert await fits(page), path
                await keep(page, f"long-{path.strip('/')[:5]}", tmp_path)
