"""A few routes on a free port of this machine."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web


class Site:
    """Serves routes on 127.0.0.1 between `start` and `stop`."""

    def __init__(self, routes: Sequence[web.RouteDef]) -> None:
        self._routes = routes
        self._runner: web.AppRunner | None = None

    async def start(self) -> int:
        """Listen; returns the port the system chose."""
        app = web.Application()
        app.add_routes(self._routes)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        port: int = self._runner.addresses[0][1]
        return port

    async def stop(self) -> None:
        """Close the port and its connections; may be called twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
