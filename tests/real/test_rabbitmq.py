"""RabbitMQ's counters of channels are sums over those that are open: they fall when one closes."""

from __future__ import annotations

import contextlib
from collections import Counter
from pathlib import Path

import pytest

from tests.real import servers
from tests.real.counts import prometheus_config, scrape, slo, slod, upstream
from tests.real.load import Stomp
from tests.real.servers import eventually
from tests.real.software import RabbitMQ

pytestmark = pytest.mark.real

PUBLISHED = "rabbitmq_channel_messages_published_total"
DROPPED = "rabbitmq_channel_messages_unroutable_dropped_total"
CHANNELS = f"bad = '{DROPPED}', total = '{PUBLISHED}'"
# The same events where nothing falls.
GLOBAL = """bad = 'rabbitmq_global_messages_unroutable_dropped_total{protocol="amqp091"}',
 total = 'rabbitmq_global_messages_received_total{protocol="amqp091"}'""".replace("\n", "")
SLOS = ("scraped", "asked", "global")


async def test_channels_that_close_are_neither_resets_nor_losses(tmp_path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        rabbitmq = await stack.enter_async_context(RabbitMQ.running(tmp_path))
        config = prometheus_config(rabbitmq.metrics_address)
        url = await stack.enter_async_context(servers.prometheus(tmp_path, config))
        config = scrape("pages", rabbitmq.metrics_url) + upstream("prom", url)
        config += slo("scraped", "pages", CHANNELS) + slo("asked", "prom", CHANNELS)
        config += slo("global", "pages", GLOBAL)
        daemon = await stack.enter_async_context(slod(tmp_path, config))
        await daemon.looks("pages")
        await eventually(lambda: has_scraped(url), "Prometheus scrapes")
        await daemon.looks("prom")
        done: Counter[str] = Counter()

        async def publish(publisher: Stomp, good: int, bad: int) -> None:
            done["good"] += await publisher.publish("/queue/orders", good)
            done["bad"] += await publisher.publish("/topic/nobody", bad)

        async def counts() -> None:
            await daemon.counts(dict.fromkeys(SLOS, done))

        async with Stomp.connected(rabbitmq.stomp_port) as stays:
            await publish(stays, 900, 6)
            async with Stomp.connected(rabbitmq.stomp_port) as goes:
                await publish(goes, 600, 4)
                await counts()
                before = await rabbitmq.value(PUBLISHED)
            await eventually(lambda: is_less(rabbitmq, before), "its channel is off the page")
            await daemon.looks("pages")
            await daemon.looks("prom", 4)
            await counts()
            await publish(stays, 100, 1)
            await counts()
            async with Stomp.connected(rabbitmq.stomp_port) as comes:
                await publish(comes, 300, 2)
                await counts()
                before = await rabbitmq.value(PUBLISHED)
        # All of them are gone now.
        await eventually(lambda: is_less(rabbitmq, 1), "no channel is left")
        await daemon.looks("pages")
        await daemon.looks("prom", 4)
        async with Stomp.connected(rabbitmq.stomp_port) as last:
            await publish(last, 50, 1)
            await counts()
        await daemon.is_calm()


async def is_less(rabbitmq: RabbitMQ, value: float) -> bool:
    return 0 <= await rabbitmq.value(PUBLISHED) < value


async def has_scraped(url: str) -> bool:
    _, body = await servers.fetch(f"{url}/api/v1/query?query={PUBLISHED}")
    return b'"result":[{' in body
