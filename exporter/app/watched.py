"""Events that a Prometheus shows: a value that changes, or a label that has a new value."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import blake2s
from typing import Any

import structlog

from exporter.clock import Clock
from exporter.config.settings import PrometheusSource
from exporter.config.timeline import Watch
from exporter.core.sample import Reading, Value
from exporter.core.timeline import Event
from exporter.errors import SourceError, StateError
from exporter.http import Client
from exporter.sources.promclient import PromClient
from exporter.supervisor import Supervisor

log = structlog.get_logger()

LOOK_BACK = 6 * 3600.0
"""What was missed while slod was away is looked for up to so many seconds back."""
GONE = 600.0
"""A label's value that was not there for so many seconds is news when it comes again."""
_RETRY = 15.0

Keep = Callable[[Event], Awaitable[Any]]


class Watched:
    """Looks at one `[events.NAME]` again and again. `keep` takes each event; one that is found
    twice has the same id, so a restart may look at the same time again."""

    def __init__(self, watch: Watch, settings: PrometheusSource, clock: Clock, keep: Keep) -> None:
        self._watch = watch
        self._server = PromClient(settings, Client(settings), clock)
        self._clock = clock
        self._keep = keep
        self._seen: dict[tuple[str, str], tuple[float, str]] = {}
        """By what makes a series the same one, and the label's value: the newest sample."""
        self._first: dict[str, float] = {}
        self._down = False

    async def run(self) -> None:
        """Until cancelled."""
        since = self._clock.now() - LOOK_BACK
        try:
            while True:
                now, pause = self._clock.now(), self._watch.interval
                try:
                    await self._look(since, now)
                    since = now
                    self._down = False
                except (SourceError, StateError) as error:
                    level = log.debug if self._down else log.warning
                    self._down = True
                    level("events.not_found", events=self._watch.name, error=str(error))
                    pause = min(pause, _RETRY)
                await self._clock.sleep(pause)
        finally:
            await self._server.close()

    async def _look(self, since: float, now: float) -> None:
        start = max(since, now - LOOK_BACK)
        readings = await self._server.samples(self._watch.selector, start, now)
        seen = [
            (time, self._key(reading.series.labels), self._value(reading, sample), reading)
            for reading in readings
            for time, sample in reading.samples
        ]
        changed = self._comes if self._watch.label is not None else self._changes
        for time, key, value, reading in sorted(seen, key=lambda one: one[:3]):
            if changed(time, key, value):
                await self._keep(self._event(time, key, value, reading.series.labels))

    def _changes(self, time: float, key: str, value: str) -> bool:
        """Whether a series has another value than before."""
        before = self._seen.get((key, ""))
        if before is not None and time <= before[0]:
            return False
        self._seen[key, ""] = (time, value)
        # What is seen for the first time was there before.
        return before is not None and before[1] != value

    def _comes(self, time: float, key: str, value: str) -> bool:
        """Whether a label has a value that it had not, for a while at least: while pods are
        replaced, old and new stand side by side."""
        first = self._first.setdefault(key, time)
        before = self._seen.get((key, value))
        if before is not None and time <= before[0]:
            return False
        self._seen[key, value] = (time, value)
        was_there = before is not None and time - before[0] <= GONE
        return not was_there and time - first > self._watch.interval

    def _key(self, labels: Mapping[str, str]) -> str:
        """What makes two series the same one, wherever they were read."""
        if self._watch.label is not None:
            return self._service(labels)
        return repr(sorted(pair for pair in labels.items() if pair[0] != "instance"))

    def _value(self, reading: Reading, sample: Value) -> str:
        if self._watch.label is not None:
            return reading.series.labels.get(self._watch.label, "")
        return f"{sample:g}" if isinstance(sample, float) else ""

    def _service(self, labels: Mapping[str, str]) -> str:
        watch = self._watch
        return watch.service or labels.get(watch.service_label or "", "")

    def _event(self, time: float, key: str, value: str, labels: Mapping[str, str]) -> Event:
        watch = self._watch
        ident = blake2s(
            f"{watch.name} {key} {value} {time:.3f}".encode(), digest_size=6
        ).hexdigest()
        name = value if watch.label is not None else f"{watch.selector.name} {value}"
        return Event(
            ident,
            watch.name,
            watch.kind,
            name,
            self._service(labels),
            (),
            time,
            None,
            "",
            f"events.{watch.name}",
            self._clock.now(),
        )


class Watching:
    """All watches of the configuration in force."""

    def __init__(self, clock: Clock, keep: Keep, supervisor: Supervisor) -> None:
        self._clock = clock
        self._keep = keep
        self._supervisor = supervisor
        self._running: list[tuple[Watch, PrometheusSource, asyncio.Task[None]]] = []

    async def configure(self, watches: Sequence[Watch], sources: Mapping[str, object]) -> None:
        """Look at these from now on, and at no others; what stays as it was goes on."""
        wanted = [
            (watch, settings)
            for watch in watches
            if isinstance(settings := sources.get(watch.source), PrometheusSource)
        ]
        await self._end([one for one in self._running if one[:2] not in wanted])
        running = [one[:2] for one in self._running]
        for watch, settings in wanted:
            if (watch, settings) not in running:
                one = Watched(watch, settings, self._clock, self._keep)
                task = self._supervisor.start(f"events:{watch.name}", one.run)
                self._running.append((watch, settings, task))

    async def stop(self) -> None:
        """Look at none."""
        await self._end(list(self._running))

    async def _end(self, some: list[tuple[Watch, PrometheusSource, asyncio.Task[None]]]) -> None:
        tasks = [task for _, _, task in some]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._running = [one for one in self._running if one not in some]
