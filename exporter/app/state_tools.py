"""Looking at a state file, mending it and copying it, whether or not a slod runs on it.

Nothing here starts a daemon. Reading works on a copy in memory, so that a file of an older slod is
read as it would be after its migration, and the file itself stays as it is.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import msgspec

from exporter.app.state_bodies import UNREADABLE, Judged, judge, read_removed
from exporter.errors import StateError
from exporter.store import contents, quarantine
from exporter.store.files import COMPANIONS, FileLock, is_database, sync_folder
from exporter.store.rows import BadRow
from exporter.store.schema import VERSION, checksum
from exporter.store.transaction import Transaction


def check(path: str) -> tuple[Judged, int]:
    """Judge every row of a file as a start would; also how many rows are in quarantine.

    `StateError` when it is no state file of this slod, or damaged as a whole.
    """
    with closing(_copy(path)) as db:
        return judge(contents.load(db)), quarantine.count(db)


def repair(path: str, now: float) -> list[BadRow]:
    """Move bad rows to quarantine, as a start would; which rows. `StateError` as `check`.

    A running slod is not disturbed: one transaction, and what it has in memory stays.
    """
    _require(path)
    lock: FileLock | None = FileLock(os.path.realpath(path))
    try:
        assert lock is not None  # it was made above
        lock.take()
    except StateError as error:
        if error.reason != "in_use":
            raise
        lock = None
    try:
        return _repair(path, now, running=lock is None)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    finally:
        if lock is not None:
            lock.release()


def _repair(path: str, now: float, *, running: bool) -> list[BadRow]:
    with closing(contents.connect(path)) as db:
        _require_sound(db, path)
        if contents.number(db, "user_version") < VERSION:
            if running:
                raise StateError("in_use", f"{path} is in use by an older slod; stop that first")
            contents.migrate(db)
        with Transaction(db):
            judged = judge(contents.load(db))
            quarantine.move(db, judged.bad, now)
            for seq, body in judged.rewritten.items():
                if body is None:
                    db.execute("DELETE FROM journal WHERE seq = ?", (seq,))
                else:
                    row = (body, checksum(body, seq), seq)
                    db.execute("UPDATE journal SET body = ?, crc = ? WHERE seq = ?", row)
        return judged.bad


def dump(path: str) -> Iterator[bytes]:
    """Yield a file as lines of JSON, one a row; bytes are base64. `StateError` as `check`."""
    with closing(_copy(path)) as db:
        judged = judge(contents.load(db))
        for slo, (seq, state) in judged.snapshots.items():
            yield _line(table="snapshot", slo=slo, seq=seq, **state)
        for seq, logs in judged.journal:
            yield _line(table="journal", seq=seq, operations=logs)
        for entry in judged.outbox:
            yield _line(table="outbox", entry=entry)
        for kind, origin, ident, body in db.execute(
            "SELECT kind, origin, id, body FROM document WHERE kind != 'notices' ORDER BY rowid"
        ):
            yield _line(table="document", kind=kind, origin=origin, id=ident, body=_json(body))
        yield _line(table="document", kind="notices", body=judged.notices)
        for seq, kind, body in db.execute("SELECT seq, kind, body FROM audit ORDER BY seq"):
            yield _line(table="audit", seq=seq, kind=kind, body=_json(body))
        for seq, at, body in db.execute("SELECT seq, at, body FROM said ORDER BY seq"):
            yield _line(table="said", seq=seq, at=at, body=_packed(body))
        for slo, at, body in db.execute("SELECT slo, at, body FROM removed ORDER BY at"):
            yield _line(table="removed", slo=slo, at=at, body=_removed(body))
        for at, place, key, reason, body in db.execute(
            "SELECT at, place, key, reason, body FROM quarantine ORDER BY seq"
        ):
            yield _line(
                table="quarantine", at=at, place=place, key=key, reason=reason, body=_bytes(body)
            )
        for bad in judged.bad:
            yield _line(table=bad.table, key=bad.key, bad=bad.reason, body=_bytes(bad.body))


def backup(path: str, to: str) -> int:
    """Copy a file as it is at one moment, also of a running slod; the bytes of the copy.

    `StateError` when it cannot be read, or `to` cannot be made or is there already.
    """
    _require(path)
    if Path(to).exists():
        raise StateError("exists", f"{to} is there already; name another file")
    new = f"{to}.new"
    try:
        os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        with closing(_connect(path)) as db, closing(contents.connect(new)) as copy:
            db.backup(copy)
            _require_sound(copy, path)
            copy.execute("PRAGMA journal_mode = DELETE")
        with open(new, "rb+") as file:  # noqa: PTH123 (its descriptor is wanted)
            os.fsync(file.fileno())
        Path(new).rename(to)
        sync_folder(to)
        return Path(to).stat().st_size
    except OSError as error:
        raise StateError("io", f"cannot write {to}: {error}") from error
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _unreadable(path, error) from error
    finally:
        for suffix in ("", *COMPANIONS, "-journal"):
            Path(new + suffix).unlink(missing_ok=True)


def _copy(path: str) -> sqlite3.Connection:
    """A copy in memory, brought to this slod's schema."""
    _require(path)
    copy = contents.connect(":memory:")
    try:
        with closing(_connect(path)) as db:
            db.backup(copy)
        _require_sound(copy, path)
        contents.migrate(copy)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        copy.close()
        raise _unreadable(path, error) from error
    except StateError:
        copy.close()
        raise
    return copy


def _connect(path: str) -> sqlite3.Connection:
    """A connection that reads, and that leaves no file behind."""
    return contents.connect(path, read_only=True)


def _require(path: str) -> None:
    file = Path(path)
    with suppress(OSError):
        if not file.exists():
            raise StateError("no_file", f"{path}: there is no such file")
        if file.is_file() and file.stat().st_size > 0 and is_database(path):
            return
    raise StateError("corrupt", f"{path} is no state file, or one that was cut to nothing")


def _require_sound(db: sqlite3.Connection, path: str) -> None:
    if (why := contents.problem(db, path)) is not None:
        what = "belongs to another program" if why == "foreign" else "is damaged as a whole"
        raise StateError(why, f"{path} {what}; a start would set it aside: restore a backup")


def _unreadable(path: str, error: Exception) -> StateError:
    return StateError("corrupt", f"{path} cannot be read: {error}")


def _line(**row: Any) -> bytes:
    return msgspec.json.encode(row, enc_hook=repr)


def _bytes(body: Any) -> Any:
    return body if isinstance(body, bytes | None) else repr(body)


def _json(body: Any) -> Any:
    try:
        return msgspec.json.decode(body)
    except UNREADABLE:
        return _bytes(body)


def _packed(body: Any) -> Any:
    try:
        return msgspec.msgpack.decode(body)
    except UNREADABLE:
        return _bytes(body)


def _removed(body: Any) -> Any:
    try:
        ledger, operations = read_removed(body)
    except UNREADABLE:
        return _bytes(body)
    return {**ledger, "operations": operations}
