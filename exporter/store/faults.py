"""What SQLite's errors mean for a state file."""

from __future__ import annotations

import sqlite3

from exporter.errors import StateError

_REASONS = {
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_READONLY: "read_only",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_CANTOPEN: "cannot_open",
    sqlite3.SQLITE_CORRUPT: "corrupt",
    sqlite3.SQLITE_NOTADB: "corrupt",
}


def is_corruption(error: sqlite3.DatabaseError) -> bool:
    """Whether the content is at fault, not the way to it. Python's own objections have no code."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in (
        0,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_NOTADB,
        sqlite3.SQLITE_ERROR,  # the tables are not those that the version says
    ) or isinstance(error, sqlite3.DataError)


def translated(error: sqlite3.Error, path: str) -> StateError:
    """The error as everybody above knows it."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return StateError(_REASONS.get(code, "io"), f"cannot use the state file {path}: {error}")
