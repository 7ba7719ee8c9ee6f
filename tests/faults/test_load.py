"""Many targets of which a third hang, many SLOs, and a target whose labels explode.

Sizes by environment variables, smaller unless told: `SLOD_TARGETS` (1000 at full size), `SLOD_SLOS`
(10000), `SLOD_SERIES` (500000).
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from aiohttp import web

from tests.real import servers
from tests.real.servers import eventually, fetch
from tests.sources.kit import serving

TARGETS = int(os.environ.get("SLOD_TARGETS", "120"))
SLOS = int(os.environ.get("SLOD_SLOS", "300"))
SERIES = int(os.environ.get("SLOD_SERIES", "20000"))

STATE = '[state]\npath = "{folder}/slod.db"\n'
SLO = """
[slo.shop]
objective = 99
window = "1h"
sli.bad = 'requests_total{code="500"}'
sli.total = 'requests_total'
alert_policy = "fast"
[alert_policy.fast]
rules = [{ severity = "page", burn_rate = 10, long = "1m", short = "10s" }]
"""


class Pages:
    """A server of many targets, by path; those of `hangs` take a request and never answer."""

    def __init__(self, hangs: Callable[[int], bool] = lambda _: False) -> None:
        self.text = 'requests_total{code="200"} 0\nrequests_total{code="500"} 0\n'
        self.more: dict[int, str] = {}
        self.asked: Counter[int] = Counter()
        self.hangs = hangs

    async def answer(self, request: web.Request) -> web.StreamResponse:
        target = int(request.path.split("/")[1])
        self.asked[target] += 1
        if self.hangs(target):
            await asyncio.Event().wait()
        return web.Response(text=self.text + self.more.get(target, ""))

    async def asked_all(self, targets: Sequence[int], times: int, seconds: float) -> None:
        """Everyone was asked so many times since now."""
        before = self.asked.copy()

        async def look() -> bool:
            return all(self.asked[t] >= before[t] + times for t in targets)

        await eventually(look, f"all asked {times} times", seconds=seconds)


async def value(url: str, series: str) -> float:
    _, page = await fetch(f"{url}/metrics")
    found = re.search(rf"^{re.escape(series)} (\S+)$", page.decode(), re.MULTILINE)
    return float(found[1]) if found else float("nan")


def events(result: str, slo: str = "shop") -> str:
    return f'slo_events_total{{slo="{slo}",service="{slo}",result="{result}"}}'


async def test_a_third_that_hangs_costs_the_others_no_poll_and_no_event(tmp_path: Path) -> None:
    interval = 2 if TARGETS > 200 else 1
    healthy = [t for t in range(TARGETS) if t % 3 != 2]
    pages = Pages(hangs=lambda t: t % 3 == 2)
    async with serving(pages.answer) as site:
        targets = ",\n".join(f'"{site}/{i}/metrics"' for i in range(TARGETS))
        config = STATE.format(folder=tmp_path) + SLO
        config += f'[source.app]\ntype = "scrape"\ninterval = "{interval}s"\n'
        config += f"targets = [{targets}]\n"
        async with servers.slod(tmp_path, config) as (url, _):
            rounds, begun, before = 3, time.monotonic(), pages.asked.copy()
            pages.text = 'requests_total{code="200"} 90\nrequests_total{code="500"} 10\n'
            # Twice the time it takes, for machines with other things to do.
            await pages.asked_all(healthy, rounds, seconds=2 * rounds * interval + 5)
            took = time.monotonic() - begun
            polls = [pages.asked[t] - before[t] for t in healthy]
            # One may be near its beat at either end, so they differ by no more than that.
            assert max(polls) - min(polls) <= 2
            served = len(polls)

            async def counted() -> bool:
                return await value(url, events("bad")) == 10 * served

            await eventually(counted, "every event of every healthy target")
            assert await value(url, events("good")) == 90 * served
            rss = await value(url, "process_resident_memory_bytes")
            await pages.asked_all(healthy, rounds, seconds=2 * rounds * interval + 5)
            grown = await value(url, "process_resident_memory_bytes") - rss
            _, page = await fetch(f"{url}/metrics")
            ups = re.findall(rb"^slod_source_up\{.*\} (\d)$", page, re.MULTILINE)
            assert Counter(ups) == {b"1": served, b"0": TARGETS - served}
            print(
                f"\n{TARGETS} targets, {rounds} rounds in {took:.1f}s at {interval}s: polls "
                f"{min(polls)} to {max(polls)}; RSS {rss / 2**20:.0f} MiB, {grown / 2**20:+.1f}"
            )
            assert grown < 0.1 * rss + 8 * 2**20
            assert rss < (100 + TARGETS / 5) * 2**20


async def test_many_slos_on_one_page_are_all_counted_and_all_shown(tmp_path: Path) -> None:
    pages = Pages()
    page = "".join(f'requests_total{{slo="s{i}",code="{c}"}} %({c})d\n' for i in range(SLOS)
                   for c in ("a", "b"))  # fmt: skip
    pages.text = page % {"a": 0, "b": 0}
    interval = 10 if SLOS > 1000 else 1
    one = """
