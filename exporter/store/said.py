"""What was said to receivers, kept so that a review can look back; a body is opaque here."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from exporter.store.schema import checksum

KEPT = 400 * 86_400.0
"""Seconds that one is kept: a year, and a month to look back on it."""


def add(db: sqlite3.Connection, rows: Sequence[tuple[float, bytes]]) -> None:
    """Write some with the moments they were said at, in a transaction; drop what is too old."""
    if not rows:
        return
    last = db.execute("SELECT coalesce(max(seq), 0) FROM said").fetchone()[0]
    db.executemany(
        "INSERT INTO said VALUES (?, ?, ?, ?)",
        ((seq, at, body, checksum(body, seq)) for seq, (at, body) in enumerate(rows, last + 1)),
    )
    db.execute("DELETE FROM said WHERE at < ?", (max(at for at, _ in rows) - KEPT,))


def between(db: sqlite3.Connection, start: float, end: float, most: int = -1) -> list[bytes]:
    """Those said from `start` to `end`, in order, the newest `most` of them (all, with -1); damaged
    ones are left out."""
    rows = db.execute(
        "SELECT seq, body, crc FROM said WHERE at >= ? AND at < ? ORDER BY seq DESC LIMIT ?",
        (start, end, most),
    )
    return [body for seq, body, crc in rows if crc == checksum(body, seq)][::-1]
