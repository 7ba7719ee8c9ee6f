"""Two slods with one configuration on one Prometheus are one slod: same numbers, each alert once.

Their clock is moved by hand through three hours of history, so an hour away is not waited for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from exporter.app.daemon import Daemon
from exporter.config.load import load
from tests.real import servers
from tests.real.servers import eventually, fetch
from tests.support import ManualClock

pytestmark = pytest.mark.real

MINUTES = 180
CONFIG = """
[server]
listen = "127.0.0.1:0"
[state]
path = "{folder}/{name}.db"
[source.prom]
type = "prometheus"
url = "{upstream}"
interval = "1m"
backfill = "3h"
chunk = "20m"
[slo.shop]
objective = 99
window = "2h"
sli.bad = 'http_requests_total{{code=~"5.."}}'
sli.total = 'http_requests_total'
alert_policy = "fast"
[slo.by-code]
objective = 90
window = "90m"
group_by = ["instance"]
sli.bad = 'http_requests_total{{code=~"5.."}}'
sli.total = 'http_requests_total'
alert_policy = "fast"
[alert_policy.fast]
rules = [
  {{ severity = "page", burn_rate = 5, long = "10m", short = "2m" }},
  {{ severity = "ticket", burn_rate = 2, long = "1h", short = "10m" }},
]
[receiver.am]
type = "alertmanager"
url = "{alertmanager}"
"""


def history(begin: float, rng: random.Random) -> str:
    """What two pods said every 15 s: late births, a restart, a gap, an outage at the end."""
    lines = ["# TYPE http_requests counter"]
    ups = ["# TYPE up gauge"]
    for pod in ("a", "b"):
        counts: Counter[str] = Counter({"200": 0})
        for second in range(0, MINUTES * 60, 15):
            minute = second / 60
            if pod == "b" and 70 <= minute < 75:
                continue  # nobody could reach it
            if pod == "b" and second == 95 * 60:
                counts = Counter({"200": 0})
            counts["200"] += rng.randrange(10, 60)
            if rng.random() < 0.05:
                counts["500"] += 1
            if minute >= 20 and rng.random() < 0.02:
                counts["503"] += 2
            if minute >= 165:
                counts["500"] += rng.randrange(10, 60)
            at = f"{begin + second + (0.123 if pod == 'a' else 7.456):.3f}"
            where = f'job="shop",instance="{pod}"'
            ups.append(f"up{{{where}}} 1 {at}")
            lines += [
                f'http_requests_total{{{where},code="{c}"}} {n} {at}' for c, n in counts.items()
            ]
    # Each series' samples must stand together.
    lines[1:] = sorted(lines[1:], key=lambda line: (line.partition("} ")[0], line[-14:]))
    return "\n".join([*lines, *ups, "# EOF"]) + "\n"


class Replica:
    """One of the two, in this process, on the common clock."""

    def __init__(self, folder: Path, name: str, clock: ManualClock, **where: str) -> None:
        self.state = folder / f"{name}.db"
        self._file = folder / f"{name}.toml"
        self._file.write_text(CONFIG.format(folder=folder, name=name, **where))
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._shutdown = asyncio.Event()
        self.daemon = Daemon(load(self._file), self._clock)
        self._task = asyncio.create_task(self.daemon.run(self._shutdown))
        await self.daemon.started.wait()
        await self.caught_up()

    async def stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            self._shutdown.set()
            await task

    async def caught_up(self) -> None:
        """It has heard of everything until now."""

        async with asyncio.timeout(30):
            while self._task is not None:
                asks = self.daemon.engine.asks("prom")
                if all((ask.since or 0.0) >= self._clock.now() for ask in asks):
                    break
                await asyncio.sleep(0.002)

    async def page(self) -> bytes:
        return (await fetch(f"http://127.0.0.1:{self.daemon.port}/metrics"))[1]

    async def numbers(self) -> dict[str, float]:
        """All it says about SLOs."""
        page = (await self.page()).decode()
        found = re.findall(r"^(slo_\S+(?:{.*})?) (\S+)$", page, re.MULTILINE)
        return {series: float(value) for series, value in found}


class Pair:
    """Both, and the time."""

    def __init__(self, begin: float, clock: ManualClock, *replicas: Replica) -> None:
        self.one, self.other = replicas
        self._begin, self._clock = begin, clock

    async def until(self, minute: float) -> None:
        while self._clock.now() < self._begin + minute * 60:
            # Whoever is about to sleep begins now, not after the time that is moved.
            for _ in range(20):
                await asyncio.sleep(0)
            await self._clock.advance(60)
            for replica in (self.one, self.other):
                await replica.caught_up()

    async def agree(self) -> None:
        for replica in (self.one, self.other):
            await replica.caught_up()
        mine, others = await self.one.numbers(), await self.other.numbers()
        assert len(mine) > 70
        assert mine.keys() == others.keys()
        assert mine == pytest.approx(others, rel=1e-9, abs=1e-9)

    async def told(self) -> bool:
        """Nothing waits; time goes on a little, for a try that failed."""
        await self._clock.advance(1)
        queue = b'\nslod_notification_queue_length{receiver="am"} 0\n'
        return all([queue in await replica.page() for replica in (self.one, self.other)])


@contextlib.asynccontextmanager
async def world(folder: Path) -> AsyncIterator[tuple[Pair, str]]:
    """A Prometheus that knows the history, which ends about now, an Alertmanager, two slods."""
    begin = time.time() // 60 * 60 - (MINUTES - 1) * 60
    (folder / "history.txt").write_text(history(begin, random.Random(3)))
    subprocess.run(
        [servers.need("promtool"), "tsdb", "create-blocks-from", "openmetrics",
         str(folder / "history.txt"), str(folder / "tsdb")],
        check=True, capture_output=True,
    )  # fmt: skip
    async with servers.prometheus(folder, "global: {}") as upstream:
        async with servers.alertmanager(folder) as receiver:
            clock = ManualClock(begin + 300)
            where = {"upstream": upstream, "alertmanager": receiver}
            replicas = [Replica(folder, name, clock, **where) for name in ("one", "other")]
            try:
                yield Pair(begin, clock, *replicas), receiver
            finally:
                for replica in replicas:
                    await replica.stop()


async def test_replicas_agree_though_one_was_away_or_lost_its_state_and_alert_once(
    tmp_path: Path,
) -> None:
    async with world(tmp_path) as (pair, receiver):
        await pair.one.start()
        await pair.other.start()
        await pair.until(60)
        await pair.agree()

        await pair.other.stop()
        await pair.until(120)
        await pair.other.start()
        await pair.agree()
        await pair.until(150)
        await pair.agree()

        await pair.other.stop()
        pair.other.state.unlink()
        await pair.other.start()
        await pair.agree()
        assert await shown(receiver) == []

        # An outage, in the present of the real Alertmanager.
        await pair.until(MINUTES - 2)
        await pair.agree()
        await eventually(pair.told, "the Alertmanager heard both")
        alerts = await shown(receiver)
        burns = [a for a in alerts if a["alertname"] == "ErrorBudgetBurn"]
        assert sorted((a["slo"], a.get("instance", "")) for a in burns) == sorted(firing(pair.one))
        assert len({json.dumps(a, sort_keys=True) for a in alerts}) == len(alerts)


async def shown(url: str) -> list[dict[str, str]]:
    """The labels of what an Alertmanager shows."""
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/api/v2/alerts") as answer:
            return [alert["labels"] for alert in await answer.json()]


def firing(replica: Replica) -> list[tuple[str, str]]:
    """The burns that were said, by SLO and group."""
    return [
        (a.labels["slo"], a.labels.get("instance", ""))
        for account in replica.daemon.engine.accounts.values()
        for a in account.alerts()
        if a.firing and a.said and a.labels["alertname"] == "ErrorBudgetBurn"
    ]
