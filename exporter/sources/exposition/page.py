"""What a metrics page held of what is wanted."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.core.sample import Reading
from exporter.core.selector import Selector
from exporter.errors import SourceError


@dataclass(slots=True)
class Page:
    """One page, read `at` this time (unix seconds).

    `started`: when the page's own process began, in unix seconds. `relayed`: (time of the sample,
    start) of each process that the page passes on and has a start time of. `refused`: wanted lines
    that could not be used, by reason: `malformed`, or `duplicate_on_page`, of which the first one
    counts. `samples`: the number of wanted samples that were taken, each once, however many
    selectors want it. `types`: the TYPE of wanted metrics, as far as the page says one. `protobuf`:
    whether it came in that format.
    """

    at: float
    readings: dict[Selector, list[Reading]]
    started: float | None = None
    relayed: dict[str, tuple[float, float]] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    samples: int = 0
    types: dict[str, str] = field(default_factory=dict)
    protobuf: bool = False

    def refuse(self, reason: str) -> None:
        """One wanted line could not be used."""
        self.refused[reason] = self.refused.get(reason, 0) + 1


def no_room(room: int) -> SourceError:
    """There is no memory for all the series that are new."""
    return SourceError(
        "too_many_series",
        f"the cgroup has memory for {room} more new series, and the page has others too; narrow "
        "the selectors or raise the limit",
    )


def too_many(max_series: int) -> SourceError:
    """The page holds more wanted series than one page may."""
    return SourceError(
        "too_many_series",
        f"over max_series = {max_series} wanted series on one page; narrow the selectors "
        "or raise max_series",
    )
