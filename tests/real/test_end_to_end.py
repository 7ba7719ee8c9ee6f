"""The whole way with real servers: a service, Prometheus, slod on both sources, Alertmanager."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.real import servers
from tests.real.servers import eventually, fetch
from tests.real.shop import PROMETHEUS, Pod, Shop

pytestmark = pytest.mark.real

SLO = """
[slo.{name}]
service = "shop"
objective = 99
window = "1h"
source = "{source}"
sli.bad = 'http_requests_total{{job="shop",code=~"5.."}}'
sli.total = 'http_requests_total{{job="shop"}}'
alert_policy = "fast"
"""
CONFIG = """
[state]
path = "{folder}/slod.db"

[source.pages]
type = "scrape"
interval = "500ms"
timeout = "400ms"
labels = {{ job = "shop" }}
discover = {{ file = "{folder}/targets.json", refresh = "200ms" }}

[alert_policy.fast]
rules = [{{ severity = "page", burn_rate = 10, long = "10s", short = "2s" }}]
"""


async def events(url: str, slo: str) -> Counter[str]:
    _, body = await fetch(f"{url}/metrics")
    found = re.findall(
        rf'slo_events_total{{slo="{slo}",[^}}]*result="(\w+)"}} (\S+)', body.decode()
    )
    return Counter({result: float(value) for result, value in found if float(value)})


def scraped(pod: Pod, *agents: str) -> Callable[[], object]:
    """Whether everybody has scraped a pod twice since now: the first may have been under way."""
    before = pod.scrapes.copy()

    async def look() -> bool:
        return all(pod.scrapes[agent] >= before[agent] + 2 for agent in agents)

    return look


async def test_both_sources_count_exactly_what_the_service_served_while_pods_come_and_go(
    tmp_path: Path, shop: Shop
) -> None:
    first, second = await shop.add(), await shop.add()
    async with servers.prometheus(tmp_path, PROMETHEUS.format(folder=tmp_path)) as upstream:
        for pod in shop.pods:
            await eventually(scraped(pod, "prometheus"), "Prometheus scrapes every pod")
        config = CONFIG.format(folder=tmp_path) + '[source.prom]\ntype = "prometheus"\n'
        config += f'url = "{upstream}"\ninterval = "1s"\n'
        config += SLO.format(name="scraped", source="pages")
        config += SLO.format(name="asked", source="prom")
        async with servers.slod(tmp_path, config) as (url, _):
            everyone = ("prometheus", "slod")
            for pod in shop.pods:
                await eventually(scraped(pod, *everyone), "both scrape every pod")
            shop.serve(first, "200", 1000)
            shop.serve(second, "200", 500)
            shop.serve(second, "503", 7)  # a series that nobody has seen before
            third = await shop.add()
            shop.serve(third, "200", 300)  # before anybody has scraped this pod
            shop.serve(third, "500", 3)
            for pod in shop.pods:
                await eventually(scraped(pod, *everyone), "both scrape every pod")
            await shop.remove(first)
            second.restart()
            shop.serve(second, "200", 250)
            shop.serve(second, "500", 11)
            for pod in shop.pods:
                await eventually(scraped(pod, *everyone), "both scrape every pod")
            shop.serve(third, "502", 2)

            for name in ("scraped", "asked"):

                async def agrees(name: str = name) -> bool:
                    return await events(url, name) == shop.served

                with contextlib.suppress(pytest.fail.Exception):
                    await eventually(agrees, name, seconds=20)
                assert await events(url, name) == shop.served


async def test_a_burn_arrives_in_alertmanager_and_resolves_there(
    tmp_path: Path, shop: Shop
) -> None:
    pod = await shop.add()
    async with servers.alertmanager(tmp_path) as receiver:
        config = CONFIG.format(folder=tmp_path) + SLO.format(name="shop", source="pages")
        config += f'[receiver.am]\ntype = "alertmanager"\nurl = "{receiver}"\n'
        async with servers.slod(tmp_path, config):

            async def burns() -> list[str]:
                shop.serve(pod, "500", 5)
                shop.serve(pod, "200", 5)
                return amtool(receiver, "alertname=ErrorBudgetBurn", "severity=page")

            async def is_over() -> bool:
                shop.serve(pod, "200", 20)
                return not amtool(receiver, "alertname=ErrorBudgetBurn")

            found = await eventually(burns, "amtool shows the page")
            assert found == ["shop"]
            await eventually(is_over, "Alertmanager has the page no more")


def linted(promtool: str, text: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [promtool, "check", "metrics"]
    return subprocess.run(command, input=text, capture_output=True, check=False)


def amtool(url: str, *matchers: str) -> list[str]:
    """The SLOs of the active alerts, as Alertmanager's own tool tells."""
    command = [servers.need("amtool"), "alert", "query", "-o", "json", f"--alertmanager.url={url}"]
    out = subprocess.run([*command, *matchers], capture_output=True, check=True).stdout
    return [alert["labels"]["slo"] for alert in json.loads(out)]


