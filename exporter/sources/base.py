"""The one shape of a source: asked for wants, it hands over batches for as long as it runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from exporter.core.sample import Batch
from exporter.core.selector import Selector, Want
from exporter.errors import SourceError


@dataclass(slots=True)
class Poll:
    """One poll of one target and what came of it: a batch, an error, or both (partly failed)."""

    source: str
    target: str
    seconds: float
    batch: Batch | None = None
    error: SourceError | None = None
    refused: Mapping[str, int] = field(default_factory=dict)
    """Wanted samples that could not be read, by reason."""
    gone: bool = False
    """The target was removed by discovery; its `up` is to be forgotten."""


Sink = Callable[[Poll], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Resume:
    """What an earlier run knew: when a source was last counted, and the targets seen by then."""

    since: float | None = None
    targets: frozenset[str] = field(default_factory=frozenset)


class Source(Protocol):
    """Adding one is a file in this folder and a line in app.py."""

    name: str

    @property
    def targets(self) -> Sequence[str]:
        """Today's targets; a source with none yet is ready all the same."""
        ...

    async def run(self, wants: Sequence[Want], sink: Sink, resume: Resume) -> None:
        """Poll until cancelled; an upstream's failure is a `Poll` with an error, never raised."""
        ...

    async def bounds(self, histogram: Selector) -> list[float]:
        """The bucket bounds there are, for the message about a threshold that is none of them."""
        ...
