"""slod's own Prometheus API beside a real Prometheus that has the same history: a daemon's past is
read from it, sample by sample, written into the other one, and then both are asked.

Beside that: clients that were made for Prometheus, pointed at slod as they are.
"""

from __future__ import annotations

import asyncio
import json
import re
import struct
import subprocess
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiopromql import PrometheusAsync

from bench.remote_write import HEADERS, RECEIVES, series, snappy
from exporter.app.daemon import Daemon
from exporter.core.selector import NAME
from tests.app.test_daemon import until
from tests.app.test_exclusions import running
from tests.grafana_queries import queries
from tests.real import servers
from tests.real.promql_queries import INSTANT, RANGE
from tests.real.test_promql import Peer, difference
from tests.sources.kit import serving
from tests.support import ManualClock

pytestmark = pytest.mark.real

T = 1_700_000_000.0
STEP, POLLS = 30.0, 160
CONFIG = """
[server]
listen = "127.0.0.1:0"
compat = ["sloth"]
[state]
path = "{folder}/slod.db"
[source.prom0]
type = "scrape"
targets = ["{url}/metrics"]
interval = "30s"
[alert_policy.quick]
rules = [
  {{ severity = "page", burn_rate = 10, long = "1h", short = "5m" }},
  {{ severity = "ticket", burn_rate = 2, long = "6h", short = "30m" }},
]
"""
SLO = """
[slo.{name}]
service = "{service}"
objective = {objective}
source = "prom0"
alert_policy = "quick"
sli = {{ bad = 'req{{slo="{name}",code="500"}}', total = 'req{{slo="{name}"}}' }}
"""
SLOS = (("checkout", "shop", 99.9), ("search", "shop", 99), ("login", "identity", 95))
SLOTH = (
    "slo:sli_error:ratio_rate5m",
    "slo:sli_error:ratio_rate30d",
    "slo:period_error_budget_remaining:ratio",
    'slo:current_burn_rate:ratio{sloth_service="shop"}',
    "slo:period_burn_rate:ratio * 100",
    "1 - slo:sli_error:ratio_rate1h",
    "max(slo:objective:ratio) by (sloth_id)",
    "slo:error_budget:ratio * on (sloth_id) group_left () slo:period_burn_rate:ratio",
    "sum by (sloth_service) (sloth_slo_info)",
    "slo:time_period:days",
    "avg_over_time(slo:sli_error:ratio_rate5m[30m])",
)
TIES = re.compile(r"topk|bottomk|sort|\[\w+\].*\[\w+:\w*\]|offset -")
"""Not asked. Windows that are longer than there is history burn alike, and nobody says whose series
comes first then. A subquery's steps stand on samples here, where a window inside of it begins. And
of what is to come slod gives what it knows by now."""
STALE: float = struct.unpack("<d", bytes.fromhex("020000000000f07f"))[0]
"""Prometheus' marker: the series has ended, or pauses."""


@asynccontextmanager
async def lived(folder: Path, polls: int = POLLS) -> AsyncIterator[tuple[Daemon, ManualClock]]:
    """A daemon that has watched three services, for 80 minutes by default; then one has failed
    meanwhile."""
    counts = {(name, code): 0 for name, _, _ in SLOS for code in ("200", "500")}

    async def page(request: web.Request) -> web.Response:
        lines = [f'req{{slo="{s}",code="{c}"}} {n}\n' for (s, c), n in counts.items()]
        return web.Response(text="".join(lines))

    clock = ManualClock(T)
    async with serving(page) as url:
        file = folder / "slod.toml"
        slos = [SLO.format(name=n, service=s, objective=o) for n, s, o in SLOS]
        file.write_text(CONFIG.format(folder=folder, url=url) + "".join(slos))
        async with running(file, clock) as daemon:

            async def polled() -> bool:
                instances = daemon.engine.accounts["login"].memory.instances
                seen = [i.seen for i in instances.values()]
                return bool(seen) and (seen[0] or 0.0) > clock.now() - STEP

            for k in range(polls):
                for n, (name, _, _) in enumerate(SLOS):
                    # One is silent for a while: then it has no burn rate.
                    if name != "login" or not 60 <= k < 90:
                        counts[name, "200"] += 100 + (k * (n + 3)) % 17
                        counts[name, "500"] += (k % 4 == n) + 40 * (n == 0 and 50 <= k < 70)
                await clock.advance(STEP)
                await until(polled)
            yield daemon, clock


