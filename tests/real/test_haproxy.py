"""HAProxy reloaded: a new worker begins at zero, and what the old one did last is on no page."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from tests.real import servers
from tests.real.counts import Slod, prometheus_config, scrape, slo, slod, upstream
from tests.real.load import wrk
from tests.real.servers import eventually
from tests.real.software import Haproxy

pytestmark = pytest.mark.real

NAME = "haproxy_frontend_http_responses_total"
SLI = f"""bad = '{NAME}{{proxy="web",code="5xx"}}', total = '{NAME}{{proxy="web"}}'"""
BOTH = ("scraped", "asked")


async def test_a_new_worker_that_has_overtaken_the_old_one_between_two_scrapes_counts_whole(
    tmp_path: Path,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        haproxy = await stack.enter_async_context(Haproxy.running(tmp_path))
        # Scrapes are rare, so that a busy machine too gets the load done between two of them.
        config = prometheus_config(haproxy.metrics_address, interval="4s")
        url = await stack.enter_async_context(servers.prometheus(tmp_path, config))
        page = f"http://{haproxy.metrics_address}/metrics"
        config = scrape("pages", page, interval="4s") + upstream("prom", url)
        config += slo("scraped", "pages", SLI) + slo("asked", "prom", SLI)
        daemon = await stack.enter_async_context(slod(tmp_path, config))
        await daemon.looks("pages", 1)
        await eventually(lambda: has_scraped(url), "Prometheus scrapes")
        await daemon.looks("prom")
        served = await wrk(haproxy.url, 200, rate=2000, bad_every=25)
        await daemon.counts(dict.fromkeys(BOTH, served))
        await haproxy.reload()
        served += await wrk(haproxy.url, 600, rate=2000, bad_every=25)
        await daemon.counts(dict.fromkeys(BOTH, served))
        await daemon.is_calm()


async def has_scraped(url: str) -> bool:
    _, body = await servers.fetch(f"{url}/api/v1/query?query={NAME}")
    return b'"result":[{' in body


async def test_reloads_under_load_lose_no_more_than_what_no_page_showed(tmp_path: Path) -> None:
    rate, interval, reloads = 200, 0.5, 3
    async with contextlib.AsyncExitStack() as stack:
        haproxy = await stack.enter_async_context(Haproxy.running(tmp_path))
        page = f"http://{haproxy.metrics_address}/metrics"
        config = scrape("pages", page) + slo("scraped", "pages", SLI)
        daemon = await stack.enter_async_context(slod(tmp_path, config))
        await daemon.looks("pages")
        load = asyncio.create_task(wrk(haproxy.url, 2000, rate=rate, bad_every=25))
        for _ in range(reloads):
            enough = (await daemon.events("scraped")).total() + 300
            await eventually(partial(has_counted, daemon, enough), "the load is counted")
            assert not load.done()
            await haproxy.reload()
        served = await load
        await daemon.looks("pages")
        # Half of an interval is to be expected each time; a busy machine may take longer.
        lost = {kind: 2 * reloads * interval * rate * share for kind, share in SHARES.items()}
        events = await daemon.events("scraped")
        assert within(events, served, lost), (events, served, lost)
        # What comes after the last reload is whole again.
        after = await wrk(haproxy.url, 200, rate=500, bad_every=25)
        await daemon.counts({"scraped": events + after})
        await daemon.is_calm()


SHARES = {"good": 24 / 25, "bad": 1 / 25}
"""Of the load, see `bad_every`."""


def within(events: Counter[str], served: Counter[str], lost: dict[str, float]) -> bool:
    """Never more than wrk counted, and no less than it counted without what may be lost."""
    return all(served[kind] - lost[kind] - 1 <= events[kind] <= served[kind] for kind in SHARES)


async def has_counted(daemon: Slod, events: float) -> bool:
    return (await daemon.events("scraped")).total() >= events
