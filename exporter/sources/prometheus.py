"""Asks a Prometheus for all raw samples after the last ones there are, up to now.

Polling, catching up after an outage and filling up at the start are one path: a range selector
over what is missing (`selector[45s]`, `selector[2h]`), in chunks where it is long. Ranges overlap
a little, for samples that come late; what comes twice is recognised by its time.

Queries (the less exact forms) are asked for at each step of the interval that is missing.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from math import floor
from urllib.parse import urlencode

import structlog

from exporter.clock import Clock
from exporter.config.duration import format_duration
from exporter.config.settings import PrometheusSource as Settings
from exporter.core.sample import Batch, Reading, Target
from exporter.core.selector import Matcher, Query, Selector, Want
from exporter.errors import SourceError
from exporter.http import Client, Response, TransportError, redact
from exporter.sources.base import Poll, Resume, Sink
from exporter.sources.promapi import FORGET_AFTER, Answer, Names, TooMuch, read

log = structlog.get_logger()

_MIN_OVERLAP = 30.0
"""Seconds a range reaches back before the last one: samples are stored a little late."""
_BIRTHS_AT_ONCE = 200
_LONGEST_RETRY_AFTER = 300.0
_WINDOW = re.compile(r"\{\{\s*\.window\s*\}\}")


class PrometheusSource:
    """Prometheus, Thanos, Mimir, VictoriaMetrics: anything with Prometheus' HTTP API."""

    def __init__(self, settings: Settings, client: Client, clock: Clock) -> None:
        self.name = settings.name
        self._settings = settings
        self._client = client
        self._clock = clock
        self._interval = float(settings.interval)
        self._overlap = max(self._interval, _MIN_OVERLAP)
        self._url = settings.url.rstrip("/")
        self._shown = redact(settings.url)
        self._method = "POST"
        self._names = Names()
        self._cursors: dict[Want, float] = {}
        self._known: set[str] = set()
        self._seen: dict[str, float] = {}
        self._fresh = True
        self._warned: set[str] = set()
        self._retry_at = 0.0
        self._gate = asyncio.Semaphore(settings.concurrency)

    @property
    def targets(self) -> Sequence[str]:
        """The server, as it is shown."""
        return [self._shown]

    async def run(self, wants: Sequence[Want], sink: Sink, resume: Resume) -> None:
        """Poll until cancelled."""
        now = self._clock.now()
        backfill = float(self._settings.backfill)
        since = now - backfill if resume.since is None else resume.since
        self._cursors = dict.fromkeys(wants, since)
        self._known = set(resume.targets)
        self._fresh = resume.since is None
        try:
            while True:
                if self._clock.monotonic() >= self._retry_at:
                    await self._poll(wants, sink)
                elapsed = self._clock.monotonic()
                beat = (floor(elapsed / self._interval) + 1) * self._interval
                await self._clock.sleep(beat - elapsed)
        finally:
            await self._client.close()

    async def bounds(self, histogram: Selector) -> list[float]:
        """The bucket bounds there are now."""
        bucket = histogram.renamed(histogram.name + "_bucket")
        answer = await self._ask("query", {"query": f"count by (le) ({bucket})"})
        found = self._names.readings(answer, self._clock.now())
        bounds = (r.series.labels.get("le", "") for r in found)
        return sorted(float(le) for le in bounds if le and le != "+Inf")

    # --- one poll -------------------------------------------------------------------------------

    async def _poll(self, wants: Sequence[Want], sink: Sink) -> None:
        """Ask for all that is missing, chunk by chunk, until now."""
        now = self._clock.now()
        if self._names.sweep(now):
            self._seen = {k: t for k, t in self._seen.items() if now - t < FORGET_AFTER}
        chunk = float(self._settings.chunk)
        while True:
            start = min(self._cursors.values(), default=now)
            end = now if now - start <= chunk else start + chunk
            begun = self._clock.monotonic()
            try:
                batch, error = await self._chunk(wants, end, last=end >= now)
            except TooMuch as too_much:
                # Not equal to the last bit: the difference of two times is rounded.
                if end - start > self._interval * 1.01:
                    chunk = max(self._interval, (end - start) / 2)
                    log.info("source.smaller_chunks", source=self.name, chunk=chunk)
                    continue
                batch, error = None, SourceError(too_much.reason, f"{self._shown}: {too_much}")
            seconds = self._clock.monotonic() - begun
            await sink(Poll(self.name, self._shown, seconds, batch, error))
            if end >= now or error is not None:
                return

    async def _chunk(
        self, wants: Sequence[Want], end: float, *, last: bool
    ) -> tuple[Batch | None, SourceError | None]:
        """One batch up to `end`; in a catch-up all wants or none, so that time stays in order."""
        answers = await asyncio.gather(
            *(self._readings(want, end) for want in wants), return_exceptions=True
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
        error = next(iter(errors.values()), None)
        if isinstance(error, TooMuch) and len(errors) == len(wants):
            raise error
        if error is not None:
            error = SourceError(error.reason, f"{self._shown}: {error}")
            if not readings or not last:
                return None, error
        batch = Batch(
            self.name,
            end,
            own_clock=False,
            readings=readings,
            failed=frozenset(errors),
            complete=last,
            targets=await self._births(readings, end),
        )
        for want in readings:
            self._cursors[want] = end
        return batch, error

    async def _readings(self, want: Want, end: float) -> list[Reading]:
        start = self._cursors[want]
        if isinstance(want, Query):
            return await self._steps(want, start, end)
        reach = max(end - start, 0.0) + self._overlap
        form = {"query": f"{want}[{format_duration(reach)}]", "time": f"{end:.3f}"}
        return self._names.readings(await self._ask("query", form), end)

    async def _steps(self, want: Query, start: float, end: float) -> list[Reading]:
        step = self._interval
        first = (floor(start / step) + 1) * step
        latest = floor(end / step) * step
        if first > latest:
            # Between two steps there is nothing new; at the first poll the last step is the news.
            if not self._fresh:
                return []
            first = latest
        form = {
            "query": _WINDOW.sub(format_duration(step), want.expr),
            "start": f"{first:.3f}",
            "end": f"{latest:.3f}",
            "step": f"{step:g}",
        }
        return self._names.readings(await self._ask("query_range", form), end)

    # --- births ---------------------------------------------------------------------------------

    async def _births(self, readings: dict[Want, list[Reading]], end: float) -> dict[str, Target]:
        """What is to be known of the targets of series that were not there before."""
        new: dict[str, set[str]] = {}
        for want, found in readings.items():
            if isinstance(want, Query):
                continue
            for reading in found:
                series = reading.series
                if series.key not in self._seen or series.target not in self._known:
                    labels = series.labels
                    new.setdefault(labels.get("job", ""), set()).add(labels.get("instance", ""))
                self._seen[series.key] = end
                self._known.add(series.target)
        fresh, self._fresh = self._fresh, False
        if fresh or not new:
            return {}
        out: dict[str, Target] = {}
        start = min(self._cursors.values())
        for job, instances in new.items():
            names = sorted(instances)
            for low in range(0, len(names), _BIRTHS_AT_ONCE):
                some = names[low : low + _BIRTHS_AT_ONCE]
                pattern = "|".join(re.escape(name) for name in some)
                where = (Matcher("job", "=", job), Matcher("instance", "=~", pattern))
                try:
                    await self._facts(out, where, start, end)
                except SourceError as error:
                    log.warning("source.births_unknown", source=self.name, error=str(error))
        return out

    async def _facts(
        self, out: dict[str, Target], where: tuple[Matcher, ...], start: float, end: float
    ) -> None:
        reach = format_duration(end - start + self._overlap + self._interval)
        for name in ("up", "process_start_time_seconds"):
            form = {"query": f"{Selector(name, where)}[{reach}]", "time": f"{end:.3f}"}
            for reading in self._names.readings(await self._ask("query", form), end):
                if not reading.samples:
                    continue
                target = out.setdefault(reading.series.target, Target())
                if name == "up":
                    # A target that was only unreachable (up 0) was not observed.
                    ups = [time for time, value in reading.samples if value == 1.0]
                    target.observed = min(ups, default=None)
                elif isinstance(value := reading.samples[-1][1], float):
                    target.started = value

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
            log.warning("source.warning", source=self.name, warning=warning[:300])
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
