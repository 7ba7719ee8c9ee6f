"""May I deploy? What the error budget policies of some SLOs say, and who overrode it.

Closed beats unknown, unknown beats open: what is not known is never called open.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.core import policy
from exporter.core.override import Override, Verdict
from exporter.core.status import SLOStatus, Snapshot


@dataclass(frozen=True, slots=True)
class Behind:
    """One SLO instance behind a gate, and what it alone says."""

    slo: str
    status: SLOStatus | None
    verdict: Verdict
    reason: str
    override: Override | None

    @property
    def allows(self) -> bool:
        """Whether this one lets a deployment through, overridden or not."""
        verdict = self.override.verdict if self.override else self.verdict
        return verdict is Verdict.OPEN


@dataclass(frozen=True, slots=True)
class Gate:
    """`name`: what was asked for, an SLO or a service. `verdict` is the policy's; `allow` heeds
    overrides. `reopens`: when a closed gate opens if nothing fails any more."""

    name: str
    service: str
    verdict: Verdict
    allow: bool
    reason: str
    behind: Sequence[Behind]
    override: Override | None
    reopens: float | None


def instance(status: SLOStatus, snapshot: Snapshot) -> Behind:
    """What one SLO instance says."""
    slo = status.slo
    verdict, reason = _verdict(status, snapshot)
    return Behind(slo.name, status, verdict, reason, _override(slo.name, slo.service, snapshot))


def gate(name: str, snapshot: Snapshot) -> Gate | None:
    """What a service or an SLO says as a whole; None when there is neither of that name."""
    services = {
        slo: service for slo, service in snapshot.services.items() if name in (slo, service)
    }
    if not services:
        return None
    behind: list[Behind] = []
    failed: set[str] = set()
    for status in snapshot.slos:
        if status.slo.name in services:
            with snapshot.apart(status.slo.name, "gate") as work:
                behind.append(instance(status, snapshot))
            if work.failed:
                failed.add(status.slo.name)
    # One group that fails makes the SLO unknown, whatever its other groups say.
    present = {b.slo for b in behind} - failed
    for slo, service in services.items():
        if slo not in present:
            why = snapshot.why_unseen(slo)
            override = _override(slo, service, snapshot)
            behind.append(Behind(slo, None, Verdict.UNKNOWN, f"{slo}: {why}", override))
    verdict = next(
        (v for v in (Verdict.CLOSED, Verdict.UNKNOWN) if any(b.verdict is v for b in behind)),
        Verdict.OPEN,
    )
    reasons = [b.reason for b in behind if b.verdict is verdict]
    reason = "; ".join(reasons) if verdict is not Verdict.OPEN else _open(behind)
    moments = [b.status.reopens for b in behind if b.verdict is Verdict.CLOSED and b.status]
    known = [m for m in moments if m is not None]
    return Gate(
        name=name,
        service=next(iter(services.values())),
        verdict=verdict,
        allow=all(b.allows for b in behind),
        reason=reason,
        behind=behind,
        override=next((b.override for b in behind if b.override), None),
        reopens=max(known) if known and len(known) == len(moments) else None,
    )


def _verdict(status: SLOStatus, snapshot: Snapshot) -> tuple[Verdict, str]:
    name, unknown = title(status), snapshot.unknown.get(status.slo.name)
    closing = [s.step.state for s in status.steps if s.holds and not s.step.gate_open]
    left = status.whole_remaining
    share = "" if left is None else f", {policy.shown(left)} of the error budget is left"
    if share and (part := status.part(snapshot.show)):
        share += f" after {part}"
    if closing:
        return Verdict.CLOSED, f"{name}: {' and '.join(closing)}{share}"
    if unknown is not None:
        return Verdict.UNKNOWN, f"{name}: {unknown}"
    if left is None:
        return Verdict.UNKNOWN, f"{name}: there are no events in {status.slo.period.label}"
    state = "" if status.policy_state == policy.OK else f" ({status.policy_state})"
    return Verdict.OPEN, f"{name}{state}{share}"


def title(status: SLOStatus) -> str:
    """The name of an instance for people: the SLO and its group."""
    group = ",".join(f"{k}={status.labels[k]}" for k in status.slo.group_by)
    return f"{status.slo.name}{{{group}}}" if group else status.slo.name


def _open(behind: Sequence[Behind]) -> str:
    worst = min((b for b in behind if b.status), key=_left, default=None)
    return worst.reason if worst else ""


def _left(one: Behind) -> float:
    left = one.status.whole_remaining if one.status else None
    return left if left is not None else 1.0


def _override(slo: str, service: str, snapshot: Snapshot) -> Override | None:
    """The override made last of those that hold."""
    found = [o for o in snapshot.overrides if o.holds(slo, service, snapshot.now)]
    return max(found, key=lambda o: o.since, default=None)
