"""Remembers of each target when it was looked at, and when its process began."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from exporter.core.memory import Memory
from exporter.core.sample import Batch, Target


def observe(
    memory: Memory, batch: Batch, looked: Mapping[str, float], held: Collection[str]
) -> None:
    """Remember the look at each target: of a scrape at every one, of an upstream's at those
    that are known. `looked`: the last look that counted; `held`: those with later ones that do
    not."""
    for target in {**batch.targets, **looked}:
        facts = batch.targets.get(target)
        look = looked.get(target, 0.0)
        if target not in held:
            look = max(look, _look_of(memory, batch, target, facts))
        if not look:
            continue
        # Where nothing was shown, its start is news for the next look that shows something.
        started = facts.started(looked[target]) if facts and target in looked else None
        down = facts is not None and facts.down and batch.own_clock
        memory.do("target", target, look, started, down)


def _look_of(memory: Memory, batch: Batch, target: str, facts: Target | None) -> float:
    """When a batch looked at a target, whatever it showed; 0 if it did not."""
    if batch.own_clock:
        return batch.at
    looks = facts.looks if facts is not None and target in memory.targets else ()
    return looks[-1] if looks else 0.0
