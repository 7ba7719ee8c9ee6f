"""A local server that answers what the test says, and a sink that remembers polls."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from aiohttp import web

from exporter.core.sample import Ask
from exporter.core.selector import Want
from exporter.sources.base import Poll, Source

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Every path goes to the handler; the server's URL."""

    async def answer(request: web.Request) -> web.StreamResponse:
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


class Polls:
    """A sink."""

    def __init__(self) -> None:
        self.all: list[Poll] = []
        self._more = asyncio.Event()

    async def __call__(self, poll: Poll) -> None:
        self.all.append(poll)
        self._more.set()

    async def until(self, enough: Callable[[list[Poll]], bool]) -> list[Poll]:
        """All polls, once there are enough."""
        async with asyncio.timeout(20):
            while not enough(self.all):
                self._more.clear()
                await self._more.wait()
        return self.all

    async def count(self, n: int) -> list[Poll]:
        """The first n polls."""
        return (await self.until(lambda polls: len(polls) >= n))[:n]


@contextlib.asynccontextmanager
async def running(
    source: Source, wants: Sequence[Want | Ask], since: float | None = None
) -> AsyncIterator[Polls]:
    """The source polls while the block runs, a mere want for an SLO of its own."""
    polls = Polls()
    asks = [w if isinstance(w, Ask) else Ask(str(w), (w,), since) for w in wants]
    task = asyncio.create_task(source.run(asks, polls))
    try:
        yield polls
        if task.done():
            task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
