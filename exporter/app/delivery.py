"""Carries what is due from the outbox to the receivers: a task for each endpoint.

The outbox decides what and when; here it is only sent, and what came of it is counted and logged.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence

import structlog

from exporter.clock import Clock
from exporter.core.outbox import Entry, Outbox, Route
from exporter.errors import DeliveryError
from exporter.log import labelled
from exporter.receivers.base import Receiver
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
    ) -> None:
        self.receiver = receiver
        self._outbox = outbox
        self._clock = clock
        self._metrics = metrics
        self._delivered = delivered
        self._wake = asyncio.Event()
        self._leaving = False
        self._faults: set[str] = set()
        """Kinds of exceptions that were logged with their traceback."""

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
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _send(self, entries: Sequence[Entry]) -> None:
        # A level-triggered receiver takes many at once; for others one failure must be one's own.
        if self.receiver.resend is not None:
            await self._attempt(entries)
            return
        for entry in entries:
            if not self._leaving:
                await self._attempt([entry])

    async def _attempt(self, entries: Sequence[Entry]) -> None:
        receiver = self.receiver
        try:
            await receiver.send([e.notification for e in entries], self._clock.now())
        except DeliveryError as error:
            self._failed(entries, error)
        except Exception as error:
            kind = type(error).__name__
            if kind not in self._faults:
                self._faults.add(kind)
                log.exception("notification.fault", receiver=receiver.name)
            await self._retry_fault(entries, f"{kind}: {error}")
        else:
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
