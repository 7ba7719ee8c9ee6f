"""How many targets a source may have: a list from outside may be as long as it likes."""

from __future__ import annotations

from collections.abc import Callable

from exporter.errors import SourceError
from exporter.memory_limit import memory_left, memory_share

_MOST_TARGETS = 50_000
_TARGET_BYTES = 20 * 1024
"""Bytes that a target takes without its series: its loop, and its connection while it is asked."""


def most_targets(left: Callable[[], int | None] = memory_left) -> int:
    """Return how many targets one source may have: fewer where a cgroup leaves little memory."""
    return memory_share(_MOST_TARGETS * _TARGET_BYTES, left()) // _TARGET_BYTES


def too_many(most: int) -> SourceError:
    """A list has more targets than one source may have."""
    return SourceError("too_many_targets", f"more than {most} targets; those of before stay")
