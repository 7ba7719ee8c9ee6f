"""What a connection to a state file shows: whether it is one, its schema, its rows.

The same for a start of the daemon and for `slod state check`, which looks at a copy in memory.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field

from exporter.errors import StateError
from exporter.store import rows
from exporter.store.faults import is_corruption
from exporter.store.rows import BadRow
from exporter.store.schema import APPLICATION_ID, MIGRATIONS, VERSION, checksum
from exporter.store.transaction import Transaction

NOTICES = ("notices", "", "")
BUSY = 2.0
"""Seconds to wait for another program's transaction."""
_MOST_FINDINGS = 10_000

_ROW_AT_FAULT = re.compile(r"(NULL|TEXT|NUMERIC|INT|REAL|BLOB|non-\w+) value in |CHECK constraint")
_INDEX_AT_FAULT = re.compile(r"(missing from|# of entries in|entry in) index |row \d+ of index")


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One notification on its way; `body` is opaque here, `due` in unix seconds."""

    id: str
    endpoint: str
    body: bytes
    attempts: int
    due: float


@dataclass(slots=True)
class Loaded:
    """What the file held: by SLO the save its snapshot belongs to, the journal in order, the rows
    that were `bad`, and by SLO and definition since when a removed ledger is kept."""

    snapshots: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    journal: list[tuple[int, bytes]] = field(default_factory=list)
    outbox: list[OutboxRow] = field(default_factory=list)
    notices: bytes | None = None
    removed: dict[tuple[str, str], float] = field(default_factory=dict)
    bad: list[BadRow] = field(default_factory=list)
    newest: int = 0
    """Number of the newest save."""

    def bad_entries(self) -> list[int]:
        """Numbers of the journal's entries that are bad."""
        entries = [row.value for row in self.bad if row.table == "journal"]
        return [seq for seq in entries if isinstance(seq, int) and 0 < seq < rows.MOST_SEQ]


def connect(path: str, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a connection as everything here expects it; nothing is read or written yet."""
    target = f"{_uri(path)}?mode=ro" if read_only else path
    db = sqlite3.connect(
        target, timeout=BUSY, isolation_level=None, check_same_thread=False, uri=read_only
    )
    try:
        db.create_function("checksum", -1, checksum, deterministic=True)
        # One byte that is no UTF-8 would end the reading of all rows.
        db.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
        if not read_only:
            db.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error:  # the first thing that reads the file; it may be damaged
        db.close()
        raise
    return db


def problem(db: sqlite3.Connection, path: str) -> str | None:
    """Why the file must be set aside: `foreign`, `corrupt`, or None; `StateError` when it is of a
    newer slod."""
    application, version = number(db, "application_id"), number(db, "user_version")
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and application != APPLICATION_ID:
        return "foreign"
    if version < 0:
        return "corrupt"
    if version > VERSION:
        raise StateError(
            "newer",
            f"{path} was written by a newer slod (schema {version}, this one knows "
            f"{VERSION}); run that one, or give another [state] path",
        )
    return None if is_whole(db) else "corrupt"


def is_whole(db: sqlite3.Connection) -> bool:
    """Check the file's trees. Single values are judged by `rows`, and an index is made anew."""
    faults = _faults(db)
    if any(_INDEX_AT_FAULT.search(fault) for fault in faults):
        try:
            db.execute("REINDEX")
        except sqlite3.Error:
            return False
        faults = _faults(db)
    return not faults


def _faults(db: sqlite3.Connection) -> list[str]:
    found = [row[0] for row in db.execute(f"PRAGMA integrity_check({_MOST_FINDINGS})")]
    return [one for one in found if one != "ok" and not _ROW_AT_FAULT.match(one)]


def migrate(db: sqlite3.Connection) -> None:
    """Bring an older schema, or an empty file, to this one's."""
    # Not before the file was checked: this would write to a foreign one.
    db.execute("PRAGMA journal_mode = WAL")
    for version in range(number(db, "user_version"), VERSION):
        with Transaction(db):
            for statement in MIGRATIONS[version]:
                db.execute(statement)
            db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            db.execute(f"PRAGMA user_version = {version + 1}")


def load(db: sqlite3.Connection) -> Loaded:
    """Read every row of a migrated file; bad ones are set apart and hold up no other."""
    loaded = Loaded()
    for slo, seq, body in rows.read(db, rows.SNAPSHOT, loaded.bad):
        loaded.snapshots[slo] = (seq, body)
    loaded.journal += rows.read(db, rows.JOURNAL, loaded.bad)
    for id_, endpoint, attempts, due, _, body in rows.read(db, rows.OUTBOX, loaded.bad):
        loaded.outbox.append(OutboxRow(id_, endpoint, body, attempts, due))
    for *key, body in rows.read(db, rows.DOCUMENT, loaded.bad):
        if tuple(key) == NOTICES:
            loaded.notices = body
    for _ in rows.read(db, rows.SAID, loaded.bad):
        pass  # Read when somebody looks back.
    for slo, identity, at, _ in rows.read(db, rows.REMOVED, loaded.bad):
        loaded.removed[slo, identity] = at
    seqs = [seq for seq, _ in (*loaded.snapshots.values(), *loaded.journal)]
    loaded.newest = max((*seqs, *loaded.bad_entries()), default=0)
    # That it is there must be known before this file is taken.
    db.execute("SELECT seq, kind, body, crc FROM audit LIMIT 0")
    return loaded


def number(db: sqlite3.Connection, pragma: str) -> int:
    """Value of a pragma that is a number."""
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])


def unusable(error: Exception) -> bool:
    """Whether an error of reading is the content's, so that the file is to be set aside."""
    # SQLite quotes a damaged schema in its message, and Python cannot read that.
    return isinstance(error, UnicodeDecodeError) or (
        isinstance(error, sqlite3.DatabaseError) and is_corruption(error)
    )


def _uri(path: str) -> str:
    from pathlib import Path

    return Path(path).absolute().as_uri()
