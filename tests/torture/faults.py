"""Carries out the steps of a plan."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from typing import Any

from tests.torture.clients import come
from tests.torture.honest import Target
from tests.torture.plan import DISK, Step
from tests.torture.stage import Stage
from tests.torture.truth import LONG

_SETTLES = 3.0
"""Seconds that a target needs after it was away: the pages that the alert needs."""
_SAVES = 2
"""Saves after which what was on the page is surely in one of them."""


class Faults:
    """What happens to a stage. A step begins at its time; what it takes goes on beside others."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._slod = stage.slod
        self._tasks: set[asyncio.Task[None]] = set()
        self._steady = asyncio.Lock()
        """Held while the clock must not be set."""

    def begin(self, step: Step) -> None:
        """Let it happen."""
        does = getattr(self, f"_{step.fault}")
        task = asyncio.create_task(does(step.what, step.facts), name=str(step))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._stage.verdict.wrong("run", f"{task.get_name()}: {type(error).__name__}: {error}")

    async def end(self) -> None:
        """No fault any more: everything that lasts is over, everybody is well."""
        stage = self._stage
        for task in list(self._tasks):
            # What stops slod or a target starts it again, too.
            if not {"kill", "power", "restart"} & set(task.get_name().split()):
                task.cancel()
        for target in stage.honest:
            if target.wire.fault is not None:
                await target.wire.set(None)
        self._slod.control.disk = 0
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._slod.control.offset = 0.0
        stage.calm.takes("clock", LONG, time.monotonic())
        stage.configuration.write()
        for target in stage.honest:
            target.frozen = False
        for hostile in stage.hostile:
            await hostile.behave("well", 0)
        await stage.prometheus.behave("", 0)
        for odd in stage.odd:
            await odd.behave("well", 0)
        stage.names.behave("well", 0)
        stage.configuration.churned = set(range(4))
        await stage.configuration.change("nothing new", 0)

    async def start(self) -> None:
        """Start slod, with a file that it can start with."""
        stage = self._stage
        stage.calm.begin("away")
        try:
            async with stage.configuration.reloading:
                await self._slod.start()
            stage.verdict.trace("slod is up")
            # The first look of all targets, before which nothing can be told.
            stage.calm.takes("start", _SETTLES, time.monotonic())
        finally:
            stage.calm.end("away")

    # --- one method a fault ---------------------------------------------------------------------

    async def _kill(self, what: str, facts: dict[str, Any]) -> None:
        stage, slod = self._stage, self._slod
        async with slod.busy:
            if what == "suspend":
                await self._suspend(facts["away"])
                return
            stage.calm.begin("away")
            try:
                await (slod.stop() if what == "stop" else slod.kill())
                await asyncio.sleep(facts["away"])
                if what == "kill at once again":
                    starting = asyncio.create_task(self.start())
                    await asyncio.sleep(facts["away"])
                    starting.cancel()
                    await asyncio.gather(starting, return_exceptions=True)
                    await slod.kill()
                await self.start()
            finally:
                stage.calm.end("away")

    async def _suspend(self, seconds: float) -> None:
        calm, slod = self._stage.calm, self._slod
        calm.begin("suspended")
        slod.signal(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            slod.signal(signal.SIGCONT)
            calm.end("suspended")
            calm.takes("suspended", _SETTLES, time.monotonic())

    async def _power(self, what: str, facts: dict[str, Any]) -> None:
        stage = self._stage
        async with self._slod.busy:
            stage.calm.begin("away")
            try:
                await self._slod.cut_power(random.Random(facts["seed"]))
                for target in stage.honest:
                    target.alerts.power_cut()
                await asyncio.sleep(facts["away"])
                await self.start()
            finally:
                stage.calm.end("away")

    async def _disk(self, what: str, facts: dict[str, Any]) -> None:
        self._slod.control.disk = DISK[what]
        try:
            await asyncio.sleep(facts["lasts"])
        finally:
            self._slod.control.disk = 0

    async def _clock(self, what: str, facts: dict[str, Any]) -> None:
        async with self._steady:
            self._slod.control.offset = facts["offset"]
            # The windows hold nothing but what came after the step.
            self._stage.calm.takes("clock", LONG, time.monotonic())

    async def _config(self, what: str, facts: dict[str, Any]) -> None:
        if self._slod.up:
            await self._stage.configuration.change(what, facts["seed"])

    async def _targets(self, what: str, facts: dict[str, Any]) -> None:
        if "hostile" in facts:
            hostile = self._stage.hostile
            await hostile[facts["hostile"] % len(hostile)].behave(what, facts["seed"])
            return
        target = self._stage.honest[facts["target"] % len(self._stage.honest)]
        if what == "restart":
            await self._restart(target)
            return
        calm = target.alerts.calm
        calm.begin(what)
        try:
            await target.wire.set(what.removeprefix("network: "))
            await asyncio.sleep(facts["lasts"])
            await target.wire.set(None)
        finally:
            calm.end(what)
            calm.takes("network", _SETTLES, time.monotonic())

    async def _restart(self, target: Target) -> None:
        """When all that it had is safe, a restart loses nothing."""
        if target.frozen or target.alerts.burning or not target.restarts_well:
            return
        target.frozen = True
        target.alerts.calm.begin("restart")
        try:
            async with self._steady:
                try:
                    async with asyncio.timeout(20):
                        await self._is_safe(target)
                except TimeoutError:
                    return
                # It is on slod's machine, with the same clock: a start time by another clock would
                # tell of a restart at another time, which is no truth.
                before = target.restart(self._slod.control.offset)
                target.frozen = False
                while sum(self._stage.watch.says.get(target.name, (0.0, 0.0))) <= before:
                    await asyncio.sleep(0.1)
        finally:
            target.frozen = False
            target.alerts.calm.end("restart")

    async def _is_safe(self, target: Target) -> None:
        slod, watch = self._slod, self._stage.watch
        while True:
            of, enough = slod.restarts, None
            watch.says.pop(target.name, None)
            while of == slod.restarts:
                slod.journal.read()
                if enough is None and watch.agrees(target.name):
                    enough = slod.journal.saves + _SAVES
                if enough is not None and slod.journal.safe >= enough:
                    return
                await asyncio.sleep(0.1)

    async def _prometheus(self, what: str, facts: dict[str, Any]) -> None:
        await self._stage.prometheus.behave(what, facts["seed"])
        await asyncio.sleep(facts["lasts"])
        await self._stage.prometheus.behave("", 0)

    async def _receivers(self, what: str, facts: dict[str, Any]) -> None:
        odd = self._stage.odd
        await odd[facts["which"] % len(odd)].behave(what, facts["seed"])

    async def _clients(self, what: str, facts: dict[str, Any]) -> None:
        if self._slod.up:
            await come(what, self._slod.port, facts["seed"], facts["lasts"])

    async def _dns(self, what: str, facts: dict[str, Any]) -> None:
        self._stage.names.behave(what, facts["seed"])
