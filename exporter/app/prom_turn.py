"""One request of Prometheus' API at work: two at a time, each within its bytes and its time, and as
long as its client is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import chain, islice
from time import monotonic
from typing import TypeVar

from exporter.app.query_memory import QueryMemory
from exporter.promql import errors
from exporter.web.prom_api import Fault
from exporter.web.prom_stream import Stream, Terms

AT_ONCE = 2
"""Queries that are computed at the same time; others wait."""
_SENDING = 512 * 1024
"""Bytes that sending takes besides the answer: pieces under way, a compressor, times as text."""
T = TypeVar("T")


class Turn:
    """The turn of one request. `meter` counts its bytes, and raises where its time is up or its
    client has left."""

    def __init__(self, memory: QueryMemory, terms: Terms) -> None:
        self._terms = terms
        self._until = monotonic() + terms.within
        self._over = False
        self._memory = memory
        self.meter = memory.meter(self._check)
        self._end: Callable[[], None] = self.meter.close

    async def compute(self, work: Callable[[], T]) -> T:
        """Do this in a thread. A request that is cancelled ends only when its thread has, so that
        there are never more of them than turns."""
        thread = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            return await asyncio.shield(thread)
        except asyncio.CancelledError:
            self._over = True
            await asyncio.wait([thread])
            raise

    async def send(self, pieces: Callable[[], Iterator[bytes]]) -> Stream:
        """The pieces of the answer, all of whose bytes are counted until it is sent."""

        def begun() -> tuple[list[bytes], Iterator[bytes]]:
            rest = pieces()
            return list(islice(rest, 2)), rest

        first, rest = await self.compute(begun)
        if len(first) > 1:
            self.meter.take(_SENDING)
            self._end = self._memory.answering(self.meter)
            stream = Stream(chain(first, rest), self._end)
            self._end = _nothing
            return stream
        return Stream(iter(first), _nothing, is_whole=True)

    def close(self) -> None:
        """Give back what no stream holds."""
        self._over = True
        self._end()

    def _check(self) -> None:
        if self._over or self._terms.gone():
            raise errors.Canceled("the query was canceled: its client has left")
        if monotonic() > self._until:
            raise errors.TimedOut("query timed out in expression evaluation")


class Turns:
    """Requests, each of which waits for its turn."""

    def __init__(self, memory: QueryMemory) -> None:
        self._memory = memory
        self._free = asyncio.Semaphore(AT_ONCE)

    @asynccontextmanager
    async def next(self, terms: Terms) -> AsyncIterator[Turn]:
        """Wait for a turn, no longer than the terms allow. What is wrong with a query is a `Fault`;
        a `MemoryError` leaves the turn, as every failure that is not the query's."""
        turn = Turn(self._memory, terms)
        try:
            await self._wait(terms.within)
            try:
                turn.meter.check()
                yield turn
            finally:
                turn.close()
                self._free.release()
        except errors.QueryError as error:
            raise fault(error) from None

    async def _wait(self, within: float) -> None:
        try:
            async with asyncio.timeout(within):
                await self._free.acquire()
        except TimeoutError:
            raise errors.TimedOut("query timed out in query queue") from None


def fault(error: Exception) -> Fault:
    """Prometheus' error type and status code of a query that was not answered."""
    if isinstance(error, errors.BadData):
        return Fault("bad_data", 400, str(error))
    if isinstance(error, errors.TimedOut):
        return Fault("timeout", 503, str(error))
    if isinstance(error, errors.Canceled):
        return Fault("canceled", 503, str(error))
    if isinstance(error, errors.Busy):
        return Fault("unavailable", 503, str(error))
    return Fault("execution", 422, str(error))


def _nothing() -> None:
    pass
