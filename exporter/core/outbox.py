"""What waits to be delivered, to whom, and when to try: at least once, in order for each alert.

An entry stays until its receiver took it or refused it for good. Each endpoint has a queue of its
own, so a dead one holds up nobody. Retries back off exponentially with full jitter in the upper
half: the first within 1 s, at most 1 min apart (contract), longer only where `Retry-After` says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from exporter.core.alert import RESOLVED_FOR, Alert
from exporter.core.notification import Notification, Reason

FIRST_RETRY = 1.0
LONGEST_RETRY = 60.0
LONGEST_RETRY_AFTER = 3600.0
MAX_QUEUED = 10_000


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint and what it takes; an empty `severities` means all. `resend`: see receivers."""

    receiver: str
    endpoint: str
    severities: Sequence[str] = ()
    resend: float | None = None

    def takes(self, notification: Notification) -> bool:
        """Whether this endpoint is to hear of it."""
        meant = not notification.receivers or self.receiver in notification.receivers
        return meant and (not self.severities or notification.severity in self.severities)


@dataclass(frozen=True, slots=True)
class Entry:
    """One notification on its way to one endpoint; `due` in unix seconds."""

    id: str
    endpoint: str
    notification: Notification
    attempts: int = 0
    due: float = 0.0


class Outbox:
    """The queues of all endpoints; `changed` and `gone` are what a save has to write.
    `trouble`: why the last attempt failed, by endpoint; none of one that took something since."""

    def __init__(self, routes: Iterable[Route] = ()) -> None:
        self.routes = {route.endpoint: route for route in routes}
        self.changed: dict[str, Entry] = {}
        self.gone: set[str] = set()
        self.trouble: dict[str, str] = {}
        self._queues: dict[str, dict[str, Entry]] = {e: {} for e in self.routes}
        self._told: dict[tuple[str, str], float] = {}

    def configure(self, routes: Iterable[Route]) -> int:
        """Take other receivers; what waits for one that is no more is dropped and counted."""
        self.routes = {route.endpoint: route for route in routes}
        dropped = [
            e for q in self._queues.values() for e in q.values() if e.endpoint not in self.routes
        ]
        for entry in dropped:
            self._remove(entry)
        self._queues = {e: self._queues.get(e, {}) for e in self.routes}
        return len(dropped)

    def load(self, entries: Iterable[Entry]) -> None:
        """Take back what was waiting; due at once, since nobody knows what was tried."""
        for entry in entries:
            if entry.endpoint in self._queues:
                self._queues[entry.endpoint][entry.id] = replace(entry, due=0.0)
            else:
                self.gone.add(entry.id)

    def put(self, notification: Notification, now: float) -> list[Route]:
        """Queue it for everyone who takes it; returns the routes whose queue was full instead."""
        full: list[Route] = []
        for route in self.routes.values():
            if not route.takes(notification):
                continue
            if len(self._queues[route.endpoint]) >= MAX_QUEUED:
                full.append(route)
                continue
            self._store(
                Entry(f"{route.endpoint} {notification.key}", route.endpoint, notification, 0, now)
            )
        return full

    def resend(self, alerts: Iterable[Alert], now: float) -> None:
        """Queue anew what level-triggered receivers have to hear again."""
        # With the alerts of which something waits to be said there already.
        level = [
            (r, r.resend, {e.notification.fingerprint for e in self._queues[r.endpoint].values()})
            for r in self.routes.values()
            if r.resend is not None
        ]
        if not level:
            return
        for alert in alerts:
            if alert.firing:
                if not alert.said:
                    continue
            elif alert.ended is None or now - alert.ended > RESOLVED_FOR:
                continue
            which = alert.fingerprint
            for route, every, waiting in level:
                told = self._told.get((route.endpoint, which), 0.0)
                if which not in waiting and not 0.0 <= now - told < every:
                    self._resend(route, alert, now)

    def _resend(self, route: Route, alert: Alert, now: float) -> None:
        notification = alert.notification(Reason.RESEND)
        if route.takes(notification):
            self._store(
                Entry(f"{route.endpoint} {notification.key}", route.endpoint, notification, 0, now)
            )

    def shift(self, seconds: float) -> None:
        """Our clock was set back: nothing waits longer for that."""
        self._told = {key: at + seconds for key, at in self._told.items()}
        for queue in self._queues.values():
            for entry in list(queue.values()):
                queue[entry.id] = replace(entry, due=entry.due + seconds)

    def due(self, endpoint: str, now: float) -> list[Entry]:
        """What to send now; a later word on an alert waits for the earlier one."""
        out: list[Entry] = []
        blocked: set[str] = set()
        for entry in self._queues.get(endpoint, {}).values():
            alert = entry.notification.fingerprint
            if alert not in blocked and entry.due <= now:
                out.append(entry)
            blocked.add(alert)
        return out

    def next_due(self, endpoint: str) -> float | None:
        """When to look again; None while nothing waits."""
        return min((e.due for e in self._queues.get(endpoint, {}).values()), default=None)

    def waiting(self, endpoint: str) -> int:
        """How many notifications wait."""
        return len(self._queues.get(endpoint, {}))

    def entries(self) -> list[Entry]:
        """Everything that waits."""
        return [entry for queue in self._queues.values() for entry in queue.values()]

    def delivered(self, entry: Entry, now: float) -> None:
        """The receiver took it."""
        self.trouble.pop(entry.endpoint, None)
        self._told[entry.endpoint, entry.notification.fingerprint] = now
        self._remove(entry)

    def given_up(self, entry: Entry) -> None:
        """The receiver refused it for good."""
        self._remove(entry)

    def failed(
        self, entry: Entry, now: float, jitter: float, retry_after: float | None, why: str = ""
    ) -> float:
        """Try again later; `jitter` in [0, 1). Returns the seconds until then."""
        self.trouble[entry.endpoint] = why
        pause = min(LONGEST_RETRY, FIRST_RETRY * 2.0 ** min(entry.attempts, 10))
        pause *= 0.5 + jitter / 2
        if retry_after is not None:
            pause = max(pause, min(retry_after, LONGEST_RETRY_AFTER))
        if entry.id in self._queues.get(entry.endpoint, {}):
            self._store(replace(entry, attempts=entry.attempts + 1, due=now + pause))
        return pause

    def saved(self) -> None:
        """All changes are on disk."""
        self.changed, self.gone = {}, set()

    def _store(self, entry: Entry) -> None:
        self._queues[entry.endpoint][entry.id] = entry
        self.changed[entry.id] = entry
        self.gone.discard(entry.id)

    def _remove(self, entry: Entry) -> None:
        self._queues.get(entry.endpoint, {}).pop(entry.id, None)
        self.changed.pop(entry.id, None)
        self.gone.add(entry.id)
