"""The daemon: puts the parts together, runs them, changes them on reload, stops them in order."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from exporter import __version__, sdnotify
from exporter.app.delivery import Delivery, routes
from exporter.app.desk import Desk
from exporter.app.keeper import Keeper
from exporter.app.page import page
from exporter.app.parts import make_receivers, make_source
from exporter.app.polling import Polling
from exporter.app.reloads import Reloads
from exporter.app.running import Running, unchanged, warn_of_restart
from exporter.clock import Clock
from exporter.config.duration import approximate
from exporter.config.load import Config, reload
from exporter.config.settings import Source
from exporter.core.engine import Engine
from exporter.core.notification import Notification
from exporter.core.status import Snapshot
from exporter.errors import SlodError
from exporter.log import labelled
from exporter.receivers.base import Receiver
from exporter.store.database import Store
from exporter.web.exposition import Family
from exporter.web.self_metrics import SelfMetrics
from exporter.web.server import Health, Readiness, Web, WebServer

log = structlog.get_logger()

BEAT = 5.0
"""Seconds between looks at what only time changes: data that is missing, alerts to send again."""
SAVE_EVERY = 1.0
"""At most one save in so many seconds, unless there is something to say to a receiver."""
_STOP_WITHIN = 4.0


class Daemon:
    """Runs one configuration until stopped; `reload` changes to another without losing a count."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self.metrics = SelfMetrics(__version__)
        self._clock = clock
        receivers = make_receivers(config, self.metrics.notification)
        self.engine = Engine(config.slos, routes(receivers), approximate)
        store = Store(config.state.path, now=clock.now)
        self._keeper = Keeper(self.engine, store, config.state.keep_removed)
        self.running = Running(
            self.metrics,
            self._polling_of,
            self._delivery_to,
            lambda part, run: self._spawn(run(), part),
        )
        self.reload = Reloads(self._reload)
        self._receivers = receivers
        self._arrived = asyncio.Event()
        self.changed = self._arrived.set
        self._desk = Desk(self.engine, store, clock, self, self._keeper.removed)
        self._tasks: list[asyncio.Task[None]] = []
        self.started = asyncio.Event()
        """Set once it listens and polls."""
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.version = 0
        self._snapshot: tuple[int, Snapshot] | None = None
        self._saved_at = -SAVE_EVERY
        self._faults: dict[str, str | None] = {}
        self._page = page(config.server.compat)
        self._web = WebServer(
            Web(
                listen=config.server.listen,
                web_config=config.server.web_config,
                page=self.families,
                version=lambda: self.version,
                health=Health,
                ready=self._readiness,
                reload=self.reload,
                routes=self._desk.routes(),
                stop_timeout=1.0,
                hosts=config.server.hosts,
                roles=config.server.roles,
                origins=config.api.allow_origins,
            )
        )

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return self._web.port

    @property
    def backfill(self) -> tuple[float, str]:
        """How much of the history that is being fetched is there, 0 to 1, and of which source."""
        shares = ((p.source.progress, name) for name, p in self.running.polling.items())
        return min(shares, default=(1.0, ""))

    # --- life -----------------------------------------------------------------------------------

    async def run(self, shutdown: asyncio.Event) -> None:
        """Start, work until `shutdown`, stop with everything saved.

        Raises `SlodError` when it cannot start, and whatever ended a part that must not end.
        """
        await self._keeper.restore()
        try:
            await self._desk.start(self.config)
            self._expect()
            await self._web.start()
            self.running.start(self.config, self._receivers)
            self._spawn(self._work())
            self._spawn(self._beat())
            self._spawn(self._desk.run())
            if (interval := sdnotify.watchdog_interval()) is not None:
                self._spawn(sdnotify.keep_alive(self._clock, interval / 2))
            sdnotify.ready()
            self.started.set()
            log.info("slod.started", version=__version__, slos=len(self.engine.accounts))
            stopping: asyncio.Future[Any] = asyncio.ensure_future(shutdown.wait())
            await asyncio.wait([stopping, self._failed], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
        finally:
            await self._stop()
        if self._failed.done():
            self._failed.result()

    async def _stop(self) -> None:
        sdnotify.stopping()
        await self.reload.stop()
        await self.running.stop(sources=True)
        await _cancel(self._tasks)
        try:
            async with asyncio.timeout(_STOP_WITHIN):
                await self._tick()
                await self._save()
                await self.running.stop(sources=False)
                await self._save()
                await self._web.stop()
        except TimeoutError:
            log.error("slod.stopped_late", after=_STOP_WITHIN)
        finally:
            await self._keeper.close()
        log.info("slod.stopped")

    def _spawn(self, work: Coroutine[Any, Any, None], name: str = "") -> asyncio.Task[None]:
        """A task whose unexpected end ends the daemon: better restarted than half dead."""
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(self._ended)
        self._tasks.append(task)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.remove(task)
        if not task.cancelled() and not self._failed.done() and (error := task.exception()):
            self._failed.set_exception(error)

    # --- the tick -------------------------------------------------------------------------------

    async def _work(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            said = await self._tick()
            due = self._clock.monotonic() - self._saved_at >= SAVE_EVERY
            if said or due or self.engine.outbox.gone:
                await self._save()
            # On disk before it is sent: a receiver must never know more than a restart does.
            self.running.wake()

    async def _tick(self) -> list[Notification]:
        begun = self._clock.monotonic()
        tick = self.engine.tick(self._clock.now())
        self._keeper.note(tick.said, self._clock.now())
        self.version += 1
        self.metrics.tick(self._clock.monotonic() - begun)
        for notification in tick.said:
            log.warning(f"alert.{notification.reason.value}", **labelled(notification.labels))
        for route in tick.full:
            self.metrics.notification(route.receiver, "dropped_queue_full")
            log.error("notification.dropped", receiver=route.receiver, reason="queue_full")
        for route in self.engine.outbox.routes.values():
            waiting = self.engine.outbox.waiting(route.endpoint)
            self.metrics.queue_length(route.receiver, waiting)
        for name, account in self.engine.accounts.items():
            if self._faults.get(name) != account.fault:
                self._faults[name] = account.fault
                self.metrics.slo_error(name, account.fault is not None)
                if account.fault is not None:
                    log.error("slo.cannot_compute", slo=name, error=account.fault)
        return tick.said

    async def _save(self) -> None:
        self._saved_at = self._clock.monotonic()
        error = await self._keeper.save()
        if error is not None:
            self.metrics.state_error(error.reason)
        self.metrics.saving(self._keeper.degraded is None)
        self.metrics.quarantined(self._keeper.quarantined)

    async def _beat(self) -> None:
        while True:
            await self._clock.sleep(BEAT)
            self._arrived.set()

    # --- parts ----------------------------------------------------------------------------------

    def _expect(self) -> None:
        """Series that are known beforehand stand on the page from the start, at zero."""
        self.metrics.expect(
            sources=list(self.config.sources),
            receivers=[r.name for r in self._receivers],
            slos=[slo.name for slo in self.config.slos],
        )
        self.metrics.reloaded(True, self._clock.now())

    def _polling_of(self, settings: Source) -> Polling:
        source = make_source(settings, self._clock)
        return Polling(source, self.engine, self.metrics, self._clock, self._arrived.set)

    def _delivery_to(self, receiver: Receiver) -> Delivery:
        return Delivery(receiver, self.engine.outbox, self._clock, self.metrics, self._arrived.set)

    async def _reload(self, allow_empty: bool) -> str | None:
        sdnotify.reloading()
        try:
            # In a thread: thousands of SLOs take a second to read.
            config = await asyncio.to_thread(reload, self.config, allow_empty=allow_empty)
            receivers = make_receivers(config, self.metrics.notification)
            await self.running.leave(config, receivers)
            try:
                await self._take(config, receivers)
            finally:  # what is configured is polled, whatever failed
                self.running.start(self.config, self._receivers)
                self.changed()
        except SlodError as error:
            self.metrics.reloaded(False, self._clock.now())
            log.error("config.reload_failed", error=str(error))
            return str(error)
        finally:
            sdnotify.ready()
        return None

    async def _take(self, config: Config, receivers: list[Receiver]) -> None:
        before, self.config, self._receivers = self.config, config, receivers
        warn_of_restart(config, before)
        if unchanged(config, before):
            self.metrics.reloaded(True, self._clock.now())
            log.info("config.unchanged")
            return
        change = self.engine.configure(config.slos, routes(receivers))
        self._keeper.removed.keep = config.state.keep_removed
        taken_back = await self._keeper.reconfigured(change)
        await self._desk.configure(config)
        for name in (*change.removed, *change.restarted):
            self.metrics.forget_slo(name)
            self._faults.pop(name, None)
        self._expect()
        log.info(
            "config.reloaded",
            added=change.added,
            new_ledger=[name for name in change.restarted if name not in taken_back],
            taken_back=taken_back,
            removed=change.removed,
        )

    # --- readers --------------------------------------------------------------------------------

    def snapshot(self) -> Snapshot:
        """The numbers as of the last tick; every reader between two ticks sees the same."""
        if self._snapshot is None or self._snapshot[0] != self.version:
            self._snapshot = (self.version, self.engine.status(self._clock.now()))
        return self._snapshot[1]

    def families(self) -> list[Family]:
        """What stands on the metrics page now."""
        return self._page(self.snapshot(), self.metrics)

    def _readiness(self) -> Readiness:
        waiting = (polling.missing for polling in self.running.polling.values())
        degraded = self._keeper.degraded
        notes = (f"state is kept in memory only: {degraded}",) if degraded is not None else ()
        return Readiness(tuple(m for m in waiting if m is not None), notes)


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
