"""What a gate may say, and somebody's word in place of the policy's."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Verdict(Enum):
    """What a gate says."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Override:
    """Somebody's word in place of the policy's, for an SLO or a service (`scope`), from `since`
    until `until` in unix seconds."""

    id: str
    scope: str
    verdict: Verdict
    owner: str
    reason: str
    since: float
    until: float

    def holds(self, slo: str, service: str, now: float) -> bool:
        """Whether it is for this SLO, now."""
        return self.scope in (slo, service) and self.since <= now < self.until
