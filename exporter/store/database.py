"""The state file: SQLite in WAL mode, one transaction a save, used from one thread of its own.

With `synchronous = NORMAL` a killed process loses nothing. A machine that loses power loses what
came after the last checkpoint, whole saves, at most `SYNC_EVERY`; the next samples bridge them.

Before each transaction the file is looked at: one that was deleted, replaced, cut or overwritten is
noticed then, and the next whole save makes it anew (`mending`).
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from exporter.errors import StateError
from exporter.store import mending, quarantine, removed, said
from exporter.store.contents import (
    Loaded,
    connect,
    load,
    migrate,
    problem,
    unusable,
)
from exporter.store.faults import translated
from exporter.store.files import FileLock, emptied, is_database, set_aside, size
from exporter.store.rows import BadRow
from exporter.store.save import Key, Save, write
from exporter.store.schema import checksum
from exporter.store.transaction import Transaction

_T = TypeVar("_T")

MEMORY = ":memory:"
SYNC_EVERY = 30
"""Saves, of which there is one a second at most, until what is saved is synced to the disk."""


class Store:
    """One state file. `set_aside`: where a file that could not be used was moved to. `emptied`: the
    file was there before and had nothing in it any more. `mended`: how the file was made anew, to
    be taken by whoever logs it."""

    def __init__(self, path: str, *, now: Callable[[], float]) -> None:
        self.set_aside: str | None = None
        self.emptied = False
        self.mended: mending.Mended | None = None
        self.quarantined = 0
        """Rows in quarantine."""
        self.documents: dict[str, dict[Key, bytes]] = {}
        """By kind, the documents that were read or written: they outlive the file."""
        # A symbolic link must lead to the same lock as what it points to.
        self._path = path if path == MEMORY else os.path.realpath(path)
        self.now = now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="slod-state")
        self._db: sqlite3.Connection | None = None
        self._seq = 0
        self._unsynced = 0
        self._lock = FileLock(self._path)
        self._fate = ""

    async def open(self) -> Loaded:
        """Make, check, migrate, load. A corrupt or foreign file is set aside first, single rows
        that are bad go to quarantine.

        `StateError` when the file is of a newer slod, in use by another one, or cannot be made.
        """
        return await self._call(self._open)

    async def save(self, save: Save) -> None:
        """Write all of it or, with a `StateError`, nothing.

        A file that is gone or damaged is made anew by a save with `replace_all`.
        """
        await self._call(lambda: self._save(save))

    async def check(self) -> None:
        """`StateError` when the file is not what it was."""
        await self._call(self._look)

    async def transact(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do something in one transaction, all of it or, with a `StateError`, nothing."""
        return await self._call(lambda: self._transact(work))

    async def quarantine(self, bad: Iterable[BadRow], journal: dict[int, bytes | None]) -> None:
        """Move rows that turned out to be bad to quarantine. `journal`: entries to be written anew
        without what was bad in them, or dropped (None)."""
        await self.transact(lambda db: self._quarantine(db, bad, journal))

    async def said(self, start: float, end: float, most: int = -1) -> list[bytes]:
        """What was said from `start` to `end`, oldest first; the newest `most`, all with -1."""
        return await self.transact(lambda db: said.between(db, start, end, most))

    async def removed(self, slo: str, identity: str) -> bytes | None:
        """The ledger of an SLO that is gone; None where none is kept."""
        return await self.transact(lambda db: removed.body_of(db, slo, identity))

    async def size(self) -> int:
        """Bytes on disk, the write-ahead log included."""
        return await self._call(lambda: 0 if self._path == MEMORY else size(self._path))

    async def close(self) -> None:
        """Bring the write-ahead log home and let go of the file."""
        await self._call(self._close)
        self._thread.shutdown(wait=True)

    async def _call(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    # --- in the thread --------------------------------------------------------------------------

    def _open(self) -> Loaded:
        if self._path == MEMORY:
            migrate(self._connect())
            return Loaded()
        folder = Path(self._path).parent
        if not folder.is_dir():
            raise StateError(
                "no_folder", f"the folder {folder} of the state file is not there; make it"
            )
        self._lock.take()
        try:
            return self._open_file()
        except BaseException:
            self._disconnect()
            self._lock.release()
            raise

    def _open_file(self) -> Loaded:
        why: str | None = "corrupt"
        if lost := emptied(self._path):
            self.emptied = True
            if Path(self._path + "-wal").exists():
                # SQLite would delete it; somebody may want to know what was in it.
                self.set_aside = set_aside(self._path, lost, self.now())
            self._lock.take_file()
        try:
            if is_database(self._path):
                self._lock.take_file()
                db = self._connect()
                why = problem(db, self._path)
                if why is None:
                    migrate(db)
                    return self._load(db)
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            if isinstance(error, sqlite3.Error) and not unusable(error):
                raise translated(error, self._path) from error
            why = "corrupt"
        self._disconnect()
        self._lock.release_file()
        self.set_aside = set_aside(self._path, why or "corrupt", self.now())
        self._lock.take_file()
        try:
            migrate(self._connect())
        except sqlite3.DatabaseError as error:
            raise translated(error, self._path) from error
        return Loaded()

    def _load(self, db: sqlite3.Connection) -> Loaded:
        loaded = load(db)
        self._seq = loaded.newest
        with Transaction(db):
            # What the journal lacks decides what may follow in it: see `quarantine`.
            self._quarantine(db, [row for row in loaded.bad if row.table != "journal"], {})
        return loaded

    def _quarantine(
        self, db: sqlite3.Connection, bad: Iterable[BadRow], journal: dict[int, bytes | None]
    ) -> None:
        quarantine.move(db, bad, self.now())
        for seq, body in journal.items():
            if body is None:
                db.execute("DELETE FROM journal WHERE seq = ?", (seq,))
            else:
                row = (body, checksum(body, seq), seq)
                db.execute("UPDATE journal SET body = ?, crc = ? WHERE seq = ?", row)
        self.quarantined = quarantine.count(db)

    def _connect(self) -> sqlite3.Connection:
        self._db = connect(self._path)
        return self._db

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()

    def _look(self) -> None:
        """`StateError` when the file is not what it was."""
        if self._path == MEMORY:
            return
        self._fate = self._fate or self._lock.fate(connected=self._db is not None)
        if self._fate:
            raise StateError(self._fate, f"the state file {self._path} is {self._fate}")

    def _save(self, save: Save) -> None:
        try:
            self._look()
        except StateError:
            # A part of it would be written to a file that has not got the rest.
            if not save.replace_all:
                raise
            self._mend()
        self._seq += 1
        self._transact(lambda db: write(db, save, self._seq))
        self._unsynced += 1
        if self._unsynced >= SYNC_EVERY and self._db is not None:
            self._unsynced = 0
            # Saved is saved: a disk that refuses now refuses the next save too, and that is said.
            with suppress(sqlite3.Error):
                self._db.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def _mend(self) -> None:
        db, self._db = self._db, None
        try:
            self.mended = mending.mend(
                self._path, self._fate, db, self._lock, self.documents, self.now()
            )
        except sqlite3.Error as error:
            raise translated(error, self._path) from error
        except OSError as error:
            raise StateError("io", f"cannot make the state file {self._path}: {error}") from error
        self._fate = ""

    def _transact(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        self._look()
        try:
            db = self._db or self._connect()
            with Transaction(db):
                return work(db)
        except sqlite3.Error as error:
            # A connection that has met a full disk or an I/O error is not trusted again.
            if self._path != MEMORY:
                self._disconnect()
            failed = translated(error, self._path)
            if failed.reason == "corrupt":
                self._fate = "corrupt"
            raise failed from error

    def _close(self) -> None:
        if self._db is not None and self._path != MEMORY and not self._lock.fate(connected=True):
            with suppress(sqlite3.Error):
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._disconnect()
        self._lock.release()
