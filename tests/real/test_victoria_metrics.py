"""The Prometheus source on a real VictoriaMetrics: every raw sample of the past, as stored."""

from __future__ import annotations

import time
from pathlib import Path

import aiohttp
import pytest

from exporter.clock import SystemClock
from exporter.config.settings import Duration, PrometheusSource
from exporter.core.selector import Query, parse_selector
from exporter.http import Client
from exporter.sources.prometheus import PrometheusSource as Source
from tests.real import servers
from tests.real.servers import eventually
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
