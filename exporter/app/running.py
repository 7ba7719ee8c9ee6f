"""The sources and receivers that run. A reload ends and begins those that are configured otherwise,
and touches no other: they go on counting and delivering, with all that they know.

One that ends does not break off. Its polls or its delivery under way are handed over first, since a
scrape that is cut off is asked of the target for nothing, and a receiver that took a notification
would get it again. Each is a part under the supervisor, and fails alone: also one that cannot be
made, or that cannot be ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec
import structlog

from exporter.app.delivery import Delivery
from exporter.app.polling import Polling
from exporter.config.load import Config
from exporter.config.settings import HTTP, Source
from exporter.core.dumps import identity
from exporter.receivers.base import Receiver
from exporter.supervisor import Supervisor
from exporter.web.self_metrics import SelfMetrics

log = structlog.get_logger()

_READ_ONCE = frozenset({"ca_file", "cert_file", "key_file"})
"""Files that are read when connections are made first; secrets are read at every use."""
_TIMEOUTS = 2.0
_MORE = 5.0
"""Whoever ends has two timeouts and some seconds for what is under way: a poll may be several
questions. After that it is broken off."""


class _Part(Protocol):
    """A polling or a delivery."""

    async def run(self) -> None:
        """Work until cancelled, or until what was under way after `leave` is over."""
        ...

    def leave(self) -> None:
        """Begin nothing more."""
        ...


P = TypeVar("P", bound=_Part)


@dataclass(frozen=True, slots=True)
class RunningPart(Generic[P]):
    """`name` is the one under the supervisor, `key` says what it was made of; `patience` is in
    seconds."""

    name: str
    part: P
    key: object
    task: asyncio.Task[None]
    patience: float


class Running:
    """What polls and what delivers.

    Args:
        metrics: What is gone is forgotten there.
        polling: Makes what polls a source.
        delivery: Makes what delivers to a receiver.
        supervisor: Runs them.
    """

    def __init__(
        self,
        metrics: SelfMetrics,
        polling: Callable[[Source], Polling],
        delivery: Callable[[Receiver], Delivery],
        supervisor: Supervisor,
    ) -> None:
        self._metrics = metrics
        self._polling = polling
        self._delivery = delivery
        self._supervisor = supervisor
        self.sources: dict[str, RunningPart[Polling]] = {}
        self.receivers: dict[str, RunningPart[Delivery]] = {}
        self._ended: dict[str, Polling] = {}
        """Sources of the configuration before, of which something may have to be forgotten."""
        self._names: set[str] = set()
        """Receivers of the configuration before."""

    @property
    def polling(self) -> dict[str, Polling]:
        """By the source's name."""
        return {name: one.part for name, one in self.sources.items()}

    def wake(self) -> None:
        """Something may have to be delivered."""
        for one in self.receivers.values():
            one.part.wake()

    async def leave(self, config: Config, receivers: Sequence[Receiver]) -> None:
        """End what this configuration has not, or has otherwise, once what is under way is over.

        The engine must not have taken the configuration yet: what is handed over is for the old
        one.
        """
        polled = {name: _source_key(config, name) for name in config.sources}
        served = {one.endpoint: _receiver_key(config, one) for one in receivers}
        sources = _others(self.sources, polled)
        gone: list[RunningPart[Any]] = [*sources.values()]
        gone += _others(self.receivers, served).values()
        await asyncio.gather(*map(self._end, gone))
        # Also of those that ended by themselves, which are to begin again.
        for name in sources:
            self._ended[name] = self.sources.pop(name).part
        for endpoint in _others(self.receivers, served):
            del self.receivers[endpoint]

    def start(self, config: Config, receivers: Sequence[Receiver]) -> None:
        """Begin what is configured and does not run yet."""
        for receiver in receivers:
            if not _runs(self.receivers.get(receiver.endpoint)):
                with self._supervisor.part(f"receiver:{receiver.name}", "start"):
                    self._start_receiver(config, receiver)
        for name, settings in config.sources.items():
            if not _runs(self.sources.get(name)) and _asking(config, name):
                with self._supervisor.part(f"source:{name}", "start"):
                    self._start_source(config, name, settings)
        self._forget({receiver.name for receiver in receivers})

    def _start_receiver(self, config: Config, receiver: Receiver) -> None:
        name, endpoint = f"receiver:{receiver.name}", receiver.endpoint
        key, patience = _receiver_key(config, receiver), _patience(config.receivers[receiver.name])
        delivery = self._delivery(receiver)
        task = self._supervisor.start(name, delivery.run, endpoint)
        self.receivers[endpoint] = RunningPart(name, delivery, key, task, patience)

    def _start_source(self, config: Config, source: str, settings: Source) -> None:
        name, key = f"source:{source}", _source_key(config, source)
        polling = self._polling(settings)
        task = self._supervisor.start(name, polling.run)
        self.sources[source] = RunningPart(name, polling, key, task, _patience(settings))

    async def stop(self, *, sources: bool) -> None:
        """Break off all sources, or all receivers."""
        await cancel([one.task for one in (self.sources if sources else self.receivers).values()])

    async def _end(self, one: RunningPart[Any]) -> None:
        with self._supervisor.part(one.name, "end"):
            one.part.leave()
            if not self._supervisor.rests(one.task):  # else there is nothing under way
                await asyncio.wait([one.task], timeout=one.patience)
                if not one.task.done():
                    log.warning("reload.broken_off", part=one.name, after=one.patience)
        await cancel([one.task])

    def _forget(self, receivers: set[str]) -> None:
        """What is no more stands on no page any more."""
        for name, ended in self._ended.items():
            one = self.sources.get(name)
            ended.forget(() if one is None else one.part.source.targets, gone=one is None)
        self._ended.clear()
        for name in self._names - receivers:
            self._metrics.forget_receiver(name)
        self._names = receivers


