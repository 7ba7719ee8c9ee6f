"""Asks one target for its page and reads it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from traceback import clear_frames

from exporter.clock import Clock
from exporter.config.settings import ScrapeSource as Settings
from exporter.core.sample import Target
from exporter.core.selector import Selector
from exporter.errors import SourceError
from exporter.headers import content_type, is_delimited
from exporter.http import Client, Response, TransportError
from exporter.sources.exposition import Page, PageReader
from exporter.sources.formats import Formats, needs_utf8

_LARGE = 64 * 1024
"""Bytes of a page that is read at once; series that nobody knew take some 10 us for a line."""
_THREAD = ThreadPoolExecutor(1, thread_name_prefix="slod-pages")


class PageClient:
    """The pages of one target, asked for in the format that says the most of what is wanted."""

    def __init__(
        self, client: Client, target: str, reader: PageReader, formats: Formats, timeout: float
    ) -> None:
        self._client = client
        self._target = target
        self._reader = reader
        self._formats = formats
        self._timeout = timeout
        self._reading = False
        self._labels: Mapping[str, str] | None = None

    def relabel(self, target_labels: Mapping[str, str]) -> None:
        """The target has other labels now: from the next page on, where one is being read."""
        self._labels = target_labels
        if not self._reading:
            self._take_labels()

    def _take_labels(self) -> None:
        if self._labels is not None:
            self._reader.relabel(self._labels)
            self._labels = None

    async def page(self, url: str, clock: Clock) -> Page:
        """The page as it is now; `SourceError` says why there is none."""
        answer = await self._ask(url)
        try:
            page = await self._read(answer, clock.now())
        except SourceError as error:
            if not _chokes_on_protobuf(answer, error) or not self._formats.fall_back():
                del answer
                raise
            page = await self._read(await self._ask(url), clock.now())
        self._formats.learn(page)
        return page

    async def _ask(self, url: str) -> Response:
        headers = {
            "Accept": self._formats.accept,
            "X-Prometheus-Scrape-Timeout-Seconds": f"{self._timeout:g}",
        }
        try:
            return await self._client.request("GET", url, headers=headers, within=self._timeout)
        except TransportError as error:
            raise SourceError(error.reason, str(error)) from error

    async def _read(self, answer: Response, at: float) -> Page:
        if answer.status != 200:
            raise SourceError("http_status", f"{self._target} answered {answer.status}")
        kind = content_type(answer.headers)
        try:
            delimited = is_delimited(answer.headers)
            if len(answer.body) <= _LARGE:
                return self._reader.read(answer.body, kind, at, delimited=delimited)
            read = partial(self._reader.read, answer.body, kind, at, delimited=delimited)
            return await self._beside(read)
        except SourceError as error:
            # The page must not live as long as somebody remembers the failure.
            clear_frames(error.__traceback__)
            raise SourceError(error.reason, f"{self._target}: {error}") from None

    async def _beside(self, read: Callable[[], Page]) -> Page:
        """Read in a thread: a page that is like none before takes a second for some MB."""
        loop = asyncio.get_running_loop()
        self._reading = True
        task = loop.run_in_executor(_THREAD, read)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            # The reader must not be used by two.
            await asyncio.wait([task])
            raise
        finally:
            self._reading = False
            self._take_labels()


def page_clients(
    settings: Settings,
    client: Client,
    target: str,
    target_labels: Mapping[str, str],
    selectors: Sequence[Selector],
) -> list[PageClient]:
    """One, or two where some selectors need names as they are and others are written with the
    underscores that clients put in their place: each is answered as if it were alone."""
    process_labels = settings.target_labels
    utf8: list[Selector] = []
    plain: list[Selector] = []
    for selector in selectors:
        needy = needs_utf8(selector, {*target_labels, *settings.labels}, process_labels)
        (utf8 if needy else plain).append(selector)
    timeout = float(min(settings.timeout, settings.interval))
    clients = []
    for some, as_they_are in ((plain, False), (utf8, True)):
        if some or (not utf8 and not as_they_are):
            reader = PageReader(
                some,
                target,
                target_labels,
                max_series=settings.max_series,
                process_labels=process_labels,
                honor_timestamps=settings.honor_timestamps,
            )
            formats = Formats(settings.protobuf, some, utf8=as_they_are)
            clients.append(PageClient(client, target, reader, formats, timeout))
    return clients


def _chokes_on_protobuf(answer: Response, error: SourceError) -> bool:
    """Whether a server that was asked for protobuf first may do better with text."""
    if answer.status in (406, 415):
        return True
    protobuf = "protobuf" in content_type(answer.headers).lower()
    return protobuf and error.reason in ("unsupported_format", "malformed")


def targets(url: str, page: Page) -> dict[str, Target]:
    """The start times that a page knows, its own and those of processes that it passes on."""
    found = {process: Target(starts=[start]) for process, start in page.relayed.items()}
    found[url] = Target(starts=() if page.started is None else [(page.at, page.started)])
    return found