async def test_after_kill_9_the_counts_go_on_and_no_alert_is_forgotten(
    tmp_path: Path, shop: Shop
) -> None:
    heard: list[dict[str, object]] = []
    deaf = True

    async def hook(request: web.Request) -> web.Response:
        if deaf:
            return web.Response(status=503)
        heard.append(await request.json())
        return web.Response()

    app = web.Application()
    app.router.add_post("/", hook)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    port = servers.free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    pod = await shop.add()
    config = CONFIG.format(folder=tmp_path) + SLO.format(name="shop", source="pages")
    config += f'[receiver.hook]\ntype = "webhook"\nurl = "http://127.0.0.1:{port}/"\n'
    try:
        async with servers.slod(tmp_path, config) as (url, child):
            await eventually(scraped(pod, "slod"), "slod scrapes")

            async def retried() -> bool:
                shop.serve(pod, "500", 5)
                _, body = await fetch(f"{url}/metrics")
                return b'slod_notifications_total{receiver="hook",outcome="retried"} 0' not in body

            await eventually(retried, "the page waits for its receiver")
            child.kill()
        shop.serve(pod, "200", 40)
        deaf = False
        async with servers.slod(tmp_path, config) as (url, _):

            async def agrees() -> bool:
                return await events(url, "shop") == shop.served

            with contextlib.suppress(pytest.fail.Exception):
                await eventually(agrees, "counts go on")
            assert await events(url, "shop") == shop.served

            async def arrived() -> bool:
                return any(
                    alert["commonLabels"]["alertname"] == "ErrorBudgetBurn"  # type: ignore[index]
                    and alert["status"] == "firing"
                    for alert in heard
                )

            await eventually(arrived, "the page that waited arrives after the restart")
    finally:
        await runner.cleanup()


async def test_the_page_is_clean_for_promtool_and_parses_as_openmetrics(
    tmp_path: Path, shop: Shop
) -> None:
    promtool = servers.need("promtool")
    pod = await shop.add()
    config = CONFIG.format(folder=tmp_path) + SLO.format(name="shop", source="pages")
    async with servers.slod(tmp_path, config) as (url, _):
        await eventually(scraped(pod, "slod"), "slod scrapes")
        shop.serve(pod, "200", 10)
        shop.serve(pod, "500", 1)

        async def counted() -> bool:
            return (await events(url, "shop"))["bad"] == 1

        await eventually(counted, "the events are counted")
        _, text = await fetch(f"{url}/metrics")
        check = linted(promtool, text)
        assert (check.returncode, check.stdout + check.stderr) == (0, b"")
        _, page = await fetch(f"{url}/metrics", Accept="application/openmetrics-text")
        names = {family.name for family in text_string_to_metric_families(page.decode())}
        assert {"slo_events", "slo_burn_rate", "slod_samples", "process_cpu_seconds"} <= names


async def test_sigterm_stops_within_five_seconds_with_everything_saved(
    tmp_path: Path, shop: Shop
) -> None:
    pod = await shop.add()
    config = CONFIG.format(folder=tmp_path) + SLO.format(name="shop", source="pages")
    async with servers.slod(tmp_path, config) as (url, child):
        await eventually(scraped(pod, "slod"), "slod scrapes")
        shop.serve(pod, "200", 10)

        async def counted() -> bool:
            return await events(url, "shop") == shop.served

        await eventually(counted, "the events are counted")
        begun = time.monotonic()
        child.terminate()
        assert await asyncio.to_thread(child.wait, 5) == 0
        assert time.monotonic() - begun < 5
    async with servers.slod(tmp_path, config) as (url, _):
        await eventually(counted_at(url, shop), "the counts are there again")


def counted_at(url: str, shop: Shop) -> Callable[[], object]:
    async def look() -> bool:
        return await events(url, "shop") == shop.served

    return look
