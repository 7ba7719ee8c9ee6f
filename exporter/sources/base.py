"""The one shape of a source: asked for wants, it hands over batches for as long as it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Protocol

from exporter.clock import Clock
from exporter.core.sample import Ask, Batch
from exporter.core.selector import Selector, Want
from exporter.errors import SourceError


@dataclass(slots=True)
class Poll:
    """One poll of one target and what came of it: a batch, an error, or both (partly failed).

    `faults`: SLOs that the upstream refuses by their own fault (a query that cannot be evaluated),
    each with the reason in one line. They are no error of the target: other SLOs go on.
    """

    source: str
    target: str
    seconds: float
    batch: Batch | None = None
    error: SourceError | None = None
    refused: Mapping[str, int] = field(default_factory=dict)
    """Wanted samples that could not be read, by reason."""
    gone: bool = False
    """The target was removed by discovery; its `up` is to be forgotten."""
    faults: Mapping[str, str] = field(default_factory=dict)

    @property
    def failure(self) -> SourceError | None:
        """Why some of it failed, by whosever fault; None when all went well."""
        fault = next(iter(self.faults.values()), None)
        return self.error or (SourceError("bad_query", fault) if fault is not None else None)


Sink = Callable[[Poll], Awaitable[None]]


class Leaving:
    """Says that a source is to end, and ends its pauses with that."""

    def __init__(self) -> None:
        self._asked = asyncio.Event()

    def __bool__(self) -> bool:
        """True once it is to end."""
        return self._asked.is_set()

    def ask(self) -> None:
        """It is to end."""
        self._asked.set()

    async def pause(self, clock: Clock, seconds: float) -> None:
        """Sleep for so many seconds, or until it is to end."""
        waits = [
            asyncio.ensure_future(clock.sleep(seconds)),
            asyncio.ensure_future(self._asked.wait()),
        ]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in done:
                wait.result()
        finally:
            for wait in waits:
                wait.cancel()


def wanted(asks: Sequence[Ask]) -> list[Want]:
    """What they want, each want once."""
    return list(dict.fromkeys(want for ask in asks for want in ask.wants))


def bucket_bounds(texts: Iterable[str]) -> list[float]:
    """The bounds that `le` labels name, ascending, without infinity."""
    try:
        return sorted({float(le) for le in texts if le} - {inf})
    except ValueError:
        raise SourceError("malformed", "a bucket's le is no number") from None


class Source(Protocol):
    """Adding one is a file in this folder and a line in app/parts.py."""

    name: str

    @property
    def targets(self) -> Sequence[str]:
        """Today's targets; a source with none yet is ready all the same."""
        ...

    @property
    def behind(self) -> Collection[str]:
        """The SLOs whose history is being fetched; one that fails at that is not among them."""
        ...

    @property
    def progress(self) -> float:
        """How much of the history is there, 0 to 1; 1 when nothing is behind, or only what the
        upstream refuses for good."""
        ...

    async def run(self, asks: Sequence[Ask], sink: Sink) -> None:
        """Poll until cancelled; an upstream's failure is a `Poll` with an error, never raised."""
        ...

    def leave(self) -> None:
        """Begin no poll any more; `run` returns once those under way are handed over."""
        ...

    async def close(self) -> None:
        """Close the connections of whoever was asked without `run`."""
        ...

    async def bounds(self, histogram: Selector) -> list[float]:
        """The bucket bounds there are, for the message about a threshold that is none of them."""
        ...
