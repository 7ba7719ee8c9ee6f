"""Receivers of notifications: one that takes everything at once, and others that do not."""

from __future__ import annotations

import asyncio
import json
import random
import re

from tests.torture.truth import Alerts
from tests.torture.wire import Answer, Asked, Wire

MANNERS = (
    *("well", "500", "odd Retry-After", "odd status", "hangs", "slow", "odd headers", "nonsense"),
    *("network: reset in the middle", "network: closed at once", "network: refused"),
    *("network: endless body", "network: gzip bomb", "network: endless headers"),
)
_WAITS = (
    *("0", "-1", "1", "1.5", "1e308", "NaN", "9" * 30, "9" * 5000, "", " ", "2, 3", "\xb2", "soon"),
    *("Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 99 Foo 0 0:0:0 GMT"),
    *("Mon, 01 Jan 0001 00:00:00 +2359", "Fri, 31 Dec 9999 23:59:59 -2359"),
)


class Honest:
    """Takes what comes, and tells the truth of the alerts' SLOs. `heard`: notifications."""

    def __init__(self) -> None:
        self.wire = Wire(self._answer)
        self.alerts: dict[str, Alerts] = {}
        self.heard: dict[str, tuple[str, str]] = {}
        """By key: alert name and SLO."""

    async def _answer(self, asked: Asked) -> Answer:
        found = re.search(r"idempotency-key: *(\S+)", asked.head, re.IGNORECASE)
        for alert in json.loads(asked.body)["alerts"]:
            labels, key = alert["labels"], found[1] if found else asked.head
            self.heard[key] = (labels["alertname"], labels.get("slo", ""))
            if labels["alertname"] == "ErrorBudgetBurn" and labels["slo"] in self.alerts:
                self.alerts[labels["slo"]].hears(alert["status"], key)
        return Answer()


class Odd:
    """One whose manners change. `taken`: the keys of what it said 200 to."""

    def __init__(self) -> None:
        self.wire = Wire(self._answer)
        self.taken: set[str] = set()
        self._manners = "well"
        self._rng = random.Random(0)

    async def behave(self, manners: str, seed: int) -> None:
        """Be like this from now on."""
        self._rng = random.Random(seed)
        fault = manners.removeprefix("network: ") if manners.startswith("network: ") else None
        if fault != self.wire.fault:
            await self.wire.set(fault)
        self._manners = manners

    async def _answer(self, asked: Asked) -> Answer:
        rng, wait = self._rng, self._rng.choice(_WAITS)
        match self._manners:
            case "500":
                return Answer(b"x" * rng.randrange(10**6), rng.choice((500, 502, 503)))
            case "odd Retry-After":
                return Answer(status=rng.choice((429, 503, 403)), head=(f"Retry-After: {wait}",))
            case "odd status":
                return Answer(status=rng.choice((100, 199, 204, 226, 302, 304, 408, 425, 599, 999)))
            case "odd headers":
                head = (f"Content-Type: {wait}", f"Location: {wait}", f"Content-Encoding: {wait}")
                return Answer(status=rng.choice((200, 302, 503)), head=head)
            case "hangs":
                await asyncio.sleep(3600)
            case "slow":
                await asyncio.sleep(rng.uniform(0.5, 4))
            case "nonsense":
                return Answer(rng.randbytes(10**5), 200)
        found = re.search(r"idempotency-key: *(\S+)", asked.head, re.IGNORECASE)
        if found:
            self.taken.add(found[1])
        return Answer()
