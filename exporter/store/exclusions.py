"""Exclusions and their audit record in the state file; what a body says is not looked at here."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from exporter.store.database import Store
from exporter.store.schema import checksum

Key = tuple[str, str]
"""Origin and id of an exclusion."""


@dataclass(slots=True)
class Change:
    """What one transaction does: rows to put, rows to drop, and what the record says of it."""

    put: dict[Key, bytes] = field(default_factory=dict)
    drop: list[Key] = field(default_factory=list)
    audit: list[bytes] = field(default_factory=list)


class ExclusionTable:
    """The tables of a store that was opened. All of it raises `StateError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> dict[Key, bytes | None]:
        """Every exclusion; None for one that is not what was written."""
        return await self._store.transact(_load)

    async def write(self, change: Change) -> None:
        """All of it or, with a `StateError`, nothing."""
        await self._store.transact(lambda db: _write(db, change))

    async def audit(self, most: int) -> Sequence[tuple[int, bytes | None]]:
        """The newest records with their numbers, newest first; None as above."""
        return await self._store.transact(lambda db: _audit(db, most))


def _load(db: sqlite3.Connection) -> dict[Key, bytes | None]:
    rows = db.execute("SELECT origin, id, body, crc FROM exclusion ORDER BY rowid")
    return {(origin, id_): _sound(body, crc, origin, id_) for origin, id_, body, crc in rows}


def _write(db: sqlite3.Connection, change: Change) -> None:
    db.executemany("DELETE FROM exclusion WHERE origin = ? AND id = ?", change.drop)
    db.executemany(
        "INSERT INTO exclusion VALUES (?, ?, ?, ?)"
        " ON CONFLICT (origin, id) DO UPDATE SET body = excluded.body, crc = excluded.crc",
        ((*key, body, checksum(body, *key)) for key, body in change.put.items()),
    )
    # The number is given here, since the checksum is over it too.
    last = db.execute("SELECT coalesce(max(seq), 0) FROM exclusion_audit").fetchone()[0]
    db.executemany(
        "INSERT INTO exclusion_audit VALUES (?, ?, ?)",
        ((seq, body, checksum(body, seq)) for seq, body in enumerate(change.audit, last + 1)),
    )


def _audit(db: sqlite3.Connection, most: int) -> list[tuple[int, bytes | None]]:
    rows = db.execute(
        "SELECT seq, body, crc FROM exclusion_audit ORDER BY seq DESC LIMIT ?", (most,)
    )
    return [(seq, _sound(body, crc, seq)) for seq, body, crc in rows]


def _sound(body: object, crc: int, *key: str | int) -> bytes | None:
    return body if isinstance(body, bytes) and crc == checksum(body, *key) else None
