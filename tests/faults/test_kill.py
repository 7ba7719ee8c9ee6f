"""kill -9 at random moments under load: nothing lost, nothing twice, no alert forgotten.

`SLOD_KILLS` says how often (6 unless told; a release was killed 50 times and more). What slod says
is compared with what the service itself counted, and with a second slod that nobody kills.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.hook import Heard, Hook, hook
from tests.faults.victim import HOOK, Slod
from tests.real.servers import eventually
from tests.real.shop import Shop

KILLS = int(os.environ.get("SLOD_KILLS", "6"))
RESET_EVERY = 3


class Load:
    """Traffic that never rests but when frozen: calm, or an outage that every window sees."""

    def __init__(self, shop: Shop, rng: random.Random) -> None:
        self.burning = False
        self.phases = 0
        self._shop, self._rng = shop, rng
        self._flows = asyncio.Event()
        self._flows.set()

    def freeze(self) -> None:
        self._flows.clear()

    def thaw(self) -> None:
        self._flows.set()

    async def traffic(self) -> None:
        shop, rng = self._shop, self._rng
        while True:
            await self._flows.wait()
            pod = rng.choice(shop.pods)
            shop.serve(pod, rng.choice(["200", "201", "404"]), rng.randrange(1, 30))
            if self.burning:
                # Codes that this pod never had before are births.
                shop.serve(pod, rng.choice(["500", "502", "503", "504"]), rng.randrange(1, 30))
            await asyncio.sleep(0.02)

    async def weather(self, heard: Hook) -> None:
        """Outage after outage; each ends when its page was told, the calm when its end was. Not
        when something new is told: after a kill an alert may begin and end at once, or the other
        way round, since what was missed is spread over the gap."""
        while True:
            for status in ("firing", "resolved"):
                self.burning = status == "firing"

                async def told(status: str = status) -> bool:
                    return heard.last("ErrorBudgetBurn") == status

                await eventually(told, f"{status} in phase {self.phases}", seconds=60)
            self.phases += 1


@contextlib.asynccontextmanager
async def under_way(load: Load, heard: Hook) -> AsyncIterator[None]:
    """While the block runs; a phase that does not end as it must ends the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(load.traffic()), group.create_task(load.weather(heard))]
        yield
        for task in tasks:
            task.cancel()


async def test_nothing_is_lost_or_counted_twice_however_often_it_is_killed(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    for _ in range(2):
        await shop.add()
    async with hook(deafness=0.3) as heard:
        killed = Slod(tmp_path, "killed", HOOK.format(url=heard.url))
        spared = Slod(tmp_path, "spared")
        try:
            spared.start()
            killed.start()
            # The first page ever is the baseline; it is on disk before the first kill.
            await agree(shop, killed, spared)
            await eventually(killed.ready, "ready")
            await killed.saves()
            on_disk = await killed_often(killed, spared, shop, heard, tmp_path)
            await period_agrees(shop, killed, spared)
            await eventually(killed.has_told_all, "everything is told")
            assert (await killed.stop(), await spared.stop()) == (0, 0)
        finally:
            for one in (killed, spared):
                await one.stop(kill=True)
            await shop.stop()
    log = killed.log.read_text()
    for word in ("Traceback", "state.set_aside", "state.not_used", "slo.cannot_compute"):
        assert word not in log
    assert on_disk <= {h.key for h in heard.heard}
    one_key_for_one_message(heard.heard)
    firing_and_resolved_take_turns(heard.heard)


async def killed_often(
    killed: Slod, spared: Slod, shop: Shop, heard: Hook, folder: Path
) -> set[str]:
    """Kill by kill, with pods that restart in between; what waited on disk at any of them."""
    rng = random.Random(20)
    load = Load(shop, rng)
    on_disk: set[str] = set()
    async with under_way(load, heard):
        for kill in range(1, KILLS + 1):
            await asyncio.sleep(rng.uniform(0.05, 2.5))
            await killed.stop(kill=True)
            on_disk |= killed.waiting(folder / "copy")
            killed.start()
            if kill % RESET_EVERY == 0:
                # What nobody ever saw is lost with the pod that counted it: see it first.
                load.freeze()
                await agree(shop, killed, spared)
                await killed.saves()
                rng.choice(shop.pods).restart()
                load.thaw()
        enough = load.phases + 1

        async def over() -> bool:
            return load.phases >= enough

        await eventually(over, "one more outage, with nobody killed", seconds=60)
        load.freeze()
        await agree(shop, killed, spared)
    print(
        f"\n{KILLS} kills, {load.phases} outages, {len(heard.heard)} notifications, "
        f"{len(on_disk)} of them seen on disk at a kill, {dict(shop.served)}"
    )
    return on_disk


async def agree(shop: Shop, *slods: Slod) -> None:
    for one in slods:
        await one.agrees(shop)


async def period_agrees(shop: Shop, *slods: Slod) -> None:
    """All of the test is in the period, so its burn rate is that of the counts."""
    burn = shop.served["bad"] / shop.served.total() / 0.01
    for one in slods:
        found = await one.value('slo_burn_rate{slo="shop",service="shop",window="1h"}')
        assert found == pytest.approx(burn, rel=1e-9)


def one_key_for_one_message(heard: list[Heard]) -> None:
    bodies: dict[str, set[bytes]] = defaultdict(set)
    keys: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for key, body, alert in heard:
        bodies[key].add(body)
        keys[tuple(alert[k] for k in ("fingerprint", "status", "startsAt", "endsAt"))].add(key)
    assert [found for found in bodies.values() if len(found) > 1] == []
    assert [found for found in keys.values() if len(found) > 1] == []


def firing_and_resolved_take_turns(heard: list[Heard]) -> None:
    """Of each alert, by first hearing: it fires, that firing is resolved, it fires anew."""
    turns: dict[str, dict[str, tuple[str, str]]] = defaultdict(dict)
    for key, _, alert in heard:
        turns[alert["fingerprint"]].setdefault(key, (alert["status"], alert["startsAt"]))
    for alerts in turns.values():
        told = list(alerts.values())
        assert [s for s, _ in told] == ["firing", "resolved"] * (len(told) // 2) + (
            ["firing"] * (len(told) % 2)
        )
        firings, ends = told[::2], told[1::2]
        assert [at for _, at in firings][: len(ends)] == [at for _, at in ends]