[slo.s{i}]
objective = 99
sli.bad = 'requests_total{{slo="s{i}",code="b"}}'
sli.total = 'requests_total{{slo="s{i}"}}'
"""
    async with serving(pages.answer) as site:
        config = STATE.format(folder=tmp_path) + "".join(one.format(i=i) for i in range(SLOS))
        config += f'[source.app]\ntype = "scrape"\ninterval = "{interval}s"\n'
        config += f'targets = ["{site}/0/metrics"]\n'
        async with servers.slod(tmp_path, config) as (url, _):
            for k in range(1, 4):
                pages.text = page % {"a": 100 * k, "b": k}
                await pages.asked_all(range(1), 2, seconds=10 * interval + 30)
            good, bad = {f"s{i}": 300.0 for i in range(SLOS)}, {f"s{i}": 3.0 for i in range(SLOS)}
            text = b""

            async def counted() -> bool:
                nonlocal text
                text = (await fetch(f"{url}/metrics"))[1]
                return found(text, "good") == good and found(text, "bad") == bad

            await eventually(counted, "every SLO has its counts", seconds=60)
            names = re.findall(rb'^slo_objective_ratio\{slo="(\w+)"', text, re.MULTILINE)
            assert len(names) == len(set(names)) == SLOS
            rss = await value(url, "process_resident_memory_bytes")
            tick = await value(url, "slod_tick_duration_seconds_sum")
            ticks = await value(url, "slod_tick_duration_seconds_count")
            print(
                f"\n{SLOS} SLOs: page of {len(text) / 2**20:.1f} MiB, RSS {rss / 2**20:.0f} MiB, "
                f"{tick / ticks * 1e3:.1f} ms a tick"
            )


def found(page: bytes, result: str) -> dict[str, float]:
    pattern = rf'^slo_events_total\{{slo="(\w+)",service="\w+",result="{result}"\}} (\S+)$'
    return {n: float(v) for n, v in re.findall(pattern, page.decode(), re.MULTILINE)}


async def test_an_explosion_of_one_targets_series_is_refused_counted_and_stays_there(
    tmp_path: Path,
) -> None:
    pages = Pages()
    explosion = "".join(f'requests_total{{code="200",user="u{i}"}} 1\n' for i in range(SERIES))
    async with serving(pages.answer) as site:
        config = STATE.format(folder=tmp_path) + SLO
        config += '[source.app]\ntype = "scrape"\ninterval = "500ms"\nmax_series = 1000\n'
        config += f'targets = ["{site}/0/metrics", "{site}/1/metrics"]\n'
        async with servers.slod(tmp_path, config) as (url, _):
            before = await value(url, "process_resident_memory_bytes")
            pages.more[0] = explosion
            pages.text = 'requests_total{code="200"} 50\nrequests_total{code="500"} 5\n'
            up = f'slod_source_up{{source="app",target="{site}/%d/metrics"}}'

            async def refused() -> bool:
                return await value(url, up % 0) == 0 and await value(url, events("bad")) == 5

            await eventually(refused, "one target is refused, the other counted")
            await pages.asked_all(range(2), 3, seconds=30)
            assert await value(url, events("good")) == 50
            assert await value(url, up % 1) == 1
            errors = 'slod_poll_errors_total{source="app",reason="too_many_series"}'
            assert await value(url, errors) >= 3
            rss = await value(url, "process_resident_memory_bytes")
            pages.more.clear()

            async def bridged() -> bool:
                return await value(url, events("bad")) == 10

            await eventually(bridged, "the page is small again, and nothing was lost")
            assert await value(url, events("good")) == 100
            size = len(explosion) / 2**20
            print(f"\n{SERIES} series, a page of {size:.1f} MiB: RSS {(rss - before) / 2**20:+.1f}")
            assert rss - before < 24 * 2**20 + 12 * len(explosion)
