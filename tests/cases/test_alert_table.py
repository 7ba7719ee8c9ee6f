"""The built-in alert policy on periods of all lengths: its rules, how soon one fires in an outage,
and that half of the allowed errors never make it fire."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import pytest

from exporter.config.moments import parse_moment
from tests.cases.stage import Hook, Stage, T
from tests.cases.upstream import Upstream, series

DAY = 86_400.0
PACE = 2000.0
"""Requests a second, of which 2 may fail."""
CONFIG = """
[source.prom]
type = "prometheus"
url = "http://prom:9090"
interval = "{interval}s"
backfill = "{past:.0f}s"
[receiver.hook]
type = "webhook"
url = "http://hook"
[slo.case]
objective = 99.9
window = {window}
sli = {{ bad = 'req{{code="500"}}', total = 'req' }}
"""


@dataclass(frozen=True)
class Row:
    """A period. `rules`: severity, long and short window, burn rate. `first`: seconds from the
    beginning of an outage of 100%, 10% and 1% to the first alert, at a poll every `interval`."""

    window: str
    interval: int
    rules: tuple[tuple[str, str, str, float], ...]
    first: tuple[float, float, float]

    @property
    def longest(self) -> float:
        """Seconds of history that fill every window."""
        return 3 * DAY if self.interval >= 60 else 1.5 * DAY if self.interval >= 15 else 12_000.0


def rules(
    *windows: str, rates: tuple[float, ...] = (14.4, 6, 3, 1)
) -> tuple[tuple[str, str, str, float], ...]:
    """Two pages and two tickets."""
    pairs = [window.split("/") for window in windows]
    severities = ("page", "page", "ticket", "ticket")
    return tuple((s, *p, r) for s, p, r in zip(severities, pairs, rates, strict=True))  # type: ignore[misc]


MONTHLY = ("1h/5m", "6h/30m", "1d/2h", "3d/6h")
TABLE = (
    Row('"30m"', 1, rules("2s/2s", "15s/2s", "1m/5s", "3m/15s"), (1, 1, 10)),
    Row('"2h"', 1, rules("10s/2s", "1m/5s", "4m/20s", "12m/1m"), (1, 2, 37)),
    Row('"1d"', 2, rules("2m/10s", "12m/1m", "48m/4m", "2h24m/12m"), (2, 18, 434)),
    Row('"7d"', 15, rules("14m/1m10s", "1h24m/7m", "5h36m/28m", "16h48m/1h24m"), (15, 135, 3030)),
    Row(
        '"14d"', 30, rules("28m/2m20s", "2h48m/14m", "11h12m/56m", "1d9h36m/2h48m"), (30, 270, 6060)
    ),
    Row('"28d"', 60, rules(*MONTHLY, rates=(13.44, 5.6, 2.8, 14 / 15)), (60, 540, 12_120)),
    Row('"30d"', 60, rules(*MONTHLY), (60, 540, 13_020)),
    Row('"90d"', 300, rules(*MONTHLY, rates=(43.2, 18, 9, 3)), (300, 1800, 78_000)),
    Row('{ calendar = "month" }', 60, rules(*MONTHLY), (60, 540, 13_020)),
)
OUTAGES = (1.0, 0.1, 0.01)


class Shop:
    """A Prometheus that has watched a shop; `ratio` of its requests fail."""

    def __init__(self, stage: Stage, ratio: float = 0.0) -> None:
        self._stage = stage
        self._upstream = Upstream(stage.clock.now)
        stage.network.hosts["prom:9090"] = self._upstream
        self._now, self._bad, self._total = T, 1000.0, 1e6
        self._ratio = ratio

    def past(self, seconds: float, step: float) -> None:
        """Write so many seconds of history, up to `T`."""
        self._now = T - seconds
        self._write()
        self.until(T, self._ratio, step)

    def until(self, end: float, ratio: float, step: float) -> None:
        """Write what was scraped up to then."""
        while self._now + step <= end:
            self._now += step
            self._total += PACE * step
            self._bad += PACE * step * ratio
            self._write()

    def _write(self) -> None:
        own = {"job": "shop", "instance": "a:1"}
        for code, value in (("200", self._total - self._bad), ("500", self._bad)):
            self._upstream.write(series("req", code=code, **own), self._now, value)
        self._upstream.write(series("up", **own), self._now, 1.0)


async def begin(stage: Stage, row: Row, past: float, ratio: float = 0.0) -> tuple[Shop, Hook]:
    await stage.clear()
    shop, hook = Shop(stage, ratio), Hook()
    stage.network.hosts["hook"] = hook
    shop.past(past, max(min(300.0, past / 200) // row.interval, 1) * row.interval)
    await stage.start(CONFIG.format(interval=row.interval, past=past, window=row.window))
    return shop, hook


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.window)
async def test_the_rules_and_when_they_fire(stage: Stage, row: Row) -> None:
    for ratio, expected in zip(OUTAGES, row.first, strict=True):
        shop, hook = await begin(stage, row, row.longest)
        shop.until(T + 2 * expected + 20 * row.interval, ratio, row.interval)
        for _ in range(ceil(expected / row.interval) + 6):
            await stage.advance(row.interval)
            if hook.named():
                break
        (first, *_) = hook.named()
        assert parse_moment(first["startsAt"], None).timestamp() - T == expected, ratio
        shown = (await stage.slo())["rules"]
        found = [
            (r["severity"], r["long_window"], r["short_window"], r["burn_rate"]) for r in shown
        ]
        assert [one[:3] for one in found] == [one[:3] for one in row.rules]
        assert [r[3] for r in found] == pytest.approx([one[3] for one in row.rules])


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.window)
async def test_half_of_the_allowed_errors_never_fire(stage: Stage, row: Row) -> None:
    shop, hook = await begin(stage, row, row.longest, 0.0005)
    polls = 100
    shop.until(T + polls * row.interval, 0.0005, row.interval)
    for _ in range(polls):
        await stage.advance(row.interval)
    assert hook.alerts == []
    one = await stage.slo()
    assert [w["burn_rate"] for w in one["windows"]] == pytest.approx([0.5] * len(one["windows"]))
    assert one["gate"]["verdict"] == "open"
