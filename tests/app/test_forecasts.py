"""Forecasts made in the background: through a daemon, and how they take turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import inf
from pathlib import Path
from typing import Any

from aiohttp import web

from exporter.app.forecasts import EVERY, Forecasts
from exporter.config.duration import parse_duration
from exporter.core.engine import Engine
from tests.app.test_daemon import ready, until, value
from tests.app.test_exclusions import running
from tests.app.test_quarter import Hook, hook
from tests.core.builders import T, Traffic, slo, status
from tests.core.builders import engine as engine_of
from tests.sources.kit import serving
from tests.support import ManualClock

__all__ = ["hook"]

HOUR, DAY = 3600.0, 86_400.0
ROUND = T // EVERY * EVERY + 3 * DAY
CONFIG = """
[server]
listen = "127.0.0.1:0"
[state]
path = "{folder}/slod.db"
[source.prom]
type = "prometheus"
url = "{url}"
interval = "1m"
backfill = "5d"
[slo.shop]
objective = {objective}
forecast_alert = "20d"
sli = {{ bad = 'shop{{code="500"}}', total = 'shop' }}
[receiver.hook]
type = "webhook"
url = "{hook}"
"""
DAYS = (2, 2, 36, 2, 2, 2)
"""Bad events of 1000 on each of the days before now and the one after; each minute has 100."""
SECONDS = 'slo_error_budget_exhaustion{}_seconds{{slo="shop",service="shop"}}'
NAME = "ErrorBudgetForecast"


async def prometheus(request: web.Request) -> web.StreamResponse:
    """A server that knows what there was from five days before T on, a sample a minute."""
    form = await request.post()
    selector, _, span = str(form["query"]).rpartition("[")
    if not span.endswith("]"):
        # Nothing is known of the targets.
        nothing = {"resultType": "vector", "result": list[Any]()}
        return web.json_response({"status": "success", "data": nothing})
    end, reach = float(str(form["time"])), float(parse_duration(span.rstrip("]")))
    began = T // 60 * 60 - 5 * DAY
    result: list[dict[str, Any]] = []
    if selector.startswith("shop"):
        first = max(0, int((end - reach - began) // 60) + 1)
        minutes = range(first, int((end - began) // 60) + 1)
        for code in ("200", "500"):
            if code == "500" or "500" not in selector:
                metric = {"__name__": "shop", "job": "j", "instance": "i", "code": code}
                values = [[began + 60 * m, str(count(m, code))] for m in minutes]
                result.append({"metric": metric, "values": values})
    data = {"resultType": "matrix", "result": result}
    return web.json_response({"status": "success", "data": data})


def count(minute: int, code: str) -> float:
    """The counter after so many minutes."""
    whole, rest = divmod(minute, 1440)
    bad = (sum(DAYS[:whole]) * 1440 + DAYS[whole] * rest) / 10
    return bad if code == "500" else 100 * minute - bad


async def test_history_gives_an_interval_and_an_alert_that_another_objective_ends(
    tmp_path: Path, hook: Hook
) -> None:
    clock = ManualClock(T)
    async with serving(prometheus) as url:

        def configured(objective: int) -> Path:
            file = tmp_path / "slod.toml"
            more = {"folder": tmp_path, "url": url, "hook": hook.url}
            file.write_text(CONFIG.format(objective=objective, **more))
            return file

        async def bounds() -> list[float | None]:
            return [await value(daemon, SECONDS.format(end)) for end in ("_lower", "", "_upper")]

        async with running(configured(99), clock) as daemon:
            await until(ready(daemon))
            lower, middle, upper = await bounds()
            assert lower is None and middle is not None and upper is None
            await clock.advance(5)
            await until(lambda: asyncio.sleep(0, bool(hook.of(NAME))))
            lower, middle, upper = await bounds()
            assert lower is not None and middle is not None and upper is not None
            assert 0 < lower <= middle <= 20 * DAY and middle <= upper
            [alert] = (a for a in hook.heard if a["labels"]["alertname"] == NAME)
            assert alert["labels"]["severity"] == "ticket" and alert["labels"]["slo"] == "shop"
            assert "with a chance of 10%" in alert["annotations"]["description"]
            assert hook.of("ErrorBudgetBurn") == []

            configured(90)
            assert await daemon.reload() is None
            assert (await bounds())[0] is None

            async def over() -> bool:
                await clock.advance(60)
                return len(hook.of(NAME)) > 1

            await until(over)
            assert [status for status, _ in hook.of(NAME)] == ["firing", "resolved"]
            assert (await bounds())[1] == inf


# --- turns --------------------------------------------------------------------------------------


def after_days(*names: str) -> Engine:
    """What is left of each budget after three days, one of them with an outage, lasts no other."""
    slos = [slo(name, objective=0.9, interval=HOUR) for name in names]
    t = Traffic(engine_of(*slos), interval=HOUR)
    t.run(DAY, good=19, bad=1)
    t.run(6 * HOUR, good=10, bad=10)
    t.run(44 * HOUR, good=19, bad=1)
    return t.engine


@asynccontextmanager
async def forecasting(of: Engine, clock: ManualClock) -> AsyncIterator[list[None]]:
    changed: list[None] = []
    task = asyncio.create_task(Forecasts(of, clock, lambda: changed.append(None)).run())
    await clock.until_sleeping()
    try:
        yield changed
        assert not task.done()
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def made(of: Engine, now: float) -> set[str]:
    """The SLOs that have a forecast."""
    return {n for n in of.accounts if status(of, now, n).exhaustion_lower is not None}


async def test_a_few_are_made_at_once_and_the_others_in_their_turn() -> None:
    of, clock = after_days(*"abcdef"), ManualClock(ROUND + HOUR)
    async with forecasting(of, clock) as changed:
        await clock.advance(5)
        assert made(of, clock.now()) == set("abcd") and len(changed) == 1
        await clock.advance(5)
        assert made(of, clock.now()) == set("abcdef") and len(changed) == 2
        await clock.advance(EVERY - 15)
        assert len(changed) == 2
        await clock.advance(15)
        assert len(changed) == 4


class Slow(ManualClock):
    """Of a machine on which each forecast takes 30 ms."""

    def monotonic(self) -> float:
        self._elapsed += 0.03
        return self._elapsed


async def test_where_they_take_long_fewer_are_made_at_once() -> None:
    of, clock = after_days(*"abcdef"), Slow(ROUND + HOUR)
    async with forecasting(of, clock):
        await clock.advance(5)
        assert made(of, clock.now()) == set("ab")


async def test_replicas_that_get_to_it_at_other_moments_say_the_same() -> None:
    found = []
    for late in (30.0, 500.0):
        of, clock = after_days("slo"), ManualClock(ROUND + HOUR + late)
        async with forecasting(of, clock):
            await clock.advance(5)
        s = status(of, ROUND + HOUR + 590)
        found.append((s.exhaustion_lower, s.exhaustion_seconds, s.exhaustion_upper))
    assert found[0] == found[1]
    assert found[0][0] is not None and 0 < found[0][0] < inf


async def test_one_that_cannot_be_forecast_stops_neither_the_others_nor_the_daemon() -> None:
    of, clock = after_days("broken", "fine"), ManualClock(ROUND + HOUR)
    whole = of.accounts["broken"].memory.instance(()).ledger
    del of.accounts["broken"].memory.instance(()).ledger
    async with forecasting(of, clock):
        await clock.advance(5)
        of.accounts["broken"].memory.instance(()).ledger = whole
        assert made(of, clock.now()) == {"fine"}
        await clock.advance(EVERY + 5)
        assert made(of, clock.now()) == {"broken", "fine"}


async def test_an_slo_that_is_gone_is_not_forecast() -> None:
    of, clock = after_days("slo", "gone"), ManualClock(ROUND + HOUR)
    async with forecasting(of, clock):
        await clock.advance(5)
        of.configure([of.accounts["slo"].slo], ())
        await clock.advance(EVERY + 5)
        assert made(of, clock.now()) == {"slo"}
