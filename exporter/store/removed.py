"""Ledgers of SLOs that are gone from the configuration, or whose SLI was edited; a body is opaque
here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from exporter.store.schema import checksum

MOST = 10_000
"""Ledgers that are kept, the newest: a configuration that is generated may change all the time."""


@dataclass(frozen=True, slots=True)
class RemovedRow:
    """One ledger: whose it is, of which definition, and since when it is not used, in unix
    seconds."""

    slo: str
    identity: str
    at: float
    body: bytes


def put(db: sqlite3.Connection, rows: Iterable[RemovedRow]) -> None:
    """Write ledgers in a transaction; the newest one of an SLO and a definition is kept."""
    db.executemany(
        "INSERT OR REPLACE INTO removed VALUES (?, ?, ?, ?, ?)",
        ((r.slo, r.identity, r.at, r.body, checksum(r.body, r.slo, r.identity)) for r in rows),
    )


def drop(db: sqlite3.Connection, keys: Iterable[tuple[str, str]]) -> None:
    """Delete ledgers by SLO and definition."""
    db.executemany("DELETE FROM removed WHERE slo = ? AND identity = ?", keys)


def body_of(db: sqlite3.Connection, slo: str, identity: str) -> bytes | None:
    """Return the body of one; None where there is none, or it is not what was written."""
    query = "SELECT body, crc FROM removed WHERE slo = ? AND identity = ?"
    row = db.execute(query, (slo, identity)).fetchone()
    return row[0] if row is not None and row[1] == checksum(row[0], slo, identity) else None
