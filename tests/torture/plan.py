"""What goes wrong, and when: made of the seed alone, so that a run can be had again.

Each fault draws from a generator of its own, so `--only` takes some out and leaves the others where
they were.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.faults.network import FAULTS as NETWORK
from tests.torture.churn import CHANGES
from tests.torture.clients import CLIENTS
from tests.torture.hostile import ODD
from tests.torture.names import LIES
from tests.torture.receivers import MANNERS
from tests.torture.upstream import MOODS

BEGIN = 5.0
"""Seconds after the start in which slod is left alone."""
_STEPS = (-7200.0, -3600.0, -301.0, -59.0, -5.0, -0.7, 0.4, 5.0, 61.0, 301.0, 3600.0, 7200.0)
"""Offsets of the clock, in seconds."""
DISK = {"full": 13, "input/output error": 778}
"""`SQLITE_FULL` and `SQLITE_IOERR_WRITE`."""
OF_HONEST = tuple(sorted(set(NETWORK) - {"plain instead of TLS"}))


@dataclass(frozen=True, order=True)
class Step:
    """At a time, in seconds from the beginning, one thing happens."""

    at: float
    fault: str
    what: str
    facts: dict[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        facts = " ".join(f"{k}={v}" for k, v in self.facts.items())
        return f"{self.at:8.2f}  {self.fault:10} {self.what} {facts}".rstrip()


Draw = Callable[[random.Random], tuple[str, dict[str, Any]]]


def _kill(rng: random.Random) -> tuple[str, dict[str, Any]]:
    what = rng.choice(("kill", "kill", "kill at once again", "stop", "suspend"))
    return what, {"away": round(rng.uniform(0, 3), 2)}


def _power(rng: random.Random) -> tuple[str, dict[str, Any]]:
    return "cut", {"seed": rng.randrange(2**31), "away": round(rng.uniform(0, 2), 2)}


def _disk(rng: random.Random) -> tuple[str, dict[str, Any]]:
    return rng.choice(tuple(DISK)), {"lasts": round(rng.uniform(1, 8), 2)}


def _clock(rng: random.Random) -> tuple[str, dict[str, Any]]:
    back = rng.random() < 0.4
    return "step", {"offset": 0.0 if back else rng.choice(_STEPS)}


def _config(rng: random.Random) -> tuple[str, dict[str, Any]]:
    return rng.choice(CHANGES), {"seed": rng.randrange(2**31)}


def _targets(rng: random.Random) -> tuple[str, dict[str, Any]]:
    if rng.random() < 0.15:
        return "restart", {"target": rng.randrange(8)}
    if rng.random() < 0.3:
        facts = {"target": rng.randrange(8), "lasts": round(rng.uniform(1, 6), 2)}
        return f"network: {rng.choice(OF_HONEST)}", facts
    what = rng.choice((*ODD, *(f"network: {fault}" for fault in OF_HONEST)))
    return what, {"hostile": rng.randrange(8), "seed": rng.randrange(2**31)}


def _one_of(names: Sequence[str]) -> Draw:
    def draw(rng: random.Random) -> tuple[str, dict[str, Any]]:
        facts = {"which": rng.randrange(8), "seed": rng.randrange(2**31)}
        return rng.choice(names), facts | {"lasts": round(rng.uniform(1, 6), 2)}

    return draw


FAULTS: dict[str, tuple[Draw, float, float]] = {
    "kill": (_kill, 10.0, 24.0),
    "power": (_power, 16.0, 40.0),
    "disk": (_disk, 12.0, 30.0),
    "clock": (_clock, 9.0, 25.0),
    "config": (_config, 1.0, 5.0),
    "targets": (_targets, 0.5, 2.0),
    "prometheus": (_one_of(MOODS), 1.0, 6.0),
    "receivers": (_one_of(MANNERS), 1.0, 5.0),
    "clients": (_one_of(CLIENTS), 0.5, 4.0),
    "dns": (_one_of(LIES), 1.0, 5.0),
}
"""By name: what it draws, and the shortest and the longest time between two of its steps."""


def plan(seed: int, seconds: float, only: Sequence[str] = ()) -> list[Step]:
    """All steps of a run whose faults last for so long, in order."""
    return sorted(
        step
        for fault in FAULTS
        if not only or fault in only
        for step in _steps(fault, seed, seconds)
    )


def _steps(fault: str, seed: int, seconds: float) -> Iterator[Step]:
    draw, shortest, longest = FAULTS[fault]
    rng = random.Random(f"{seed} {fault}")
    at = BEGIN + rng.uniform(0, longest)
    while at < seconds:
        what, facts = draw(rng)
        yield Step(round(at, 2), fault, what, facts)
        at += rng.uniform(shortest, longest)
