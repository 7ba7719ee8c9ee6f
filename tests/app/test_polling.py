"""What the engine is told of targets that fail or are removed, besides their batches."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from exporter.app.polling import Polling
from exporter.core.sample import Ask
from exporter.core.selector import Selector
from exporter.errors import SourceError
from exporter.sources.base import Poll, Sink
from exporter.web.self_metrics import SelfMetrics
from tests.core.builders import T, batch, engine, rule, slo
from tests.support import ManualClock

ROUTE = 'http_requests_total{{code="{}",route="{}"}}'


class Played:
    """A source that delivers what it is given."""

    name = "app"
    targets: Sequence[str] = ("1", "2")
    behind: Collection[str] = ()
    progress = 1.0

    def __init__(self) -> None:
        self.polls: asyncio.Queue[Poll] = asyncio.Queue()

    async def run(self, asks: Sequence[Ask], sink: Sink) -> None:
        while True:
            await sink(await self.polls.get())
            self.polls.task_done()

    def leave(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def bounds(self, histogram: Selector) -> list[float]:
        return []


async def test_a_group_holds_while_its_target_fails_and_not_once_it_is_removed() -> None:
    of = engine(slo(group_by=("route",), rules=(rule("page", "1h", "5m", 14.4),)))
    source, now = Played(), T
    polling = Polling(source, of, SelfMetrics("1"), ManualClock(T), lambda: None)
    running = asyncio.create_task(polling.run())
    log: list[tuple[float, str]] = []

    async def play(seconds: float, *first: Poll) -> None:
        """Target 2 is polled for so long; target 1 has these polls again and again."""
        nonlocal now
        for _ in range(int(seconds / 10)):
            now += 10
            good = {ROUTE.format(200, "a"): now - T}
            source.polls.put_nowait(Poll("app", "2", 0.1, batch(of, now, {"2": good})))
            for poll in first:
                source.polls.put_nowait(poll)
            await source.polls.join()
            log.extend((now - T, n.reason.value) for n in of.tick(now).said)

    for k in range(40):
        bad = {ROUTE.format(500, "b"): 10.0 * k}
        await play(10, Poll("app", "1", 0.1, batch(of, now, {"1": bad})))
    assert [reason for _, reason in log] == ["firing"]
    await play(1200, Poll("app", "1", 0.1, error=SourceError("timeout", "1: no answer")))
    await play(10, Poll("app", "1", 0.0, gone=True))
    assert len(log) == 1
    await play(320)
    assert log[1:] == [(1910, "resolved")]
    running.cancel()
