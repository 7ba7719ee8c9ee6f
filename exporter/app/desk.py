"""What people ask of the daemon and tell it, besides its metrics: exclusions, gates, reviews,
explanations. Each is a room of its own; here they are put together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiohttp import web

from exporter.app.exclusions import Exclusions
from exporter.app.explain import Explainer
from exporter.app.forecasts import Forecasts
from exporter.app.gates import Gates
from exporter.app.report import Nothing, Reports
from exporter.app.report_schedule import Schedule
from exporter.clock import Clock
from exporter.config.load import Config
from exporter.core.engine import Engine
from exporter.core.status import Snapshot
from exporter.store.database import Store
from exporter.web import exclusions_api, explain_api, gate_api, openapi, report_api


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
        self._gates = Gates(engine, store, clock, snapshot, changed, _no_warnings)
        self._reports = Reports(engine, store, clock, self._exclusions.given, Nothing())
        self._forecasts = Forecasts(engine, clock, changed)
        self._schedule = Schedule(self._reports, engine, clock, lambda: config().report)

    def routes(self) -> Sequence[web.AbstractRouteDef]:
        """The endpoints of slod's own API."""
        return openapi.routes(
            explain_api.part(self._explainer),
            exclusions_api.part(self._exclusions),
            gate_api.part(self._gates),
            report_api.part(self._reports),
        )

    async def start(self, config: Config) -> None:
        """Load what was told before, and take what the configuration says."""
        await self._exclusions.start(config.exclusions)
        await self._gates.start()

    async def configure(self, config: Config) -> None:
        """Take another configuration."""
        await self._exclusions.configure(config.exclusions)

    async def run(self) -> None:
        """Do what comes by time, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._exclusions.run())
            group.create_task(self._schedule.run())
            group.create_task(self._forecasts.run())


def _no_warnings(service: str) -> Sequence[str]:
    del service
    return ()
