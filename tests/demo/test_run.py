from __future__ import annotations

import asyncio
import io
import random

import aiohttp
import pytest

from exporter.config.lint import lint
from exporter.config.load import parse
from exporter.config.settings import ScrapeSource
from exporter.demo import config_text, demo_parts
from exporter.demo.traffic import BUCKETS
from tests.support import ManualClock


async def test_both_parts_listen_while_started_and_not_after() -> None:
    parts = await demo_parts(ManualClock(), rng=random.Random(1), out=io.StringIO())
    ports = await parts.start()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"http://127.0.0.1:{ports.service}/metrics") as answer:
            assert answer.status == 200
        await parts.stop()
        await parts.stop()
        for port in (ports.service, ports.receiver):
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(f"http://127.0.0.1:{port}/")
    assert asyncio.all_tasks() == {asyncio.current_task()}


def test_the_settings_are_valid_and_without_warnings() -> None:
    config = parse(config_text(8081, 5001, "127.0.0.1:9947", '/tmp/a "b"/slod.db'), "demo.toml")
    assert lint(config) == []
    assert config.state.path == '/tmp/a "b"/slod.db'
    source = config.sources["checkout"]
    assert isinstance(source, ScrapeSource)
    assert source.targets == ("http://127.0.0.1:8081/metrics",)
    assert [slo.name for slo in config.slos] == ["checkout-availability", "checkout-fast"]


def test_the_latency_threshold_is_a_bucket_of_the_service() -> None:
    assert 0.5 in BUCKETS
