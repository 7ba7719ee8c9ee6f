"""What people ask of the daemon and tell it, besides its metrics: exclusions, gates, events,
reviews, explanations. Each is a room of its own; here they are put together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiohttp import web

from exporter.app.annotations import Annotations
from exporter.app.exclusions import Exclusions
from exporter.app.explain import Explainer
from exporter.app.forecasts import Forecasts
from exporter.app.gates import Gates
from exporter.app.report import Reports
from exporter.app.report_schedule import Schedule
from exporter.app.timeline import Timeline
from exporter.app.watched import Watching
from exporter.clock import Clock
from exporter.config.load import Config
from exporter.core.engine import Engine
from exporter.core.status import Snapshot
from exporter.store.database import Store
from exporter.web import events_api, exclusions_api, explain_api, gate_api, openapi, report_api


class Desk:
    """`config`: the one in force. `snapshot`: the numbers of now. `changed` is called when
    something was told that alters them."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        clock: Clock,
        config: Callable[[], Config],
        snapshot: Callable[[], Snapshot],
        changed: Callable[[], None],
    ) -> None:
        self._explainer = Explainer(engine, lambda: config().sources, clock)
        self._exclusions = Exclusions(engine, store, clock, changed)
        self._annotations = Annotations(clock)
        self._timeline = Timeline(
            engine, store, clock, lambda: config().timeline, changed, self._annotations.tell
        )
        self._watching = Watching(clock, self._timeline.keep)
        self._gates = Gates(engine, store, clock, snapshot, changed, self._timeline.warnings)
        self._reports = Reports(engine, store, clock, self._exclusions.given, self._timeline)
        self._forecasts = Forecasts(engine, clock, changed)
        self._schedule = Schedule(self._reports, engine, clock, lambda: config().report)

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """The endpoints of slod's own API."""
        return openapi.routes(
            explain_api.part(self._explainer),
            exclusions_api.part(self._exclusions),
            gate_api.part(self._gates),
            events_api.part(self._timeline),
            report_api.part(self._reports),
        )

    async def start(self, config: Config) -> None:
        """Load what was told before, and take what the configuration says."""
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
        )
        try:
            async with asyncio.TaskGroup() as group:
                for room in rooms:
                    group.create_task(room.run())
        finally:
            await self._watching.stop()
