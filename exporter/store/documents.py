"""Documents and their audit record in the state file: what was made at run time and must be found
again (exclusions, overrides, events). What a body says is not looked at here."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exporter.store import quarantine
from exporter.store.database import Store
from exporter.store.rows import MOST_SEQ
from exporter.store.save import Key
from exporter.store.schema import checksum


@dataclass(slots=True)
class Change:
    """What one transaction does: rows to put, rows to drop, and what the record says of it."""

    put: dict[Key, bytes] = field(default_factory=dict)
    drop: list[Key] = field(default_factory=list)
    audit: list[bytes] = field(default_factory=list)


class Documents:
    """Those of one kind, in a store that was opened. All of it raises `StateError`."""

    def __init__(self, store: Store, kind: str) -> None:
        self._store = store
        self._kind = kind

    async def load(self) -> dict[Key, bytes | None]:
        """Every document, oldest first; None for one that is not what was written."""
        documents = await self._store.transact(lambda db: _load(db, self._kind))
        sound = {key: body for key, body in documents.items() if body is not None}
        self._store.documents[self._kind] = sound
        return documents

    async def write(self, change: Change) -> None:
        """All of it or, with a `StateError`, nothing."""
        await self._store.transact(lambda db: _write(db, self._kind, change))
        known = self._store.documents.setdefault(self._kind, {})
        for key in change.drop:
            known.pop(key, None)
        known.update(change.put)

    async def quarantine(self, reasons: Mapping[Key, str]) -> None:
        """Move documents that cannot be used to quarantine, each with the reason in one line."""
        if reasons:
            self._store.quarantined = await self._store.transact(
                lambda db: quarantine.move_documents(db, self._kind, reasons, self._store.now())
            )

    async def quarantined(self) -> list[tuple[str, str]]:
        """Those of this kind that are in quarantine: origin and id in one text, and why."""
        return await self._store.transact(lambda db: quarantine.documents(db, self._kind))

    async def audit(self, most: int) -> Sequence[tuple[int, bytes | None]]:
        """The newest records with their numbers, newest first; None as above."""
        return await self._store.transact(lambda db: _audit(db, self._kind, most))


def put(db: sqlite3.Connection, kind: str, rows: Mapping[Key, bytes]) -> None:
    """Write rows in a transaction that is begun."""
    db.executemany(
        "INSERT INTO document VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (kind, origin, id) DO UPDATE SET body = excluded.body, crc = excluded.crc",
        ((kind, *key, body, checksum(body, kind, *key)) for key, body in rows.items()),
    )


def _load(db: sqlite3.Connection, kind: str) -> dict[Key, bytes | None]:
    rows = db.execute(
        "SELECT origin, id, body, crc FROM document WHERE kind = ? ORDER BY rowid", (kind,)
    )
    return {(origin, id_): _sound(body, crc, kind, origin, id_) for origin, id_, body, crc in rows}


def _write(db: sqlite3.Connection, kind: str, change: Change) -> None:
    db.executemany(
        "DELETE FROM document WHERE kind = ? AND origin = ? AND id = ?",
        ((kind, *key) for key in change.drop),
    )
    put(db, kind, change.put)
    # The number is given here, since the checksum is over it too.
    last = db.execute(
        "SELECT coalesce(max(seq), 0) FROM audit WHERE seq < ?", (MOST_SEQ,)
    ).fetchone()[0]
    db.executemany(
        "INSERT INTO audit VALUES (?, ?, ?, ?)",
        (
            (seq, kind, body, checksum(body, kind, seq))
            for seq, body in enumerate(change.audit, last + 1)
        ),
    )


def _audit(db: sqlite3.Connection, kind: str, most: int) -> list[tuple[int, bytes | None]]:
    rows = db.execute(
        "SELECT seq, body, crc FROM audit WHERE kind = ? ORDER BY seq DESC LIMIT ?", (kind, most)
    )
    return [(seq, _sound(body, crc, kind, seq)) for seq, body, crc in rows]


def _sound(body: object, crc: int, *key: str | int) -> bytes | None:
    return body if isinstance(body, bytes) and crc == checksum(body, *key) else None
