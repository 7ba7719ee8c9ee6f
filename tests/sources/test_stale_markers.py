"""A server that hands out stale markers (VictoriaMetrics): no marker is the start of a process."""

from __future__ import annotations

from typing import Any

from exporter.core.sample import Ask
from exporter.core.slo import CounterSLI
from tests.core.builders import counted, engine, slo
from tests.sources.kit import Polls, serving
from tests.sources.test_prometheus import API, NOW, SERIES, M, N, matrix, source
from tests.support import ManualClock


async def test_a_stale_marker_hides_no_restart() -> None:
    start = NOW - 3600
    times = [start + 60 * i for i in range(61)]

    def answer(path: str, form: dict[str, str]) -> Any:
        name = form["query"].partition("{")[0]
        if name == "process_start_time_seconds":
            # It was down at the 20th scrape, and began anew.
            values = [start - 500.0] * 20 + [float("nan")] + [start + 1250.0] * 40
        elif name == "m":
            values = (
                [100.0 + i for i in range(20)] + [float("nan")] + [120.0 + i for i in range(40)]
            )
        else:
            return matrix()
        rows = [[t, str(v)] for t, v in zip(times, values, strict=True)]
        return matrix((SERIES, rows))

    of = engine(slo("slo", CounterSLI(bad=N, total=M), source="prom"))
    async with serving(API(answer)) as url:
        asked, polls = source(url, ManualClock(NOW)), Polls()
        await asked.history([Ask("slo", (N, M), start)], NOW, polls)
        await asked.close()
    for poll in polls.all:
        assert poll.batch is not None
        of.ingest(poll.batch)
    assert counted(of) == (19 + 120 + 39, 0)
