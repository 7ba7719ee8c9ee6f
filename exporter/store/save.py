"""What one transaction writes into the state file."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from exporter.store import removed, said
from exporter.store.contents import NOTICES, OutboxRow
from exporter.store.removed import RemovedRow
from exporter.store.schema import checksum

Key = tuple[str, str]
"""Origin and id of a document, or SLO and definition of a removed ledger."""


@dataclass(slots=True)
class Save:
    """What one transaction writes. `replace_all`: this is everything, what is there goes first;
    not so what was `said`, with the moments of that, and removed ledgers."""

    journal: bytes | None = None
    snapshots: dict[str, bytes] = field(default_factory=dict)
    forget: list[str] = field(default_factory=list)
    outbox_put: list[OutboxRow] = field(default_factory=list)
    outbox_delete: list[str] = field(default_factory=list)
    said: list[tuple[float, bytes]] = field(default_factory=list)
    notices: bytes | None = None
    removed_put: list[RemovedRow] = field(default_factory=list)
    removed_drop: list[Key] = field(default_factory=list)
    replace_all: bool = False


def write(db: sqlite3.Connection, save: Save, seq: int) -> None:
    """Write it, in a transaction of the caller; `seq` is its number, each one above the last."""
    if save.replace_all:
        for table in ("journal", "snapshot", "outbox"):
            db.execute(f"DELETE FROM {table}")  # noqa: S608 (names of ours)
    if save.journal is not None:
        crc = checksum(save.journal, seq)
        db.execute("INSERT INTO journal VALUES (?, ?, ?)", (seq, save.journal, crc))
    db.executemany("DELETE FROM snapshot WHERE slo = ?", ((slo,) for slo in save.forget))
    db.executemany(
        "INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?)",
        ((slo, seq, body, checksum(body, slo, seq)) for slo, body in save.snapshots.items()),
    )
    if save.snapshots or save.forget:
        db.execute("DELETE FROM journal WHERE seq <= (SELECT min(seq) FROM snapshot)")
    db.executemany("DELETE FROM outbox WHERE id = ?", ((id_,) for id_ in save.outbox_delete))
    db.executemany(
        "INSERT INTO outbox VALUES (?, ?, ?, ?, ?,"
        " (SELECT coalesce(max(place), 0) + 1 FROM outbox), ?)"
        " ON CONFLICT (id) DO UPDATE SET attempts = excluded.attempts, due = excluded.due,"
        " body = excluded.body, crc = excluded.crc",
        (
            (r.id, r.endpoint, r.body, r.attempts, r.due, checksum(r.body, r.id, r.endpoint))
            for r in save.outbox_put
        ),
    )
    said.add(db, save.said)
    removed.drop(db, save.removed_drop)
    removed.put(db, save.removed_put)
    if save.notices is not None:
        row = (*NOTICES, save.notices, checksum(save.notices, *NOTICES))
        db.execute("INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?, ?)", row)
