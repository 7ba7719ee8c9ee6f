"""What the state file needs of the file system: a lock on the real file, its place, its mode."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from exporter.errors import StateError

_MAGIC = b"SQLite format 3\0"
_FORMAT_VERSIONS = (b"\1\1", b"\2\2")
"""To write and to read it: with a rollback journal, or a write-ahead log."""
COMPANIONS = ("-wal", "-shm")
_SUFFIXES = ("", *COMPANIONS)
_MODE = 0o600
"""Nobody but the owner: labels and addresses are nobody else's business."""


class FileLock:
    """Held from start to stop, so that two daemons never count into one file.

    Two locks of the kernel, which lets go of them when the process dies, however it dies: one on
    `PATH.lock`, for whoever comes when the file itself is gone, and one on the file itself, so
    that a symbolic link, a hard link or a deleted lock file leads nobody around it.

    SQLite's own locks are of another kind (`fcntl`), and closing any descriptor of the file drops
    them: so the descriptor here stays open as long as a connection does.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._by_name: int | None = None
        self._file: int | None = None
        self._size = 0
        self._log: int | None = None

    def take(self) -> None:
        """Lock the name, and the file where there is one; `StateError` when another process holds
        either or it cannot be written."""
        self._by_name = self._locked(self._path + ".lock", os.O_CREAT)
        try:
            if Path(self._path).exists():
                self.take_file()
        except BaseException:
            self.release()
            raise

    def take_file(self) -> None:
        """Lock the file that is there now, made empty where there is none, in place of the one
        before."""
        self.release_file()
        self._file = self._locked(self._path, os.O_CREAT)
        self._size, self._log = 0, None
        for suffix in COMPANIONS:
            with suppress(OSError):
                Path(self._path + suffix).chmod(_MODE)

    def fate(self, *, connected: bool) -> str:
        """What became of the locked file: empty while it is there and whole, else `gone`,
        `replaced` (another file has its name), or `cut` (it is shorter, or no database).

        `connected`: a connection was open since the last look, so that its write-ahead log must
        still be the same file: one that is deleted is written on, and found by no start.
        """
        if self._file is None:
            return "gone"
        own = os.fstat(self._file)
        try:
            there = Path(self._path).stat()
        except FileNotFoundError:
            return "gone"
        except OSError:
            return ""  # The next access says what is wrong with the way to it.
        if (own.st_dev, own.st_ino) != (there.st_dev, there.st_ino):
            return "replaced"
        # A database never shrinks: nothing here vacuums it.
        if own.st_size < self._size or os.pread(self._file, 16, 0) not in (_MAGIC, b""):
            return "cut"
        self._size = own.st_size
        with suppress(OSError):
            log = Path(self._path + "-wal")
            now = log.stat().st_ino if log.exists() else None
            if connected and self._log not in (None, now):
                return "gone"
            self._log = now if connected else None
        return ""

    def release_file(self) -> None:
        """Let go of the file alone."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def release(self) -> None:
        """Let go of both; taking them again is possible."""
        self.release_file()
        name, self._by_name = self._by_name, None
        if name is not None:
            os.close(name)

    def _owner(self) -> tuple[int, int] | None:
        try:
            state = Path(self._path).stat()
        except OSError:
            return None
        return state.st_uid, state.st_gid

    def _locked(self, path: str, flags: int) -> int:
        import fcntl

        try:
            file = os.open(path, os.O_RDWR | os.O_CLOEXEC | flags, _MODE)
        except OSError as error:
            raise StateError(
                "read_only", f"cannot write beside the state file: {error}; check [state] path"
            ) from error
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise StateError("cannot_open", f"{path} is no regular file; check [state] path")
            with suppress(OSError):  # The file may be another user's, and writable all the same.
                os.fchmod(file, _MODE)
                if os.geteuid() == 0 and (owner := self._owner()) is not None:
                    # What root made beside it must not lock out whoever runs slod.
                    os.fchown(file, *owner)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            raise StateError(
                "in_use",
                f"another slod uses {self._path}; stop it, or give this one another [state] path",
            ) from None
        except StateError:
            os.close(file)
            raise
        except OSError as error:
            os.close(file)
            raise StateError(
                "cannot_lock", f"cannot lock {path}: {error}; put it on a local file system"
            ) from error
        return file


def sync_folder(path: str) -> None:
    """Make a new name in the folder of a file survive a loss of power."""
    folder = os.open(Path(path).absolute().parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def set_aside(path: str, why: str, now: float) -> str:
    """Rename the file and its companions to `PATH.WHY-TIME`; the new path."""
    stamp = datetime.fromtimestamp(now, UTC).strftime("%Y%m%dT%H%M%SZ")
    aside, n = f"{path}.{why}-{stamp}", 1
    while any(Path(aside + suffix).exists() for suffix in _SUFFIXES):
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


def emptied(path: str) -> str:
    """Why there is nothing where something was; empty where that is so.

    A file of no bytes is one that was cut, and a log without its file one whose file was taken
    away. SQLite takes both for a new database and deletes the log.
    """
    file = Path(path)
    if file.exists():
        return "empty" if file.stat().st_size == 0 else ""
    log = Path(path + "-wal")
    return "gone" if log.exists() and log.stat().st_size > 0 else ""


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
