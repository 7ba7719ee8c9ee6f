"""The sample service "checkout": simulated traffic, a metrics page, and a switch for faults."""

from __future__ import annotations

import asyncio
import contextlib
import math
import random

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from exporter.clock import Clock
from exporter.demo import schedule
from exporter.demo.site import Site
from exporter.demo.traffic import Fault, Traffic

STEP = 0.25
"""Seconds between two batches of simulated requests."""
_LONGEST = 5.0
"""After a longer gap (a laptop that slept) the traffic in between is left out."""

_ABOUT = """\
checkout, the sample service of `slod demo`. Its traffic is simulated: about 20 requests a second,
after an hour in fast motion at the start.

  GET  /metrics                       what slod scrapes
  GET  /fault                         what goes wrong now, and who decided
  POST /fault?errors=0.3&slow=0.2     let 30% of the requests fail, 20% take over 500 ms
  POST /fault/off                     heal
  POST /fault/auto                    back to the plot: three bad minutes, two good ones

Now: {state}
"""


class SampleService:
    """Serves on a free port of 127.0.0.1 between `start` and `stop`."""

    def __init__(self, clock: Clock, rng: random.Random, *, auto: bool = True) -> None:
        self._clock = clock
        self._rng = rng
        self._auto = auto
        self._traffic = Traffic(clock.now(), rng)
        self._site = Site(
            [
                web.get("/", self._about),
                web.get("/metrics", self._metrics),
                web.get("/fault", self._show),
                web.post("/fault", self._on),
                web.post("/fault/off", self._off),
                web.post("/fault/auto", self._back),
            ]
        )
        self._working: asyncio.Task[None] | None = None

    @property
    def fault(self) -> Fault:
        """What goes wrong now."""
        return self._traffic.fault

    async def start(self) -> int:
        """Begin to serve and to count; returns the port."""
        port = await self._site.start()
        self._working = asyncio.create_task(self._work())
        return port

    async def stop(self) -> None:
        """Cease both; may be called twice."""
        working, self._working = self._working, None
        if working is not None:
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working
        await self._site.stop()

    async def _work(self) -> None:
        begun = last = self._clock.monotonic()
        while True:
            await self._clock.sleep(STEP)
            now = self._clock.monotonic()
            if self._auto:
                self._traffic.fault = schedule.fault_at(now - begun)
            if now - last <= _LONGEST:
                self._traffic.handle(schedule.requests(last - begun, now - begun))
            last = now

    # --- pages ----------------------------------------------------------------------------------

    async def _about(self, request: web.Request) -> web.Response:
        return web.Response(text=_ABOUT.format(state=self._state()))

    async def _metrics(self, request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(
            body=encode(self._traffic.registry), headers={"Content-Type": content_type}
        )

    async def _show(self, request: web.Request) -> web.Response:
        return web.json_response(
            {"errors": self.fault.errors, "slow": self.fault.slow, "auto": self._auto}
        )

    async def _on(self, request: web.Request) -> web.Response:
        try:
            fault = Fault(**{name: _share(request, name) for name in ("errors", "slow")})
        except ValueError as error:
            return web.Response(status=400, text=f"{error}\n")
        return self._turn(fault, auto=False)

    async def _off(self, request: web.Request) -> web.Response:
        return self._turn(Fault(), auto=False)

    async def _back(self, request: web.Request) -> web.Response:
        return self._turn(self.fault, auto=True)

    def _turn(self, fault: Fault, *, auto: bool) -> web.Response:
        self._traffic.fault, self._auto = fault, auto
        return web.Response(text=f"{self._state()}\n")

    def _state(self) -> str:
        who = "by the plot" if self._auto else "by hand"
        if not self.fault.active:
            return f"healthy ({who})"
        return f"{self.fault.errors:.0%} of requests fail, {self.fault.slow:.0%} are slow ({who})"


def _share(request: web.Request, name: str) -> float:
    text = request.query.get(name, "0")
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not 0 <= share <= 1:
        raise ValueError(f"{name} must be a share from 0 to 1, such as 0.3, not {text!r}")
    return share
