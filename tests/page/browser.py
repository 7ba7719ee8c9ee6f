"""Debian's Chromium for tests, and what is asked of every page in it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright

from tests.real.servers import need

FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
DESK, PHONE = {"width": 1200, "height": 850}, {"width": 360, "height": 740}


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A browser of its own; without Chromium the test is skipped, or fails where it is required."""
    program = need("chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def opened(browser: Browser, url: str, **options: Any) -> AsyncIterator[Page]:
    """A page in a window of its own; nothing may be said on its console."""
    context = await browser.new_context(**{"viewport": DESK, **options})
    page = await context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(url)
    try:
        yield page
    finally:
        await context.close()
    assert said == []
    host = url.split("/")[2]
    assert {address.split("/")[2] for address in asked if "://" in address} == {host}


async def accessible(page: Page) -> None:
    """axe finds nothing wrong."""
    found = await Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


async def keep(page: Page, name: str, folder: Path) -> None:
    """A picture of the whole page, for people."""
    where = Path(os.environ.get("SLOD_SCREENSHOTS", folder))
    where.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=where / f"{name}.png", full_page=True)


async def fits(page: Page) -> bool:
    """Nothing is wider than the window."""
    return bool(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))
