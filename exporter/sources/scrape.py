"""Scrapes targets: each has a loop of its own, so a slow one holds up nobody.

The first round begins at once, so that slod is soon ready; after it each target keeps a phase of
its own on the interval's grid, by a hash of its URL, as in Prometheus.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import blake2b

import structlog
from yarl import URL

from exporter.clock import Clock
from exporter.config.settings import ScrapeSource as Settings
from exporter.core.sample import Batch, Reading, Target
from exporter.core.selector import Query, Selector, Want
from exporter.errors import SourceError
from exporter.http import Client, Response, TransportError, redact
from exporter.sources.base import Poll, Resume, Sink
from exporter.sources.discovery.base import Discovery, Found, target_url
from exporter.sources.discovery.dns import DNSDiscovery
from exporter.sources.discovery.file import FileDiscovery
from exporter.sources.discovery.http import HTTPDiscovery
from exporter.sources.discovery.kubernetes import KubernetesDiscovery
from exporter.sources.exposition import PageReader

log = structlog.get_logger()

_AT_ONCE = 100
_CONFIGURED = "config"
_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)
_OPENMETRICS = "application/openmetrics-text;version=1.0.0"
_TEXT = "text/plain;version=0.0.4"


class ScrapeSource:
    """Pages in the Prometheus text, OpenMetrics or protobuf format."""

    def __init__(self, settings: Settings, client: Client, clock: Clock) -> None:
        self.name = settings.name
        self._settings = settings
        self._client = client
        self._clock = clock
        self._lists: dict[str, Sequence[Found]] = {
            _CONFIGURED: [Found(target_url(t, {}, "http", "/metrics")) for t in settings.targets]
        }
        self._loops: dict[str, tuple[_Loop, asyncio.Task[None]]] = {}
        self._changed = asyncio.Event()
        self._gate = asyncio.Semaphore(_AT_ONCE)

    @property
    def targets(self) -> Sequence[str]:
        """Today's targets, as they are shown."""
        return [redact(url) for url in self._today()]

    async def run(self, wants: Sequence[Want], sink: Sink, resume: Resume) -> None:
        """Scrape until cancelled; `resume` is not needed, the next page bridges by its counters."""
        discovering = [asyncio.create_task(d.run(self._publish)) for d in self._discoveries()]
        try:
            while True:
                self._changed.clear()
                await self._adjust(wants, sink)
                changed = asyncio.create_task(self._changed.wait())
                await asyncio.wait([changed, *discovering], return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                for task in discovering:
                    if task.done():
                        task.result()
        finally:
            tasks = [*discovering, *(task for _, task in self._loops.values())]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._loops.clear()
            await self._client.close()

    async def bounds(self, histogram: Selector) -> list[float]:
        """The bucket bounds on the first target that answers."""
        bucket = histogram.renamed(histogram.name + "_bucket")
        error = SourceError("no_target", f"source {self.name} has no target yet")
        for url, labels in self._today().items():
            try:
                loop = _Loop(self, url, labels, [bucket])
                batch = (await loop.scrape()).batch
            except SourceError as failed:
                error = failed
                continue
            if batch is not None:
                found = {r.series.labels.get("le", "") for r in batch.readings[bucket]}
                return sorted(float(le) for le in found if le and le != "+Inf")
        raise error

    # --- targets --------------------------------------------------------------------------------

    def _discoveries(self) -> list[Discovery]:
        discover, settings, clock = self._settings.discover, self._settings, self._clock
        if discover is None:
            return []
        out: list[Discovery] = []
        if discover.file:
            out.append(FileDiscovery(settings, _several(discover.file), clock))
        if discover.http:
            out.append(HTTPDiscovery(settings, discover.http, self._client, clock))
        if discover.dns:
            out.append(DNSDiscovery(settings, _several(discover.dns), clock))
        if discover.kubernetes:
            out.append(KubernetesDiscovery(discover.kubernetes, self.name, clock))
        return out

    def _publish(self, name: str, found: Sequence[Found]) -> None:
        if list(self._lists.get(name, ())) != list(found):
            self._lists[name] = list(found)
            self._changed.set()

    def _today(self) -> dict[str, Mapping[str, str]]:
        """By URL, the labels of each target; what the configuration says comes first."""
        out: dict[str, Mapping[str, str]] = {}
        for found in self._lists.values():
            for target in found:
                labels = {"instance": _instance(target.url), **self._settings.labels}
                out.setdefault(target.url, {**labels, **target.labels})
        return out

    async def _adjust(self, wants: Sequence[Want], sink: Sink) -> None:
        """Begin and end loops so that there is one for each target."""
        today = self._today()
        for url in [u for u in self._loops if u not in today]:
            loop, task = self._loops.pop(url)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            log.info("target.gone", source=self.name, target=loop.target)
            await sink(Poll(self.name, loop.target, 0.0, gone=True))
        for url, labels in today.items():
            if url in self._loops:
                self._loops[url][0].relabel(labels)
                continue
            loop = _Loop(self, url, labels, wants)
            log.debug("target.new", source=self.name, target=loop.target)
            self._loops[url] = (loop, asyncio.create_task(loop.run(sink, self._gate)))


class _Loop:
    """One target."""

    def __init__(
        self, source: ScrapeSource, url: str, labels: Mapping[str, str], wants: Sequence[Want]
    ) -> None:
        settings = source._settings  # noqa: SLF001 - a part of the source, in a file with it
        self.target = redact(url)
        self._url = url
        self._labels = dict(labels)
        self._name = source.name
        self._interval = float(settings.interval)
        self._timeout = min(float(settings.timeout), self._interval)
        self._client = source._client  # noqa: SLF001
        self._clock = source._clock  # noqa: SLF001
        selectors = [want for want in wants if isinstance(want, Selector)]
        self._failed = frozenset(want for want in wants if isinstance(want, Query))
        self._reader = PageReader(
            selectors,
            self.target,
            labels,
            max_series=settings.max_series,
            honor_timestamps=settings.honor_timestamps,
        )
        self._headers = {
            "Accept": _accept(settings.protobuf, selectors),
            "Accept-Encoding": "gzip",
            "X-Prometheus-Scrape-Timeout-Seconds": f"{self._timeout:g}",
        }

    def relabel(self, labels: Mapping[str, str]) -> None:
        """The target's labels may have changed; its series stay the same."""
        if dict(labels) != self._labels:
            self._labels = dict(labels)
            self._reader.relabel(labels)

    async def run(self, sink: Sink, gate: asyncio.Semaphore) -> None:
        """Scrape, wait for the next beat of this target's grid, and so on."""
        clock, interval = self._clock, self._interval
        phase = int.from_bytes(blake2b(self._url.encode(), digest_size=4).digest()) / 2**32
        while True:
            async with gate:
                poll = await self._poll()
            await sink(poll)
            # Beats that were missed while a scrape took long are not made up for: the next page
            # has all there was to know.
            now = clock.monotonic()
            beat = (now // interval + phase) * interval
            while beat <= now + interval / 100:
                beat += interval
            await clock.sleep(beat - now)

    async def _poll(self) -> Poll:
        try:
            return await self.scrape()
        except SourceError as error:
            return Poll(self._name, self.target, 0.0, error=error)
        except Exception as error:
            log.exception("scrape.fault", source=self._name, target=self.target)
            fault = SourceError("internal", f"{self.target}: {type(error).__name__}: {error}")
            return Poll(self._name, self.target, 0.0, error=fault)

    async def scrape(self) -> Poll:
        """One page; `SourceError` says why there is none."""
        begun = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._client.request("GET", self._url, headers=self._headers)
        except TransportError as error:
            raise SourceError(error.reason, str(error)) from error
        except TimeoutError:
            raise SourceError(
                "timeout", f"{self.target}: no whole page within {self._timeout:g}s"
            ) from None
        return self._read(answer, begun)

    def _read(self, answer: Response, begun: float) -> Poll:
        if answer.status != 200:
            raise SourceError("http_status", f"{self.target} answered {answer.status}")
        at = self._clock.now()
        try:
            page = self._reader.read(answer.body, answer.headers.get("Content-Type", ""), at)
        except SourceError as error:
            raise SourceError(error.reason, f"{self.target}: {error}") from None
        readings: dict[Want, list[Reading]] = {want: page.readings[want] for want in page.readings}
        batch = Batch(
            self._name,
            at,
            own_clock=True,
            readings=readings,
            targets={self.target: Target(started=page.started)},
            failed=self._failed,
        )
        seconds = self._clock.monotonic() - begun
        return Poll(self._name, self.target, seconds, batch, refused=page.refused)


def _accept(protobuf: bool | None, selectors: Sequence[Selector]) -> str:
    """Protobuf first when asked for, or when a histogram is wanted, which only there is native."""
    names = {s.name for s in selectors}
    if protobuf is None:
        protobuf = any(n + "_bucket" in names and n + "_count" in names for n in names)
    kinds = [_OPENMETRICS, _TEXT, "*/*"]
    if protobuf:
        kinds.insert(0, _PROTOBUF)
    return ",".join(f"{kind};q={1 - i / 10:g}" for i, kind in enumerate(kinds))


def _instance(url: str) -> str:
    """`host:port`, the port always there, as Prometheus writes it."""
    parsed = URL(url)
    host = parsed.host or ""
    return f"[{host}]:{parsed.port}" if ":" in host else f"{host}:{parsed.port}"


def _several(text: str | Sequence[str]) -> Sequence[str]:
    return [text] if isinstance(text, str) else text
