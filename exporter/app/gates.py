"""Gates, and the overrides somebody made of them: kept, recorded, announced, ended in time."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import structlog

from exporter.clock import Clock
from exporter.config.moments import rfc3339
from exporter.config.overrides import read_override
from exporter.core.amounts import is_time
from exporter.core.engine import Engine
from exporter.core.gate import Gate, gate
from exporter.core.notices import Notice
from exporter.core.override import Override
from exporter.core.status import Snapshot
from exporter.errors import ConfigError, NotFound, StateError
from exporter.printable import excerpt
from exporter.store.database import Store
from exporter.store.documents import Change, Documents
from exporter.web.gate_api import Record

log = structlog.get_logger()

MOST = 1000
"""So many can hold at a time."""
_ORIGIN = "api"

_encode = msgspec.json.Encoder(order="sorted").encode
_UNREADABLE = (msgspec.MsgspecError, TypeError, ValueError)


class Gates:
    """What may be deployed. `snapshot`: the numbers of now. `changed` is called when an override
    came or went. `warnings`: what else speaks against deploying a service, in a line each."""

    def __init__(
        self,
        engine: Engine,
        store: Store,
        clock: Clock,
        snapshot: Callable[[], Snapshot],
        changed: Callable[[], None],
        warnings: Callable[[str], Sequence[str]],
    ) -> None:
        self.warnings = warnings
        self._engine = engine
        self._table = Documents(store, "override")
        self._clock = clock
        self._snapshot = snapshot
        self._changed = changed
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Load those that hold still; what is over is on record."""
        try:
            rows = await self._table.load()
        except StateError as error:
            log.error("overrides.not_loaded", error=str(error))
            rows = {}
        found: list[Override] = []
        over: list[tuple[str, str]] = []
        bad: dict[tuple[str, str], str] = {}
        now = self._clock.now()
        for key, body in rows.items():
            try:
                override = msgspec.json.decode(body or b"", type=Override)
                if not (is_time(override.since) and is_time(override.until)):
                    raise ValueError("a time of the override is none")
            except _UNREADABLE as error:
                log.error("override.unreadable", id=key[1], outcome="the policy decides")
                bad[key] = excerpt(str(error))
                continue
            if override.until > now:
                found.append(override)
            else:
                over.append(key)
        self._engine.overrides = tuple(found)
        if over or bad:
            try:
                await self._table.quarantine(bad)
                await self._table.write(Change(drop=over))
            except StateError as error:
                log.warning("overrides.not_dropped", error=str(error), outcome="tried again later")

    # --- what the API asks ----------------------------------------------------------------------

    def gate(self, name: str) -> Gate | None:
        """What an SLO or a service says now."""
        now = replace(
            self._snapshot(), now=self._clock.now(), overrides=tuple(self._engine.overrides)
        )
        return gate(name, now)

    def names(self) -> Sequence[str]:
        """Every SLO and service there is."""
        slos = [account.slo for account in self._engine.accounts.values()]
        return sorted({name for slo in slos for name in (slo.name, slo.service)})

    def listed(self) -> Sequence[Override]:
        """Those that hold."""
        now = self._clock.now()
        return [override for override in self._engine.overrides if override.until > now]

    async def add(self, raw: Mapping[str, Any], by: str) -> Override:
        """Make one; it holds once it and its record are on disk."""
        async with self._changing:
            now = self._clock.now()
            asked = read_override(raw, self.names(), now)
            held = self.listed()
            if len(held) >= MOST:
                raise ConfigError(f"{MOST} overrides hold already; end some of them first")
            override = Override(
                secrets.token_hex(4), asked.scope, asked.verdict, by, asked.reason, now, asked.until
            )
            gone = [(_ORIGIN, o.id) for o in self._engine.overrides if o not in held]
            body = _encode(override)
            said = _record("added", override, by, now, asked.reason)
            change = Change(put={(_ORIGIN, override.id): body}, drop=gone, audit=[said])
            await self._table.write(change)
            self._engine.overrides = (*held, override)
        self._engine.notices.put(self._notice(override))
        log.warning("override.added", id=override.id, by=by, scope=override.scope)
        self._changed()
        return override

    async def remove(self, ident: str, by: str, why: str) -> None:
        """End one before its time."""
        async with self._changing:
            override = next((o for o in self.listed() if o.id == ident), None)
            if override is None:
                raise NotFound(ident)
            now = self._clock.now()
            said = _record("removed", override, by, now, why)
            await self._table.write(Change(drop=[(_ORIGIN, ident)], audit=[said]))
            self._engine.overrides = tuple(o for o in self._engine.overrides if o.id != ident)
        self._engine.notices.end(_key(override), now)
        log.warning("override.removed", id=ident, by=by, why=why)
        self._changed()

    async def records(self, most: int) -> Sequence[Record]:
        """The audit record, newest first."""
        return [_read(number, body) for number, body in await self._table.audit(most)]

    # --- inside ---------------------------------------------------------------------------------

    def _notice(self, override: Override) -> Notice:
        accounts = self._engine.accounts
        slo = accounts[override.scope].slo if override.scope in accounts else None
        service = slo.service if slo is not None else override.scope
        labels = {
            "alertname": "GateOverride",
            "service": service,
            "severity": "ticket",
            "gate": override.verdict.value,
            "override": override.id,
        }
        if slo is not None:
            labels["slo"] = slo.name
        until = rfc3339(override.until)
        words = {
            "summary": f"{override.scope}: {override.owner} made the gate {override.verdict.value}",
            "description": f"Until {until}, whatever the error budget says: {override.reason}",
            "owner": override.owner,
            "deadline": until,
        }
        return Notice(_key(override), labels, words, override.since, override.until)


def _key(override: Override) -> str:
    return f"override/{override.id}"


def _record(action: str, override: Override, by: str, at: float, why: str) -> bytes:
    return _encode(Record(0, at, by, action, why, override))


def _read(number: int, body: bytes | None) -> Record:
    try:
        return replace(msgspec.json.decode(body or b"", type=Record), number=number)
    except _UNREADABLE:
        return Record(number)
