"""What is known of a look at a process, and what a reading of it can turn out to be."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

START_JITTER = 2.0
"""Seconds: some exporters compute their start time anew at each scrape, a little different; and
Go's moves with the host's clock."""

CLOCKS_APART = 5.0
"""Seconds by which a start may seem to lie after the look that showed it: two clocks differ."""


class Kind(StrEnum):
    """What a reading was; the label `kind` of `slod_readings_total`."""

    BASELINE = "baseline"
    BIRTH = "birth"
    INCREASE = "increase"
    RESET = "reset"
    JITTER = "jitter"
    UNKNOWN = "unknown"
    REFUSED = "refused"


class Verdict(NamedTuple):
    """The kind of a reading, and by what evidence; `before`: the key of the series that it goes on
    from where that is not its own."""

    kind: Kind
    evidence: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Seen:
    """One wanted series of a process in one look.

    `value`: None where the look did not show it. `last`: the newest value before, None where it was
    never met. `pace`: events per second of its own looks, or of its siblings where it has none yet;
    None where nothing is known. `lately`: events per second of its very last look, None where it
    has none of its own. `idle`: seconds since it was seen last, or since the last look at
    the process where it is new. `absent`: the last look did not show it. `created`,
    `was_created`: its own created timestamps, in unix seconds.
    """

    role: int
    key: str
    value: float | None
    last: float | None
    pace: float | None
    idle: float
    absent: bool = False
    created: float | None = None
    was_created: float | None = None
    lately: float | None = None


@dataclass(frozen=True, slots=True)
class Process:
    """One look at a process; times in unix seconds.

    `before`: the last look, None where there was none. `start`, `was_start`: its start time by this
    look and by the last one that showed any. `belief`: how often, from -2 to 2, the page's start
    time turned out to be another process' (above 0) or its own (under 0). `down`: nobody listened
    at the last look. `passed_on`: another process' page shows it. `met`: any of its series was ever
    seen. `troubled`: in one of the last looks another process seemed to answer.
    `missed`: looks before this one failed. `incomplete`: a term without which nothing counts had
    no series yet. `hardly_known`: only a few looks told of its pace.
    `other_form`: a histogram that was there goes on in another form.
    """

    look: float
    before: float
    start: float | None = None
    was_start: float | None = None
    belief: int = 0
    down: bool = False
    passed_on: bool = False
    met: bool = True
    troubled: bool = False
    missed: bool = False
    incomplete: bool = False
    hardly_known: bool = False
    other_form: bool = False


class Decision(NamedTuple):
    """The explanation that was taken, a verdict for each series in the order they came (None for
    those that the look did not show), and the belief about the page's start time after it."""

    explanation: str
    verdicts: list[Verdict | None]
    belief: int


GOES_ON = Verdict(Kind.INCREASE, "difference")
"""The usual reading."""


def start_moved(before: float | None, now: float | None) -> bool:
    """Whether a start time is another one, by more than exporters' jitter."""
    return before is not None and now is not None and abs(now - before) > START_JITTER


def common(one: str, other: str) -> int:
    """How many label pairs two series keys share."""
    return len(pairs(one) & pairs(other))


@lru_cache(maxsize=4096)
def pairs(key: str) -> frozenset[str]:
    """The label pairs of a series key, each as it is written but for its closing quote."""
    return frozenset(key.partition("{")[2].removesuffix('"}').split('",'))
