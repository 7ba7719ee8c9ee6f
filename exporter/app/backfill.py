"""Says in the log how far the fetching of history is."""

from __future__ import annotations

from math import floor

import structlog

log = structlog.get_logger()

_STEPS = 10


class Backfill:
    """One line when it begins, one for each tenth, one when all is there."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._said: int | None = None

    def at(self, slos: int, progress: float) -> None:
        """So many SLOs are behind, and so much of their history is there, 0 to 1."""
        if progress >= 1.0:
            if self._said is not None:
                log.info("source.backfill_done", source=self._source)
            self._said = None
            return
        tenth = floor(progress * _STEPS)
        if self._said is None or tenth > self._said:
            log.info("source.backfill", source=self._source, slos=slos, progress=round(progress, 2))
            self._said = tenth
