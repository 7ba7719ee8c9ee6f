"""The tables, and how an older file becomes a newer one.

| table | a row is |
| --- | --- |
| journal | one save: what changed in all SLOs, opaque here |
| snapshot | one SLO as a whole, and the save it was written in |
| outbox | one notification that waits for one endpoint |
| document | something made at run time, or as the configuration last had it, by its kind |
| audit | what was done to one of them, by whom, when and why; never changed |
| said | one notification that was made, for those who look back |
| removed | the ledger of one SLO that is gone from the configuration, or whose SLI was edited |
| quarantine | a copy of one row that could not be used, and why; nothing reads it but people |

Up to schema 3 exclusions had tables of their own.

`crc` is over key and body: SQLite notices a damaged tree, not a damaged value. NULL in rows of
schema 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from zlib import crc32

APPLICATION_ID = 0x534C4F44  # "SLOD"

MIGRATIONS: Sequence[Sequence[str]] = (
    (
        "CREATE TABLE journal (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL)",
        "CREATE TABLE snapshot (slo TEXT PRIMARY KEY, seq INTEGER NOT NULL, body BLOB NOT NULL)",
        """CREATE TABLE outbox (id TEXT PRIMARY KEY, endpoint TEXT NOT NULL, body BLOB NOT NULL,
            attempts INTEGER NOT NULL, due REAL NOT NULL, place INTEGER NOT NULL)""",
    ),
    tuple(
        f"ALTER TABLE {table} ADD COLUMN crc INTEGER" for table in ("journal", "snapshot", "outbox")
    ),
    (
        """CREATE TABLE exclusion (origin TEXT NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
            crc INTEGER NOT NULL, PRIMARY KEY (origin, id))""",
        """CREATE TABLE exclusion_audit (seq INTEGER PRIMARY KEY AUTOINCREMENT, body BLOB NOT NULL,
            crc INTEGER NOT NULL)""",
        *(
            f"CREATE TRIGGER exclusion_audit_{event} BEFORE {event} ON exclusion_audit"
            " BEGIN SELECT RAISE(ABORT, 'an audit record is only added to'); END"
            for event in ("UPDATE", "DELETE")
        ),
    ),
    (
        """CREATE TABLE document (kind TEXT NOT NULL, origin TEXT NOT NULL, id TEXT NOT NULL,
            body BLOB NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (kind, origin, id))""",
        """INSERT INTO document SELECT 'exclusion', origin, id, body,
            iif(crc = checksum(body, origin, id), checksum(body, 'exclusion', origin, id), -1)
            FROM exclusion ORDER BY rowid""",
        """CREATE TABLE audit (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,
            body BLOB NOT NULL, crc INTEGER NOT NULL)""",
        """INSERT INTO audit SELECT seq, 'exclusion', body,
            iif(crc = checksum(body, seq), checksum(body, 'exclusion', seq), -1)
            FROM exclusion_audit""",
        "DROP TABLE exclusion",
        "DROP TABLE exclusion_audit",
        *(
            f"CREATE TRIGGER audit_{event} BEFORE {event} ON audit"
            " BEGIN SELECT RAISE(ABORT, 'an audit record is only added to'); END"
            for event in ("UPDATE", "DELETE")
        ),
        """CREATE TABLE said (seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL,
            body BLOB NOT NULL, crc INTEGER NOT NULL)""",
        "CREATE INDEX said_at ON said (at)",
    ),
    (
        """CREATE TABLE removed (slo TEXT NOT NULL, identity TEXT NOT NULL, at REAL NOT NULL,
            body BLOB NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (slo, identity))""",
        """CREATE TABLE quarantine (seq INTEGER PRIMARY KEY, at REAL NOT NULL, place TEXT NOT NULL,
            key TEXT NOT NULL, reason TEXT NOT NULL, body BLOB, UNIQUE (place, key, reason))""",
    ),
)
"""Statements that lead from schema version i to i + 1; 0 is an empty file. Never change one. They
may call `checksum`."""

VERSION = len(MIGRATIONS)


def checksum(body: bytes, *key: str | int) -> int:
    """The `crc` of a row: CRC-32 over its key and body."""
    return crc32(body, crc32(repr(key).encode()))
