"""What a round of 1,000 targets costs: every page of 50 samples asked for, read, handed over.

A real source on real connections, at an interval of a few seconds; the services are in another
process, so that only our processor time is counted. The peer asks for the same pages with plain
aiohttp, as often and as evenly, and reads nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import resource
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import aiohttp

from bench import history
from bench.crowd import addresses
from bench.measure import Row
from bench.servers import child, free_port, get, until
from exporter import log
from exporter.app.parts import make_source
from exporter.cli.run import run_loop
from exporter.clock import SystemClock
from exporter.config.load import parse
from exporter.config.settings import Log
from exporter.core.sample import Ask
from exporter.sources.base import Poll

_SAMPLES = 50
GOAL = 0.15
_AT_MOST = 60.0


def run(targets: int = 1000, interval: float = 3.0, rounds: int = 3) -> list[Row]:
    """CPU seconds a round."""
    with crowd() as port:
        ours = ours_per_round(addresses(targets, port), interval, rounds)
        theirs = _measured(lambda seen: _plain(addresses(targets, port), interval, seen), targets)
    name = f"a round of {targets:,} targets, CPU"
    return [Row(name, ours, "s", GOAL, "plain aiohttp GETs", theirs)]


@contextlib.contextmanager
def crowd() -> Iterator[int]:
    """The services; their port."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 4096:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    port = free_port()
    command = [sys.executable, "-m", "bench.crowd", str(port), str(_SAMPLES)]
    with tempfile.TemporaryDirectory() as name, child(command, Path(name) / "crowd.log"):
        until(lambda: get(f"http://127.0.0.1:{port}/") is not None, "the services answer")
        yield port


def ours_per_round(targets: list[str], interval: float, rounds: int = 2) -> float:
    """CPU seconds that slod's source needs for one scrape of each target."""
    text = history.config(1, interval=interval)
    listed = ", ".join(f'"{target}"' for target in targets)
    # A line for each target, as the daemon writes them only when asked to.
    log.configure(Log(level="error"), sys.stderr)
    config = parse(text.replace('"http://127.0.0.1:1/0"', listed), "bench")
    wants = [want for slo in config.slos for want in slo.sli.wants()]

    async def scrape(seen: Callable[[], None]) -> None:
        async def sink(poll: Poll) -> None:
            if poll.batch is not None and all(map(len, poll.batch.readings.values())):
                seen()

        source = make_source(config.sources["app0"], SystemClock())
        await source.run([Ask("all", tuple(wants))], sink)

    return _measured(scrape, len(targets), rounds)


def _measured(
    work: Callable[[Callable[[], None]], Coroutine[Any, Any, None]], targets: int, rounds: int = 2
) -> float:
    """CPU seconds a round; the first two, with new connections and pages, are not counted."""
    marks: list[float] = []

    async def measure() -> None:
        count, done = 0, asyncio.Event()

        def seen() -> None:
            nonlocal count
            count += 1
            if count == 2 * targets:
                marks.append(time.process_time())
            elif count == (2 + rounds) * targets:
                marks.append(time.process_time())
                done.set()

        working = asyncio.create_task(work(seen))
        waiting = asyncio.create_task(done.wait())
        await asyncio.wait(
            [working, waiting], timeout=_AT_MOST, return_when=asyncio.FIRST_COMPLETED
        )
        waiting.cancel()
        if not working.done():
            working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working

    run_loop(measure())
    if len(marks) < 2:
        raise TimeoutError(f"not every page was read so often within {_AT_MOST:g} s")
    return (marks[1] - marks[0]) / rounds


async def _plain(targets: list[str], interval: float, seen: Callable[[], None]) -> None:
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def again(target: str, phase: float) -> None:
            await asyncio.sleep(phase)
            while True:
                begun = time.monotonic()
                async with session.get(f"http://{target}/metrics") as answer:
                    await answer.read()
                seen()
                await asyncio.sleep(max(0.0, interval - (time.monotonic() - begun)))

        every: list[Awaitable[None]] = [
            again(target, interval * n / len(targets)) for n, target in enumerate(targets)
        ]
        await asyncio.gather(*every)
