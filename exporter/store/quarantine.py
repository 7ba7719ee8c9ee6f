"""The quarantine: copies of rows that could not be used, each with the reason.

Nothing reads them but people (`slod state dump`): a bad row is out of the way of a start, and still
there for whoever wants to know what it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from exporter.store.rows import BadRow

MOST = 1000
"""Rows that are kept, the newest; a file that is bad all over is no reason for a second one."""


def move(db: sqlite3.Connection, bad: Iterable[BadRow], now: float) -> None:
    """Copy rows into the quarantine and delete them from their tables, in a transaction."""
    for row in bad:
        copy(db, row, now)
        if row.column:
            query = f"DELETE FROM {row.table} WHERE {row.column} = ?"  # noqa: S608 (names of ours)
            db.execute(query, (row.value,))
    db.execute("DELETE FROM quarantine WHERE seq <= (SELECT max(seq) FROM quarantine) - ?", (MOST,))


def copy(db: sqlite3.Connection, row: BadRow, now: float) -> None:
    """Copy one row; the same row with the same reason is kept once."""
    body = row.body if isinstance(row.body, bytes) else repr(row.body).encode()
    db.execute(
        "INSERT OR IGNORE INTO quarantine (at, place, key, reason, body) VALUES (?, ?, ?, ?, ?)",
        (now, row.table, row.key, row.reason, body),
    )


def count(db: sqlite3.Connection) -> int:
    """Number of rows in quarantine."""
    return int(db.execute("SELECT count(*) FROM quarantine").fetchone()[0])
