"""What people ask of the daemon and tell it, besides its metrics: exclusions, gates, events,
reviews, explanations. Each is a room of its own; here they are put together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

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
from exporter.supervisor import Supervisor, Work
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

Start = Callable[[], Awaitable[None]]


class Desk:
    """Everybody who is asked."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        clock: Clock,
        host: Host,
        removed: Removed,
        supervisor: Supervisor,
    ) -> None:
        self._supervisor = supervisor
        self._unstarted: dict[str, Start] = {}
        self._rooms: list[asyncio.Task[None]] = []
        snapshot, changed = host.snapshot, host.changed
        self._removed = RemovedLedgers(removed, changed)
        self._explainer = Explainer(engine, lambda: host.config.sources, clock, host.counting)
        self._exclusions = Exclusions(engine, store, clock, changed)
        self._annotations = Annotations(clock)
        self._timeline = Timeline(
            engine, store, clock, lambda: host.config.timeline, changed, self._annotations.tell
        )
        self._watching = Watching(clock, self._timeline.keep, supervisor)
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
            store,
        )
        self._prom = Prom(
            engine,
            clock,
            self._series,
            lambda: about(host.families()),
            lambda: host.config.path,
            lambda: host.config.api.query_memory,
        )
        details = Details(self._timeline, self._exclusions.given, heard.fired)
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
        """Load what was told before, and take what the configuration says. A room that fails at
        that is started again later; the others work meanwhile."""
        if not regex.is_complete():
            log.warning("regular_expressions.limited", missing="google-re2", install=regex.WAY_OUT)
        self._unstarted = {
            "exclusions": lambda: self._exclusions.start(config.exclusions),
            "gates": self._gates.start,
            "timeline": self._timeline.start,
            "series": self._series.start,
        }
        for room, start in list(self._unstarted.items()):
            with self._supervisor.part(room):
                await start()
                del self._unstarted[room]
        await self._follow(config)

    async def configure(self, config: Config) -> None:
        """Take another configuration, each room for itself."""
        if "exclusions" in self._unstarted:
            self._unstarted["exclusions"] = lambda: self._exclusions.start(config.exclusions)
        else:
            with self._supervisor.part("exclusions"):
                await self._exclusions.configure(config.exclusions)
        await self._follow(config)

    async def _follow(self, config: Config) -> None:
        with self._supervisor.part("annotations"):
            await self._annotations.configure(config.grafana)
        with self._supervisor.part("watching"):
            await self._watching.configure(config.watches, config.sources)

    def run(self) -> None:
        """Do what comes by time, until `stop`: each room a part of its own."""
        for room, work in (
            ("exclusions", self._exclusions.run),
            ("gates", _nothing),
            ("timeline", self._timeline.run),
            ("review", self._schedule.run),
            ("forecasts", self._forecasts.run),
            ("annotations", self._annotations.run),
            ("series", self._series.run),
        ):
            self._rooms.append(self._supervisor.start(room, self._started(room, work)))

    async def stop(self) -> None:
        """End all of it."""
        self._live.close()
        for room in self._rooms:
            room.cancel()
        await asyncio.gather(*self._rooms, return_exceptions=True)
        await self._watching.stop()

    def _started(self, room: str, work: Work) -> Work:
        async def run() -> None:
            if (start := self._unstarted.get(room)) is not None:
                await start()
                self._unstarted.pop(room, None)
            await work()

        return run


async def _nothing() -> None:
    """What a room does by time that has nothing to do."""
