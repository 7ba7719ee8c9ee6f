"""A page that passes other processes on: Prometheus' /federate."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.real import servers
from tests.real.counts import scrape, slo, slod
from tests.real.servers import eventually, fetch
from tests.real.shop import PROMETHEUS, Pod, Shop

pytestmark = pytest.mark.real

SLI = """bad = 'http_requests_total{code=~"5.."}', total = 'http_requests_total'"""


async def test_processes_that_are_added_late_bring_no_past(tmp_path: Path, shop: Shop) -> None:
    async with contextlib.AsyncExitStack() as stack:
        first = await shop.add(age=3600, counts={"200": 3000, "500": 10})
        config = PROMETHEUS.format(folder=tmp_path)
        url = await stack.enter_async_context(servers.prometheus(tmp_path, config))
        counters = f"{url}/federate?match[]=http_requests_total"
        # One page has the counters only, the other also says when each process started.
        config = scrape("counters", counters)
        config += scrape("all", f"{counters}&match[]=process_start_time_seconds")
        config += slo("bare", "counters", SLI) + slo("dated", "all", SLI)
        daemon = await stack.enter_async_context(slod(tmp_path, config))

        async def shown(pod: Pod) -> None:
            """Wait until slod has seen a process on both pages."""
            await eventually(lambda: federates(counters, pod), "Prometheus passes the pod on")
            await daemon.looks("counters")
            await daemon.looks("all")

        async def counts() -> None:
            await daemon.counts(dict.fromkeys(("bare", "dated"), shop.served))

        await shown(first)
        shop.serve(first, "200", 100)
        shop.serve(first, "500", 1)
        await counts()

        # A process that has run for weeks is listed now: what it did before is not slod's to count.
        old = await shop.add(age=30 * 86_400, counts={"200": 5000, "500": 4000})
        await shown(old)
        await counts()
        shop.serve(old, "200", 70)
        shop.serve(old, "500", 2)
        await counts()

        # One that is new begins at zero, and its first error is an error.
        young = await shop.add()
        await shown(young)
        shop.serve(young, "200", 40)
        shop.serve(young, "503", 1)
        await counts()

        # One begins anew.
        first.restart()
        shop.serve(first, "200", 25)
        await counts()
        await shop.remove(old)
        shop.serve(young, "200", 10)
        await counts()
        await daemon.is_calm()


async def federates(url: str, pod: Pod) -> bool:
    _, page = await fetch(url)
    return f'instance="{pod.address}"'.encode() in page
