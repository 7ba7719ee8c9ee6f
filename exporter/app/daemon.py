"""The daemon: puts the parts together, runs them, changes them on reload, stops them in order.

Every part runs under the supervisor; nothing of the daemon ends because one of them raised.
"""

from __future__ import annotations

import asyncio

import structlog

from exporter import __version__, sdnotify
from exporter.app.counting import Counting
from exporter.app.delivery import Delivery, routes
from exporter.app.desk import Desk
from exporter.app.health import Health
from exporter.app.keeper import Keeper
from exporter.app.page import page
from exporter.app.parts import make_receivers, make_source
from exporter.app.polling import Polling
from exporter.app.reloads import Reloads
from exporter.app.running import Running, cancel, unchanged, warn_of_restart
from exporter.app.work import Work
from exporter.clock import Clock
from exporter.config.duration import approximate
from exporter.config.load import Config
from exporter.config.reload import reload
from exporter.config.settings import Source
from exporter.core.apart import one_line
from exporter.core.engine import Engine
from exporter.core.status import Snapshot
from exporter.errors import SlodError
from exporter.receivers.base import Receiver
from exporter.store.database import Store
from exporter.supervisor import VITAL, Supervisor
from exporter.web.held_loop import HeldLoop
from exporter.web.self_metrics import SelfMetrics
from exporter.web.server import Readiness, Web, WebServer

log = structlog.get_logger()

_STOP_WITHIN = 4.0


