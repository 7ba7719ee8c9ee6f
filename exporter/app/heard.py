"""The alerts there were, from what was said to receivers and from those that fire now."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf

import msgspec
import structlog

from exporter.core.alert import Alert
from exporter.core.engine import Engine
from exporter.core.exclusion import Span
from exporter.core.notification import Notification
from exporter.errors import StateError
from exporter.report.history import spans
from exporter.series.spans import Fired, Firing
from exporter.store.database import Store
from exporter.store.said import KEPT

log = structlog.get_logger()

EVERY = 60.0
"""Seconds after which all is read again, whatever is known to have changed."""
_decode = msgspec.msgpack.Decoder(Notification).decode
_UNREADABLE = (msgspec.MsgspecError, RecursionError, TypeError, ValueError)


class Heard:
    """`fired`: the alerts, as of the last time that somebody listened."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self.fired = Fired()
        self._engine = engine
        self._store = store
        self._known: tuple[object, ...] = ()

    async def listen(self, now: float) -> None:
        """Bring `fired` up to date; to read all of it again is worth it only after a change."""
        alerts = list(self._alerts())
        known = (now // EVERY, *((a.since, a.ended, a.firing) for a in alerts))
        if known == self._known:
            return
        said = await self.said(now - KEPT, now + 1)
        found: dict[frozenset[tuple[str, str]], list[Span]] = {}
        for span in spans(said):
            if span.end is not None:
                found.setdefault(frozenset(span.labels.items()), []).append((span.start, span.end))
        for alert in alerts:
            # What has just ended may not be on disk yet.
            end = inf if alert.firing else alert.ended
            if end is not None:
                found.setdefault(frozenset(alert.labels.items()), []).append((alert.since, end))
        self.fired.take(Firing(dict(labels), times) for labels, times in found.items())
        self._known = known

    async def said(self, start: float, end: float) -> list[Notification]:
        """What was said between two moments, oldest first; nothing where it cannot be read."""
        try:
            bodies = await self._store.said(start, end)
        except StateError as error:
            log.error("said.not_read", error=str(error))
            return []
        out = []
        for body in bodies:
            try:
                out.append(_decode(body))
            except _UNREADABLE as error:
                log.error("notification.unreadable", error=str(error))
        return out

    def _alerts(self) -> Iterator[Alert]:
        for account in self._engine.accounts.values():
            yield from account.alerts()
        yield from self._engine.notices.alerts()
