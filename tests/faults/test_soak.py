"""Weeks of a service's life at full speed, on a clock that only the test moves, with random faults.

Pods restart and are replaced, scrapes fail, errors are born late, hours are silent, outages come
and go, slod is restarted from what it saved. All along a recount that keeps every interval says
what each window holds and what each rule does. `SLOD_SOAK_WEEKS=8` is the whole of it.
"""

from __future__ import annotations

import math
import os
import random
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from exporter.core.engine import Engine
from exporter.core.slo import SLO, Rule
from tests.core.builders import T, batch, counted, engine, packed, rule, slo, status

WEEKS = float(os.environ.get("SLOD_SOAK_WEEKS", "1"))
STEP = 60.0
OBJECTIVE = 0.99
RULES = (
    rule("page", "1h", "5m", 14.4),
    rule("page", "6h", "30m", 6.0),
    rule("ticket", "3d", "6h", 1.0),
)
PERIOD = 14 * 86_400.0
SAVED_EVERY = 32


@dataclass
class Pod:
    """One process; `shown` is what the last page that was scraped had, and which poll that was."""

    started: float
    good: int = 0
    bad: int | None = None
    shown: tuple[int, int] = (0, 0)
    polled: int | None = None
    restarted: bool = False

    def restart(self, now: float) -> None:
        self.started, self.good, self.bad, self.restarted = now, 0, None, True


@dataclass
class Recount:
    """Bad and all events of every interval; an increase over several is spread evenly."""

    bad: list[float] = field(default_factory=lambda: [0.0])
    total: list[float] = field(default_factory=lambda: [0.0])
    _bad: list[float] = field(default_factory=list)
    _total: list[float] = field(default_factory=list)

    def add(self, into: list[float], since: int, poll: int, amount: float) -> None:
        for i in range(since + 1, poll + 1):
            into[i] += amount / (poll - since)

    def sums(self) -> None:
        """What came up to each poll."""
        self._bad, self._total = list(accumulate(self.bad)), list(accumulate(self.total))

    def window(self, seconds: float, poll: int) -> tuple[float, float]:
        """Bad and all events, as of the last `sums`."""
        edge = max(0, poll - round(seconds / STEP))
        return self._bad[poll] - self._bad[edge], self._total[poll] - self._total[edge]


