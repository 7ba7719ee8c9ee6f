"""What can go wrong, drawn as a tree by whose fault it is.

    SlodError
     ├── ConfigError     the operator's file: one line for each finding, exit code 2
     ├── SourceError     an upstream: the poll failed, the next one bridges it
     ├── DeliveryError   a receiver: retried with backoff, or given up when `permanent`
     ├── StateError      the state file: set aside or kept in memory, never overwritten
     └── NotFound        a name in a question of which there is nothing: 404

A library's own exceptions are translated once, at the seam where the library is called; every
`reason` is a short snake_case word that serves as metric label and log field alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

T = TypeVar("T")


class SlodError(Exception):
    """The root of everything slod raises on purpose; `str()` of it is one line."""


class ConfigError(SlodError):
    """The configuration cannot be used.

    `findings` are complete lines that name file, line where known, key path and the way out.
    """

    def __init__(self, *findings: str) -> None:
        super().__init__("; ".join(findings))
        self.findings = findings


class SourceError(SlodError):
    """A poll of a source failed; `reason` is e.g. `timeout`, `refused`, `http_status`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class DeliveryError(SlodError):
    """A receiver did not take a notification.

    `permanent`: a retry cannot help (4xx). `retry_after`: seconds the receiver asked to wait.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        permanent: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.permanent = permanent
        self.retry_after = retry_after


class StateError(SlodError):
    """The state file cannot be read or written; `reason` is e.g. `corrupt`, `disk_full`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class NotFound(SlodError):
    """A question names something that does not exist, `name`.

    An exception of its own, because a `KeyError` may as well be a fault of slod: that is answered
    with 500 and logged.
    """

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no {name!r}")
        self.name = name


def look_up(name: str, mapping: Mapping[str, T]) -> T:
    """The value of a name that somebody asks for; `NotFound` where there is none."""
    if name not in mapping:
        raise NotFound(name)
    return mapping[name]
