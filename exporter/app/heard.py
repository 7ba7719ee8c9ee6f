"""The alerts there were, from what was said to receivers and from those that fire now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from math import inf

import msgspec
import structlog

from exporter.core.alert import Alert
from exporter.core.engine import Engine
from exporter.core.exclusion import Span
from exporter.core.notification import Notification
from exporter.errors import StateError
from exporter.series.spans import Fired, Firing
from exporter.store.database import Store
from exporter.store.said import KEPT

log = structlog.get_logger()

_AT_ONCE = 500
MOST = 20_000
"""So many of the newest notifications are read at once."""
_AGAIN = 60.0
"""What was said is on disk within a second or so: read again from so many seconds before."""
_decode = msgspec.msgpack.Decoder(Notification).decode
_UNREADABLE = (msgspec.MsgspecError, RecursionError, TypeError, ValueError)


def alerts_of(engine: Engine) -> Iterator[Alert]:
    """Alerts of all SLOs, and announcements."""
    for name, account in engine.accounts.items():
        alerts: list[Alert] = []
        with engine.apart(name, "alerts"):
            alerts += account.alerts()
        yield from alerts
    yield from engine.notices.alerts()


class Heard:
    """`fired`: the alerts, as of the last time that somebody listened."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self.fired = Fired()
        self._engine = engine
        self._store = store
        self._over: dict[frozenset[tuple[str, str]], dict[float, float]] = {}
        """Begins and ends of what is over, by labels."""
        self._read: float | None = None
        self._known: tuple[object, ...] = ()

    async def listen(self, now: float) -> None:
        """Bring `fired` up to date, where anything has changed."""
        alerts = list(alerts_of(self._engine))
        known = (now // _AGAIN, *((a.since, a.ended, a.firing) for a in alerts))
        if known == self._known:
            return
        self._known = known
        since = now - KEPT if self._read is None else min(self._read, now) - _AGAIN
        for said in await self.said(since, now + 1):
            if said.ends_at is not None:
                self._end(said.labels, said.starts_at, said.ends_at)
        self._read = now
        for alert in alerts:
            # What has just ended may not be on disk yet.
            if alert.ended is not None and not alert.firing:
                self._end(alert.labels, alert.since, alert.ended)
        firing = {frozenset(a.labels.items()): (a.since, inf) for a in alerts if a.firing}
        self.fired.take(
            Firing(dict(labels), [*self._over.get(labels, {}).items(), *_one(firing.get(labels))])
            for labels in self._over.keys() | firing.keys()
        )

    async def said(self, start: float, end: float) -> list[Notification]:
        """What was said between two moments, oldest first; nothing where it cannot be read."""
        try:
            bodies = await self._store.said(start, end, MOST)
        except StateError as error:
            log.error("said.not_read", error=str(error))
            return []
        out = []
        for k, body in enumerate(bodies):
            if k % _AT_ONCE == 0:
                await asyncio.sleep(0)
            try:
                out.append(_decode(body))
            except _UNREADABLE as error:
                log.error("notification.unreadable", error=str(error))
        return out

    def _end(self, labels: Mapping[str, str], start: float, end: float) -> None:
        self._over.setdefault(frozenset(labels.items()), {})[start] = end


def _one(span: Span | None) -> Iterable[Span]:
    return () if span is None else (span,)
