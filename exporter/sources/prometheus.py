"""Asks a Prometheus for all raw samples after the last ones there are, up to now.

Polling, catching up after an outage and filling up at the start are one path: a range selector
over what is missing (`selector[45s]`, `selector[2h]`). Ranges overlap a little, for samples that
come late; what comes twice is recognised by its time.

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
from exporter.core.sample import Ask, Batch, Reading
from exporter.core.selector import Want
from exporter.errors import SourceError
from exporter.http import Client, redact
from exporter.sources.base import Poll, Sink
from exporter.sources.lane import FIRST_CHUNK, Lane
from exporter.sources.promapi import TooMuch
from exporter.sources.promclient import Facts, PromClient
from exporter.sources.splitting import split

log = structlog.get_logger()

_TOGETHER = 8
"""SLOs of one lane: enough to share what they want, few enough for memory."""
_RETRY = 15.0
_NEARLY = 0.999
_HOUR = 3600.0
_LIVE = 300.0
"""Up to so many seconds (or ten intervals) are made good by the next poll, without a lane."""


class PrometheusSource:
    """Prometheus, Thanos, Mimir, VictoriaMetrics: anything with Prometheus' HTTP API."""

    def __init__(self, settings: Settings, client: Client, clock: Clock) -> None:
        self.name = settings.name
        self._settings = settings
        self._clock = clock
        self._interval = float(settings.interval)
        self._reach = max(10 * self._interval, _LIVE)
        self._server = PromClient(settings, client, clock)
        self._shown = redact(settings.url)
        self._live = self._lane([])
        self._lanes: list[Lane] = []
        self._whole: dict[str, float] = {}
        """Where each SLO began that is behind, or was a moment ago."""
        self._woken = asyncio.Event()
        self._walkers = asyncio.Semaphore(max(1, settings.concurrency // 2))
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
        try:
            self._begin(asks, self._clock.now())
            async with asyncio.TaskGroup() as group:
                group.create_task(self._catch_up(sink))
                while True:
                    if not self._server.must_wait:
                        await self._poll(sink)
                    elapsed = self._clock.monotonic()
                    beat = (floor(elapsed / self._interval) + 1) * self._interval
                    await self._clock.sleep(beat - elapsed)
        finally:
            await self.close()

    async def close(self) -> None:
        """Close the connections; `run` does it itself."""
        await self._server.close()

    async def history(self, asks: Sequence[Ask], end: float, sink: Sink) -> None:
        """All samples from each ask's `since` up to `end`, as `run` would have delivered them;
        `SourceError` when the server does not give them. To be closed afterwards."""
        for low in range(0, len(asks), _TOGETHER):
            lane = self._lane(asks[low : low + _TOGETHER], end)
            while lane.cursors and lane.start < end:
                for poll in await self._next_chunk(lane, end):
                    if poll.error is not None:
                        raise poll.error
                    await sink(poll)

    async def reaches(self, want: Want, start: float, end: float) -> bool:
        """Whether there were samples within an hour after `start`."""
        upto = min(end, start + _HOUR)
        found = await self._server.samples(want, start, upto, fresh=False)
        return any(reading.samples for reading in found)

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
                polls = await self._ask(self._live, now, last=True)
            except TooMuch as too_much:
                # A few at a time, and in smaller chunks.
                self._leave(list(self._live.cursors))
                error = SourceError(too_much.reason, f"{self._shown}: {too_much}")
                polls = [Poll(self.name, self._shown, self._since(begun), error=error)]
            for poll in polls:
                await sink(poll)
        self._woken.set()

    # --- catching up ----------------------------------------------------------------------------

    async def _catch_up(self, sink: Sink) -> None:
        """Lane after lane; one that fails is tried again a little later."""
        while True:
            await self._woken.wait()
            self._woken.clear()
            for lane in list(self._lanes):
                await self._walk(lane, sink)
            if any(lane.error is not None and not lane.stuck for lane in self._lanes):
                # Sooner than a long interval would have it.
                await self._clock.sleep(min(self._interval, _RETRY))
                self._woken.set()

    async def _walk(self, lane: Lane, sink: Sink) -> None:
        while not self._server.must_wait:
            polls = await self._next_chunk(lane, self._clock.now())
            newest = polls[-1]
            if newest.error is not None:
                self._isolate(lane, newest)
            if newest.batch is not None and newest.batch.complete:
                self._lanes.remove(lane)
                self._live.join(lane)
                if not self._lanes:
                    self._whole = {}
            for poll in polls:
                await sink(poll)
            if lane.error is not None or lane not in self._lanes:
                return

    def _isolate(self, lane: Lane, poll: Poll) -> None:
        """Those that cannot be fetched go on alone, so that they hold up nobody else."""
        if poll.batch is not None:
            stuck = lane.split(set(lane.cursors).difference(poll.batch.slos or ()))
            stuck.error, lane.error = lane.error, None
            self._lanes.append(stuck)
        elif len(lane.cursors) > 1 and isinstance(poll.error, TooMuch):
            lane.error = None
            self._lanes += [lane.split([slo]) for slo in list(lane.cursors)[1:]]

    async def _next_chunk(self, lane: Lane, end: float) -> list[Poll]:
        """One chunk on, in as many pieces as the server insists on."""
        while True:
            start = lane.start
            chunk = max(lane.chunk, self._interval)
            upto = end if end - start <= chunk else start + chunk
            try:
                polls = await self._ask(lane, upto, last=upto >= end)
            except TooMuch as too_much:
                # Not equal to the last bit: the difference of two times is rounded.
                if upto - start > self._interval * 1.01:
                    lane.chunk = upto - start
                    lane.too_much()
                    log.info("source.smaller_chunks", source=self.name, chunk=lane.chunk)
                    continue
                error = TooMuch(too_much.reason, f"{self._shown}: {too_much}")
                polls = [Poll(self.name, self._shown, 0.0, error=error)]
            lane.error = polls[-1].error
            return polls

    # --- one question ---------------------------------------------------------------------------

    async def _ask(self, lane: Lane, end: float, *, last: bool) -> list[Poll]:
        """All a lane wants up to `end`, for those of its SLOs that get it; `TooMuch` when the
        server would not."""
        begun = self._clock.monotonic()
        wants = lane.wants()
        answers = await asyncio.gather(
            *(self._samples(lane, want, start, end) for want, start in wants.items()),
            return_exceptions=True,
        )
        readings: dict[Want, list[Reading]] = {}
        errors: dict[Want, SourceError] = {}
        for want, answer in zip(wants, answers, strict=True):
            if isinstance(answer, SourceError):
                errors[want] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                readings[want] = answer
        if (too_much := _too_much(errors)) is not None:
            raise too_much
        error = next(iter(errors.values()), None)
        if error is not None:
            error = SourceError(error.reason, f"{self._shown}: {error}")
        slos = lane.answered(errors)
        if not slos and wants:
            return [Poll(self.name, self._shown, self._since(begun), None, error)]
        batch = Batch(
            self.name,
            end,
            own_clock=False,
            readings=readings,
            failed=frozenset(errors),
            complete=last,
            slos=frozenset(slos),
        )
        batches = split(batch, await self._facts(lane, readings, end), lane.start)
        lane.moved(slos, end)
        lane.got(sum(len(r.samples) for some in readings.values() for r in some))
        polls = [Poll(self.name, self._shown, self._since(begun), one) for one in batches]
        polls[-1].error = error
        return polls

    def _since(self, begun: float) -> float:
        return self._clock.monotonic() - begun

    async def _samples(self, lane: Lane, want: Want, start: float, end: float) -> list[Reading]:
        if lane is self._live:
            return await self._server.samples(want, start, end, fresh=lane.fresh)
        async with self._walkers:
            return await self._server.samples(want, start, end, fresh=lane.fresh)

    async def _facts(
        self, lane: Lane, readings: dict[Want, list[Reading]], end: float
    ) -> dict[str, Facts]:
        """What is to be known of targets that are new, or may have restarted."""
        # A long chunk may hide a restart that a small counter has overtaken.
        asked = lane.to_ask_about(readings, end, all_=lane is not self._live)
        if not asked:
            return {}
        found = await self._server.facts((where for where, _ in asked.values()), lane.start, end)
        for name, (_, first) in asked.items():
            facts = found.setdefault(name, Facts())
            # Without `up`: it was observed when any of its series was.
            facts.observed = first if facts.observed is None else min(first, facts.observed)
        return found


def _too_much(errors: dict[Want, SourceError]) -> TooMuch | None:
    return next((e for e in errors.values() if isinstance(e, TooMuch)), None)
