"""Carries what is due from the outbox to the receivers: a task for each endpoint.

The outbox decides what and when; here it is only sent, and what came of it is counted and logged.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog

from exporter.clock import Clock
from exporter.core.apart import one_line
from exporter.core.outbox import Entry, Outbox, Route
from exporter.errors import DeliveryError
from exporter.log import labelled
from exporter.receivers.base import Receiver
from exporter.supervisor import Supervisor
from exporter.web.self_metrics import SelfMetrics

log = structlog.get_logger()

_BATCH = 64


def routes(receivers: Sequence[Receiver]) -> list[Route]:
    """What the outbox has to know of the receivers."""
    return [Route(r.name, r.endpoint, tuple(r.severities), r.resend) for r in receivers]


class Delivery:
    """Sends for one endpoint until cancelled; `wake` says that something may be due. `delivered` is
    called when something was: what is on disk still would be said again after a crash."""

    def __init__(
        self,
        receiver: Receiver,
        outbox: Outbox,
        clock: Clock,
        metrics: SelfMetrics,
        delivered: Callable[[], None],
        supervisor: Supervisor | None = None,
    ) -> None:
        self.receiver = receiver
        self._outbox = outbox
        self._clock = clock
        self._metrics = metrics
        self._delivered = delivered
        self._supervisor = supervisor or Supervisor(clock, metrics.failure)
        self._part = f"receiver:{receiver.name}"
        self._wake = asyncio.Event()
        self._leaving = False

    def wake(self) -> None:
        """Look at the outbox again."""
        self._wake.set()

    def leave(self) -> None:
        """Send nothing more; `run` ends once the attempt under way is over."""
        self._leaving = True
        self._wake.set()

    async def run(self) -> None:
        """Send what is due, wait for what comes."""
        try:
            while not self._leaving:
                self._wake.clear()
                now = self._clock.now()
                due = self._outbox.due(self.receiver.endpoint, now)[:_BATCH]
                if due:
                    await self._send(due)
                    if not self._leaving:  # then some were not tried at all
                        self._hold_back(due, now)
                else:
                    await self._wait(now)
        finally:
            await self.receiver.close()

    async def _wait(self, now: float) -> None:
        at = self._outbox.next_due(self.receiver.endpoint)
        if at is None:
            await self._wake.wait()
            return
        # A clock that was set back must not hold a notification for hours.
        pause = min(max(0.0, at - now), 60.0)
        waits = [
            asyncio.ensure_future(self._clock.sleep(pause)),
            asyncio.ensure_future(self._wake.wait()),
        ]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in done:
                wait.result()
        finally:
            for wait in waits:
                wait.cancel()

    def _hold_back(self, sent: Sequence[Entry], now: float) -> None:
        """Retry later what is still due after it was sent: the attempt could not even be noted, and
        without this it would be sent again at once."""
        due = {entry.id for entry in self._outbox.due(self.receiver.endpoint, now)}
        for entry in sent:
            if entry.id in due:
                self._outbox.failed(entry, now, 1.0, None, "internal error; the log says more")

    async def _send(self, entries: Sequence[Entry]) -> None:
        # A level-triggered receiver takes many at once; for others one failure must be one's own.
        if self.receiver.resend is not None:
            await self._attempt(entries)
            return
        for entry in entries:
            if not self._leaving:
                await self._attempt([entry])

    async def _attempt(self, entries: Sequence[Entry]) -> None:
        # What comes of an attempt is noted apart too: one entry's failure is no other's.
        with self._supervisor.part(self._part, "attempt"):
            await self._attempt_these(entries)

    async def _attempt_these(self, entries: Sequence[Entry]) -> None:
        receiver = self.receiver
        try:
            await receiver.send([e.notification for e in entries], self._clock.now())
        except DeliveryError as error:
            self._failed(entries, error)
        except Exception as error:  # noqa: BLE001 - a failure of the receiver's part
            self._supervisor.failed(self._part, error, _of(entries))
            await self._retry_fault(entries, one_line(error))
        else:
            self._supervisor.works(self._part, _of(entries))
            now = self._clock.now()
            for entry in entries:
                self._outbox.delivered(entry, now)
                self._metrics.notification(receiver.name, "delivered")
                log.info(
                    "notification.delivered",
                    receiver=receiver.name,
                    reason=entry.notification.reason.value,
                    attempts=entry.attempts + 1,
                    **labelled(entry.notification.labels),
                )
            self._delivered()
        self._metrics.queue_length(receiver.name, self._outbox.waiting(receiver.endpoint))

    async def _retry_fault(self, entries: Sequence[Entry], fault: str) -> None:
        """Retry what a fault of slod kept back, each notification alone: only some of them may be
        to blame, and it must end neither the others nor the daemon."""
        if len(entries) == 1:
            self._failed(entries, DeliveryError("internal", fault))
            return
        for entry in entries:
            await self._attempt([entry])

    def _failed(self, entries: Sequence[Entry], error: DeliveryError) -> None:
        receiver, now = self.receiver, self._clock.now()
        # Jitter is not a secret; it only spreads the retries of many.
        jitter = random.random()  # noqa: S311
        for entry in entries:
            facts = {
                "receiver": receiver.name,
                "reason": error.reason,
                "error": str(error),
                "slo": entry.notification.labels.get("slo", ""),
                "attempts": entry.attempts + 1,
            }
            if error.permanent:
                self._outbox.given_up(entry)
                self._metrics.notification(receiver.name, f"given_up_{error.reason}")
                log.error("notification.given_up", **facts)
            else:
                pause = self._outbox.failed(entry, now, jitter, error.retry_after, str(error))
                self._metrics.notification(receiver.name, "retried")
                log.warning("notification.retry_scheduled", wait_for=round(pause, 3), **facts)


def _of(entries: Sequence[Entry]) -> str:
    """Which attempt it is, for the log: of one notification, or of many at once."""
    return entries[0].id if len(entries) == 1 else "many"