class World:
    """The service, the slod that watches it, and the recount."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.slod = engine(self._slo())
        self.pods = {f"pod-{n}": Pod(T - 1e6) for n in range(3)}
        self.names = 3
        self.recount = Recount()
        self.poll = 0
        self.outage = self.silence = 0
        self.saved: tuple[dict[str, Any], list[dict[str, Any]]] = ({}, [])

    @staticmethod
    def _slo() -> SLO:
        return slo(objective=OBJECTIVE, period="14d", rules=RULES, interval=STEP)

    @property
    def now(self) -> float:
        return T + self.poll * STEP

    def go_on(self) -> None:
        """One interval: events, faults, a poll, a tick."""
        self.poll += 1
        self.recount.bad.append(0.0)
        self.recount.total.append(0.0)
        self._live()
        pages = {name: self._page(pod) for name, pod in self.pods.items() if self._answers(pod)}
        started = {name: self.pods[name].started for name in pages}
        for name in pages:
            self._count(self.pods[name])
        self.slod.ingest(batch(self.slod, self.now, pages, started=started))
        self.slod.tick(self.now)
        self._save()

    def _live(self) -> None:
        rng, now = self.rng, self.now
        if self.outage == 0 and rng.random() < 1 / 2880:
            self.outage = rng.choice((5, 30, 180))
        if self.silence == 0 and rng.random() < 1 / 5760:
            self.silence = rng.choice((30, 240))
        self.outage, self.silence = max(0, self.outage - 1), max(0, self.silence - 1)
        for name, pod in list(self.pods.items()):
            if rng.random() < 1 / 3000:
                pod.restart(now - rng.random() * STEP)
            elif rng.random() < 1 / 5000:
                del self.pods[name]
                # It began after the last poll, so that its first page counts.
                self.pods[f"pod-{self.names}"] = pod = Pod(now - rng.random() * STEP / 2)
                self.names += 1
            if self.silence:
                continue
            events = rng.randrange(int(40 * (1.2 + math.sin(self.poll / 1440 * math.tau))))
            share = 0.4 if self.outage else 0.002
            failed = sum(rng.random() < share for _ in range(events))
            pod.good += events - failed
            if failed:
                pod.bad = (pod.bad or 0) + failed

    def _answers(self, pod: Pod) -> bool:
        # What a new or a restarted pod had before its first page nobody could have known.
        return pod.polled is None or pod.restarted or self.rng.random() > 0.01

    @staticmethod
    def _page(pod: Pod) -> dict[str, float]:
        page = {'http_requests_total{code="200"}': float(pod.good)}
        if pod.bad is not None:
            page['http_requests_total{code="500"}'] = float(pod.bad)
        return page

    def _count(self, pod: Pod) -> None:
        """What the page shows that the one before did not."""
        good, bad = (0, 0) if pod.restarted else pod.shown
        first = pod.polled is None and pod.started < T
        since = self.poll - 1 if pod.polled is None else pod.polled
        new_good, new_bad = pod.good - good, (pod.bad or 0) - bad
        if not first:
            born = pod.shown[1] == 0 and not pod.restarted
            self.recount.add(self.recount.total, since, self.poll, new_good)
            bad_since = self.poll - 1 if born else since
            for into in (self.recount.total, self.recount.bad):
                self.recount.add(into, bad_since, self.poll, new_bad)
        pod.shown, pod.polled, pod.restarted = (pod.good, pod.bad or 0), self.poll, False

    # --- slod's own life ------------------------------------------------------------------------

    def _save(self) -> None:
        """Every poll is saved; now and then slod is killed, and goes on from there."""
        dumps, logs = self.saved
        logs.append(self.slod.drain())
        if self.poll % SAVED_EVERY == 1:
            self.saved = ({name: packed(self.slod.dump(name)) for name in self.slod.accounts}, [])
        elif self.rng.random() < 1 / 1000:
            again = engine(self._slo())
            for name, dumped in dumps.items():
                journal = [packed(log[name]) for log in logs if name in log]
                assert again.restore(name, dumped, journal) is None
            self.slod = again

    # --- comparing ------------------------------------------------------------------------------

    def compare(self) -> tuple[float, float]:
        """The errors of the budget spent and of the worst burn rate that is off by over 0.1."""
        self.recount.sums()
        found = status(self.slod, self.now)
        assert counted(self.slod) == (
            round(sum(self.recount.total) - sum(self.recount.bad)),
            round(sum(self.recount.bad)),
        )
        budget = burn = 0.0
        for window in found.windows:
            bad, total = self.recount.window(window.seconds, self.poll)
            if total < 1:
                continue
            exact = bad / total / (1 - OBJECTIVE)
            seen = window.burn(OBJECTIVE) or 0.0
            if window.seconds == PERIOD:
                budget = abs(seen - exact) / exact if exact else 0.0
            elif abs(seen - exact) > 0.1:
                burn = max(burn, abs(seen - exact) / exact)
        self._compare_alerts({r.long + r.short: r.firing for r in found.rules})
        return budget, burn

    def _compare_alerts(self, found: dict[str, bool]) -> None:
        """Each rule fires as the recount says, but for a hair's breadth."""
        for one in RULES:
            key = one.long.label + one.short.label
            burns = [self._burn(one, w.seconds) for w in (one.long, one.short)]
            if None in burns:
                continue
            near = any(abs(b - one.rate) <= 0.011 * one.rate for b in burns if b is not None)
            expected = all(b is not None and b > one.rate for b in burns)
            assert near or found[key] == expected, (self.poll, key, burns)

    def _burn(self, one: Rule, seconds: float) -> float | None:
        bad, total = self.recount.window(seconds, self.poll)
        return bad / total / (1 - OBJECTIVE) if total >= 1 else None


def test_weeks_of_faults_leave_counts_exact_numbers_within_bounds_and_memory_flat() -> None:
    world = World(seed=1)
    worst_budget = worst_burn = 0.0
    memory = 0
    polls = int(WEEKS * 7 * 86_400 / STEP)
    for i in range(polls):
        world.go_on()
        if i % 211 == 0 or (world.outage and i % 7 == 0):
            budget, burn = world.compare()
            worst_budget, worst_burn = max(worst_budget, budget), max(worst_burn, burn)
            memory = max(memory, ledger_bytes(world.slod))
    assert (worst_budget <= 0.001, worst_burn <= 0.01) == (True, True), (worst_budget, worst_burn)
    assert memory < 24 * 1024
    state = world.slod.accounts["slo"].memory
    assert len(state.targets) <= 3 + 8, "pods that are gone are forgotten within a day"


def ledger_bytes(of: Engine) -> int:
    return status(of, T).ledger_bytes
