"""Budget of bytes that all queries share, from their first column to the last byte of an answer."""

from __future__ import annotations

import threading
from collections.abc import Callable

from exporter.memory_limit import memory_left, memory_share
from exporter.promql.errors import Busy, TooMuch
from exporter.promql.meter import Check, Meter

DEFAULT = 64 * 1024 * 1024
_ANSWERS = 2
"""Half of the budget at most is for answers that wait for their readers, so that slow readers keep
nobody else from asking."""


class QueryMemory:
    """Account of all queries. Its methods may be called from any thread.

    Args:
        configured: `[api] query_memory` in bytes; None: 64 MiB, or a quarter of the memory that the
            control group leaves where that is less.
        left: see `memory_limit.memory_left`.
    """

    def __init__(
        self,
        configured: Callable[[], int | None],
        left: Callable[[], int | None] = memory_left,
    ) -> None:
        self.held = 0
        self.limit = DEFAULT
        self._answers = 0
        self._configured = configured
        self._left = left
        self._lock = threading.Lock()

    def meter(self, check: Check) -> Meter:
        """Account of one more query, which `check` may end."""
        configured = self._configured()
        limit = DEFAULT if configured is None else configured
        if configured is None and (left := self._left()) is not None:
            limit = memory_share(limit, left + self.held)
        with self._lock:
            self.limit = limit
        return Meter(self._reserve, check)

    def answering(self, meter: Meter) -> Callable[[], None]:
        """Count all that a query holds as an answer that is being read; call what is returned at
        its end. Raises `TooMuch` or `Busy` where answers may not hold so much."""
        size, most = meter.held, self.limit // _ANSWERS
        with self._lock:
            if self._answers + size > most:
                raise _refusal(size, most, "an answer")
            self._answers += size

        def end() -> None:
            with self._lock:
                self._answers -= size
            meter.close()

        return end

    def _reserve(self, size: int, own: int) -> None:
        with self._lock:
            if size > 0 and self.held + size > self.limit:
                raise _refusal(own, self.limit, "a query")
            self.held += size


def _refusal(own: int, most: int, who: str) -> TooMuch | Busy:
    if own > most:
        return TooMuch(
            f"{who} may take {most / 2**20:.3g} MiB of memory, and this one needs more; ask for a "
            "shorter time, a longer step or fewer series, or raise query_memory in [api]"
        )
    return Busy("other queries hold the memory that this one needs; ask again later")
