"""How an objective is doing, in one word, and how urgent that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from exporter.core.alert import PAGE
from exporter.core.status import SLOStatus, Snapshot, StepStatus

LOW, WARNING = 0.25, 0.5


class State(Enum):
    """In the order of urgency; the value is its name in an address."""

    PAGING = "paging"
    EXHAUSTED = "exhausted"
    BURNING = "burning"
    UNKNOWN = "unknown"
    LOW = "low"
    WARNING = "warning"
    OK = "ok"

    @property
    def rank(self) -> int:
        """0 is the most urgent."""
        return _ORDER[self]

    @property
    def is_urgent(self) -> bool:
        """Whether it is for somebody now, whatever its service."""
        return self in (State.PAGING, State.EXHAUSTED, State.BURNING)


_ORDER = {state: rank for rank, state in enumerate(State)}

WORDS = {
    State.PAGING: "paging",
    State.EXHAUSTED: "budget gone",
    State.BURNING: "burning",
    State.UNKNOWN: "unknown",
    State.LOW: "under 25%",
    State.WARNING: "under 50%",
    State.OK: "ok",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """An SLO instance as people are told of it; `unknown`: why its numbers are not those of now."""

    status: SLOStatus
    state: State
    unknown: str | None

    @property
    def urgency(self) -> tuple[int, float]:
        """The most urgent is the least."""
        left = self.status.whole_remaining
        return self.state.rank, left if left is not None else 1.0


def see(snapshot: Snapshot) -> list[Seen]:
    """Every instance."""
    out = []
    for status in snapshot.slos:
        unknown = snapshot.unknown.get(status.slo.name)
        with snapshot.apart(status.slo.name, "page"):
            out.append(Seen(status, _state(status, unknown), unknown))
    return out


def paging_steps(status: SLOStatus) -> list[StepStatus]:
    """Those of the budget policy that page."""
    return [step for step in status.steps if step.holds and step.step.severity == PAGE]


def _state(status: SLOStatus, unknown: str | None) -> State:
    firing = [rule.severity for rule in status.rules if rule.firing]
    left = status.whole_remaining
    if PAGE in firing or paging_steps(status):
        return State.PAGING
    if left is not None and left <= 0:
        return State.EXHAUSTED
    if firing:
        return State.BURNING
    if unknown is not None or left is None:
        return State.UNKNOWN
    if left < LOW:
        return State.LOW
    return State.WARNING if left < WARNING else State.OK


def headline(seen: Sequence[Seen], waiting: int) -> str:
    """Whether all is fine, in one sentence; `waiting`: objectives that have no data yet."""
    if not seen:
        return "No objective has data yet." if waiting else "There are no objectives."
    many = f"{len(seen):,} objective{'s' if len(seen) != 1 else ''}"
    without = f"; {waiting:,} without data yet" if waiting else ""
    found: dict[State, list[str]] = {}
    for one in sorted(seen, key=lambda one: one.urgency):
        found.setdefault(one.state, []).append(one.status.slo.name)
    said = [
        f"{_some(found[state])} {verb[len(found[state]) > 1]}"
        for state, verb in _VERBS.items()
        if state in found
    ]
    shut = [
        one.status.slo.name for one in seen if not one.state.is_urgent and not one.status.gate_open
    ]
    if shut:
        without = f"; the budget policy closes the gate of {_some(shut)}{without}"
    if not said:
        low = [state for state in (State.LOW, State.WARNING) if state in found]
        if not low:
            well = "" if without else "All is well: "
            return f"{well}{many}, all with more than half of their budget{without}."
        said = [f"{_some(found[state])}: {WORDS[state]} of the budget left" for state in low]
    return f"Of {many}: {'; '.join(said)}{without}."


_VERBS = {
    State.PAGING: ("pages", "page"),
    State.EXHAUSTED: ("has no budget left", "have no budget left"),
    State.BURNING: ("burns", "burn"),
    State.UNKNOWN: ("is unknown", "are unknown"),
}
_NAMED = 2


def _some(names: Sequence[str]) -> str:
    different = list(dict.fromkeys(names))
    if len(different) <= _NAMED:
        return " and ".join(different)
    return f"{len(names):,}"
