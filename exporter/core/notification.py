"""What is said to the outside when an alert changes: one shape for every receiver."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Reason(Enum):
    """Why a notification was made; becomes a log field and a metric label."""

    FIRING = "firing"
    RESOLVED = "resolved"
    RESEND = "resend"


@dataclass(frozen=True, slots=True)
class Notification:
    """One alert at one moment.

    `key` identifies this message (the Idempotency-Key): the same for every attempt to deliver it,
    another for the next transition. `fingerprint` identifies the alert: the same from firing to
    resolved and for the next time it fires. Times are unix seconds; `ends_at` is None while firing.
    `receivers`: the names of those it is for; all, where there are none.
    """

    key: str
    fingerprint: str
    reason: Reason
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: float
    ends_at: float | None
    receivers: tuple[str, ...] = ()

    @property
    def severity(self) -> str:
        """The label receivers choose by."""
        return self.labels.get("severity", "")
