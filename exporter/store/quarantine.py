"""The quarantine: copies of rows that could not be used, each with the reason.

Nothing reads them but people (`slod state dump`): a bad row is out of the way of a start, and still
there for whoever wants to know what it was.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping

from exporter.printable import excerpt
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


def move_documents(
    db: sqlite3.Connection, kind: str, reasons: Mapping[tuple[str, str], str], now: float
) -> int:
    """Move documents of a kind, by origin and id; how many rows are in quarantine then."""
    for (origin, ident), reason in reasons.items():
        key = (kind, origin, ident)
        for rowid, body in db.execute(
            "SELECT rowid, body FROM document WHERE kind = ? AND origin = ? AND id = ?", key
        ).fetchall():
            bad = BadRow("document", excerpt("/".join(key)), reason, body, "rowid", rowid)
            move(db, [bad], now)
    return count(db)


def documents(db: sqlite3.Connection, kind: str) -> list[tuple[str, str]]:
    """Documents of a kind in quarantine: origin and id in one text, and why."""
    rows = db.execute(
        "SELECT key, reason FROM quarantine WHERE place = 'document' ORDER BY seq"
    ).fetchall()
    start = f"{kind}/"
    return [(key.removeprefix(start), reason) for key, reason in rows if key.startswith(start)]


def count(db: sqlite3.Connection) -> int:
    """Number of rows in quarantine."""
    return int(db.execute("SELECT count(*) FROM quarantine").fetchone()[0])
