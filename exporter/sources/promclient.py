"""Asks a Prometheus: raw samples of a range, a query's values at steps, facts of targets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from math import floor, inf, isfinite
from urllib.parse import urlencode

import structlog

from exporter.clock import Clock
from exporter.config.duration import format_duration
from exporter.config.settings import PrometheusSource as Settings
from exporter.core.sample import Reading
from exporter.core.selector import Matcher, Query, Selector, Want
from exporter.errors import SourceError
from exporter.http import Client, Response, TransportError
from exporter.sources.base import bucket_bounds
from exporter.sources.promapi import Answer, Names, TooMuch, read

log = structlog.get_logger()

_MIN_OVERLAP = 30.0
"""Seconds a range reaches back before its beginning: samples are stored a little late."""
_TARGETS_AT_ONCE = 200
_LONGEST_RETRY_AFTER = 300.0
_WINDOW = re.compile(r"\{\{\s*\.window\s*\}\}")


@dataclass(slots=True)
class Facts:
    """Of one target: when it was observed first, and from which sample on its process had begun
    when; `starts` are (time of the sample, start) in unix seconds, ascending."""

    observed: float | None = None
    starts: list[tuple[float, float]] = field(default_factory=list)

    def started(self, upto: float) -> float | None:
        """When the process began that ran at a moment; None when that is not known."""
        return next((start for time, start in reversed(self.starts) if time <= upto), None)


class PromClient:
    """One server; every method raises `SourceError`, `TooMuch` where a smaller range may do."""

    def __init__(self, settings: Settings, client: Client, clock: Clock) -> None:
        self._settings = settings
        self._client = client
        self._clock = clock
        self._interval = float(settings.interval)
        self._overlap = max(self._interval, _MIN_OVERLAP)
        self._url = settings.url.rstrip("/")
        self._method = "POST"
        self._names = Names()
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

    async def samples(self, want: Want, start: float, end: float, *, fresh: bool) -> list[Reading]:
        """All raw samples from a little before `start` to `end`; of a query its values at steps.

        `fresh`: nothing was asked for before, so a query's newest step is news.
        """
        if isinstance(want, Query):
            return await self._steps(want, start, end, fresh)
        reach = max(end - start, 0.0) + self._overlap
        return await self._range(str(want), reach, end)

    async def _range(self, selector: str, reach: float, end: float) -> list[Reading]:
        form = {"query": f"{selector}[{format_duration(reach)}]", "time": f"{end:.3f}"}
        return self._readings(await self._ask("query", form))

    async def _steps(self, want: Query, start: float, end: float, fresh: bool) -> list[Reading]:
        step = self._interval
        first = (floor(start / step) + 1) * step
        latest = floor(end / step) * step
        if first > latest:
            if not fresh:
                return []
            first = latest
        form = {
            "query": _WINDOW.sub(format_duration(step), want.expr),
            "start": f"{first:.3f}",
            "end": f"{latest:.3f}",
            "step": f"{step:g}",
        }
        return self._readings(await self._ask("query_range", form))

    async def facts(
        self, targets: Iterable[tuple[str, str]], start: float, end: float
    ) -> dict[str, Facts]:
        """What the server knows of targets, each a pair of job and instance; what cannot be asked
        is logged and left out."""
        jobs: dict[str, list[str]] = {}
        for job, instance in sorted(targets):
            jobs.setdefault(job, []).append(instance)
        out: dict[str, Facts] = {}
        for job, names in jobs.items():
            for low in range(0, len(names), _TARGETS_AT_ONCE):
                pattern = "|".join(re.escape(name) for name in names[low : low + _TARGETS_AT_ONCE])
                where = (Matcher("job", "=", job), Matcher("instance", "=~", pattern))
                try:
                    await self._facts(out, where, start, end)
                except SourceError as error:
                    log.warning(
                        "source.births_unknown", source=self._settings.name, error=str(error)
                    )
        return out

    async def _facts(
        self, out: dict[str, Facts], where: tuple[Matcher, ...], start: float, end: float
    ) -> None:
        reach = end - start + self._overlap + self._interval
        for name in ("up", "process_start_time_seconds"):
            for reading in await self._range(str(Selector(name, where)), reach, end):
                facts = out.setdefault(reading.series.target, Facts())
                for time, value in reading.samples:
                    if name == "up":
                        # A target that was only unreachable (up 0) was not observed.
                        if value == 1.0 and facts.observed is None:
                            facts.observed = time
                    elif (
                        isinstance(value, float) and isfinite(value) and value != facts.started(inf)
                    ):
                        facts.starts.append((time, value))

    async def bounds(self, histogram: Selector) -> list[float]:
        """The bucket bounds there are now."""
        bucket = histogram.renamed(histogram.name + "_bucket")
        answer = await self._ask("query", {"query": f"count by (le) ({bucket})"})
        return bucket_bounds(r.series.labels.get("le", "") for r in self._readings(answer))

    def _readings(self, answer: Answer) -> list[Reading]:
        now = self._clock.now()
        self._names.sweep(now)
        return self._names.readings(answer, now)

    # --- the wire -------------------------------------------------------------------------------

    async def _ask(self, what: str, form: dict[str, str]) -> Answer:
        url = f"{self._url}/api/v1/{what}"
        async with self._gate:
            try:
                answer = await self._send(url, form)
            except TransportError as error:
                kind = TooMuch if error.reason == "too_large" else SourceError
                raise kind(error.reason, str(error)) from error
        if answer.status == 429:
            after = answer.headers.get("Retry-After", "")
            pause = min(float(after), _LONGEST_RETRY_AFTER) if after.isdigit() else 0.0
            self._retry_at = self._clock.monotonic() + pause
        found = read(answer)
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
