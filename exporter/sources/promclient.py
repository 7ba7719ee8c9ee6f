"""Asks a Prometheus: raw samples of a range, a query's values at steps, bounds of a histogram."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from math import floor
from traceback import clear_frames
from urllib.parse import urlencode

import structlog

from exporter.clock import Clock
from exporter.config.duration import format_duration
from exporter.config.settings import PrometheusSource as Settings
from exporter.core.sample import Reading
from exporter.core.selector import Query, Selector
from exporter.errors import SourceError
from exporter.headers import retry_after
from exporter.http import Client, Response, TransportError
from exporter.sources.base import bucket_bounds
from exporter.sources.lateness import OVERLAP
from exporter.sources.promapi import Answer, Names, Row, Rows, labels, read, rows
from exporter.sources.refusals import TooMuch
from exporter.sources.windows import Windows, expression

log = structlog.get_logger()

_LONGEST_RETRY_AFTER = 300.0
_SETTLED = 5.0
"""Seconds after which the samples of a step are taken to be there: scrapes are stored when they
end, and what a step misses of a sum is missed for good. Not longer than the poll interval."""
_RECENT = 3600.0
_WHOLE = {"deny_partial_response": "1", "partial_response": "false"}
"""VictoriaMetrics' cluster and Thanos then refuse what they have in part only; others do not know
the parameters. VictoriaMetrics' `latency_offset` is left alone: its 30 s are what it takes to be
sure of a step, and steps without an answer are asked for again."""


class PromClient:
    """One server; every method raises `SourceError`, `TooMuch` where a smaller range may do."""

    def __init__(self, settings: Settings, client: Client, clock: Clock) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock
        self._interval = float(settings.interval)
        self._url = settings.url.rstrip("/")
        self._method = "POST"
        self._names = Names()
        self._windows = Windows(self._interval)
        self._warned: set[str] = set()
        self._retry_at = 0.0
        self._gate = asyncio.Semaphore(settings.concurrency)

    @property
    def must_wait(self) -> bool:
        """The server asked to be left alone for a while (429, Retry-After)."""
        return self._clock.monotonic() < self._retry_at

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def samples(self, want: Selector, start: float, end: float) -> list[Reading]:
        """All raw samples from a little before `start` to `end`."""
        found = await self.raw(str(want), start - OVERLAP, end)
        return self.readings(found, lambda _: "")

    async def raw(self, selector: str, start: float, end: float) -> Rows:
        """All raw samples after `start`, up to `end`."""
        reach = max(end - start, 0.001)
        form = {"query": f"{selector}[{format_duration(reach)}]", "time": f"{end:.3f}"}
        return await self._rows("query", form)

    async def count(self, selector: str, end: float) -> list[Row]:
        """How many series a selector has, by metric and job."""
        form = {"query": f"count by (__name__, job) ({selector})", "time": f"{end:.3f}"}
        return await self._rows("query", form)

    async def series(self, selector: str, start: float, end: float) -> list[dict[str, str]]:
        """The labels of all series that a selector has in a range, the name among them."""
        form = {"match[]": selector, "start": f"{start:.3f}", "end": f"{end:.3f}"}
        return labels(await self._ask("series", form))

    async def width(self, want: Query, end: float) -> float:
        """Seconds between the steps of a query, and that each of its values stands for."""

        async def samples(selector: str, reach: float) -> list[Row]:
            return await self.raw(selector, end - reach, end)

        return await self._windows.width(want, self._clock.monotonic(), samples)

    def last_step(self, end: float, width: float) -> float:
        """The newest step up to `end` whose samples are there."""
        settled = self._clock.now() - min(_SETTLED, self._interval)
        return floor(min(end, settled) / width) * width

    async def steps(self, want: Query, first: float, last: float, width: float) -> list[Row]:
        """A query's values at each step from `first` to `last`; none when that is before it."""
        if last < first:
            return []
        form = {
            "query": expression(want, width),
            "start": f"{first:.3f}",
            "end": f"{last:.3f}",
            "step": f"{width:g}",
        }
        return await self._rows("query_range", form)

    async def bounds(self, histogram: Selector) -> list[float]:
        """The bucket bounds there are now."""
        bucket = histogram.renamed(histogram.name + "_bucket")
        found = await self._rows("query", {"query": f"count by (le) ({bucket})"})
        return bucket_bounds(row.metric.get("le", "") for row in found)

    def readings(
        self, found: Sequence[Row], target_of: Callable[[Mapping[str, str]], str]
    ) -> list[Reading]:
        """Rows as readings; `target_of` names the process of a series that is new."""
        now = self._clock.now()
        self._names.sweep(now)
        return self._names.readings(found, now, target_of)

    # --- the wire -------------------------------------------------------------------------------

    async def _rows(self, what: str, form: dict[str, str]) -> Rows:
        answer = await self._ask(what, form)
        try:
            return rows(answer)
        except SourceError as error:
            clear_frames(error.__traceback__)
            del answer
            raise

    async def _ask(self, what: str, form: dict[str, str]) -> Answer:
        url = f"{self._url}/api/v1/{what}"
        async with self._gate:
            try:
                answer = await self._send(url, form | _WHOLE)
            except TransportError as error:
                kind = TooMuch if error.reason == "too_large" else SourceError
                raise kind(error.reason, str(error)) from error
        if answer.status == 429:
            pause = retry_after(answer.headers, self._clock.now()) or 0.0
            pause = min(pause, _LONGEST_RETRY_AFTER)
            self._retry_at = self._clock.monotonic() + pause
        now = self._clock.now()
        end = float(form.get("time") or form.get("end") or now)
        try:
            found = read(answer, recent=now - end < _RECENT)
        except SourceError as error:
            # The answer must not live as long as somebody remembers the failure.
            clear_frames(error.__traceback__)
            del answer
            raise
        for warning in set(found.warnings) - self._warned:
            self._warned.add(warning)
            log.warning("source.warning", source=self._settings.name, warning=warning[:300])
        return found

    async def _send(self, url: str, form: dict[str, str]) -> Response:
        """POST, as a long selector may not fit a URL; GET for good where that is not allowed."""
        if self._method == "POST":
            body = urlencode(form).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = await self._client.request("POST", url, body=body, headers=headers)
            if answer.status != 405:
                return answer
            self._method = "GET"
        return await self._client.request("GET", url, params=form)
