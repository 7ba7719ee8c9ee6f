"""Events on the timeline: kept, recorded, weighed, blamed for what burns, and told."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2s
from heapq import nsmallest
from typing import Any

import msgspec
import structlog

from exporter.app import event_words as words
from exporter.app.event_scale import Scale
from exporter.clock import Clock
from exporter.config.findings import Findings
from exporter.config.moments import rfc3339
from exporter.config.timeline import Timeline as Settings
from exporter.config.timeline import moment, read_event
from exporter.core.attribution import Cause
from exporter.core.engine import Engine
from exporter.core.timeline import CHANGES, Blame, Cost, Event, Span, Spans
from exporter.errors import StateError, look_up
from exporter.printable import excerpt
from exporter.store.database import Store
from exporter.store.documents import Change, Documents
from exporter.store.save import Key

log = structlog.get_logger()

KEPT = 400 * 86_400.0
"""How long an event is kept, in seconds."""
MOST = 5000
"""So many are kept; the oldest go first."""
EVERY = 10.0
"""Seconds between two looks at what changes have done."""
API = "api"
_UNREADABLE = (msgspec.MsgspecError, TypeError, ValueError)


class Timeline:
    """All events of a daemon. `settings`: those in force. `changed` is called when something is to
    be said; `told` hears of every event that is new, has ended, or is blamed for something."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        clock: Clock,
        settings: Callable[[], Settings],
        changed: Callable[[], None],
        told: Callable[[Event], None],
    ) -> None:
        self._engine = engine
        self._table = Documents(store, "event")
        self._clock = clock
        self._settings = settings
        self._changed = changed
        self._told = told
        self._events: dict[str, Event] = {}
        self._spans: Spans | None = None
        """Of `_events`; None when they are others by now."""
        self._effect = 0.0
        self._scale = Scale(engine)
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Load what there is."""
        try:
            rows = await self._table.load()
        except StateError as error:
            log.error("events.not_loaded", error=str(error))
            rows = {}
        bad: dict[Key, str] = {}
        for key, body in rows.items():
            try:
                event = msgspec.json.decode(body or b"", type=Event)
                words.require_times(event)
            except _UNREADABLE as error:
                log.error("event.unreadable", id=key[1], error=str(error), outcome="it is left out")
                bad[key] = excerpt(str(error))
                continue
            self._events[key[1]] = event
        await self._set_apart(bad)
        # A kill may have come before a notice was kept; what is known is not said again.
        now = self._clock.now()
        for event, span in self.between(now, now):
            for one in event.blamed:
                self._scale.announce(event, one, span, now)

    async def _set_apart(self, bad: Mapping[Key, str]) -> None:
        try:
            await self._table.quarantine(bad)
        except StateError as error:
            log.error("events.not_quarantined", error=str(error), outcome="judged again later")

    async def run(self) -> None:
        """Look again and again whether a change burns more than what was before it."""
        while True:
            await self._clock.sleep(EVERY)
            try:
                await self._look(self._clock.now())
            except StateError as error:
                log.error("event.not_kept", error=str(error), outcome="tried again later")

    # --- what others ask ------------------------------------------------------------------------

    def now(self) -> float:
        """The time, in unix seconds."""
        return self._clock.now()

    def between(self, start: float, end: float) -> list[tuple[Event, Span]]:
        """The events that matter between two moments, newest first, and from when to when."""
        return self._ordered().between(start, end, self._clock.now())

    def concerning(
        self, slo: str, service: str, start: float, end: float
    ) -> list[tuple[Event, Span]]:
        """Those of them that concern an SLO."""
        return self._ordered().of(slo, service, start, end, self._clock.now())

    def causes(self, slo: str, service: str, start: float, end: float) -> Iterable[Cause]:
        """What concerned an SLO between two moments, for a review."""
        for event, (begin, until) in self.concerning(slo, service, start, end):
            yield Cause(event.kind, event.name, begin, until, event.link)

    def warnings(self, service: str) -> Sequence[str]:
        """Changes of a service that burn more than before and whose effect is not over."""
        now = self._clock.now()
        return [
            f"{event.kind} {event.name} of {rfc3339(event.start)}: "
            f"{words.blamed(self._scale.as_of(one, span, now))}"
            for event, span in self.between(now, now + 1)
            if span[1] > now
            for one in event.blamed
            if self._service(one.slo) == service
        ]

    async def costs(self, event: Event, start: float, end: float) -> list[Cost]:
        """What an event spent, by SLO instance."""
        return await self._scale.costs(event, start, end, self._clock.now())

    # --- what the API does ----------------------------------------------------------------------

    async def add(self, raw: Mapping[str, Any], by: str, key: str | None) -> tuple[Event, bool]:
        """Make one, and whether it is new: the same id, or the same `key` of a request that was
        repeated, is the same event."""
        now = self._clock.now()
        slos = self._engine.accounts
        services = {account.slo.service for account in slos.values()}
        asked = read_event(raw, slos, services, now)
        again = blake2s(key.encode(), digest_size=8).hexdigest() if key else None
        ident = asked.id or again or secrets.token_hex(4)
        event = Event(
            ident,
            API,
            asked.kind,
            asked.name,
            asked.service,
            asked.slos,
            asked.start,
            asked.end,
            asked.link,
            by,
            now,
        )
        return await self.keep(event)

    async def keep(self, event: Event) -> tuple[Event, bool]:
        """Keep one, unless its id is known; it counts once it is on disk."""
        async with self._changing:
            if (known := self._events.get(event.id)) is not None:
                return known, False
            await self._write([event], "added", event.by)
            for old in self._oldest():
                del self._events[old.id]
            self._spans = None
        self._told(event)
        log.info("event.added", id=event.id, kind=event.kind, name=event.name, by=event.by)
        return event, True

    async def end(self, ident: str, raw: Any, by: str) -> Event:
        """Say when one was over; `NotFound`, `ConfigError` or `StateError` when that cannot be."""
        async with self._changing:
            event, now = look_up(ident, self._events), self._clock.now()
            findings = Findings("")
            when = now if raw is None else moment(raw, ("end",), now, findings)
            if when < event.start:
                findings.error(("end",), "must not be before the event began")
            findings.raise_errors()
            event = replace(event, end=when)
            await self._write([event], "ended", by)
        for one in event.blamed:
            self._engine.notices.end(words.key(event, one), min(when, now))
        self._told(event)
        return event

    async def remove(self, ident: str, by: str, why: str) -> None:
        """Take one back; the record stays."""
        async with self._changing:
            event = look_up(ident, self._events)
            said = words.record("removed", event, by, self._clock.now(), why)
            await self._table.write(Change(drop=[(event.origin, ident)], audit=[said]))
            del self._events[ident]
            self._spans = None
        for one in event.blamed:
            self._engine.notices.end(words.key(event, one), self._clock.now())
        self._changed()

    async def records(self, most: int) -> Sequence[Mapping[str, Any]]:
        """The audit record, newest first."""
        out = []
        for number, body in await self._table.audit(most):
            try:
                said = msgspec.json.decode(body or b"")
                out.append({"number": number, **said, "at": rfc3339(float(said["at"]))})
            except (*_UNREADABLE, KeyError):
                out.append({"number": number, "action": "unreadable"})
        return out

    # --- inside ---------------------------------------------------------------------------------

    def _ordered(self) -> Spans:
        effect = float(self._settings().effect)
        if self._spans is None or effect != self._effect:
            self._spans, self._effect = Spans(self._events.values(), effect), effect
        return self._spans

    async def _look(self, now: float) -> None:
        changes = [
            (event, span)
            for event, span in self.between(now - 2 * EVERY, now)
            if event.kind in CHANGES
        ]
        settings = self._settings()
        limits = settings.significance, settings.min_bad_events
        if found := await self._scale.weigh(changes, *limits, now):
            await self._blame(found, {event.id: span for event, span in changes})
        for event, span in changes:
            for one in event.blamed:
                self._scale.announce(event, one, span, now)
                if span[1] <= now:
                    # Sooner than it was said, since the next one came.
                    self._engine.notices.end(words.key(event, one), span[1])
        await self._forget(now)

    async def _blame(self, found: Mapping[str, Sequence[Blame]], spans: Mapping[str, Span]) -> None:
        """Keep what changes are to blame for, and tell it."""
        async with self._changing:
            # One may have been ended or taken back meanwhile.
            blamed = [
                replace(newest, blamed=(*newest.blamed, *ones))
                for ident, ones in found.items()
                if (newest := self._events.get(ident)) is not None
            ]
            await self._write(blamed, "blamed", "slod")
            for event in blamed:
                for one in found[event.id]:
                    self._scale.announce(event, one, spans[event.id], one.at)
                    log.warning("event.blamed", id=event.id, slo=one.slo, p=one.p, burn=one.after)
                self._told(event)
        if blamed:
            self._changed()

    async def _forget(self, now: float) -> None:
        old = [event for event in self._events.values() if event.start < now - KEPT]
        if old:
            async with self._changing:
                await self._table.write(Change(drop=[(e.origin, e.id) for e in old]))
                for event in old:
                    self._events.pop(event.id, None)
                self._spans = None

    async def _write(self, events: Sequence[Event], action: str, by: str) -> None:
        now, ids = self._clock.now(), {event.id for event in events}
        change = Change(
            put={(event.origin, event.id): words.packed(event) for event in events},
            drop=[(old.origin, old.id) for old in self._oldest(ids) if old.id not in ids],
            audit=[words.record(action, event, by, now, "") for event in events],
        )
        await self._table.write(change)
        self._events |= {event.id: event for event in events}
        self._spans = None

    def _oldest(self, more: Collection[str] = ()) -> Sequence[Event]:
        """Those that are too many, with `more` ids that are to be kept as well."""
        many = max(0, len(self._events.keys() | more) - MOST)
        return nsmallest(many, self._events.values(), key=lambda event: event.start)

    def _service(self, slo: str) -> str:
        account = self._engine.accounts.get(slo)
        return account.slo.service if account is not None else ""