class Daemon:
    """Runs one configuration until stopped; `reload` changes to another without losing a count."""

    def __init__(self, config: Config, clock: Clock) -> None:
        self.config = config
        self.metrics = SelfMetrics(__version__)
        self.supervisor = Supervisor(clock, self.metrics.failure)
        self._clock = clock
        receivers = make_receivers(config, self.metrics.notification)
        self.engine = Engine(config.slos, routes(receivers), approximate, self._slo_failed)
        store = Store(config.state.path, now=clock.now)
        self._keeper = Keeper(self.engine, store, config.state.keep_removed)
        self.running = Running(self.metrics, self._polling_of, self._delivery_to, self.supervisor)
        self.reload = Reloads(self._reload)
        self.counting = Counting(self.engine)
        self._work = Work(
            self.engine,
            self.counting,
            self._keeper,
            self.metrics,
            clock,
            self.supervisor,
            self.running.wake,
        )
        self.changed = self._work.arrived
        self._receivers = receivers
        self._desk = Desk(self.engine, store, clock, self, self._keeper.removed, self.supervisor)
        self._tasks: list[asyncio.Task[None]] = []
        self.started = asyncio.Event()
        """Set once it listens and polls."""
        self._snapshot: tuple[int, Snapshot] | None = None
        self._page = page(config.server.compat)
        self._loop = HeldLoop(self.metrics.loop_held)
        self._health = Health(
            lambda: self._page(self.snapshot(), self.metrics), self.supervisor, self._loop
        )
        self.families = self._health.families
        self._web = WebServer(
            Web(
                listen=config.server.listen,
                web_config=config.server.web_config,
                page=self.families,
                version=lambda: self.version,
                health=self._health.look,
                ready=self._readiness,
                reload=self.reload,
                failed=self._request_failed,
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
    def version(self) -> int:
        """Changes with the numbers."""
        return self._work.version

    @property
    def backfill(self) -> tuple[float, str]:
        """How much of the history that is being fetched is there, 0 to 1, and of which source."""
        shares = ((p.source.progress, name) for name, p in self.running.polling.items())
        return min(shares, default=(1.0, ""))

    # --- life -----------------------------------------------------------------------------------

    async def run(self, shutdown: asyncio.Event) -> None:
        """Start, work until `shutdown`, stop with everything saved.

        Raises what it cannot start for, a `SlodError` if it was foreseen; nothing after that.
        """
        await self._keeper.restore()
        try:
            await self._desk.start(self.config)
            self._expect()
            await self._web.start()
            self._loop.start(self._web.listeners, self._web.context)
            self.running.start(self.config, self._receivers)
            self._tasks += self._work.start()
            self._desk.run()
            self._watch_over()
            sdnotify.ready()
            self.started.set()
            log.info("slod.started", version=__version__, slos=len(self.engine.accounts))
            await self._until(shutdown)
        finally:
            await self._stop()

    async def _until(self, shutdown: asyncio.Event) -> None:
        while not shutdown.is_set():
            with self.supervisor.part("supervisor"):
                await shutdown.wait()

    async def _stop(self) -> None:
        sdnotify.stopping()
        part = self.supervisor.part
        try:
            async with asyncio.timeout(_STOP_WITHIN):
                with part("stop", "reload"):
                    await self.reload.stop()
                with part("stop", "sources"):
                    await self.running.stop(sources=True)
                with part("stop", "work"):
                    await cancel(self._tasks)
                with part("stop", "desk"):
                    await self._desk.stop()
                with part("stop", "save"):
                    await self._work.finish()
                with part("stop", "receivers"):
                    await self.running.stop(sources=False)
                with part("stop", "save"):
                    await self._work.finish()
                with part("stop", "web"):
                    self._loop.stop()
                    await self._web.stop()
        except TimeoutError:
            log.error("slod.stopped_late", after=_STOP_WITHIN)
        finally:
            with part("stop", "rest"):
                self._loop.stop()
                await cancel(list(self.supervisor.tasks))
            with part("stop", "state"):
                await self._keeper.close()
        log.info("slod.stopped")

    def _watch_over(self) -> None:
        """Feed systemd's watchdog for as long as slod is healthy."""
        interval = sdnotify.watchdog_interval()
        if interval is not None:
            every = interval / 2
            self._tasks.append(
                self.supervisor.start(
                    "watchdog",
                    lambda: sdnotify.keep_alive(self._clock, every, lambda: self._health.look().ok),
                )
            )

    def _slo_failed(self, slo: str, work: str, error: Exception | None) -> None:
        part = f"slo:{slo}" if slo else "announcements"
        if error is None:
            self.supervisor.works(part, work)
        else:
            self.supervisor.failed(part, error, work)

    def _request_failed(self, route: str, error: BaseException) -> None:
        self.supervisor.failed(f"request:{route}", error)

    # --- parts ----------------------------------------------------------------------------------

    def _expect(self) -> None:
        """Series that are known beforehand stand on the page from the start, at zero."""
        receivers = [r.name for r in self._receivers]
        self.metrics.expect(
            sources=list(self.config.sources),
            receivers=receivers,
            slos=[slo.name for slo in self.config.slos],
            parts=[
                *VITAL,
                *(f"source:{name}" for name in self.config.sources),
                *(f"receiver:{name}" for name in receivers),
            ],
        )
        self.metrics.reloaded(True, self._clock.now())

    def _polling_of(self, settings: Source) -> Polling:
        source = make_source(settings, self._clock, self.supervisor)
        return Polling(
            source,
            self.engine,
            self.metrics,
            self._clock,
            self.changed,
            self.supervisor,
            self.counting,
        )

    def _delivery_to(self, receiver: Receiver) -> Delivery:
        outbox = self.engine.outbox
        return Delivery(receiver, outbox, self._clock, self.metrics, self.changed, self.supervisor)

    async def _reload(self, allow_empty: bool) -> str | None:
        sdnotify.reloading()
        try:
            await self._change(allow_empty)
        except SlodError as error:
            self.metrics.reloaded(False, self._clock.now())
            log.error("config.reload_failed", error=str(error))
            return str(error)
        except Exception as error:  # noqa: BLE001 - it is the reload's failure
            self.supervisor.failed("reload", error)
            self.metrics.reloaded(False, self._clock.now())
            return f"internal error; the log says more: {one_line(error)}"
        finally:
            sdnotify.ready()
        self.supervisor.works("reload")
        return None

    async def _change(self, allow_empty: bool) -> None:
        # In a thread: thousands of SLOs take a second to read.
        config = await asyncio.to_thread(reload, self.config, allow_empty=allow_empty)
        if unchanged(config, self.config):
            self.config = config
            self.metrics.reloaded(True, self._clock.now())
            log.info("config.unchanged")
            self.changed()
            return
        receivers = make_receivers(config, self.metrics.notification)
        try:
            await self.running.leave(config, receivers)
            await self._take(config, receivers)
        finally:  # what is configured is polled, whatever failed
            self.running.start(self.config, self._receivers)
            self.changed()

    async def _take(self, config: Config, receivers: list[Receiver]) -> None:
        before, self.config, self._receivers = self.config, config, receivers
        warn_of_restart(config, before)
        await self.counting.idle()
        change = self.engine.configure(config.slos, routes(receivers))
        self._keeper.removed.keep = config.state.keep_removed
        taken_back = await self._keeper.reconfigured(change)
        await self._desk.configure(config)
        for name in (*change.removed, *change.restarted):
            self._work.forget(name)
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

    def _readiness(self) -> Readiness:
        waiting = (polling.missing for polling in self.running.polling.values())
        degraded = self._keeper.degraded
        notes = (f"state is kept in memory only: {degraded}",) if degraded is not None else ()
        return Readiness(tuple(m for m in waiting if m is not None), notes)
