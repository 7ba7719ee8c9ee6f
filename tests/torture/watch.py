"""Looks at slod from outside, again and again, and judges what it says against the truth."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
import time
from statistics import median

import aiohttp

from tests.cases.stage import Metrics
from tests.torture.launch import MEMORY
from tests.torture.slod import Slod
from tests.torture.truth import Counts
from tests.torture.verdict import Verdict

EVERY = 0.5
ANSWERS_WITHIN = 20.0
"""Seconds for a page of metrics while strangers flood the port, on a slow machine."""
HELD = 0.25
"""Seconds that hostile input may hold the event loop, times `slowness`."""
_NOT_BY_STRANGERS = (
    "importlib",
    "exporter/config/",
    "exporter/app/running.py",
    " _change",
    " restore",
)
"""In the stack of a start or a reload, which no stranger can ask for. A module is imported once."""


def slowness() -> float:
    """How many times slower than the reference machine Python is here and now; at least 1."""
    spent = []
    for _ in range(5):
        begun = time.thread_time()
        sum(i * i % 7 for i in range(100_000))
        spent.append(time.thread_time() - begun)
    # Where every core is at work, each is slower, and by how much differs from moment to moment.
    busy = os.getloadavg()[0] > (os.cpu_count() or 1)
    return max(1.0, median(spent) / 0.012) * (1 + busy)


class Watch:
    """`counts`: the truths to compare with, by SLO."""

    def __init__(self, slod: Slod, counts: dict[str, Counts], verdict: Verdict) -> None:
        self.says: dict[str, tuple[float, float]] = {}
        """Events by the newest page."""
        self.page = Metrics("")
        self.present: set[str] = set()
        """SLOs that are on it."""
        self._slod = slod
        self._counts = counts
        self._verdict = verdict
        self._limit = HELD * slowness()
        self._odd: set[str] = set()
        self._explained: set[str] = set()

    async def run(self) -> None:
        """Look until cancelled."""
        timeout = aiohttp.ClientTimeout(total=ANSWERS_WITHIN)
        while True:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                await self._look(session)
            await asyncio.sleep(EVERY)

    async def _look(self, session: aiohttp.ClientSession) -> None:
        slod = self._slod
        slod.look()
        self._judge_holds()
        if slod.peak > MEMORY:
            self._verdict.wrong("memory", f"RSS was {slod.peak / 2**20:.1f} MiB")
        if not slod.up:
            return
        of = slod.restarts
        for path in ("/metrics", "/-/healthy"):
            try:
                async with session.get(f"{slod.url}{path}") as answer:
                    status, text = answer.status, await answer.text()
            except (aiohttp.ClientError, TimeoutError) as error:
                if slod.up and slod.restarts == of:
                    self._verdict.wrong("answer", f"{path}: {type(error).__name__}: {error}")
                return
            if slod.restarts != of:
                return
            if status != 200:
                self._verdict.wrong("answer", f"{path}: status {status}: {text[:300]}")
            elif path == "/metrics":
                self._judge(text)
        for slo in self._odd - self._explained:
            self._explained.add(slo)
            await self._explain(session, slo)

    async def _explain(self, session: aiohttp.ClientSession, slo: str) -> None:
        """Keep what slod says of its numbers, for whoever looks for the reason."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(f"{self._slod.url}/api/slo/v1/slos/{slo}/explain") as answer:
                (self._slod.folder / f"explain-{slo}.json").write_text(await answer.text())

    def _judge(self, text: str) -> None:
        self._verdict.seen["pages"] += 1
        self.page = page = Metrics(text)
        for name, labels, value in page.samples:
            # A budget that nothing spends lasts for ever, so that may be infinite.
            counted = name in ("slo_events_total", "slod_ledger_bytes")
            if name.startswith("slo") and (math.isnan(value) or (counted and math.isinf(value))):
                self._verdict.wrong("number", f"{name}{labels} is {value}")
            if name == "slod_failures_total" and value > 0:
                self._verdict.wrong("unforeseen", f"{labels} failed; the log says more")
        self.present = {
            labels["slo"] for name, labels, _ in page.samples if name == "slo_events_total"
        }
        for slo in self.present & self._counts.keys():
            self.says[slo] = events = page.events(slo)
            if not self._counts[slo].says(*events):
                self._odd.add(slo)

    def agrees(self, slo: str) -> bool:
        """Whether slod's newest page has all events of an SLO."""
        return slo in self.says and self._counts[slo].agrees(*self.says[slo])

    def _judge_holds(self) -> None:
        for hold in self._slod.holds():
            self._verdict.seen["holds"] += 1
            stacks = "\n".join(stack for stack, _ in hold["stacks"])
            if hold["held"] <= self._limit or any(part in stacks for part in _NOT_BY_STRANGERS):
                continue
            # Who shares the machine comes and goes.
            self._limit = max(self._limit, HELD * slowness())
            if hold["held"] > self._limit:
                shown = json.dumps(hold["stacks"][:1])[:2500].replace("\\n", "\n    ")
                self._verdict.wrong("held", f"the event loop for {hold['held']:.3f} s: {shown}")
