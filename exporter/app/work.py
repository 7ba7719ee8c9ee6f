"""The daemon's own work: a tick after what arrived, a save after what changed, one after the other.

Each is a part under the supervisor. One that fails is tried again after its pause, at the next
arrival or beat, and keeps none of the others from their turn.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from exporter.app.counting import Counting
from exporter.app.keeper import Keeper
from exporter.clock import Clock
from exporter.core.engine import Engine
from exporter.core.notification import Notification
from exporter.log import labelled
from exporter.supervisor import Supervisor
from exporter.web.self_metrics import SelfMetrics

log = structlog.get_logger()

BEAT = 5.0
"""Seconds between looks at what only time changes: data that is missing, alerts to send again."""
SAVE_EVERY = 1.0
"""At most one save in so many seconds, unless there is something to say to a receiver."""


class Work:
    """Ticks and saves. `version` changes with the numbers. `wake` is called when all that a
    receiver may be sent is on disk."""

    def __init__(
        self,
        engine: Engine,
        counting: Counting,
        keeper: Keeper,
        metrics: SelfMetrics,
        clock: Clock,
        supervisor: Supervisor,
        wake: Callable[[], None],
    ) -> None:
        self.version = 0
        self._engine = engine
        self._counting = counting
        self._keeper = keeper
        self._metrics = metrics
        self._clock = clock
        self._supervisor = supervisor
        self._wake = wake
        self._arrived = asyncio.Event()
        self.arrived = self._arrived.set
        self._saved_at = -SAVE_EVERY
        self._faults: dict[str, str | None] = {}

    def start(self) -> list[asyncio.Task[None]]:
        """Run until the tasks are cancelled."""
        return [
            self._supervisor.start("tick", self._run),
            self._supervisor.start("beat", self._beat),
        ]

    async def _run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            # Until the save has what it writes there is no await: see `Counting.idle`.
            await self._counting.idle()
            said = self._tick_once()
            due = self._clock.monotonic() - self._saved_at >= SAVE_EVERY
            if said or due or self._engine.outbox.gone:
                await self._save_once()
            # On disk before it is sent: a receiver must never know more than a restart does.
            self._wake()

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(BEAT)
            self._arrived.set()
            self._supervisor.works("beat")

    def _tick_once(self) -> list[Notification]:
        said: list[Notification] = []
        if not self._supervisor.pausing("tick"):
            with self._supervisor.part("tick"):
                said = self.tick()
        return said

    async def _save_once(self) -> None:
        if not self._supervisor.pausing("saving"):
            with self._supervisor.part("saving"):
                await self.save()

    async def finish(self) -> None:
        """The last tick and save, whatever failed before."""
        await self._counting.idle()
        with self._supervisor.part("tick"):
            self.tick()
        with self._supervisor.part("saving"):
            await self.save()

    def tick(self) -> list[Notification]:
        """Evaluate, queue, and tell the metrics and the log; returns what is to be said."""
        begun = self._clock.monotonic()
        tick = self._engine.tick(self._clock.now())
        self._keeper.note(tick.said, self._clock.now())
        self.version += 1
        self._metrics.tick(self._clock.monotonic() - begun)
        for notification in tick.said:
            log.warning(f"alert.{notification.reason.value}", **labelled(notification.labels))
        for route in tick.full:
            self._metrics.notification(route.receiver, "dropped_queue_full")
            log.error("notification.dropped", receiver=route.receiver, reason="queue_full")
        for route in self._engine.outbox.routes.values():
            waiting = self._engine.outbox.waiting(route.endpoint)
            self._metrics.queue_length(route.receiver, waiting)
        for name, account in self._engine.accounts.items():
            if self._faults.get(name) != account.fault:
                self._faults[name] = account.fault
                self._metrics.slo_error(name, account.fault is not None)
                if account.fault is not None:
                    log.error("slo.cannot_compute", slo=name, error=account.fault)
        return tick.said

    async def save(self) -> None:
        """Write what changed; a disk that refuses is said once, and is no failure of slod."""
        self._saved_at = self._clock.monotonic()
        try:
            error = await self._keeper.save()
        finally:
            self._metrics.saving(self._keeper.degraded is None)
            self._metrics.quarantined(self._keeper.quarantined)
        if error is not None:
            self._metrics.state_error(error.reason)

    def forget(self, slo: str) -> None:
        """The SLO is no longer configured, or is another one."""
        self._metrics.forget_slo(slo)
        self._faults.pop(slo, None)