async def load(peer: Peer, url: str, past: list[dict[str, Any]]) -> int:
    """All samples into a Prometheus, and where a series pauses or ends, that it does."""
    grids = {
        name: {float(at) for row in past if row["metric"][NAME] == like for at, _ in row["values"]}
        for name, like in (("slo", "slo_objective_ratio"), ("slod", "slod_build_info"))
    }
    # Whatever is read off a ledger, and ALERTS, which has samples every 15 s.
    last = max(grids["slo"])
    body, many = bytearray(), 0
    async with aiohttp.ClientSession() as session:
        for row in past:
            own = tuple((k, v) for k, v in row["metric"].items() if k != NAME)
            name = row["metric"][NAME]
            samples = {float(at): float(v) for at, v in row["values"]}
            if name.startswith("ALERTS"):
                pauses = {at + 15 for at in samples if at + 15 <= last} - samples.keys()
            else:
                grid = grids["slo" if name.startswith(("slo:", "slo_", "sloth")) else "slod"]
                if name.startswith("slo_") and not samples.keys() <= grid:
                    grid = grids["slod"]  # A forecast or the gate: remembered as slod's own are.
                pauses = {at for at in grid - samples.keys() if at > min(samples)}
            samples |= dict.fromkeys(pauses, STALE)
            ordered = dict(sorted(samples.items()))
            body += series(name, own, array("d", ordered), array("d", ordered.values()))
            many += len(ordered)
        answer = await session.post(
            f"{url}/api/v1/write", data=snappy(bytes(body)), headers=HEADERS
        )
        assert answer.status in (200, 204), await answer.text()
    return many


async def test_slod_and_a_prometheus_with_its_history_say_the_same(tmp_path: Path) -> None:
    keep = "--storage.tsdb.retention.time=100y"
    asked: list[tuple[Any, ...]] = []
    # No window of a whole number of minutes begins on a sample, or on a subquery's step; and how
    # far `rate` looks back before a first sample differs by release of Prometheus.
    end = T + POLLS * STEP - 113
    for text in (*INSTANT, *queries(), *SLOTH):
        asked += [(text, at) for at in (end, end - 600) if not TIES.search(text)]
    for text in (*RANGE, *queries(), *SLOTH):
        if not TIES.search(text):
            asked.append((text, end - 900, end, 60.0))
    different, empty = [], 0
    async with lived(tmp_path) as (daemon, clock), aiohttp.ClientSession() as session:
        mine = f"http://127.0.0.1:{daemon.port}"
        async with servers.prometheus(tmp_path, "global: {}\n", RECEIVES, keep) as theirs:
            ours, peer = Peer(mine, session), Peer(theirs, session)
            answer = await ours.ask('{__name__=~".+"}[2h]', clock.now() - 1)
            past = answer["data"]["result"]
            many = await load(peer, theirs, past)
            for question in asked:
                one, other = await ours.said(*question), await peer.said(*question)
                empty += one == []
                if why := difference(one, other):
                    different.append(f"{question}: {why}")
    print(f"{len(asked)} answers over {len(past)} series of {many} samples; {empty} of them empty")
    assert not different, "\n".join(different)
    assert empty < len(asked) / 2


