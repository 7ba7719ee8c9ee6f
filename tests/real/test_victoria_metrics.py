"""The Prometheus source on a real VictoriaMetrics: every raw sample of the past, as stored."""

from __future__ import annotations

import json
import time
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest

from exporter.clock import SystemClock
from exporter.config.settings import Duration, PrometheusSource
from exporter.core.selector import Query, parse_selector
from exporter.http import Client
from exporter.sources.prometheus import PrometheusSource as Source
from tests.real import servers
from tests.real.counts import slo, slod, upstream
from tests.real.servers import eventually, fetch
from tests.real.shop import Shop
from tests.sources.kit import running

pytestmark = pytest.mark.real


async def test_raw_history_is_filled_up_in_chunks_each_sample_as_it_was_stored(
    tmp_path: Path,
) -> None:
    now = int(time.time())
    stored = {float(now - 600 + 10 * i): float(3 * i) for i in range(60)}
    lines = [f'm_total{{job="j",instance="i"}} {v} {int(t * 1000)}' for t, v in stored.items()]
    async with servers.victoria_metrics(tmp_path) as url:
        async with aiohttp.ClientSession() as session:
            body = "\n".join(lines) + "\n"
            answer = await session.post(f"{url}/api/v1/import/prometheus", data=body)
            assert answer.status == 204

            async def searchable() -> bool:
                form = {"query": "count_over_time(m_total[20m])"}
                found = await (await session.get(f"{url}/api/v1/query", params=form)).json()
                result = found["data"]["result"]
                return bool(result) and result[0]["value"][1] == "60"

            await eventually(searchable, "VictoriaMetrics finds what was imported")

        settings = PrometheusSource(
            name="vm", url=url, interval=Duration(5), backfill=Duration(900), chunk=Duration(300)
        )
        want, ratio = parse_selector('m_total{job="j"}'), Query("sum(rate(m_total[{{.window}}]))")
        source = Source(settings, Client(settings), SystemClock())
        async with running(source, [want, ratio]) as polls:
            all_ = await polls.until(lambda p: bool(p and p[-1].batch and p[-1].batch.complete))
        assert [poll.error for poll in all_] == [None] * len(all_)
        assert len(all_) >= 3
        found = {
            sample
            for poll in all_
            if poll.batch
            for reading in poll.batch.readings[want]
            for sample in reading.samples
        }
        assert found == set(stored.items())


QUERIES = """bad_query = 'sum(increase(http_requests_total{code=~"5.."}[{{.window}}]))',
 total_query = 'sum(increase(http_requests_total[{{.window}}]))'""".replace("\n", "")
SELECTORS = """bad = 'http_requests_total{code=~"5.."}', total = 'http_requests_total'"""
SCRAPES = """
global: {{scrape_interval: 1s, scrape_timeout: 900ms}}
scrape_configs:
  - job_name: shop
    file_sd_configs: [{{files: ["{folder}/targets.json"]}}]
"""


async def test_queries_and_selectors_count_all_that_victoria_metrics_holds_back_at_first(
    tmp_path: Path,
) -> None:
    """With the server's own defaults `query_range` has no points of its last 30 seconds."""
    shop = Shop(tmp_path)
    # Both codes are there from the beginning: increase() may take a first value for nothing.
    pods = [await shop.add(age=3600, counts={"200": 900, "503": 600}) for _ in range(2)]
    (tmp_path / "scrapes.yml").write_text(SCRAPES.format(folder=tmp_path))
    flag = f"-promscrape.config={tmp_path}/scrapes.yml"
    try:
        async with servers.victoria_metrics(tmp_path, flag, latency_offset=None) as url:
            await eventually(lambda: has_scraped(url, len(pods)), "VictoriaMetrics scrapes")
            config = upstream("vm", url, "2s") + slo("selected", "vm", SELECTORS)
            config += slo("queried", "vm", QUERIES)
            async with slod(tmp_path, config) as daemon:
                await daemon.looks("vm")
                for _ in range(3):
                    shop.serve(pods[0], "200", 400)
                    shop.serve(pods[1], "200", 300)
                    shop.serve(pods[1], "503", 5)
                    await daemon.counts({"selected": shop.served})
                pods[0].restart()
                shop.serve(pods[0], "200", 50)
                await daemon.counts({"selected": shop.served})
                await daemon.counts({"selected": shop.served, "queried": shop.served}, seconds=60)
                await daemon.is_calm()
    finally:
        await shop.stop()


async def has_scraped(url: str, pods: int) -> bool:
    """Whether each pod's series have two samples."""
    # Raw samples are there at once: only what is evaluated is held back.
    parameters = urlencode({"query": "http_requests_total[20s]", "time": time.time()})
    _, body = await fetch(f"{url}/api/v1/query?{parameters}")
    result = json.loads(body)["data"]["result"]
    return len(result) == 2 * pods and all(len(series["values"]) >= 2 for series in result)
