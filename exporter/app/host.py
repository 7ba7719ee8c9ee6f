"""Whose desk it is: what those who are asked need of the daemon."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from exporter.app.counting import Counting
from exporter.config.load import Config
from exporter.core.status import Snapshot
from exporter.web.exposition import Family
from exporter.web.self_metrics import SelfMetrics


class Host(Protocol):
    """`version` changes with the numbers. `changed` is to be called when something was told that
    alters them."""

    config: Config
    """The one in force."""
    metrics: SelfMetrics
    """What slod knows about itself."""
    changed: Callable[[], None]
    counting: Counting
    """The way of batches into the engine."""

    @property
    def version(self) -> int:
        """See above."""
        ...

    def snapshot(self) -> Snapshot:
        """The numbers of now."""
        ...

    def families(self) -> Sequence[Family]:
        """What stands on the metrics page now."""
        ...
