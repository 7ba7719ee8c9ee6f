"""Apache behind its exporter: counters are Apache's, the start time is the exporter's."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from tests.real import servers
from tests.real.counts import Slod, slo, slod, upstream
from tests.real.load import get, wrk
from tests.real.servers import eventually
from tests.real.software import Apache

pytestmark = pytest.mark.real

PROMETHEUS = """
global: {{scrape_interval: 1s, scrape_timeout: 900ms}}
scrape_configs:
  - job_name: apache
    file_sd_configs: [{{files: ["{folder}/targets.json"]}}]
"""
PAGES = """
[source.pages]
type = "scrape"
interval = "500ms"
discover = {{ file = "{folder}/targets.json" }}
"""
# Requests that the server for excuses had to answer count as bad.
SLI = """bad = 'apache_accesses_total{server="sorry"}', total = 'apache_accesses_total'"""
BOTH = ("scraped", "asked")
POLLS = 5
"""Requests of the exporters for the status page, which Apache counts too, that may be under way, or
that no page showed any more before Apache was restarted."""


async def test_restarts_of_exporters_under_load_count_nothing_twice_and_one_of_apache_counts_whole(
    tmp_path: Path,
) -> None:
    async with contextlib.AsyncExitStack() as stack:
        site = await stack.enter_async_context(Apache.running(tmp_path / "site", 204))
        sorry = await stack.enter_async_context(Apache.running(tmp_path / "sorry", 503))
        # A past that nobody has seen: counted again it would be a page.
        await get(f"{site.url}/", 400)
        await get(f"{sorry.url}/", 600)
        apaches = {"site": site, "sorry": sorry}
        targets = [
            {"targets": [apache.exporter_address], "labels": {"server": name}}
            for name, apache in apaches.items()
        ]
        (tmp_path / "targets.json").write_text(json.dumps(targets))
        prometheus = servers.prometheus(tmp_path, PROMETHEUS.format(folder=tmp_path))
        url = await stack.enter_async_context(prometheus)
        config = PAGES.format(folder=tmp_path) + upstream("prom", url)
        config += slo("scraped", "pages", SLI) + slo("asked", "prom", SLI)
        # A page of one server that comes a second after the other's may show bad events alone; the
        # past counted again would be 600 of them.
        daemon = await stack.enter_async_context(slod(tmp_path, config, min_events=400))
        await eventually(lambda: both_count(daemon), "both have a first value")

        polls = {name: apache.status_requests() for name, apache in apaches.items()}
        before = {name: await daemon.events(name) for name in BOTH}
        load = asyncio.create_task(wrk(site.url, 1600, rate=200))
        excuses = await get(f"{sorry.url}/", 5)
        await eventually(lambda: has_counted(daemon, 300), "the load is counted")
        await site.exporter.stop()
        await site.exporter.start()
        await sorry.exporter.stop()
        await daemon.looks("pages")
        await sorry.exporter.start()
        await eventually(lambda: has_counted(daemon, 900), "the load is counted")
        assert not load.done()
        excuses += await get(f"{sorry.url}/", 4)
        served = await load

        async def differences() -> dict[str, float]:
            """Events less those that wrk and the exporters made."""
            found = {}
            for name in BOTH:
                events = await daemon.events(name)
                for kind, server, made in (
                    ("good", "site", served["good"]),
                    ("bad", "sorry", excuses["bad"]),
                ):
                    asked = apaches[server].status_requests() - polls[server]
                    found[f"{name} {kind}"] = events[kind] - before[name][kind] - made - asked
            return found

        async def all_is_counted(within: int) -> None:
            async def agrees() -> bool:
                return all(abs(x) <= within for x in (await differences()).values())

            with contextlib.suppress(pytest.fail.Exception):
                await eventually(agrees, "counts are wrk's and the driver's", seconds=20)
            assert {k: v for k, v in (await differences()).items() if abs(v) > within} == {}

        # Apache itself begins anew, behind an exporter that goes on. Nothing may be under way then:
        # no page would show it.
        await all_is_counted(POLLS)
        await site.restart()
        served += await get(f"{site.url}/", 250)
        await all_is_counted(2 * POLLS)
        await daemon.is_calm()


async def both_count(daemon: Slod) -> bool:
    """The exporters' own requests are events, so they come by themselves."""
    return all([(await daemon.events(name))["bad"] >= 2 for name in BOTH])


async def has_counted(daemon: Slod, events: int) -> bool:
    return all([(await daemon.events(name))["good"] >= events for name in BOTH])
