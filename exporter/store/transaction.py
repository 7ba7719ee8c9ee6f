"""One transaction of the state file."""

from __future__ import annotations

import sqlite3
from contextlib import suppress


class Transaction:
    """BEGIN IMMEDIATE ... COMMIT, or ROLLBACK when anything went wrong."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            try:
                self._db.execute("COMMIT")
            except sqlite3.Error:
                self._rollback()
                raise
        else:
            self._rollback()

    def _rollback(self) -> None:
        # SQLite may have rolled back by itself, as it does on a full disk.
        with suppress(sqlite3.Error):
            self._db.execute("ROLLBACK")
