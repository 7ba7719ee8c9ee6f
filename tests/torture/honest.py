"""Targets that tell the truth: counters that slod must count exactly, whatever happens around them.

They may be slow, cut off or away, since that tells nothing false, and restart: then all that they
had was safely saved by slod before.
"""

from __future__ import annotations

import random
import time

from tests.torture.truth import Alerts, Counts
from tests.torture.verdict import Calm, Verdict
from tests.torture.wire import Answer, Asked, Wire

CHURNED = 4
"""Counters of a target's own for SLOs that come and go in the configuration."""
_TYPE = ("Content-Type: text/plain; version=0.0.4",)


class Target:
    """One process, and its SLO of the same name. `armed`: slod has met it, events count from now
    on; `frozen`: no event happens. `churned`: of so many counters more; such a target never
    restarts.
    """

    def __init__(
        self, name: str, verdict: Verdict, rng: random.Random, *, churned: int = 0
    ) -> None:
        self.name = name
        self.counts = Counts(name, verdict)
        self.alerts = Alerts(name, verdict)
        self.churned = [Counts(f"churned-{n}", verdict) for n in range(churned)]
        self.wire = Wire(self.answer)
        self.armed = self.frozen = False
        self._rng, self._verdict = rng, verdict
        self._started = time.time()
        self._good = self._bad = 0
        """Of this process."""
        self._before = (0, 0)
        """Of the processes before."""
        self._churned = 0

    async def answer(self, asked: Asked) -> Answer:
        """A page; events happen when it is asked for."""
        if not asked.path.startswith("/metrics"):
            return Answer(status=404)
        if self.armed and not self.frozen:
            self._happen()
        lines = [
            "# TYPE requests_total counter",
            f'requests_total{{code="200"}} {self._good}',
            f'requests_total{{code="500"}} {self._bad}',
            "# TYPE process_start_time_seconds gauge",
            f"process_start_time_seconds {self._started:.3f}",
        ]
        lines += [f'churned_total{{n="{n}"}} {self._churned}' for n in range(len(self.churned))]
        return Answer("\n".join([*lines, ""]).encode(), head=_TYPE)

    def _happen(self) -> None:
        burns = self.alerts.burning
        self._good += self._rng.randrange(5) if burns else self._rng.randrange(20, 80)
        self._bad += self._rng.randrange(20, 80) if burns else 0
        good, bad = self._before
        self.counts.page(good + self._good, bad + self._bad)
        self._churned += self._rng.randrange(1, 30)
        for churned in self.churned:
            churned.page(self._churned, 0)

    @property
    def restarts_well(self) -> bool:
        """Whether a restart would be seen: nothing reaches so much on its first page."""
        return self._good > 400 and not self.churned

    def restart(self, offset: float) -> int:
        """Another process, whose counters begin at 0; the events of those before. `offset`: how far
        the clock of its machine is ahead, in seconds."""
        good, bad = self._before
        self._before = (good + self._good, bad + self._bad)
        self._verdict.trace(f"{self.name} restarts at {self._good} good, {self._bad} bad")
        self._good = self._bad = 0
        self._started = time.time() + offset
        return sum(self._before)


class Outages:
    """Lets one target burn and recover, again and again; the next step waits until the last one was
    told and for a random time."""

    def __init__(self, target: Target, rng: random.Random) -> None:
        self._target = target
        self._rng = rng
        self._pause = rng.uniform(2, 15)
        self.ends = False
        """No outage begins any more."""

    def move(self, seconds: float, now: float, others: Calm) -> None:
        """Time goes by."""
        target, alerts = self._target, self._target.alerts
        alerts.move(seconds, now, others)
        if not target.armed or target.frozen or not alerts.settled:
            return
        self._pause -= seconds
        # An outage that slod may not know to be over yet would be the same alert.
        if self._pause > 0 or (not alerts.burning and alerts.outages and alerts.quiet_for < 22):
            return
        if alerts.burning or not self.ends:
            alerts.burns(not alerts.burning)
            self._pause = self._rng.uniform(1, 10)