async def test_promtool_asks_slod_as_it_asks_prometheus(tmp_path: Path) -> None:
    promtool = servers.need("promtool")
    async with lived(tmp_path) as (daemon, clock):
        url, now = f"http://127.0.0.1:{daemon.port}", f"{clock.now():.0f}"

        async def say(*arguments: str) -> str:
            done = await asyncio.to_thread(
                subprocess.run, [promtool, "query", *arguments], capture_output=True, text=True
            )
            assert (done.returncode, done.stderr) == (0, ""), done
            return done.stdout

        said = await say("instant", f"--time={now}", url, 'slo_objective_ratio{slo="search"}')
        assert said.startswith('slo_objective_ratio{service="shop", slo="search"} => 0.99 @')
        start = f"{clock.now() - 600:.0f}"
        graph = await say(
            "range", f"--start={start}", f"--end={now}", "--step=5m", url, "slo_burn_rate"
        )
        assert graph.count("slo_burn_rate{") == 15 and graph.count(" @[") == 45
        named = await say("series", "--match=slo_gate_open", f"--start={start}", url)
        assert named.count("slo_gate_open") == 3
        values = await say("labels", f"--start={start}", url, "service")
        assert values.split() == ["identity", "shop"]


async def test_a_python_client_asks_slod_as_it_asks_prometheus(tmp_path: Path) -> None:
    async with lived(tmp_path) as (daemon, clock):
        now = datetime.fromtimestamp(clock.now(), UTC)
        async with PrometheusAsync(f"http://127.0.0.1:{daemon.port}") as client:
            found = await client.query(f"slo_objective_ratio @ {clock.now():.0f}")
            [search] = [v for k, v in found.to_metric_map().items() if k.dict["slo"] == "search"]
            assert [point.value for point in search] == [0.99]
            start = now - timedelta(minutes=10)
            graph = await client.query_range("slo_burn_rate", start=start, end=now, step="1m")
            assert {len(v) for v in graph.to_metric_map().values()} == {11}


async def test_a_real_prometheus_scrapes_slod_and_says_the_same_of_now(tmp_path: Path) -> None:
    async with lived(tmp_path) as (daemon, clock), aiohttp.ClientSession() as session:
        mine = f"http://127.0.0.1:{daemon.port}"
        config = json.dumps(
            {
                "global": {"scrape_interval": "1s"},
                "scrape_configs": [
                    {
                        "job_name": "slod",
                        "honor_labels": True,
                        "static_configs": [{"targets": [mine.removeprefix("http://")]}],
                    }
                ],
            }
        )
        async with servers.prometheus(tmp_path, config) as theirs:
            ours, peer = Peer(mine, session), Peer(theirs, session)

            async def scraped() -> bool:
                answer = await peer.ask("slo_window_seconds", 0)
                answer = await (await session.get(f"{theirs}/api/v1/query?query=up")).json()
                return [row["value"][1] for row in answer["data"]["result"]] == ["1"]

            await servers.eventually(scraped, "slod was scraped")
            # The daemon's clock stands still, so what is scraped is what it says of its now.
            for text in (*SLOTH[:-1], *(q for q in INSTANT if _of_now(q))):
                mine_said = await ours.said(text, clock.now())
                url = f"{theirs}/api/v1/query"
                async with session.post(url, data={"query": text}) as answer:
                    result = (await answer.json())["data"]["result"]
                plain = [
                    (
                        tuple(
                            sorted(
                                (k, v)
                                for k, v in row["metric"].items()
                                if k not in ("instance", "job")
                            )
                        ),
                        {clock.now(): float(row["value"][1])},
                    )
                    for row in result
                ]
                assert difference(mine_said, plain) is None, text


def _of_now(text: str) -> bool:
    """Only SLOs' metrics, and only at the moment itself."""
    return text.startswith(("slo_burn_rate", "sum(slo_", "slo_objective", "max by")) and not any(
        word in text for word in ("[", "offset", "@", "time", "ALERTS", "sort", "slod_", "ignoring")
    )
