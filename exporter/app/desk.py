"""What people ask of the daemon and tell it, besides its metrics: exclusions, gates, events,
reviews, explanations. Each is a room of its own; here they are put together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import structlog
from aiohttp import web

from exporter.app.annotations import Annotations
from exporter.app.detail import Details
from exporter.app.exclusions import Exclusions
from exporter.app.explain import Explainer
from exporter.app.forecasts import Forecasts
from exporter.app.gates import Gates
from exporter.app.heard import Heard
from exporter.app.host import Host
from exporter.app.numbers import Numbers
from exporter.app.page import about, unread
from exporter.app.pages import Pages
from exporter.app.prom import Prom
from exporter.app.removed import Removed, RemovedLedgers
from exporter.app.report import Reports
from exporter.app.report_schedule import Schedule
from exporter.app.series import Series
from exporter.app.timeline import Timeline
from exporter.app.watched import Watching
from exporter.clock import Clock
from exporter.config.load import Config
from exporter.core import regex
from exporter.core.engine import Engine
from exporter.page import routes as page_routes
from exporter.page.live import Live
from exporter.store.database import Store
from exporter.web import (
    alerts_api,
    events_api,
    exclusions_api,
    explain_api,
    gate_api,
    history_api,
    incidents_api,
    openapi,
    prom_api,
    removed_api,
    report_api,
    slos_api,
)

log = structlog.get_logger()


class Desk:
    """Everybody who is asked."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        clock: Clock,
        host: Host,
        removed: Removed,
    ) -> None:
        snapshot, changed = host.snapshot, host.changed
        self._removed = RemovedLedgers(removed, changed)
        self._explainer = Explainer(engine, lambda: host.config.sources, clock)
        self._exclusions = Exclusions(engine, store, clock, changed)
        self._annotations = Annotations(clock)
        self._timeline = Timeline(
            engine, store, clock, lambda: host.config.timeline, changed, self._annotations.tell
        )
        self._watching = Watching(clock, self._timeline.keep)
        self._gates = Gates(engine, store, clock, snapshot, changed, self._timeline.warnings)
        self._reports = Reports(engine, store, clock, self._exclusions.given, self._timeline)
        self._forecasts = Forecasts(engine, clock, changed)
        self._numbers = Numbers(engine, clock, snapshot)
        self._schedule = Schedule(self._reports, engine, clock, lambda: host.config.report)
        heard = Heard(engine, store)
        self._series = Series(
            engine,
            heard,
            clock,
            snapshot,
            lambda: unread(host.families()),
            host.config.server.compat,
        )
        self._prom = Prom(
            engine,
            clock,
            self._series,
            lambda: about(host.families()),
            lambda: host.config.path,
            lambda: host.config.api.query_memory,
        )
        details = Details(engine, self._timeline, self._exclusions.given, heard.fired)
        self._pages = Pages(engine, heard, host, details)
        self._live = Live(clock, lambda: host.version)

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """The pages, the endpoints of slod's own API, and of Prometheus'."""
        own = openapi.routes(
            slos_api.part(self._numbers),
            history_api.part(self._numbers),
            incidents_api.part(self._numbers),
            alerts_api.part(self._numbers),
            explain_api.part(self._explainer),
            exclusions_api.part(self._exclusions),
            gate_api.part(self._gates),
            events_api.part(self._timeline),
            report_api.part(self._reports),
            removed_api.part(self._removed),
        )
        pages = page_routes.routes(self._pages, self._live)
        return [*pages, *own, *prom_api.routes(self._prom)]

    async def start(self, config: Config) -> None:
        """Load what was told before, and take what the configuration says."""
        if not regex.is_complete():
            log.warning("regular_expressions.limited", missing="google-re2", install=regex.WAY_OUT)
        await self._exclusions.start(config.exclusions)
        await self._gates.start()
        await self._timeline.start()
        await self._follow(config)

    async def configure(self, config: Config) -> None:
        """Take another configuration."""
        await self._exclusions.configure(config.exclusions)
        await self._follow(config)

    async def _follow(self, config: Config) -> None:
        await self._annotations.configure(config.grafana)
        await self._watching.configure(config.watches, config.sources)

    async def run(self) -> None:
        """Do what comes by time, until cancelled."""
        rooms = (
            self._exclusions,
            self._schedule,
            self._forecasts,
            self._timeline,
            self._annotations,
            self._series,
        )
        try:
            async with asyncio.TaskGroup() as group:
                for room in rooms:
                    group.create_task(room.run())
        finally:
            self._live.close()
            await self._watching.stop()
