"""Memory that the control group of this process leaves: a container's limit, or a unit's.

Source: Linux kernel documentation, "Control Group v2" and "Memory Resource Controller" (v1).
"""

from __future__ import annotations

from pathlib import Path

_UNLIMITED = 1 << 60
"""Version 1 has no word for `no limit`; its number for that is the largest there is."""
_V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
_V2 = ("memory.max", "memory.current", "inactive_file")


def memory_left(
    root: Path = Path("/sys/fs/cgroup"), membership: Path = Path("/proc/self/cgroup")
) -> int | None:
    """Bytes up to the nearest limit of the process's groups; None where there is no limit.

    Cached pages of files that are not in use do not count: the kernel drops them first.
    """
    try:
        lines = membership.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None
    limits: list[int] = []
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if controllers and "memory" not in controllers.split(","):
            continue
        base, names = (root / "memory", _V1) if controllers else (root, _V2)
        folder = base / path.lstrip("/")
        # A container may see its own group as the root, while it is told the host's path.
        groups = [g for g in (folder, *folder.parents) if g.is_relative_to(base)]
        limits += [left for g in groups if (left := _left(g, *names)) is not None]
    return min(limits, default=None)


def _left(group: Path, limit: str, usage: str, idle: str) -> int | None:
    try:
        most = int((group / limit).read_text())
        used = int((group / usage).read_text())
        rows = (line.split() for line in (group / "memory.stat").read_text().splitlines())
        unused = next((int(row[1]) for row in rows if row[:1] == [idle]), 0)
    except (OSError, ValueError, IndexError):
        # No limit, which version 2 calls `max`, or no such group here.
        return None
    return None if most >= _UNLIMITED else max(0, most - used + unused)
