"""Findings of `slod check --live`: whether the sources have what the SLOs ask for, and whether the
receivers answer.

A Prometheus is asked for the last day, which goes through an engine as it would in the daemon; of
targets two pages each are read, shortly after each other. `live_findings` judges.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from exporter.app import live_receivers
from exporter.app.live_findings import families, judge, judge_history
from exporter.app.live_history import History
from exporter.app.parts import make_source
from exporter.clock import Clock
from exporter.config.duration import approximate
from exporter.config.findings import Finding, Findings, in_order
from exporter.config.load import Config
from exporter.config.settings import Duration, PrometheusSource, ScrapeSource
from exporter.core.engine import Engine
from exporter.core.sample import Ask
from exporter.core.slo import SLO, HistogramSLI
from exporter.errors import SourceError
from exporter.http import Client
from exporter.sources import prometheus
from exporter.sources.base import Poll, Source
from exporter.sources.metadata import metric_types

DAY = 86_400.0
_AT_ONCE = 8
"""SLOs of a Prometheus that are asked for together: their day of samples is held in memory."""
_LOOK_EVERY = 900.0
_APART = 2.0
"""Seconds between the two pages of a target: enough for a busy counter to move, and a gauge."""
_OF_THE_QUERY = ("bad_query", "http_status", "too_much", "malformed")
"""Reasons that may be the fault of one SLO among several; the others are the source's."""


async def look(config: Config, clock: Clock, since: float = DAY) -> list[Finding]:
    """Findings in the order of the file; a source that cannot be asked is one of them.

    Args:
        since: seconds of history to read from a Prometheus.
    """
    findings = Findings(config.path, config.keys.lines)
    for name, settings in config.sources.items():
        slos = [slo for slo in config.slos if slo.source == name and not slo.fault]
        await _Look(settings, clock, since, findings).at(slos)
    await live_receivers.look(config, findings)
    return in_order(findings.found)


class _Look:
    """One source."""

    def __init__(
        self,
        settings: PrometheusSource | ScrapeSource,
        clock: Clock,
        since: float,
        findings: Findings,
    ) -> None:
        if isinstance(settings, PrometheusSource):
            # Alerts are evaluated after every chunk.
            settings = replace(settings, chunk=Duration(_LOOK_EVERY))
        self._settings = settings
        self._clock = clock
        self._since = since
        self._findings = findings

    async def at(self, slos: Sequence[SLO]) -> None:
        """Ask for these SLOs and report what is found."""
        size = _AT_ONCE if isinstance(self._settings, PrometheusSource) else max(1, len(slos))
        for low in range(0, len(slos), size):
            if not await self._group(slos[low : low + size]):
                return

    async def _group(self, slos: Sequence[SLO]) -> bool:
        """Ask for some SLOs; False when the source cannot be asked for anything."""
        error = await self._attempt(slos)
        if error is None:
            return True
        errors = {slo.name: error for slo in slos}
        if error.reason in _OF_THE_QUERY and len(slos) > 1:
            # One that cannot be answered must not hide the others.
            alone = {slo.name: await self._attempt([slo]) for slo in slos}
            errors = {name: found for name, found in alone.items() if found is not None}
        if len(errors) == len(slos) and any(e.reason != "bad_query" for e in errors.values()):
            path = ("source", self._settings.name)
            self._findings.warning(path, f"cannot be asked: {error}")
            return False
        for name, found in errors.items():
            self._refused(name, str(found))
        return True

    def _refused(self, slo: str, why: str) -> None:
        self._findings.error(("slo", slo, "sli"), f"cannot be answered: {why}")

    async def _attempt(self, slos: Sequence[SLO]) -> SourceError | None:
        seen = History(slos, isinstance(self._settings, PrometheusSource))
        reader = _Reader(seen)
        source = make_source(self._settings, self._clock)
        try:
            await self._read(source, slos, reader)
            if isinstance(self._settings, PrometheusSource):
                seen.types = await self._types(self._settings, slos)
            for slo in slos:
                if slo.name in reader.faults:
                    self._refused(slo.name, reader.faults[slo.name])
                    continue
                if isinstance(slo.sli, HistogramSLI) and seen.lacking(slo)[0]:
                    seen.bounds[slo.name] = await source.bounds(slo.sli.histogram)
                judge(slo, seen, self._findings)
                if isinstance(source, prometheus.PrometheusSource):
                    await judge_history(slo, seen, source, self._clock.now(), self._findings)
        except SourceError as error:
            return error
        finally:
            await source.close()
        return None

    async def _types(self, settings: PrometheusSource, slos: Sequence[SLO]) -> dict[str, str]:
        client = Client(settings)
        try:
            return await metric_types(settings, client, families(slos))
        finally:
            await client.close()

    async def _read(self, source: Source, slos: Sequence[SLO], reader: _Reader) -> None:
        """Take all there is; `SourceError` when nothing can be had."""
        now = self._clock.now()
        asks = [Ask(slo.name, slo.sli.wants(), now - self._since) for slo in slos]
        if isinstance(source, prometheus.PrometheusSource):
            await source.history(asks, now, reader.take)
            return
        await _one_round(source, asks, reader)
        if reader.errors and not reader.taken:
            raise reader.errors[0]
        await self._clock.sleep(_APART)
        again = make_source(self._settings, self._clock)
        try:
            await _one_round(again, asks, reader)
        finally:
            await again.close()


class _Reader:
    """Takes polls as the daemon does. `faults`: by SLO, why the source refuses it."""

    def __init__(self, seen: History) -> None:
        self.seen = seen
        self.engine = Engine(seen.slos, (), approximate)
        self.faults: dict[str, str] = {}
        self.errors: list[SourceError] = []
        self.taken = 0

    async def take(self, poll: Poll) -> None:
        """Count one poll, and keep what it shows."""
        self.faults |= poll.faults
        if poll.error is not None:
            self.errors.append(poll.error)
        if poll.batch is None:
            return
        self.taken += 1
        poll.batch.complete = True
        self.seen.take(poll.batch, poll.target)
        self.seen.count_surplus(self.engine.ingest(poll.batch))
        self.engine.tick(poll.batch.at)
        self.seen.count_alerts(self.engine)


async def _one_round(source: Source, asks: Sequence[Ask], reader: _Reader) -> None:
    """Read one page of each target."""
    polled: Counter[str] = Counter()
    done = asyncio.Event()

    async def sink(poll: Poll) -> None:
        polled[poll.target] += 1
        if polled[poll.target] == 1:
            await reader.take(poll)
        if set(source.targets) <= set(polled):
            done.set()

    polling = asyncio.create_task(source.run(asks, sink))
    waiting = asyncio.create_task(done.wait())
    await asyncio.wait([polling, waiting], return_when=asyncio.FIRST_COMPLETED)
    for task in (polling, waiting):
        task.cancel()
    await asyncio.gather(polling, waiting, return_exceptions=True)
