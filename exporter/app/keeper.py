"""Keeps the engine's state on disk: one transaction a save, and all of it back after a restart.

A save holds the operations since the last one (the journal), whole dumps of a few SLOs, so that the
journal stays short, and what changed in the outbox. An SLO is dumped right after its ledger was
sealed, or else in turn: what is left to replay are a few steps at the ledger's head. When the disk
refuses, measuring goes on in memory; the first save that works again writes everything anew.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from exporter.app.removed import Removed
from exporter.app.state_bodies import Judged, encode, judge, row, write_removed, write_snapshot
from exporter.core.dumps import Reconfigured, identity
from exporter.core.engine import Engine
from exporter.core.memory import Op
from exporter.core.notification import Notification
from exporter.errors import StateError
from exporter.store.database import Store
from exporter.store.rows import BadRow
from exporter.store.save import Save

log = structlog.get_logger()

MOST_UNSAID = 10_000
"""So many notifications are remembered for those who look back while nothing can be saved."""
CYCLE = 32
"""Saves until every SLO has had its whole dump written once."""
KEEP_REMOVED = 30 * 86_400.0
"""Seconds for which ledgers of removed SLOs are kept, unless `[state] keep_removed` says else."""
_MOST_LOGGED = 20
"""Bad rows that are logged one by one; the quarantine has the others."""


class Keeper:
    """Between an engine and its store. `degraded`: why nothing can be saved, None while it can."""

    def __init__(self, engine: Engine, store: Store, keep_removed: float = KEEP_REMOVED) -> None:
        self.degraded: str | None = None
        self.removed = Removed(engine, store, keep_removed)
        self._engine = engine
        self._store = store
        self._unsaved: set[str] = set()
        self._undumped: set[str] = set()
        """Of the SLOs that were to be dumped those that could not be."""
        self._forget: list[str] = []
        self._said: list[tuple[float, bytes]] = []
        self._saves = 0
        self._dumped: dict[str, tuple[int, int]] = {}

    @property
    def quarantined(self) -> int:
        """Rows of the state file that could not be used."""
        return self._store.quarantined

    async def restore(self) -> None:
        """Load what there is; an SLO whose state cannot be used begins anew, and is logged."""
        loaded = await self._store.open()
        if self._store.set_aside is not None or self._store.emptied:
            log.error(
                "state.set_aside" if self._store.set_aside else "state.emptied",
                moved_to=self._store.set_aside,
                outcome="all SLOs start a new ledger",
            )
        judged = judge(loaded)
        self.removed.load(loaded.removed)
        for name in self._engine.accounts:
            reason = self._restore(name, judged)
            if reason is not None and not await self._taken_back(name):
                self._unsaved.add(name)
                if name in loaded.snapshots:
                    log.warning(
                        "state.not_used", slo=name, reason=reason, outcome="starts a new ledger"
                    )
            elif reason is not None:
                self._unsaved.add(name)
        for name, (_, dump) in judged.snapshots.items():
            if name not in self._engine.accounts:
                self._put_away(name, judged)
                self._forget.append(name)
            elif dump["identity"] != identity(self._engine.accounts[name].slo):
                self._put_away(name, judged)
        self._engine.outbox.load(judged.outbox)
        if judged.notices is not None:
            self._engine.notices.load(judged.notices)
        await self._quarantine(judged)

    def _restore(self, name: str, judged: Judged) -> str | None:
        if name not in judged.snapshots:
            return "there is none that can be used"
        _, dump = judged.snapshots[name]
        reason = self._engine.restore(name, dump, judged.logs(name))
        if reason is not None and dump["identity"] == identity(self._engine.accounts[name].slo):
            bad = BadRow("snapshot", name, reason, write_snapshot(dump), "slo", name)
            judged.bad.append(bad)
        return reason

    def _put_away(self, name: str, judged: Judged) -> None:
        _, dump = judged.snapshots[name]
        self.removed.put(name, dump["identity"], write_removed(dump, judged.logs(name)))

    async def _quarantine(self, judged: Judged) -> None:
        if not judged.bad and not judged.rewritten:
            return
        for bad in judged.bad[:_MOST_LOGGED]:
            log.error("state.quarantined", table=bad.table, key=bad.key, reason=bad.reason)
        if len(judged.bad) > _MOST_LOGGED:
            log.error("state.quarantined", more=len(judged.bad) - _MOST_LOGGED)
        try:
            await self._store.quarantine(judged.bad, judged.rewritten)
        except StateError as error:
            log.error("state.not_quarantined", error=str(error), outcome="judged at the next start")

    async def close(self) -> None:
        """Give the file back."""
        await self._store.close()

    async def reconfigured(self, change: Reconfigured) -> list[str]:
        """Put away ledgers of SLOs that are gone or were edited, and take back those whose
        definition has returned; the names of these."""
        for name, dump in change.dumps.items():
            with self._engine.apart(name, "saving"):
                self.removed.put(name, dump["identity"], write_removed(dump, ()))
        fresh = [*change.added, *change.restarted]
        self._unsaved.update(fresh)
        self._forget += change.removed
        for name in change.removed:
            self._dumped.pop(name, None)
        return [name for name in fresh if await self._taken_back(name)]

    async def _taken_back(self, name: str) -> bool:
        with self._engine.apart(name, "restoring"):
            if await self.removed.take_back(name):
                # A save may have come meanwhile, with the ledger that the SLO had till now.
                self._unsaved.add(name)
                return True
        return False

    def note(self, said: Iterable[Notification], now: float) -> None:
        """What was said at a moment, to be kept for those who look back; while nothing can be
        saved, the newest."""
        self._said += ((now, encode(notification)) for notification in said)
        del self._said[:-MOST_UNSAID]

    async def save(self) -> StateError | None:
        """Write what changed; the error is returned too, since nothing is lost in memory."""
        said, save = self._said, None
        try:
            save = self._collect()
            if save is None:
                await self._store.check()
                return None
            await self._store.save(save)
        except StateError as error:
            if self.degraded != error.reason:
                log.error(
                    "state.cannot_save",
                    reason=error.reason,
                    error=str(error),
                    outcome="measuring goes on in memory; it is saved as soon as that works again",
                )
            self.degraded = error.reason
            self._take_back(save, said)
            return error
        except Exception:
            # What was taken from the engine may not be written: the next save is of everything.
            self.degraded = "internal"
            self._take_back(save, said)
            raise
        if self.degraded is not None:
            log.info("state.saving_again")
        self.degraded = None
        self._log_mended()
        return None

    def _take_back(self, save: Save | None, said: list[tuple[float, bytes]]) -> None:
        """A save failed: what was on its way goes with the next."""
        if self._said is not said:
            self._said = said + self._said
        if save is not None:
            self.removed.unsaved(save)

    def _log_mended(self) -> None:
        mended, self._store.mended = self._store.mended, None
        if mended is None:
            return
        log.warning(
            "state.made_anew",
            reason=mended.why,
            moved_to=mended.aside,
            lost=None if mended.copied else "the audit record, what was said, removed ledgers",
        )
        if not mended.copied:
            self.removed.lost()

    def _collect(self) -> Save | None:
        outbox, logs = self._engine.outbox, self._engine.drain()
        notices = self._engine.notices.changed or self.degraded is not None
        self.removed.expire()
        if self.degraded is not None:
            self._unsaved.clear()
            names: Iterable[str] = self._engine.accounts
            rows = outbox.entries()
        elif (
            logs
            or outbox.changed
            or outbox.gone
            or self._unsaved
            or self._forget
            or self.removed.changed
            or (notices or self._said)
        ):
            names = self._due() if logs else self._unsaved
            rows = list(outbox.changed.values())
        else:
            return None
        journal = self._journal(logs) if logs and self.degraded is None else None
        snapshots = self._dumps({*names, *self._unsaved} & self._engine.accounts.keys())
        written = [row(entry) for entry in rows]
        told = encode(self._engine.notices.dump()) if notices else None
        put, drop = self.removed.drain()
        save = Save(
            journal=journal,
            snapshots=snapshots,
            forget=self._forget,
            outbox_put=written,
            outbox_delete=list(outbox.gone),
            said=self._said,
            notices=told,
            removed_put=put,
            removed_drop=drop,
            replace_all=self.degraded is not None,
        )
        outbox.saved()
        self._engine.notices.changed = False
        self._unsaved, self._forget, self._said = self._undumped, [], []
        self._undumped = set()
        return save

    def _journal(self, logs: dict[str, list[Op]]) -> bytes:
        """The operations since the last save; an SLO whose cannot be written is dumped whole."""
        try:
            return encode(logs)
        except Exception:  # noqa: BLE001 - found and told below, one SLO after the other
            whole: dict[str, list[Op]] = {}
            for name, log in logs.items():
                with self._engine.apart(name, "saving") as work:
                    encode(log)
                if work.failed:
                    self._unsaved.add(name)
                else:
                    whole[name] = log
            return encode(whole)

    def _dumps(self, names: Iterable[str]) -> dict[str, bytes]:
        """Whole dumps; that of an SLO which cannot be written is missing, and tried again."""
        out: dict[str, bytes] = {}
        for name in names:
            with self._engine.apart(name, "saving") as work:
                out[name] = write_snapshot(self._engine.dump(name))
            if work.failed:
                self._undumped.add(name)
        return out

    def _due(self) -> set[str]:
        """Whose dump is due: new ones, those whose ledger was sealed, those not dumped for long."""
        self._saves += 1
        names, self._unsaved = self._unsaved, set()
        for at, name in enumerate(self._engine.accounts):
            seals = self._engine.seals(name)
            then, dumped = self._dumped.setdefault(name, (seals, self._saves - at % CYCLE))
            if seals != then or self._saves - dumped >= CYCLE:
                names.add(name)
        self._dumped.update((name, (self._engine.seals(name), self._saves)) for name in names)
        return names
