"""Keeps the engine's state on disk: one transaction a save, and all of it back after a restart.

A save holds the operations since the last one (the journal), whole dumps of a few SLOs, so that the
journal stays short, and what changed in the outbox. An SLO is dumped right after its ledger was
sealed, or else in turn: what is left to replay are a few steps at the ledger's head. When the disk
refuses, measuring goes on in memory; the first save that works again writes everything anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
import structlog

from exporter.core.engine import Engine
from exporter.core.memory import Op
from exporter.core.notification import Notification
from exporter.core.outbox import Entry
from exporter.errors import StateError
from exporter.store.database import Loaded, OutboxRow, Save, Store

log = structlog.get_logger()

MOST_UNSAID = 10_000
"""So many notifications are remembered for those who look back while nothing can be saved."""
CYCLE = 32
"""Saves until every SLO has had its whole dump written once."""
_CODEC = 1

_UNREADABLE = (msgspec.MsgspecError, RecursionError, TypeError, ValueError)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_decode_journal = msgspec.msgpack.Decoder(dict[str, list[tuple[Any, ...]]]).decode
_decode_notification = msgspec.msgpack.Decoder(Notification).decode


class Keeper:
    """Between an engine and its store. `degraded`: why nothing can be saved, None while it can."""

    def __init__(self, engine: Engine, store: Store) -> None:
        self.degraded: str | None = None
        self._engine = engine
        self._store = store
        self._unsaved: set[str] = set()
        self._undumped: set[str] = set()
        """Of the SLOs that were to be dumped those that could not be."""
        self._removed: list[str] = []
        self._said: list[tuple[float, bytes]] = []
        self._saves = 0
        self._dumped: dict[str, tuple[int, int]] = {}

    async def restore(self) -> None:
        """Load what there is; an SLO whose state cannot be used begins anew, and is logged."""
        loaded = await self._store.open()
        if self._store.set_aside is not None:
            log.error(
                "state.set_aside",
                moved_to=self._store.set_aside,
                outcome="all SLOs start a new ledger",
            )
        journal = _readable(loaded)
        for name in self._engine.accounts:
            reason = self._restore(name, loaded, journal)
            if reason is None:
                continue
            self._unsaved.add(name)
            if name in loaded.snapshots:
                log.warning(
                    "state.not_used", slo=name, reason=reason, outcome="starts a new ledger"
                )
        self._removed += [name for name in loaded.snapshots if name not in self._engine.accounts]
        self._engine.outbox.load(_entries(loaded.outbox))
        if loaded.notices is not None:
            try:
                self._engine.notices.load(_decode(loaded.notices))
            except _UNREADABLE as error:
                log.error("state.notices_unreadable", error=str(error))

    def _restore(
        self, name: str, loaded: Loaded, journal: Iterable[tuple[int, dict[str, list[Op]]]]
    ) -> str | None:
        if name not in loaded.snapshots:
            return "there is none"
        since, blob = loaded.snapshots[name]
        try:
            codec, dumped = _decode(blob)
        except _UNREADABLE as error:
            return f"unreadable: {error}"
        if codec != _CODEC:
            return f"written in format {codec!r}, this slod reads {_CODEC}"
        if not isinstance(dumped, dict):
            return "unreadable: not a dump"
        return self._engine.restore(
            name, dumped, [logs[name] for seq, logs in journal if seq > since and name in logs]
        )

    async def close(self) -> None:
        """Give the file back."""
        await self._store.close()

    def reconfigured(self, fresh: Iterable[str], removed: Iterable[str]) -> None:
        """SLOs whose ledger began anew, and those that are no more."""
        self._unsaved.update(fresh)
        self._removed += removed
        for name in removed:
            self._dumped.pop(name, None)

    def note(self, said: Iterable[Notification], now: float) -> None:
        """What was said at a moment, to be kept for those who look back; while nothing can be
        saved, the newest."""
        self._said += ((now, _encode(notification)) for notification in said)
        del self._said[:-MOST_UNSAID]

    async def save(self) -> StateError | None:
        """Write what changed; the error is returned too, since nothing is lost in memory."""
        said = self._said
        try:
            save = self._collect()
            if save is None:
                return None
            await self._store.save(save)
        except StateError as error:
            self.degraded = error.reason
            self._said = said + self._said
            return error
        except Exception:
            # What was taken from the engine may not be written: the next save is of everything.
            self.degraded = "internal"
            if self._said is not said:
                self._said = said + self._said
            raise
        self.degraded = None
        return None

    def _collect(self) -> Save | None:
        outbox, logs = self._engine.outbox, self._engine.drain()
        notices = self._engine.notices.changed or self.degraded is not None
        if self.degraded is not None:
            self._unsaved.clear()
            names: Iterable[str] = self._engine.accounts
            rows = outbox.entries()
        elif (
            logs
            or outbox.changed
            or outbox.gone
            or self._unsaved
            or self._removed
            or (notices or self._said)
        ):
            names = self._due() if logs else self._unsaved
            rows = list(outbox.changed.values())
        else:
            return None
        journal = self._journal(logs) if logs and self.degraded is None else None
        save = Save(
            journal=journal,
            snapshots=self._dumps({*names, *self._unsaved} & self._engine.accounts.keys()),
            forget=self._removed,
            outbox_put=[_row(entry) for entry in rows],
            outbox_delete=list(outbox.gone),
            said=self._said,
            notices=_encode(self._engine.notices.dump()) if notices else None,
            replace_all=self.degraded is not None,
        )
        outbox.saved()
        self._engine.notices.changed = False
        self._unsaved, self._removed, self._said = self._undumped, [], []
        self._undumped = set()
        return save

    def _journal(self, logs: dict[str, list[Op]]) -> bytes:
        """The operations since the last save; an SLO whose cannot be written is dumped whole."""
        try:
            return _encode(logs)
        except Exception:  # noqa: BLE001 - found and told below, one SLO after the other
            whole: dict[str, list[Op]] = {}
            for name, log in logs.items():
                with self._engine.apart(name, "saving") as work:
                    _encode(log)
                if work.failed:
                    self._unsaved.add(name)
                else:
                    whole[name] = log
            return _encode(whole)

    def _dumps(self, names: Iterable[str]) -> dict[str, bytes]:
        """Whole dumps; that of an SLO which cannot be written is missing, and tried again."""
        out: dict[str, bytes] = {}
        for name in names:
            with self._engine.apart(name, "saving") as work:
                out[name] = _encode((_CODEC, self._engine.dump(name)))
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


def _row(entry: Entry) -> OutboxRow:
    return OutboxRow(
        entry.id, entry.endpoint, _encode(entry.notification), entry.attempts, entry.due
    )


def _readable(loaded: Loaded) -> list[tuple[int, dict[str, list[Op]]]]:
    """The journal up to the first entry that cannot be read: what later ones counted is bridged by
    the next sample, which an entry left out in between would not be."""
    out = []
    for seq, blob in loaded.journal:
        try:
            out.append((seq, _decode_journal(blob)))
        except _UNREADABLE as error:
            log.error("state.journal_unreadable", entry=seq, error=str(error))
            break
    return out


def _entries(rows: Iterable[OutboxRow]) -> Iterator[Entry]:
    for row in rows:
        try:
            notification: Any = _decode_notification(row.body)
        except _UNREADABLE as error:
            log.error("notification.unreadable", id=row.id, error=str(error))
            continue
        yield Entry(row.id, row.endpoint, notification, row.attempts, row.due)
