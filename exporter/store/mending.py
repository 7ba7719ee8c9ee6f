"""A state file that was deleted, replaced, cut or overwritten under a running slod, made anew.

A deleted file lives on as long as it is open, so all of it is copied from there. Of one whose
content is damaged the documents are written anew, since those were read before; what is in memory
of the SLOs follows with the save that asked for this. The audit record and what was said are lost
with such a file, and stay in the one that is set aside.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from exporter.store import contents
from exporter.store.files import COMPANIONS, FileLock, set_aside, sync_folder
from exporter.store.schema import checksum
from exporter.store.transaction import Transaction

_PAGES = -1
"""All pages at one go: nobody else writes to a file that is gone."""


@dataclass(frozen=True, slots=True)
class Mended:
    """Why the file was made anew; whether all of it was copied from what was still open; where the
    file that stood in its place was moved to, if one did."""

    why: str
    copied: bool
    aside: str | None


def mend(
    path: str,
    why: str,
    db: sqlite3.Connection | None,
    lock: FileLock,
    documents: Mapping[str, Mapping[tuple[str, str], bytes]],
    now: float,
) -> Mended:
    """Make the file anew and lock it; `db`, the connection of before, is closed.

    `StateError` when another slod has a file in its place, `OSError` or `sqlite3.Error` when it
    cannot be made.
    """
    new = path + ".new"
    for suffix in ("", *COMPANIONS):
        Path(new + suffix).unlink(missing_ok=True)
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        copied = why in ("gone", "replaced") and db is not None and _copy(db, new)
        if not copied:
            _make(new, documents)
    finally:
        if db is not None:
            with suppress(sqlite3.Error):
                db.close()
    aside = None
    if Path(path).exists():
        # Another slod may have made it, and then it is that one's.
        lock.take_file()
    if any(Path(path + suffix).exists() for suffix in ("", *COMPANIONS)):
        aside = set_aside(path, why, now)
    Path(new).rename(path)
    sync_folder(path)
    lock.take_file()
    return Mended(why, copied, aside)


def _copy(db: sqlite3.Connection, new: str) -> bool:
    """Copy what the old connection still shows; whether that could be done."""
    try:
        with closing(contents.connect(new)) as target:
            db.backup(target, pages=_PAGES)
            if contents.problem(target, new) is None:
                contents.migrate(target)
                target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                return True
    except sqlite3.Error:
        pass
    for suffix in ("", *COMPANIONS):
        Path(new + suffix).unlink(missing_ok=True)
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    return False


def _make(new: str, documents: Mapping[str, Mapping[tuple[str, str], bytes]]) -> None:
    with closing(contents.connect(new)) as target:
        contents.migrate(target)
        with Transaction(target):
            target.executemany(
                "INSERT INTO document VALUES (?, ?, ?, ?, ?)",
                (
                    (kind, *key, body, checksum(body, kind, *key))
                    for kind, rows in documents.items()
                    for key, body in rows.items()
                ),
            )
        target.execute("PRAGMA wal_checkpoint(TRUNCATE)")
