"""A server that hands out stale markers (VictoriaMetrics): no marker is the start of a process, and
those of counters are passed on."""

from __future__ import annotations

import math
from typing import Any

from exporter.core.sample import Ask
from tests.sources.kit import Polls, serving
from tests.sources.test_prometheus import API, NOW, SERIES, M, matrix, source
from tests.support import ManualClock


async def test_a_stale_marker_hides_no_restart() -> None:
    start = NOW - 3600
    times = [start + 60 * i for i in range(61)]
    # It was down at the 20th scrape, and began anew.
    starts = [start - 500.0] * 20 + [float("nan")] + [start + 1250.0] * 40
    counts = [100.0 + i for i in range(20)] + [float("nan")] + [120.0 + i for i in range(40)]

    def answer(path: str, form: dict[str, str]) -> Any:
        query = form["query"]
        if query.startswith("count"):
            return matrix()
        name = "m" if query.startswith("m") else "process_start_time_seconds"
        values = zip(times, counts if name == "m" else starts, strict=True)
        return matrix(({**SERIES, "__name__": name}, [[t, str(v)] for t, v in values]))

    async with serving(API(answer)) as url:
        asked, polls = source(url, ManualClock(NOW)), Polls()
        await asked.history([Ask("slo", (M,), start)], NOW, polls)
        await asked.close()
    [batch] = [poll.batch for poll in polls.all if poll.batch]
    assert batch.targets["x/i:1"].starts == [(times[0], start - 500.0), (times[21], start + 1250.0)]
    [reading] = batch.readings[M]
    assert [time for time, _ in reading.samples] == times
    assert [i for i, (_, v) in enumerate(reading.samples) if math.isnan(v)] == [20]  # type: ignore[arg-type]
