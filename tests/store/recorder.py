"""Records what SQLite does to its files: a shim in SQLite's own VFS, in the library Python uses.

`sqlite3_vfs.xOpen` of the default VFS is replaced for as long as it records; the methods of each
file that is opened are those of the VFS, with writes, truncations and syncs told first. From the
list one can say what a disk may hold when the power fails: everything that was synced, and of the
rest anything.

Source: SQLite documentation, "The OS Backend (VFS)" and sqlite3.h, whose structures are an ABI.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_void_p, cast
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
"""What a disk writes whole."""

# Names as addresses: SQLite keeps more behind the end of a name than a copy of it would have.
_OPEN = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_int, c_void_p)
_DELETE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int)
_WRITE = CFUNCTYPE(c_int, c_void_p, c_void_p, c_int, c_int64)
_TRUNCATE = CFUNCTYPE(c_int, c_void_p, c_int64)
_SYNC = CFUNCTYPE(c_int, c_void_p, c_int)


class _VFS(Structure):
    _fields_ = (
        *(("iVersion", c_int), ("szOsFile", c_int), ("mxPathname", c_int), ("pNext", c_void_p)),
        *(("zName", c_char_p), ("pAppData", c_void_p), ("xOpen", _OPEN), ("xDelete", _DELETE)),
    )


class _Methods(Structure):
    _fields_ = (
        *(("iVersion", c_int), ("xClose", c_void_p), ("xRead", c_void_p), ("xWrite", _WRITE)),
        *(("xTruncate", _TRUNCATE), ("xSync", _SYNC), ("rest", c_void_p * 13)),
    )


class _File(Structure):
    _fields_ = (("pMethods", POINTER(_Methods)),)


@dataclass(frozen=True)
class Event:
    """One thing done to one file: `write` of `data` at `place`, `truncate` to `place`, `sync`,
    `delete`; or a `mark` of the test's own."""

    what: str
    name: str = ""
    place: int = 0
    data: bytes = b""


@dataclass
class Recording:
    """All that was done, in order."""

    events: list[Event] = field(default_factory=list)

    def mark(self, number: int) -> None:
        """Remember that the test got this far."""
        self.events.append(Event("mark", place=number))


def can_record() -> bool:
    """Whether Python's SQLite shows the functions that this needs."""
    return hasattr(ctypes.CDLL(_sqlite3.__file__), "sqlite3_vfs_find")


@contextmanager
def recording(
    tell: Callable[[Event], None] | None = None, refuse: Callable[[], int] = lambda: 0
) -> Iterator[Recording]:
    """Record everything that is done to files opened inside.

    `tell` gets each event in place of the recording. `refuse` gives the error code of SQLite with
    which writes fail now; 0 while they do not.
    """
    find = ctypes.CDLL(_sqlite3.__file__).sqlite3_vfs_find
    find.restype, find.argtypes = POINTER(_VFS), [c_char_p]
    vfs = find(None).contents
    raw_open = cast(vfs.xOpen, c_void_p).value
    raw_delete = cast(vfs.xDelete, c_void_p).value
    assert raw_open is not None and raw_delete is not None
    real_open, real_delete = _OPEN(raw_open), _DELETE(raw_delete)
    record = Recording()
    tell = tell or record.events.append
    shim = _Shim(tell, refuse)

    @_OPEN
    def opened(of: int, path: int | None, file: int, flags: int, out: int | None) -> int:
        code: int = real_open(of, path, file, flags, out)
        if code == 0 and path:
            shim.wrap(file, _name(path))
        return code

    @_DELETE
    def deleted(of: int, path: int, sync: int) -> int:
        tell(Event("delete", _name(path)))
        code: int = real_delete(of, path, sync)
        return code

    vfs.xOpen, vfs.xDelete = opened, deleted
    try:
        yield record
    finally:
        vfs.xOpen, vfs.xDelete = real_open, real_delete


def _name(path: int) -> str:
    return Path(ctypes.string_at(path).decode()).name


