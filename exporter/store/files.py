"""What the state file needs of the file system: to be ours alone, to be moved out of the way."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from exporter.errors import StateError

_MAGIC = b"SQLite format 3\0"
_FORMAT_VERSIONS = (b"\1\1", b"\2\2")
"""To write and to read it: with a rollback journal, or a write-ahead log."""
_SUFFIXES = ("", "-wal", "-shm")


class FileLock:
    """Held from start to stop, so that two daemons never count into one file.

    The kernel lets go of it when the process dies, however it dies.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file: int | None = None

    def take(self) -> None:
        """`StateError` when another process holds it or the file cannot be made."""
        import fcntl

        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateError(
                "read_only", f"cannot write beside the state file: {error}; check [state] path"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self.release()
            raise StateError(
                "in_use",
                f"another slod uses {self._path.removesuffix('.lock')}; "
                "stop it, or give this one another [state] path",
            ) from None

    def release(self) -> None:
        """Let go; taking it again is possible."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def set_aside(path: str, why: str, now: float) -> str:
    """Rename the file and its companions to `PATH.WHY-TIME`; the new path."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside, n = f"{path}.{why}-{stamp}", 1
    while Path(aside).exists():
        n += 1
        aside = f"{path}.{why}-{stamp}-{n}"
    try:
        for suffix in _SUFFIXES:
            with suppress(FileNotFoundError):
                Path(path + suffix).rename(aside + suffix)
    except OSError as error:
        raise StateError(
            why, f"{path} is {why} and cannot be moved away: {error}; move it yourself"
        ) from error
    return aside


def is_database(path: str) -> bool:
    """Whether there is no file yet, or one that begins as SQLite's do.

    SQLite itself takes a file of a few bytes for an empty database and writes over it, and one of
    an unknown write version for one that can only be read (SQLite file format, 1.3.3).
    """
    with suppress(FileNotFoundError), Path(path).open("rb") as file:
        header = file.read(len(_MAGIC) + 4)
        return header == b"" or (header[:16] == _MAGIC and header[18:] in _FORMAT_VERSIONS)
    return True


def size(path: str) -> int:
    """Bytes of the file and its companions."""
    total = 0
    for suffix in _SUFFIXES:
        with suppress(FileNotFoundError):
            total += Path(path + suffix).stat().st_size
    return total
