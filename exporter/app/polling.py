"""Carries batches from the sources to the engine, and counts and logs what came of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping

import structlog

from exporter.app.backfill import Backfill
from exporter.app.counting import Counting
from exporter.clock import Clock
from exporter.core.engine import Engine
from exporter.core.slo import HistogramSLI
from exporter.core.taken import Taken
from exporter.errors import SourceError
from exporter.sources.base import Poll, Source
from exporter.supervisor import Supervisor
from exporter.web.self_metrics import SelfMetrics

log = structlog.get_logger()

_BOUNDS_EVERY = 60.0
_MOST_NOTES = 1000


class Polling:
    """Runs one source. `polled`: its first round is over, whatever came of it."""

    def __init__(
        self,
        source: Source,
        engine: Engine,
        metrics: SelfMetrics,
        clock: Clock,
        arrived: Callable[[], None],
        supervisor: Supervisor | None = None,
        counting: Counting | None = None,
    ) -> None:
        self.source = source
        self.polled = False
        self._engine = engine
        self._counting = counting or Counting(engine)
        self._metrics = metrics
        self._clock = clock
        self._arrived = arrived
        self._supervisor = supervisor or Supervisor(clock, metrics.failure)
        self._part = f"source:{source.name}"
        self._seen: set[str] = set()
        self._down: set[str] = set()
        self._over_cap: dict[str, set[tuple[str, ...]]] = {}
        self._asked: dict[str, float] = {}
        self._notes: dict[str, dict[str, str]] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._backfill = Backfill(source.name)

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            await self.source.run(self._engine.asks(self.source.name), self._sink)
        finally:
            for task in self._asking:
                task.cancel()
            await asyncio.gather(*self._asking, return_exceptions=True)

    def leave(self) -> None:
        """Poll no more; `run` ends once what is under way was counted."""
        self.source.leave()

    def forget(self, still: Collection[str], *, gone: bool) -> None:
        """Forget the targets that are none any more, after the end.

        Args:
            still: Targets that the source has now.
            gone: The source itself is none any more, so what its targets had may be gone too.
        """
        for target in self._seen.difference(still):
            self._metrics.forget_target(self.source.name, target)
            if gone:
                self._engine.removed(self.source.name, target)

    @property
    def missing(self) -> str | None:
        """What the source still lacks to be ready."""
        if not self.polled:
            if not set(self.source.targets) <= self._seen:
                return f"source {self.source.name}: first poll"
            if (progress := self.source.progress) < 1.0:
                return f"source {self.source.name}: backfill {progress:.0%}"
            self.polled = True
        return None

    async def _sink(self, poll: Poll) -> None:
        """Take a poll; a failure in it is one of the source, whose next poll comes."""
        with self._supervisor.part(self._part, f"what {poll.target} brought"):
            await self._take(poll)

    async def _take(self, poll: Poll) -> None:
        taken = {} if poll.batch is None else await self._counting.ingest(poll.batch)
        await self._counting.idle()
        # No await from here on: see `Counting.idle`.
        if poll.gone:
            self._metrics.forget_target(poll.source, poll.target)
            self._down.discard(poll.target)
            self._seen.discard(poll.target)
            self._engine.removed(poll.source, poll.target)
            return
        if poll.batch is not None:
            self._count(poll.source, taken)
            self._engine.behind(poll.source, self.source.behind, self._clock.now())
        elif poll.error is not None:
            self._engine.failing(poll.source, poll.target)
        for slo, fault in poll.faults.items():
            # Its next whole batch takes the fault back.
            if slo in self._engine.accounts:
                self._engine.accounts[slo].fault = fault
        self._seen.add(poll.target)
        self._backfill.at(len(self.source.behind), self.source.progress)
        self._metrics.backfill(poll.source, self.source.progress)
        self._metrics.poll(poll.source, poll.target, poll.seconds, poll.error is None)
        for reason, count in poll.refused.items():
            self._metrics.refused(poll.source, reason, count)
        self._note(poll, poll.error)
        why = poll.error.reason.replace("_", " ") if poll.error is not None else ""
        self._engine.unreadable(poll.source, why if self._down >= self._seen else "")
        self._arrived()

    def _note(self, poll: Poll, error: SourceError | None) -> None:
        """One line when a target begins to fail and one when it is back, not one a poll."""
        if error is None:
            if poll.target in self._down:
                self._down.discard(poll.target)
                log.info("source.recovered", source=poll.source, target=poll.target)
            return
        self._metrics.poll_error(poll.source, error.reason)
        level = log.debug if poll.target in self._down else log.warning
        self._down.add(poll.target)
        level(
            "source.failed",
            source=poll.source,
            target=poll.target,
            reason=error.reason,
            error=str(error),
        )

    def _count(self, source: str, taken: Mapping[str, Taken]) -> None:
        metrics = self._metrics
        for slo, one in taken.items():
            metrics.samples(source, one.samples)
            for (kind, evidence), count in one.readings.items():
                metrics.readings(source, kind, evidence, count)
            for reason, count in one.refused.items():
                metrics.refused(source, reason, count)
            if one.surplus:
                metrics.surplus(slo, one.surplus)
            metrics.late(source, one.late)
            self._note_unknown(slo, one.notes)
            if one.over_cap:
                self._note_over_cap(slo, one.over_cap)
            if one.bucket_missing:
                self._ask_bounds(slo)

    def _note_unknown(self, slo: str, notes: Mapping[str, str]) -> None:
        """One line for each target of which something is not known, once for each reason."""
        said = self._notes.setdefault(slo, {})
        for target, note in notes.items():
            if said.get(target) != note and len(said) < _MOST_NOTES:
                said[target] = note
                log.warning("slo.unknown_events", slo=slo, target=target, reason=note)

    def _note_over_cap(self, slo: str, groups: set[tuple[str, ...]]) -> None:
        known = self._over_cap.setdefault(slo, set())
        fresh = groups - known
        # Remembering every one of a label explosion would be the explosion again.
        if not fresh or len(known) >= 10_000:
            return
        known |= fresh
        self._metrics.groups_dropped(slo, len(fresh))
        log.warning(
            "slo.max_groups_reached",
            slo=slo,
            dropped=len(known),
            example=next(iter(fresh)),
            cure="raise max_groups or group by a label with fewer values",
        )

    def _ask_bounds(self, slo: str) -> None:
        now = self._clock.monotonic()
        if now - self._asked.get(slo, -_BOUNDS_EVERY) < _BOUNDS_EVERY:
            return
        self._asked[slo] = now
        task = self._supervisor.start(self._part, lambda: self._bounds(slo), "bounds")
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _bounds(self, slo: str) -> None:
        account = self._engine.accounts.get(slo)
        if account is None or not isinstance(sli := account.slo.sli, HistogramSLI):
            return  # reconfigured meanwhile
        try:
            bounds = await self.source.bounds(sli.histogram)
        except SourceError as error:
            log.warning("slo.bounds_unknown", slo=slo, reason=error.reason, error=str(error))
            return
        await self._counting.idle()
        self._engine.bounds(slo, bounds)
