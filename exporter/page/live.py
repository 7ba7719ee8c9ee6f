"""Tells open pages that there is something new: server-sent events, one a second at most.

Source: WHATWG HTML, "Server-sent events".
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web

from exporter.clock import Clock

MOST = 64
"""Browsers that are told; others look for themselves now and then."""
LOOK_EVERY = 1.0
HEARTBEAT = 10.0


class Live:
    """`version` changes whenever the numbers do."""

    def __init__(self, clock: Clock, version: Callable[[], object]) -> None:
        self._clock = clock
        self._version = version
        self._streams: set[asyncio.Task[None]] = set()

    async def events(self, request: web.Request) -> web.StreamResponse:
        """A stream that lasts as long as a page of the browser is open."""
        if len(self._streams) >= MOST:
            # A browser does not come back by itself to one that answers so.
            return web.Response(status=204)
        response = web.StreamResponse(
            headers={
                "Content-Type": "text/event-stream",
                "Cache-Control": "no-store",
                # A proxy that collects bytes would make live of it later.
                "X-Accel-Buffering": "no",
            }
        )
        await response.prepare(request)
        stream = asyncio.create_task(self._tell(response))
        self._streams.add(stream)
        try:
            with suppress(asyncio.CancelledError, ConnectionError):
                await stream
        finally:
            self._streams.discard(stream)
            stream.cancel()
        return response

    def close(self) -> None:
        """End all streams; the server would wait for them."""
        for stream in self._streams:
            stream.cancel()

    async def _tell(self, response: web.StreamResponse) -> None:
        told: object = None
        silent = 0.0
        await response.write(b"retry: 2000\n\n")
        while True:
            version = self._version()
            if version != told:
                await response.write(f"data: {version}\n\n".encode())
                told, silent = version, 0.0
            elif silent >= HEARTBEAT:
                await response.write(b"event: beat\ndata:\n\n")
                silent = 0.0
            await self._clock.sleep(LOOK_EVERY)
            silent += LOOK_EVERY
