"""Pushgateway: it shows what others pushed, and goes on from its file after a restart."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path

import aiohttp
import pytest

from tests.real import servers
from tests.real.counts import prometheus_config, scrape, slo, slod, upstream
from tests.real.software import pushgateway

pytestmark = pytest.mark.real

SLI = """bad = 'items_total{job="nightly",result="failed"}', total = 'items_total{job="nightly"}'"""
BOTH = ("scraped", "asked")


class Job:
    """A job that pushes its counters, and counts what it did since somebody has been looking."""

    def __init__(self, address: str, **past: int) -> None:
        self._url = f"http://{address}/metrics/job/nightly"
        self._counters = Counter(past)
        self.done: Counter[str] = Counter()

    async def push(self, *, good: int = 0, bad: int = 0) -> bool:
        """Do some work, then push; whether the push arrived."""
        self._counters.update(ok=good, failed=bad)
        self.done.update(good=good, bad=bad)
        lines = [f'items_total{{result="{k}"}} {v}' for k, v in self._counters.items()]
        body = "\n".join(["# TYPE items_total counter", *lines, ""])
        try:
            async with aiohttp.ClientSession() as session:
                answer = await session.put(self._url, data=body)
        except aiohttp.ClientError:
            return False
        assert answer.status == 200, await answer.text()
        return True


async def test_restarts_of_the_gateway_and_of_slod_count_nothing_twice(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        address, gateway = await stack.enter_async_context(pushgateway(tmp_path))
        job = Job(address, ok=3000, failed=2000)
        assert await job.push()
        prometheus = servers.prometheus(tmp_path, prometheus_config(address))
        url = await stack.enter_async_context(prometheus)
        config = scrape("pages", f"http://{address}/metrics") + upstream("prom", url)
        config += slo("scraped", "pages", SLI) + slo("asked", "prom", SLI)
        daemon = await stack.enter_async_context(slod(tmp_path, config))
        await daemon.looks("pages")
        await servers.eventually(lambda: has_samples(url), "Prometheus scrapes")
        await daemon.looks("prom")

        async def counts() -> None:
            await daemon.counts(dict.fromkeys(BOTH, job.done))

        assert await job.push(good=50, bad=1)
        await counts()
        assert await job.push(good=50, bad=1)
        await counts()

        # Nothing is pushed: the page is the same, of a younger process.
        await gateway.stop()
        await gateway.start()
        await daemon.looks("pages")
        await daemon.looks("prom", 4)
        await counts()

        # The job goes on while nobody listens, and says so afterwards.
        await gateway.stop()
        assert not await job.push(good=40, bad=1)
        await daemon.looks("pages")
        await gateway.start()
        assert await job.push(good=60)
        await counts()

        # slod is away meanwhile.
        await daemon.stop()
        await gateway.stop()
        await gateway.start()
        assert await job.push(good=30, bad=1)
        await daemon.start()
        await counts()
        await daemon.is_calm()


async def has_samples(url: str) -> bool:
    _, body = await servers.fetch(f"{url}/api/v1/query?query=count_over_time(items_total[1m])>1")
    return b'"result":[{' in body
