"""Scrapes targets: each has a loop of its own, so a slow one holds up nobody.

The first round begins at once, so that slod is soon ready; after it each target keeps its `beats`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence

import structlog

from exporter.clock import Clock
from exporter.config.settings import ScrapeSource as Settings
from exporter.core.apart import one_line
from exporter.core.sample import Ask, Batch, Target
from exporter.core.selector import Query, Selector, Want
from exporter.errors import ConfigError, SourceError
from exporter.http import Client
from exporter.redaction import redact
from exporter.sources.base import Poll, Sink, bucket_bounds, wanted
from exporter.sources.beats import Beats
from exporter.sources.discovery import discoveries
from exporter.sources.discovery.base import Discovery, Found, instance_of, shown, target_url
from exporter.sources.discovery.bounds import most_targets, too_many
from exporter.sources.page_client import page_clients, targets
from exporter.supervisor import Supervisor, Work

log = structlog.get_logger()

_AT_ONCE = 100
"""Targets of a first round that are asked at the same time; later their phases spread them."""
_ASKED_FOR_BOUNDS = 10
_CONFIGURED = "config"


class ScrapeSource:
    """Pages in the Prometheus text, OpenMetrics or protobuf format."""

    behind: Collection[str] = ()
    progress = 1.0

    def __init__(
        self,
        settings: Settings,
        client: Client,
        clock: Clock,
        supervisor: Supervisor | None = None,
    ) -> None:
        self.supervisor = supervisor or Supervisor(clock)
        self.part = f"source:{settings.name}"
        self.name = settings.name
        self._settings = settings
        self._client = client
        self._clock = clock
        self._lists: dict[str, list[Found]] = {
            _CONFIGURED: [Found(target_url(t, {}, "http", "/metrics")) for t in settings.targets]
        }
        self._today = self._merged()
        self._loops: dict[str, _Loop] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Event()
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._leaving = False

    @property
    def targets(self) -> Sequence[str]:
        """Today's targets, as they are shown."""
        return list(self._today)

    async def run(self, asks: Sequence[Ask], sink: Sink) -> None:
        """Scrape until cancelled; what was missed is bridged by the next page's counters."""
        wants = wanted(asks)
        try:
            try:
                for discovery in discoveries(self._settings, self._client, self._clock):
                    self._discover(discovery)
            except ConfigError as error:
                # A variable that is not set here, say. The other sources go on, as do the
                # targets of the configuration; this shows as a target that is down.
                fault = SourceError("config", f"discovery of source {self.name}: {error}")
                await sink(Poll(self.name, "discovery", 0.0, error=fault))
            while not self._leaving:
                self._changed.clear()
                self._adjust(wants, sink)
                await self._changed.wait()
            while self._loops:
                self._changed.clear()
                await self._changed.wait()
        finally:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            self._loops.clear()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.close()

    def leave(self) -> None:
        """Scrape no more; `run` ends once the pages under way are handed over."""
        self._leaving = True
        for loop in self._loops.values():
            loop.leave()
        self._changed.set()

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def bounds(self, histogram: Selector) -> list[float]:
        """The bucket bounds on the first target that has any; empty when none of a few has."""
        bucket = histogram.renamed(histogram.name + "_bucket")
        error: SourceError | None = SourceError("no_target", f"{self.name} has no target yet")
        for target, found in list(self._today.items())[:_ASKED_FOR_BOUNDS]:
            try:
                batch = (await _Loop(self, target, found, [bucket]).scrape()).batch
            except SourceError as failed:
                error = error and failed
                continue
            error = None
            assert batch is not None  # only a failed scrape has none
            texts = {r.series.labels.get("le", "") for r in batch.readings[bucket]}
            if texts:
                return bucket_bounds(texts)
        if error is not None:
            raise error
        return []

    # --- targets --------------------------------------------------------------------------------

    def _discover(self, discovery: Discovery) -> None:
        """A fault in a mechanism ends neither the others nor the scraping of what it had found."""
        assert self._settings.discover is not None
        refresh = float(self._settings.discover.refresh)

        async def run() -> None:
            while True:
                await discovery.run(self._publish)
                await self._clock.sleep(refresh)

        self._spawn(self.supervisor.start(self.part, run, type(discovery).__name__))

    def _publish(self, name: str, found: Sequence[Found]) -> None:
        if self._lists.get(name, []) != list(found):
            lists = self._lists | {name: list(found)}
            if sum(map(len, lists.values())) > (most := most_targets()):
                error = str(too_many(most))
                log.warning("discovery.failed", source=self.name, list=name, error=error)
                return
            self._lists = lists
            self._today = self._merged()
            self._changed.set()

    def _merged(self) -> dict[str, Found]:
        """By the name it is shown under, each target once; what the configuration says wins."""
        out: dict[str, Found] = {}
        for name, found in self._lists.items():
            for target in found:
                if (instance := instance_of(target.url)) is None:
                    # One bad line of a list costs that target, as in Prometheus.
                    log.warning(
                        "target.bad_url", source=self.name, list=name, target=redact(target.url)
                    )
                    continue
                labels = {"instance": instance, **target.labels, **self._settings.labels}
                out.setdefault(shown(target.url), Found(target.url, labels))
        return out

    def _adjust(self, wants: Sequence[Want], sink: Sink) -> None:
        """Begin and end loops so that there is one for each target."""
        for target, loop in self._loops.items():
            if target not in self._today:
                loop.leave()
        for target, found in self._today.items():
            if target in self._loops:
                self._loops[target].stay(found)
                continue
            log.debug("target.new", source=self.name, target=target)
            self._loops[target] = loop = _Loop(self, target, found, wants)
            self._spawn(self.supervisor.start(self.part, self._serving(loop, sink), target))

    def _serving(self, loop: _Loop, sink: Sink) -> Work:
        return lambda: self._serve(loop, sink)

    async def _serve(self, loop: _Loop, sink: Sink) -> None:
        await loop.run(sink, self._gate)
        # Nothing may be awaited in between: a target that comes back just now needs a new loop.
        if self._loops.get(loop.target) is loop:
            del self._loops[loop.target]
        self._changed.set()
        if self._leaving:
            return
        log.info("target.gone", source=self.name, target=loop.target)
        await sink(Poll(self.name, loop.target, 0.0, gone=True))

    def _spawn(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Loop:
    """One target."""

    def __init__(
        self, source: ScrapeSource, target: str, found: Found, wants: Sequence[Want]
    ) -> None:
        settings = source._settings  # noqa: SLF001 - a part of the source, in a file with it
        self.target = target
        self._found = found
        self._name = source.name
        self._beats = Beats(target, float(settings.interval))
        self._clock = source._clock  # noqa: SLF001
        self._supervisor, self._part = source.supervisor, source.part
        self._leaving = False
        self._pause: asyncio.Future[None] | None = None
        self._wants = wants
        selectors = [want for want in wants if isinstance(want, Selector)]
        self._failed = frozenset(want for want in wants if isinstance(want, Query))
        self._pages = page_clients(settings, source._client, target, found.labels, selectors)  # noqa: SLF001

    def leave(self) -> None:
        """No scrape after the one that is under way, whose events still count."""
        self._leaving = True
        if self._pause is not None:
            self._pause.cancel()

    def stay(self, found: Found) -> None:
        """It is a target, perhaps again; its labels may have changed, its series stay the same."""
        self._leaving = False
        if found.labels != self._found.labels:
            for pages in self._pages:
                pages.relabel(found.labels)
        self._found = found

    async def run(self, sink: Sink, gate: asyncio.Semaphore) -> None:
        """Scrape, wait for the next beat of this target's grid, and so on until it has to leave."""
        async with gate:
            if not self._leaving:
                await self._beat(sink)
        while not self._leaving:
            await self._sleep()
            if not self._leaving:
                await self._beat(sink)

    async def _sleep(self) -> None:
        now = self._clock.monotonic()
        self._pause = asyncio.ensure_future(self._clock.sleep(self._beats.after(now) - now))
        try:
            await self._pause
        except asyncio.CancelledError:
            if not self._leaving:
                raise
        finally:
            self._pause = None

    async def _beat(self, sink: Sink) -> None:
        """Scrape and hand over; whatever goes wrong, the next beat comes."""
        begun = self._clock.monotonic()
        try:
            poll = await self.scrape()
        except SourceError as error:
            poll = self._poll(begun, error=error)
            if error.reason == "refused":
                # A look at a target where nobody listens: no process, no series.
                poll.batch = self._batch(self._clock.now())
                poll.batch.targets[self.target] = Target(down=True)
        except Exception as error:  # noqa: BLE001 - the failure of this poll alone
            self._supervisor.failed(self._part, error, self.target)
            fault = SourceError("internal", f"{self.target}: {one_line(error)}")
            poll = self._poll(begun, error=fault)
        else:
            self._supervisor.works(self._part, self.target)
        await sink(poll)

    def _poll(self, begun: float, error: SourceError) -> Poll:
        return Poll(self._name, self.target, self._clock.monotonic() - begun, error=error)

    async def scrape(self) -> Poll:
        """One look at all that is wanted; `SourceError` says why there is none."""
        begun = self._clock.monotonic()
        pages = [await client.page(self._found.url, self._clock) for client in self._pages]
        batch = self._batch(pages[-1].at)
        refused: Counter[str] = Counter()
        for page in reversed(pages):
            batch.readings.update(page.readings.items())
            batch.targets |= targets(self.target, page)
            batch.types.update(page.types)
            refused.update(page.refused)
        seconds = self._clock.monotonic() - begun
        return Poll(self._name, self.target, seconds, batch, refused=refused)

    def _batch(self, at: float) -> Batch:
        wants = [want for want in self._wants if want not in self._failed]
        return Batch(
            self._name,
            at,
            own_clock=True,
            readings={want: [] for want in wants},
            failed=self._failed,
        )