class _Shim:
    """Methods of files that tell what they do; all of it must outlive the files."""

    def __init__(self, tell: Callable[[Event], None], refuse: Callable[[], int]) -> None:
        self._tell = tell
        self._refuse = refuse
        self._names: dict[int, str] = {}
        self._made: dict[int, _Methods] = {}

    def wrap(self, file: int, name: str) -> None:
        """Put the telling methods in place of a file's own."""
        self._names[file] = name
        handle = cast(file, POINTER(_File)).contents
        own = ctypes.addressof(handle.pMethods.contents)
        if own not in self._made:
            self._made[own] = self._methods(own)
        handle.pMethods = ctypes.pointer(self._made[own])

    def _methods(self, own: int) -> _Methods:
        methods = _Methods.from_buffer_copy(ctypes.string_at(own, ctypes.sizeof(_Methods)))
        raw = [
            cast(x, c_void_p).value or 0 for x in (methods.xWrite, methods.xTruncate, methods.xSync)
        ]
        write, truncate, sync = _WRITE(raw[0]), _TRUNCATE(raw[1]), _SYNC(raw[2])
        names, tell, refuse = self._names, self._tell, self._refuse

        def on_write(file: int, data: int, size: int, place: int) -> int:
            if code := refuse():
                return code
            tell(Event("write", names[file], place, ctypes.string_at(data, size)))
            return int(write(file, data, size, place))

        def on_truncate(file: int, size: int) -> int:
            tell(Event("truncate", names[file], size))
            code: int = truncate(file, size)
            return code

        def on_sync(file: int, flags: int) -> int:
            tell(Event("sync", names[file]))
            code: int = sync(file, flags)
            return code

        methods.xWrite, methods.xTruncate = _WRITE(on_write), _TRUNCATE(on_truncate)
        methods.xSync = _SYNC(on_sync)
        return methods


Files = dict[str, bytearray]


def disk_after(events: Sequence[Event]) -> Files:
    """The files when all of this was done, as after `kill -9`."""
    files: Files = {}
    for event in events:
        _do(files, event)
    return files


def disk_after_power_cut(events: Sequence[Event], rng: random.Random) -> Files:
    """Files that a disk may hold when the power fails then: what was synced, and of what came
    after that any part in any order, each write whole or torn between sectors.

    A deletion is kept once the folder is synced, which SQLite does with the first sync of a log or
    journal that it made (`UNIXFILE_DIRSYNC` in its os_unix.c).
    """
    last = {event.name: at for at, event in enumerate(events) if event.what == "sync"}
    folder = _folder_synced(events)
    files: Files = {}
    loose: list[Event] = []
    for at, event in enumerate(events):
        if event.what in ("mark", "sync"):
            continue
        if at < (folder if event.what == "delete" else last.get(event.name, -1)):
            _do(files, event)
        else:
            loose.append(event)
    share = rng.choice((0.0, 0.2, 0.5, 0.8, 0.95))
    kept = [event for event in loose if rng.random() < share]
    if rng.random() < 0.5:
        rng.shuffle(kept)
    for event in kept:
        if event.what == "write" and rng.random() < 0.1:
            cut = rng.randrange(len(event.data) + 1) // SECTOR * SECTOR
            event = Event("write", event.name, event.place, event.data[:cut])
        _do(files, event)
    return files


def _folder_synced(events: Sequence[Event]) -> int:
    """Place of the newest event that synced the folder too; -1 where none did."""
    made: set[str] = set()
    folder = -1
    for at, event in enumerate(events):
        if event.what == "delete":
            made.discard(event.name)
        elif event.what == "sync" and event.name.endswith(("-wal", "-journal")):
            if event.name not in made:
                folder = at
            made.add(event.name)
    return folder


def _do(files: Files, event: Event) -> None:
    if event.what == "delete":
        files.pop(event.name, None)
    elif event.what in ("write", "truncate"):
        content = files.setdefault(event.name, bytearray())
        end = event.place + len(event.data)
        if event.what == "truncate":
            del content[event.place :]
        if len(content) < end:
            content.extend(bytes(end - len(content)))
        content[event.place : end] = event.data
