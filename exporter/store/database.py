"""The state file: SQLite in WAL mode, one transaction a save, used from one thread of its own.

With `synchronous = NORMAL` a killed process loses nothing; a machine that loses power may lose the
last saves, whole, and the next samples bridge them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from exporter.errors import StateError
from exporter.store import said
from exporter.store.faults import is_corruption, translated
from exporter.store.files import FileLock, is_database, set_aside, size
from exporter.store.schema import APPLICATION_ID, MIGRATIONS, VERSION, checksum
from exporter.store.transaction import Transaction

_T = TypeVar("_T")

MEMORY = ":memory:"
_BUSY = 2.0
_NOTICES = ("notices", "", "")


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One notification on its way; `body` is opaque here, `due` in unix seconds."""

    id: str
    endpoint: str
    body: bytes
    attempts: int
    due: float


@dataclass(slots=True)
class Save:
    """What one transaction writes. `replace_all`: this is everything, what is there goes first;
    not so what was `said`, with the moments of that."""

    journal: bytes | None = None
    snapshots: dict[str, bytes] = field(default_factory=dict)
    forget: list[str] = field(default_factory=list)
    outbox_put: list[OutboxRow] = field(default_factory=list)
    outbox_delete: list[str] = field(default_factory=list)
    said: list[tuple[float, bytes]] = field(default_factory=list)
    notices: bytes | None = None
    replace_all: bool = False


@dataclass(slots=True)
class Loaded:
    """What the file held: by SLO the save its snapshot belongs to, and the journal in order."""

    snapshots: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    journal: list[tuple[int, bytes]] = field(default_factory=list)
    outbox: list[OutboxRow] = field(default_factory=list)
    notices: bytes | None = None


class Store:
    """One state file. `set_aside`: where a file that could not be used was moved to."""

    def __init__(self, path: str, *, now: Callable[[], float]) -> None:
        self.set_aside: str | None = None
        self._path = path
        self._now = now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="slod-state")
        self._db: sqlite3.Connection | None = None
        self._seq = 0
        self._lock = FileLock(path + ".lock")

    async def open(self) -> Loaded:
        """Make, check, migrate, load. A corrupt or foreign file is set aside first.

        `StateError` when the file is of a newer slod, in use by another one, or cannot be made.
        """
        return await self._call(self._open)

    async def save(self, save: Save) -> None:
        """Write all of it or, with a `StateError`, nothing."""
        await self.transact(lambda db: self._write(db, save))

    async def transact(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Do something in one transaction, all of it or, with a `StateError`, nothing."""
        return await self._call(lambda: self._transact(work))

    async def said(self, start: float, end: float, most: int = -1) -> list[bytes]:
        """What was said from `start` to `end`, oldest first; the newest `most`, all with -1."""
        return await self.transact(lambda db: said.between(db, start, end, most))

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
            self._db = self._connect()
            self._migrate(self._db)
            return Loaded()
        folder = Path(self._path).absolute().parent
        if not folder.is_dir():
            raise StateError(
                "no_folder", f"the folder {folder} of the state file is not there; make it"
            )
        self._lock.take()
        try:
            return self._open_file()
        except BaseException:
            self._lock.release()
            raise

    def _open_file(self) -> Loaded:
        problem: str | None = "corrupt"
        try:
            if is_database(self._path):
                self._db = self._connect()
                problem = self._problem(self._db)
            if self._db is not None and problem is None:
                self._migrate(self._db)
                return self._load(self._db)
        except sqlite3.DatabaseError as error:
            if not is_corruption(error):
                raise translated(error, self._path) from error
            problem = "corrupt"
        except UnicodeDecodeError:
            # SQLite quotes a damaged schema in its message, and Python cannot read that.
            problem = "corrupt"
        self._disconnect()
        self.set_aside = set_aside(self._path, problem or "corrupt", self._now())
        self._db = self._connect()
        try:
            self._migrate(self._db)
        except sqlite3.DatabaseError as error:
            raise translated(error, self._path) from error
        return Loaded()

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(
            self._path, timeout=_BUSY, isolation_level=None, check_same_thread=False
        )
        self._db = db
        db.create_function("checksum", -1, checksum, deterministic=True)
        db.execute("PRAGMA synchronous = NORMAL")
        return db

    def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()

    def _problem(self, db: sqlite3.Connection) -> str | None:
        """Why the file must be set aside, if it must."""
        application = _number(db, "application_id")
        version = _number(db, "user_version")
        tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and application != APPLICATION_ID:
            return "foreign"
        if version < 0:
            return "corrupt"
        if version > VERSION:
            raise StateError(
                "newer",
                f"{self._path} was written by a newer slod (schema {version}, this one knows "
                f"{VERSION}); run that one, or give another [state] path",
            )
        check = db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        return None if check == "ok" else "corrupt"

    def _migrate(self, db: sqlite3.Connection) -> None:
        # Not before the file was checked: this would write to a foreign one.
        db.execute("PRAGMA journal_mode = WAL")
        for version in range(_number(db, "user_version"), VERSION):
            with Transaction(db):
                for statement in MIGRATIONS[version]:
                    db.execute(statement)
                db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                db.execute(f"PRAGMA user_version = {version + 1}")

    def _load(self, db: sqlite3.Connection) -> Loaded:
        loaded = Loaded()
        for slo, seq, body, crc in db.execute("SELECT slo, seq, body, crc FROM snapshot"):
            _verify(crc, body, slo, seq)
            loaded.snapshots[slo] = (seq, body)
            self._seq = max(self._seq, seq)
        for seq, body, crc in db.execute("SELECT seq, body, crc FROM journal ORDER BY seq"):
            _verify(crc, body, seq)
            loaded.journal.append((seq, body))
            self._seq = max(self._seq, seq)
        for *row, crc in db.execute(
            "SELECT id, endpoint, body, attempts, due, crc FROM outbox ORDER BY place"
        ):
            one = OutboxRow(*row)
            _verify(crc, one.body, one.id, one.endpoint)
            loaded.outbox.append(one)
        for body, crc in db.execute("SELECT body, crc FROM document WHERE kind = 'notices'"):
            _verify(crc, body, *_NOTICES)
            loaded.notices = body
        # Read later; that they are there must be known before this file is taken.
        db.execute("SELECT kind, origin, id, body, crc FROM document LIMIT 0")
        db.execute("SELECT seq, kind, body, crc FROM audit LIMIT 0")
        db.execute("SELECT seq, at, body, crc FROM said LIMIT 0")
        return loaded

    def _transact(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        try:
            db = self._db or self._connect()
            with Transaction(db):
                return work(db)
        except sqlite3.Error as error:
            # A connection that has met a full disk or an I/O error is not trusted again.
            if self._path != MEMORY:
                self._disconnect()
            raise translated(error, self._path) from error

    def _write(self, db: sqlite3.Connection, save: Save) -> None:
        if save.replace_all:
            for table in ("journal", "snapshot", "outbox"):
                db.execute(f"DELETE FROM {table}")  # noqa: S608 (names of ours)
        self._seq = seq = self._seq + 1
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
        if save.notices is not None:
            row = (*_NOTICES, save.notices, checksum(save.notices, *_NOTICES))
            db.execute("INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?, ?)", row)

    def _close(self) -> None:
        if self._db is not None and self._path != MEMORY:
            with suppress(sqlite3.Error):
                self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._disconnect()
        self._lock.release()


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def _verify(crc: int | None, body: bytes, *key: str | int) -> None:
    if crc is not None and crc != checksum(body, *key):
        raise sqlite3.DataError(f"a row of {key[0]} is not what was written")