def _others(
    running: dict[str, RunningPart[P]], wanted: dict[str, object]
) -> dict[str, RunningPart[P]]:
    """Those that are not among the wanted ones as they are."""
    return {
        name: one
        for name, one in running.items()
        if name not in wanted or wanted[name] != one.key or one.task.done()
    }


def _runs(one: RunningPart[Any] | None) -> bool:
    return one is not None and not one.task.done()


async def cancel(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait for their end, whatever it is."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _patience(settings: Any) -> float:
    return _TIMEOUTS * float(getattr(settings, "timeout", HTTP().timeout)) + _MORE


def _asking(config: Config, source: str) -> list[tuple[str, str]]:
    """The SLOs that a source is asked for, each with what makes its ledger."""
    return [(o.name, identity(o)) for o in config.slos if o.source == source and not o.fault]


def _source_key(config: Config, name: str) -> object:
    settings = config.sources[name]
    return settings, _asking(config, name), list(_stamps(settings))


def _receiver_key(config: Config, receiver: Receiver) -> object:
    settings = config.receivers[receiver.name]
    return settings, config.server.external_url, list(_stamps(settings))


def _stamps(settings: msgspec.Struct) -> Iterator[tuple[str, int | None]]:
    """The files that are read once, each with the time of its last change."""
    for name in settings.__struct_fields__:
        value = getattr(settings, name)
        if isinstance(value, msgspec.Struct):
            yield from _stamps(value)
        elif name in _READ_ONCE and isinstance(value, str):
            try:
                yield value, Path(value).stat().st_mtime_ns
            except OSError:
                yield value, None


def unchanged(config: Config, running: Config) -> bool:
    """True if the file says what it said, in whatever layout."""
    return config.keys.document == running.keys.document


def warn_of_restart(config: Config, running: Config) -> None:
    """Say so if something differs that is read at the start only."""
    for name in ("server", "api", "state"):
        if getattr(config, name) != getattr(running, name):
            log.warning("config.needs_restart", keys=name)
