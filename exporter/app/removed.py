"""Ledgers of SLOs that are gone from the configuration, or whose SLI was edited.

Each is kept for a while (`[state] keep_removed`) under its name and its definition, and comes back
when that very definition does: a file that was written halfway, or an edit that is taken back,
costs no history. What happened meanwhile is bridged by the next sample, as after a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog

from exporter.app.state_bodies import UNREADABLE, read_removed
from exporter.config.moments import rfc3339
from exporter.core.apart import one_line
from exporter.core.dumps import identity
from exporter.core.engine import Engine
from exporter.core.state_check import totals
from exporter.errors import StateError
from exporter.store.database import Store
from exporter.store.removed import RemovedRow
from exporter.store.save import Key, Save
from exporter.web.removed_api import RemovedLedger

log = structlog.get_logger()

_LOOK_EVERY = 3600.0
"""Seconds between two looks for what is too old."""


class Removed:
    """All that are kept, for `keep` seconds each; with 0 nothing is."""

    def __init__(self, engine: Engine, store: Store, keep: float) -> None:
        self.keep = keep
        self._engine = engine
        self._store = store
        self._since: dict[Key, float] = {}
        """Those on disk and those to be written."""
        self._put: dict[Key, RemovedRow] = {}
        self._drop: list[Key] = []
        self._looked = float("-inf")

    @property
    def changed(self) -> bool:
        """Whether there is something to save."""
        return bool(self._put or self._drop)

    def load(self, since: Mapping[Key, float]) -> None:
        """Take what the file has."""
        self._since = dict(since)

    def put(self, slo: str, definition: str, body: bytes) -> None:
        """Keep a ledger from now on."""
        if self.keep <= 0:
            return
        now, key = self._store.now(), (slo, definition)
        self._put[key] = RemovedRow(slo, definition, now, body)
        self._since[key] = now
        log.warning("ledger.put_away", slo=slo, until=rfc3339(now + self.keep))

    async def take_back(self, slo: str) -> bool:
        """Give an SLO the ledger of its definition; False where none is kept that can be used."""
        key = (slo, identity(self._engine.accounts[slo].slo))
        if key not in self._since:
            return False
        try:
            row = self._put.get(key)
            body = row.body if row is not None else await self._store.removed(*key)
        except StateError as error:
            log.error("ledger.not_taken_back", slo=slo, reason=str(error))
            return False
        reason = self._restore(slo, body)
        if reason is not None:
            log.error("ledger.not_taken_back", slo=slo, reason=reason)
            return False
        log.info("ledger.taken_back", slo=slo, removed=rfc3339(self._since[key]))
        self._forget(key)
        return True

    def _restore(self, slo: str, body: bytes | None) -> str | None:
        try:
            dump, logs = read_removed(body or b"")
        except UNREADABLE as error:
            return one_line(error)
        return self._engine.restore(slo, dump, logs, alerts=False)

    def drop(self, slo: str) -> int:
        """Drop the ledgers of an SLO that is gone or was edited; how many there were."""
        keys = [key for key in self._since if key[0] == slo]
        for key in keys:
            self._forget(key)
        if keys:
            log.warning("ledger.dropped", slo=slo, ledgers=len(keys))
        return len(keys)

    def expire(self) -> None:
        """Drop what was kept long enough."""
        now = self._store.now()
        if abs(now - self._looked) < _LOOK_EVERY:
            return
        self._looked = now
        for key in [key for key, at in self._since.items() if now - at > self.keep]:
            self._forget(key)
            log.info("ledger.expired", slo=key[0])

    async def listed(self) -> list[RemovedLedger]:
        """All of them, the newest first; `StateError` when they cannot be read."""
        ledgers: list[RemovedLedger] = []
        for key, at in sorted(self._since.items(), key=lambda one: -one[1]):
            row = self._put.get(key)
            body = row.body if row is not None else await self._store.removed(*key)
            good: float | None = None
            bad: float | None = None
            with suppress(*UNREADABLE):
                good, bad = totals(read_removed(body or b"")[0]["state"])
            reason = "edited" if key[0] in self._engine.accounts else "removed"
            size = len(body or b"")
            ledgers.append(RemovedLedger(key[0], reason, at, at + self.keep, good, bad, size))
        return ledgers

    def drain(self) -> tuple[list[RemovedRow], list[Key]]:
        """What is to be written and deleted; it is on its way then."""
        put, drop = list(self._put.values()), self._drop
        self._put, self._drop = {}, []
        return put, drop

    def unsaved(self, save: Save) -> None:
        """A save failed: take back what was on its way."""
        written = {(row.slo, row.identity): row for row in save.removed_put}
        self._put = {k: row for k, row in written.items() if k in self._since} | self._put
        self._drop = save.removed_drop + self._drop

    def lost(self) -> None:
        """The file is another one, and those on disk are gone with it."""
        self._since = {key: at for key, at in self._since.items() if key in self._put}

    def _forget(self, key: Key) -> None:
        del self._since[key]
        self._put.pop(key, None)
        self._drop.append(key)


class RemovedLedgers:
    """The same for the API; `changed` is called when there is something to save."""

    def __init__(self, removed: Removed, changed: Callable[[], None]) -> None:
        self._removed = removed
        self._changed = changed

    async def listed(self) -> Sequence[RemovedLedger]:
        """All ledgers that are kept."""
        return await self._removed.listed()

    def drop(self, slo: str) -> int:
        """Drop those of one SLO; how many there were."""
        dropped = self._removed.drop(slo)
        if dropped:
            self._changed()
        return dropped
