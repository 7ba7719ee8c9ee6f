"""The sources and receivers of the configuration in force, each a part under the supervisor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from exporter.app.delivery import Delivery
from exporter.app.parts import make_source
from exporter.app.polling import Polling
from exporter.clock import Clock
from exporter.config.settings import Source as Settings
from exporter.core.engine import Engine
from exporter.receivers.base import Receiver
from exporter.supervisor import Supervisor
from exporter.web.self_metrics import SelfMetrics


class Running:
    """Started and stopped as a whole. `arrived` is called when there is something to do."""

    def __init__(
        self,
        engine: Engine,
        metrics: SelfMetrics,
        clock: Clock,
        arrived: Callable[[], None],
        supervisor: Supervisor,
    ) -> None:
        self.polling: dict[str, Polling] = {}
        self._delivery: list[Delivery] = []
        self._sources: list[asyncio.Task[None]] = []
        self._receivers: list[asyncio.Task[None]] = []
        self._engine = engine
        self._metrics = metrics
        self._clock = clock
        self._arrived = arrived
        self._supervisor = supervisor

    def start(self, sources: Mapping[str, Settings], receivers: Sequence[Receiver]) -> None:
        """Deliver to these receivers and poll these sources, as far as an SLO asks for them."""
        more = (self._engine, self._metrics, self._clock, self._arrived, self._supervisor)
        _, metrics, clock, arrived, supervisor = more
        for receiver in receivers:
            with supervisor.part(f"receiver:{receiver.name}", "start"):
                outbox = self._engine.outbox
                delivery = Delivery(receiver, outbox, clock, metrics, arrived, supervisor)
                self._receivers.append(
                    supervisor.start(f"receiver:{receiver.name}", delivery.run, receiver.endpoint)
                )
                self._delivery.append(delivery)
        for name, settings in sources.items():
            with supervisor.part(f"source:{name}", "start"):
                if self._engine.asks(name):
                    polling = Polling(make_source(settings, clock, supervisor), *more)
                    self._sources.append(supervisor.start(f"source:{name}", polling.run))
                    self.polling[name] = polling

    async def stop_sources(self) -> None:
        """End all polls."""
        await cancel(self._sources)

    async def stop_receivers(self) -> None:
        """End all deliveries; what is on its way may arrive twice."""
        await cancel(self._receivers)

    def clear(self) -> None:
        """Forget all of them, so that others can be started; what was not stopped ends soon."""
        for task in (*self._sources, *self._receivers):
            task.cancel()
        for parts in (self.polling, self._delivery, self._sources, self._receivers):
            parts.clear()

    def wake(self) -> None:
        """Something may be due for a receiver."""
        for delivery in self._delivery:
            delivery.wake()


async def cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for their end, whatever it is."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
