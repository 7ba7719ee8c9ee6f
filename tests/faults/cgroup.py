"""A control group with a limit of memory, of version 1 or 2, for a process of a test."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

_MOUNT = Path("/sys/fs/cgroup")


class Group:
    """One group; `folder` is where the kernel shows it."""

    def __init__(self, folder: Path, names: tuple[str, str]) -> None:
        self._folder = folder
        self._peak, self._kills = (folder / name for name in names)

    def join(self) -> None:
        """Move the calling process into the group; to be called between fork and exec."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))

    @property
    def peak(self) -> int:
        """Most bytes that the group held at a time, page cache among them."""
        return int(self._peak.read_text())

    @property
    def kills(self) -> int:
        """Number of processes that the kernel killed for the limit."""
        found = re.search(r"^oom_kill (\d+)$", self._kills.read_text(), re.MULTILINE)
        return int(found[1]) if found else 0


@contextlib.contextmanager
def limited(limit: int) -> Iterator[Group | None]:
    """A group of at most so many bytes, without swap; None where this user may make none."""
    name = f"slod-test-{os.getpid()}"
    folder, names = _MOUNT / name, ("memory.peak", "memory.events")
    files = {"memory.max": limit, "memory.swap.max": 0}
    if (_MOUNT / "memory" / "memory.limit_in_bytes").exists():
        folder = _MOUNT / "memory" / name
        names = ("memory.max_usage_in_bytes", "memory.oom_control")
        files = {"memory.limit_in_bytes": limit, "memory.memsw.limit_in_bytes": limit}
    try:
        folder.mkdir()
    except OSError:
        yield None
        return
    try:
        usable = True
        for file, value in files.items():
            # A kernel without swap accounting has no such file; no other one may be missing.
            with contextlib.suppress(OSError):
                (folder / file).write_text(str(value))
        usable = (folder / next(iter(files))).exists() and (folder / names[0]).exists()
        yield Group(folder, names) if usable else None
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()
