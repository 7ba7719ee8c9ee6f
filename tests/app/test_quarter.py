"""A quarter on a clock that the test moves: the budget policy, the gate and an override, through
HTTP, across kill -9; every state entered and left once, with one notification each.

What is expected comes from a recount that knows nothing of ledgers.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from exporter.app.daemon import Daemon
from exporter.config.load import load
from tests.app.test_daemon import PageServer, get, page, until, value, write
from tests.app.test_exclusions import ask
from tests.core.builders import aged
from tests.support import ManualClock, unhurried

__all__ = ["page"]

T = 1_700_000_000.0
HOUR, DAY = 3600.0, 86_400.0
STEP = 2 * HOUR
CONFIG = """
[slo.shop]
objective = 99
sli = {{ bad = 'requests_total{{code="500"}}', total = 'requests_total' }}
[receiver.hook]
type = "webhook"
url = "{hook}"
"""
OUTAGES = [(12, 4, 0.39), (15, 3, 0.46), (17, 4, 0.39), (56, 5, 0.38), (60, 3, 0.21), (63, 5, 0.31)]
"""Day, times of two hours, share of failing events."""
STEPS = {"exhausted": 0.0, "freeze_discussion": 0.25, "warning": 0.5}


def traffic() -> Iterator[tuple[int, int]]:
    """Good and bad events of each two hours of 91 days."""
    bad = {int(day * DAY / STEP) + k: share for day, n, share in OUTAGES for k in range(n)}
    for k in range(int(91 * DAY / STEP)):
        events = 1500 + 700 * (k % 12 in range(4, 10))
        failed = round(events * bad.get(k, 0.0005))
        yield events - failed, failed


def expected() -> list[tuple[int, str]]:
    """At which step of time which state began; `ok` above all."""
    out: list[tuple[int, str]] = []
    counts = list(traffic())
    state, span = "ok", int(30 * DAY / STEP)
    for k in range(len(counts)):
        some = counts[max(0, k + 1 - span) : k + 1]
        good, bad = (sum(column) for column in zip(*some, strict=True))
        left = 1 - bad / (good + bad) / 0.01
        # The ledger is right to 0.1% of the budget; nothing here may be that near to an edge.
        edges = [*STEPS.values(), *(limit + 0.01 for limit in STEPS.values())]
        assert all(abs(left - edge) > 0.001 for edge in edges), (k, left)
        found = next((s for s, limit in STEPS.items() if left < limit), "ok")
        if state == "ok" or left >= STEPS[state] + 0.01 or STEPS.get(found, 9) < STEPS[state]:
            if found != state:
                out.append((k, found))
            state = found
    return out


class Hook:
    """A webhook that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        [alert] = json.loads(await request.text())["alerts"]
        self.heard.append(alert)
        return web.Response()

    def of(self, name: str) -> list[tuple[str, str]]:
        return [
            (a["status"], a["labels"].get("state", ""))
            for a in self.heard
            if a["labels"]["alertname"] == name
        ]


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    app = web.Application()
    app.router.add_post("/", hook.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    yield hook
    await runner.cleanup()


class Shop:
    """A service, slod beside it, and the test's hand on the clock."""

    def __init__(
        self, folder: Path, page: PageServer, hook: Hook, config: str = CONFIG, now: float = T
    ) -> None:
        self.clock = ManualClock(now)
        self.config = config.format(hook=hook.url)
        self.page, self.hook, self.folder = page, hook, folder
        page.counts = {"200": 0, "500": 0}
        self.looked = 0.0
        """The newest sample that a tick has seen."""
        self._deaths = 0

    @asynccontextmanager
    async def slod(self) -> AsyncIterator[Daemon]:
        """Started on the state there is; at the end it is killed: its last words are not kept."""
        file = write(self.folder, self.page, self.config)
        daemon, shutdown = Daemon(load(file), self.clock), asyncio.Event()
        whole = daemon.engine.tick

        def tick(now: float) -> Any:
            said = whole(now)
            self.looked = daemon.engine.accounts["shop"].memory.newest
            return said

        daemon.engine.tick = tick  # type: ignore[method-assign]
        unhurried.set(True)
        task = asyncio.create_task(daemon.run(shutdown))
        try:
            await until(self.polled(daemon))
            if not self._deaths:
                aged(daemon.engine, self.looked)
            yield daemon
        finally:
            # What is being written is on disk thereafter.
            await daemon._keeper._store.size()  # noqa: SLF001
            # The disk as a kill would leave it: nothing of the clean stop gets there.
            self._deaths += 1
            after = self.folder / f"killed-{self._deaths}"
            after.mkdir()
            for name in ("slod.db", "slod.db-wal"):
                if (self.folder / name).exists():
                    shutil.copy(self.folder / name, after / name)
            shutdown.set()
            await task
            self.folder = after

    async def pass_by(self, daemon: Daemon, good: int, bad: int, seconds: float = STEP) -> None:
        """So long with so many events, until slod has looked and all was delivered."""
        self.page.counts["200"] += good
        self.page.counts["500"] += bad
        await until(self._waits)
        # A day of every second would take as long as it sounds; the wall clock leaps.
        self.clock.step(seconds - 0.1)
        await self.clock.advance(0.1)
        await until(self.polled(daemon))

    async def _waits(self) -> bool:
        """Whether the next poll comes with the next step of the clock."""
        return self.clock.wakes_within(0.1)

    def polled(self, daemon: Daemon) -> Any:
        """Whether slod has looked, and all was delivered."""

        async def look() -> bool:
            [endpoint] = daemon.engine.outbox.routes
            recent, outbox = self.clock.now() - self.looked < 0.2, daemon.engine.outbox
            return recent and not outbox.waiting(endpoint) and not outbox.gone

        return look


async def gate(daemon: Daemon, path: str = "shop") -> tuple[int, dict[str, Any]]:
    status, text = await get(daemon, f"/api/slo/v1/gate/{path}")
    return status, json.loads(text)


async def test_a_quarter_enters_and_leaves_every_state_once_and_the_gate_follows(
    tmp_path: Path, page: PageServer, hook: Hook
) -> None:
    states, counts = expected(), list(traffic())
    assert {state for _, state in states} == {"ok", *STEPS}
    closed = [k for k, state in states if state == "exhausted"]
    assert len(closed) == 2
    shop = Shop(tmp_path, page, hook)
    # Killed while a warning holds, while the gate is closed, and while it is overridden.
    deaths = {states[0][0] + 1, closed[0] + 1, closed[1] + 2}
    k, overridden = 0, closed[1] + 1
    state = "ok"
    while k < len(counts):
        async with shop.slod() as daemon:
            while k < len(counts):
                await shop.pass_by(daemon, *counts[k])
                state = dict(states).get(k, state)
                line = f'slo_budget_policy_state{{slo="shop",service="shop",state="{state}"}}'
                if k % 12 == 0 or k in dict(states):
                    assert await value(daemon, line) == 1, (k, state)
                    found = (await gate(daemon))[1]
                    lifted = overridden < k < overridden + 6
                    assert found["verdict"] == ("closed" if state == "exhausted" else "open")
                    assert found["allow"] is (state != "exhausted" or lifted), k
                    assert found["slos"][0]["state"] == state
                if k == overridden:
                    await override(daemon)
                k += 1
                if k - 1 in deaths:
                    break
    # A first look began the day before the first events: nothing else was said than this.
    before = ["ok", *(s for _, s in states)]
    # What gets worse is not resolved: a state's alert goes on in worse ones.
    order = ["ok", "warning", "freeze_discussion", "exhausted"]
    changes = []
    for old, new in itertools.pairwise(map(order.index, before)):
        changes += [("firing", state) for state in order[old + 1 : new + 1]]
        changes += [("resolved", state) for state in order[new + 1 : old + 1]]
    assert sorted(hook.of("ErrorBudgetPolicy")) == sorted(changes)
    assert [c for c in hook.of("ErrorBudgetPolicy") if c[0] == "firing"] == [
        c for c in changes if c[0] == "firing"
    ]
    assert [status for status, _ in hook.of("GateOverride")] == ["firing", "resolved"]


async def override(daemon: Daemon) -> None:
    """Open the closed gate for ten hours."""
    assert (await gate(daemon, "shop?enforce=1"))[0] == 423
    body = {"for": "shop", "duration": "10h", "owner": "anna", "reason": "the fix"}
    status, made = await ask(daemon, "POST", "/api/slo/v1/overrides", json=body)
    assert (status, made["gate"], made["owner"]) == (201, "open", "anna")
    status, found = await gate(daemon, "shop?enforce=1")
    assert (status, found["allow"], found["override"]["id"]) == (200, True, made["id"])
