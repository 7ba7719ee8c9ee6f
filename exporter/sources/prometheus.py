"""Asks a Prometheus for all raw samples after the last ones there are, up to now.

Polling, catching up after an outage and filling up at the start are one path: a range selector
over what is missing (`selector[45s]`, `selector[2h]`). Ranges overlap, for samples that come late
(`lateness`); what comes twice is recognised by its time. With every range `up` and process start
times of the same jobs are asked for (`facts`), which tell what the counters alone do not.

SLOs that are up to date are asked for together, once an interval. Those that are behind go through
their history beside that, a few at a time and chunk by chunk, each chunk as long as about so many
samples take, and join the others when they are there. Where they had got to is known to the ledger,
so an interrupted catch-up goes on where it stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from itertools import groupby
from math import floor

import structlog

from exporter.clock import Clock
from exporter.config.settings import PrometheusSource as Settings
from exporter.core.apart import one_line
from exporter.core.sample import Ask
from exporter.core.selector import Want
from exporter.errors import SourceError
from exporter.http import Client
from exporter.redaction import redact
from exporter.sources.asker import Asker
from exporter.sources.base import Leaving, Poll, Sink
from exporter.sources.lane import FIRST_CHUNK, Lane
from exporter.sources.lateness import OVERLAP
from exporter.sources.promclient import PromClient
from exporter.sources.refusals import TooMuch
from exporter.supervisor import Supervisor

log = structlog.get_logger()

_TOGETHER = 8
"""SLOs of one lane: enough to share what they want, few enough for memory."""
_RETRY = 15.0
_NEARLY = 0.999
_HOUR = 3600.0
_POLL = "poll"
_LIVE = 300.0
"""Up to so many seconds (or ten intervals) are made good by the next poll, without a lane."""


class PrometheusSource:
    """Prometheus, Thanos, Mimir, VictoriaMetrics: anything with Prometheus' HTTP API."""

    def __init__(
        self,
        settings: Settings,
        client: Client,
        clock: Clock,
        supervisor: Supervisor | None = None,
    ) -> None:
        self._supervisor = supervisor or Supervisor(clock)
        self._part = f"source:{settings.name}"
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._interval = float(settings.interval)
        self._reach = max(10 * self._interval, _LIVE)
        self._server = PromClient(settings, client, clock)
        self._asker = Asker(settings, self._server, clock)
        self._shown = redact(settings.url)
        self._live = self._lane([])
        self._lanes: list[Lane] = []
        self._whole: dict[str, float] = {}
        """Where each SLO began that is behind, or was a moment ago."""
        self._woken = asyncio.Event()
        self._leaving = Leaving()
        self.bounds = self._server.bounds

    @property
    def targets(self) -> Sequence[str]:
        """The server, as it is shown."""
        return [self._shown]

    @property
    def behind(self) -> Collection[str]:
        """The SLOs whose history is being fetched; one that fails at that is not among them."""
        return {slo for lane in self._lanes if lane.error is None for slo in lane.cursors}

    @property
    def progress(self) -> float:
        """How much of that history is there, 0 to 1; 1 when nothing is behind."""
        lanes = [lane for lane in self._lanes if not lane.stuck]
        if not lanes:
            return 1.0
        now = self._clock.now()
        left = sum(max(0.0, now - c) for lane in lanes for c in lane.cursors.values())
        whole = sum(max(0.0, now - start) for start in self._whole.values())
        return min(_NEARLY, max(0.0, 1.0 - left / whole)) if whole > 0 else _NEARLY

    async def run(self, asks: Sequence[Ask], sink: Sink) -> None:
        """Poll until cancelled."""
        walking: asyncio.Task[None] | None = None
        try:
            self._begin(asks, self._clock.now())
            walking = self._supervisor.start(
                self._part, lambda: self._catch_up(sink), "catching up"
            )
            while not self._leaving:
                if not self._server.must_wait:
                    await self._poll(sink)
                elapsed = self._clock.monotonic()
                beat = (floor(elapsed / self._interval) + 1) * self._interval
                await self._leaving.pause(self._clock, beat - elapsed)
            await asyncio.wait([walking])
        finally:
            if walking is not None:
                walking.cancel()
                await asyncio.gather(walking, return_exceptions=True)
            await self.close()

    def leave(self) -> None:
        """Ask no more; `run` ends once the answers under way are handed over."""
        self._leaving.ask()
        self._woken.set()

    async def close(self) -> None:
        """Close the connections; `run` does it itself."""
        await self._server.close()

    async def history(self, asks: Sequence[Ask], end: float, sink: Sink) -> None:
        """All samples from each ask's `since` up to `end`, as `run` would have delivered them;
        `SourceError` when the server does not give them. An SLO whose query is refused is among the
        `faults` of a poll, and gets nothing more. To be closed afterwards."""
        for low in range(0, len(asks), _TOGETHER):
            lane = self._lane(asks[low : low + _TOGETHER], end)
            while lane.cursors and lane.start < end:
                poll = await self._next_chunk(lane, end)
                if poll.error is not None:
                    raise poll.error
                await sink(poll)
                lane.split(poll.faults)

    async def reaches(self, want: Want, start: float, end: float) -> bool:
        """Whether there were samples within an hour after `start`."""
        upto = min(end, start + _HOUR)
        found = await self._server.raw(str(want), start - OVERLAP, upto)
        return any(row.newest for row in found)

    def _lane(self, asks: Sequence[Ask], start: float = 0.0) -> Lane:
        # The very first samples are baselines: a short chunk of them loses the fewest births.
        fresh = any(ask.since is None for ask in asks)
        chunk = self._interval if fresh else FIRST_CHUNK
        return Lane(asks, start, chunk, float(self._settings.chunk))

    # --- who is where ---------------------------------------------------------------------------

    def _begin(self, asks: Sequence[Ask], now: float) -> None:
        start = now - float(self._settings.backfill)
        late = [a for a in asks if now - (start if a.since is None else a.since) > self._reach]
        self._live = self._lane([ask for ask in asks if ask not in late], start)
        self._lanes.clear()
        late.sort(key=lambda ask: -1.0 if ask.since is None else ask.since)
        for _, same in groupby(late, key=lambda ask: ask.since):
            alike = list(same)
            for low in range(0, len(alike), _TOGETHER):
                self._lanes.append(self._lane(alike[low : low + _TOGETHER], start))
        self._whole = {slo: c for lane in self._lanes for slo, c in lane.cursors.items()}

    def _set_aside(self, now: float) -> None:
        """Those that are far behind are no longer live."""
        self._leave([slo for slo, c in self._live.cursors.items() if now - c > self._reach])

    def _leave(self, late: Sequence[str]) -> None:
        for low in range(0, len(late), _TOGETHER):
            lane = self._live.split(late[low : low + _TOGETHER])
            lane.chunk = min(FIRST_CHUNK, lane.most)
            self._lanes.append(lane)
            self._whole |= lane.cursors

    # --- live -----------------------------------------------------------------------------------

    async def _poll(self, sink: Sink) -> None:
        """Ask for what is new, and let those that are behind go on."""
        now = self._clock.now()
        self._set_aside(now)
        if self._live.cursors or not self._lanes:
            begun = self._clock.monotonic()
            try:
                poll = await self._asker.ask(self._live, now, live=True, last=True)
            except TooMuch as too_much:
                # A few at a time, and in smaller chunks.
                self._leave(list(self._live.cursors))
                poll = self._asker.failed(begun, too_much)
            except Exception as error:  # noqa: BLE001 - the failure of this poll alone
                # Perhaps of one SLO: apart from each other the others go on.
                self._leave(list(self._live.cursors))
                poll = self._fault(begun, error)
            else:
                self._supervisor.works(self._part, _POLL)
            await sink(poll)
        self._woken.set()

    def _fault(self, begun: float, error: Exception, lane: Lane | None = None) -> Poll:
        """What nobody foresaw, as a poll that brought nothing; of an SLO alone, as its fault."""
        self._supervisor.failed(self._part, error, _POLL if lane is None else _detail(lane))
        text = one_line(error)
        if lane is not None and len(lane.cursors) == 1:
            poll = self._asker.failed(begun, None)
            poll.faults = dict.fromkeys(lane.cursors, text)
            return poll
        return self._asker.failed(begun, SourceError("internal", text))

    # --- catching up ----------------------------------------------------------------------------

    async def _catch_up(self, sink: Sink) -> None:
        """Lane after lane; one that fails is tried again a little later."""
        while not self._leaving:
            await self._woken.wait()
            self._woken.clear()
            try:
                for lane in list(self._lanes):
                    await self._walk(lane, sink)
                if any(lane.error is not None and not lane.stuck for lane in self._lanes):
                    # Sooner than a long interval would have it.
                    await self._leaving.pause(self._clock, min(self._interval, _RETRY))
                    self._woken.set()
            except Exception:
                # The supervisor begins again, and then it is to go on at once.
                self._woken.set()
                raise

    async def _walk(self, lane: Lane, sink: Sink) -> None:
        while not self._server.must_wait and not self._leaving:
            poll = await self._next_chunk(lane, self._clock.now())
            if poll.failure is not None:
                self._isolate(lane, poll)
            if poll.batch is not None and poll.batch.complete:
                self._lanes.remove(lane)
                self._live.join(lane)
                if not self._lanes:
                    self._whole = {}
            await sink(poll)
            if lane.error is not None or lane not in self._lanes:
                return

    def _isolate(self, lane: Lane, poll: Poll) -> None:
        """Those that cannot be fetched go on alone, so that they hold up nobody else."""
        if poll.batch is not None:
            stuck = lane.split(set(lane.cursors).difference(poll.batch.slos or ()))
            stuck.error, lane.error = lane.error, None
            self._lanes.append(stuck)
        elif len(lane.cursors) > 1 and (
            isinstance(poll.error, TooMuch) or (poll.error and poll.error.reason == "internal")
        ):
            lane.error = None
            self._lanes += [lane.split([slo]) for slo in list(lane.cursors)[1:]]

    async def _next_chunk(self, lane: Lane, end: float) -> Poll:
        """One chunk on, as long as the server bears."""
        while True:
            start = lane.start
            chunk = max(lane.chunk, self._interval)
            upto = end if end - start <= chunk else start + chunk
            # Not equal to the last bit: the difference of two times is rounded.
            divisible = upto - start > self._interval * 1.01
            begun = self._clock.monotonic()
            try:
                poll = await self._asker.ask(lane, upto, live=False, last=upto >= end)
            except TooMuch as too_much:
                if divisible:
                    lane.chunk = upto - start
                    lane.too_much()
                    log.info("source.smaller_chunks", source=self.name, chunk=lane.chunk)
                    continue
                poll = self._asker.failed(begun, too_much)
            except Exception as error:  # noqa: BLE001 - the failure of this lane alone
                poll = self._fault(begun, error, lane)
            else:
                self._supervisor.works(self._part, _detail(lane))
            lane.error = poll.failure
            if divisible and lane.error is not None and lane.error.reason == "timeout":
                # Perhaps it was slow for once: less at the next try, but no limit for good.
                lane.chunk = (upto - start) / 2
            return poll


def _detail(lane: Lane) -> str:
    """Which of the source's polls it is, for the supervisor."""
    return f"{_POLL} of {next(iter(lane.cursors), '')}"
