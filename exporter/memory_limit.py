"""Memory that the cgroups of this process have left: what a container or a unit may still take.

Sources: Linux' Documentation/admin-guide/cgroup-v2.rst ("Memory Interface Files") and
cgroup-v1/memory.rst. Page cache that is not in use counts as left, since the kernel takes it back
before it kills.
"""

from __future__ import annotations

from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_NO_LIMIT = 2**60
"""Version 1 writes a number of about this size, in bytes, where there is no limit."""
_SHARE = 4
"""One part in so many of what is left goes to one purpose: there are several of them, and the
allocator does not give all of it back."""


def memory_left(cgroups: Path = _CGROUPS, own: Path = _OWN) -> int | None:
    """Return the bytes until the nearest limit of this process' cgroups; None without a limit.

    Args:
        cgroups: the folder in which the cgroups of version 1 or 2, or of both, are mounted.
        own: the file that names the cgroups of this process.
    """
    lefts: list[int] = []
    for controllers, path in _own_groups(own):
        if not controllers:
            names = ("memory.max", "memory.current", "inactive_file")
            lefts += _lefts(cgroups, path, names)
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
            lefts += _lefts(cgroups / "memory", path, names)
    return min(lefts, default=None)


def memory_share(most: int, left: int | None) -> int:
    """Return the bytes that one purpose may take: a quarter of what is left, `most` at most."""
    return most if left is None else min(most, max(0, left) // _SHARE)


def _own_groups(own: Path) -> list[tuple[str, list[str]]]:
    """Return controllers (none for version 2) and path of each cgroup of this process."""
    groups = []
    for line in _read(own).splitlines():
        _, colon, rest = line.partition(":")
        controllers, second, path = rest.partition(":")
        if colon and second:
            parts = [part for part in path.split("/") if part]
            # Of a process outside of the namespace's root, whose groups are not to be seen.
            groups.append((controllers, [] if ".." in parts else parts))
    return groups


def _lefts(mount: Path, path: list[str], names: tuple[str, str, str]) -> list[int]:
    """Return what is left of the group and of each that it is in. In a container the names of the
    outer groups may not be there; the mount itself is then the container's own."""
    limit_name, usage_name, cache_name = names
    lefts = []
    for depth in range(len(path) + 1):
        folder = mount.joinpath(*path[:depth])
        limit, usage = _number(folder / limit_name), _number(folder / usage_name)
        if limit is None or usage is None or limit >= _NO_LIMIT:
            continue
        lefts.append(limit - max(0, usage - _cache(folder / "memory.stat", cache_name)))
    return lefts


def _number(file: Path) -> int | None:
    """Return the number in a file; None for `max`, and where there is no such file."""
    text = _read(file).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _cache(file: Path, name: str) -> int:
    for line in _read(file).splitlines():
        key, _, value = line.partition(" ")
        if key == name and value.isascii() and value.isdigit():
            return int(value)
    return 0


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii", "replace")
    except OSError:
        return ""
