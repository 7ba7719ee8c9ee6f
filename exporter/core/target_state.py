"""What an SLO remembers of a target from one look to the next, and the plain values of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from exporter.core.series import Last

LOST = inf
"""In place of the newest value of a series that goes on under another name, or at zero."""


@dataclass(slots=True)
class TargetState:
    """What is known of a target: its newest observation and process start, in unix seconds, and
    for each term of the SLI the newest sample of each series, by its key.

    `belief`: see `verdicts.Process`. `down`: nobody listened at the newest look. `troubled`: when
    it looked as if another process answered, and how much, the last few times. `others`: starts
    of before that differ by less than a start that moves."""

    last: float
    started: float | None
    series: list[dict[str, Last]]
    belief: int = 0
    down: bool = False
    troubled: tuple[tuple[float, int], ...] = ()
    others: tuple[float, ...] = ()


def shift_targets(targets: Mapping[str, TargetState], seconds: float) -> None:
    """Move everything in time, after the clock that dated it was set."""
    for state in targets.values():
        state.last += seconds
        for series in state.series:
            for key, last in series.items():
                seen = None if last.seen is None else last.seen + seconds
                series[key] = last._replace(time=last.time + seconds, seen=seen)


def forget_targets(
    targets: dict[str, TargetState],
    oldest: float,
    forgot: Callable[[tuple[int, str, str], Last], None] | None,
) -> None:
    """Drop the targets and series that were silent since `oldest`, in unix seconds.

    Args:
        forgot: called with term, target and key of each series that is dropped, and its newest
            sample.
    """
    for target, state in list(targets.items()):
        over = state.last < oldest
        for index, series in enumerate(state.series):
            for key in [k for k, s in series.items() if over or s.time < oldest]:
                last = series.pop(key)
                if forgot is not None:
                    forgot((index, target, key), last)
        if over:
            del targets[target]


def dump_targets(targets: Mapping[str, TargetState]) -> list[Any]:
    """All targets as plain values."""
    return [
        (
            name,
            t.last,
            t.started,
            [[(k, *s) for k, s in d.items()] for d in t.series],
            t.belief,
            t.down,
            t.troubled,
            t.others,
        )
        for name, t in targets.items()
    ]


def load_targets(dumped: Iterable[Any]) -> dict[str, TargetState]:
    """Take back what `dump_targets` gave, now or before processes had a belief."""
    targets: dict[str, TargetState] = {}
    for name, last, started, series, *rest in dumped:
        columns = [{k: Last(*s) for k, *s in one} for one in series]
        belief, down, troubled, others = rest or (0, False, (), ())
        pairs = tuple((when, weight) for when, weight in troubled)
        targets[name] = TargetState(last, started, columns, belief, down, pairs, tuple(others))
    return targets
