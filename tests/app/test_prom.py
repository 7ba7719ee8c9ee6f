"""Prometheus' API of a daemon on a clock that the test moves: the series of now are those of the
metrics page, and those of before are what the page showed then."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from exporter.app.daemon import Daemon
from exporter.core.selector import parse_selector
from tests.app.test_daemon import get, until
from tests.app.test_exclusions import running
from tests.core.builders import aged
from tests.sources.kit import serving
from tests.support import ManualClock

T = 1_700_000_000.0
STEP = 60.0
CONFIG = """
[server]
listen = "127.0.0.1:0"
compat = ["sloth"]
[state]
path = "{folder}/slod.db"
[source.app]
type = "scrape"
targets = ["{url}/metrics"]
interval = "1m"
[alert_policy.workbook]
rules = [
  {{ severity = "page", budget = 0.02, long = "1h", short = "5m" }},
  {{ severity = "page", budget = 0.05, long = "6h", short = "30m" }},
  {{ severity = "ticket", budget = 0.10, long = "1d", short = "2h" }},
]
[slo.shop]
objective = 99
window = "1d"
sli = {{ bad = 'req{{code="500"}}', total = 'req' }}
labels = {{ team = "a\\"b" }}
[slo.routes]
objective = 99
window = {{ calendar = "day" }}
sli = {{ bad = 'req{{code="500"}}', total = 'req' }}
group_by = ["code"]
"""
Series = frozenset[tuple[str, str]]


@dataclass
class World:
    """A service, and the daemon that watches it."""

    daemon: Daemon
    clock: ManualClock
    counts: dict[str, int]
    pages: list[tuple[float, dict[Series, float]]]
    """What the metrics page showed, and when."""

    async def live(self, minutes: int, good: int, bad: int) -> None:
        """Time goes on, with so many events a minute."""
        for _ in range(minutes):
            self.counts["200"] += good
            self.counts["500"] += bad
            await self.clock.advance(STEP)
            await until(self._polled)
            self.pages.append((self.clock.now(), await self.page()))

    async def _polled(self) -> bool:
        instance = next(iter(self.daemon.engine.accounts["shop"].memory.instances.values()))
        return instance.seen is not None and instance.seen > self.clock.now() - STEP

    async def page(self) -> dict[Series, float]:
        """All SLO series of the metrics page."""
        _, text = await get(self.daemon, "/metrics")
        found = {}
        for line in text.splitlines():
            if line.startswith(("slo_", "slo:", "sloth_")):
                key, _, value = line.rpartition(" ")
                found[series(key)] = float(value)
        return found

    async def ask(self, path: str, **params: Any) -> Any:
        """What stands under `data`."""
        status, said = await self.answer(path, params)
        assert (status, said["status"]) == (200, "success"), said
        return said["data"]

    async def answer(
        self, path: str, params: Any, method: str = "GET"
    ) -> tuple[int, dict[str, Any]]:
        url = f"http://127.0.0.1:{self.daemon.port}/api/v1/{path}"
        how = {"params": params} if method == "GET" else {"data": params}
        async with aiohttp.ClientSession() as session:
            async with session.request(method, url, **how) as answer:
                return answer.status, await answer.json()

    async def vector(self, query: str, at: float | None = None) -> dict[Series, float]:
        """The answer to an instant query."""
        when = {} if at is None else {"time": at}
        data = await self.ask("query", query=query, **when)
        assert data["resultType"] == "vector"
        return {frozenset(s["metric"].items()): float(s["value"][1]) for s in data["result"]}


def series(line: str) -> Series:
    selector = parse_selector(line)
    labels = {m.label: m.value for m in selector.matchers}
    return frozenset({"__name__": selector.name, **labels}.items())


@asynccontextmanager
async def watching(folder: Path, counts: dict[str, int]) -> AsyncIterator[World]:
    """A daemon that has polled a service with these counts once."""

    async def page(request: web.Request) -> web.Response:
        lines = [f'req{{code="{code}"}} {count}\n' for code, count in counts.items()]
        return web.Response(text="".join(lines))

    clock = ManualClock(T)
    async with serving(page) as url:
        file = folder / "slod.toml"
        file.write_text(CONFIG.format(folder=folder, url=url))
        async with running(file, clock) as daemon:

            async def polled() -> bool:
                await asyncio.sleep(0)
                return bool(daemon.engine.accounts["shop"].memory.instances)

            await until(polled)
            aged(daemon.engine, clock.now())
            yield World(daemon, clock, counts, [])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """An hour with an outage in the middle."""
    async with watching(tmp_path, {"200": 0, "500": 0}) as made:
        await made.live(30, 100, 0)
        await made.live(10, 60, 40)
        await made.live(20, 100, 1)
        yield made


@pytest.fixture
async def quiet(tmp_path: Path) -> AsyncIterator[World]:
    """Two minutes."""
    async with watching(tmp_path, {"200": 5, "500": 1}) as made:
        await made.live(2, 10, 1)
        yield made


async def test_series_of_now_are_those_of_the_metrics_page_and_those_of_before_what_it_showed(
    world: World,
) -> None:
    names = r'{__name__=~"slo_.*|slo:.*|sloth_.*"}'
    found = await world.vector(names)
    page = await world.page()
    assert set(found) == set(page)
    assert found == pytest.approx(page, rel=1e-12, nan_ok=True)
    remembered = re.compile("slo_(error_budget_exhaustion|budget_policy_(since|due)|gate)")
    for at, page in world.pages[-14:]:
        then = {s: v for s, v in page.items() if not remembered.match(dict(s)["__name__"])}
        found = {s: v for s, v in (await world.vector(names, at)).items() if s in then}
        assert set(found) == set(then)
        # A sample of the past stands at a whole minute, the page's at the poll before.
        assert found == pytest.approx(then, rel=0.1, abs=0.1), at


async def test_a_range_query_is_many_instant_queries(world: World) -> None:
    query = 'sum by (slo, window) (slo_burn_rate{window=~"5m|1h"}) > 1'
    start, end = T + 1800, T + 3600
    data = await world.ask("query_range", query=query, start=start, end=end, step="2m")
    assert data["resultType"] == "matrix"
    rows = {
        frozenset(row["metric"].items()): {at: float(v) for at, v in row["values"]}
        for row in data["result"]
    }
    assert rows
    for at in range(int(start), int(end) + 1, 120):
        found = {labels: row[at] for labels, row in rows.items() if at in row}
        assert found == pytest.approx(await world.vector(query, at), rel=1e-12)


async def test_a_rate_over_a_window_is_what_was_counted_in_it(world: World) -> None:
    at = world.clock.now()
    found = await world.vector('increase(slo_events_total{slo="shop"}[20m])', at)
    by_result = {dict(labels)["result"]: value for labels, value in found.items()}
    # Twenty minutes hold nineteen or twenty whole ones, and the rest is extrapolated.
    assert by_result == pytest.approx({"good": 1980, "bad": 20}, rel=0.06)
    total = await world.vector('slo_events_total{slo="shop",result="bad"}', at)
    assert list(total.values()) == [420.0]


async def test_alerts_are_there_for_as_long_as_they_fired(world: World) -> None:
    data = await world.ask(
        "query_range",
        query='ALERTS{alertname="ErrorBudgetBurn",slo="shop",long_window="1h"}',
        start=T,
        end=world.clock.now(),
        step=15,  # As often as there is a sample: whatever second it begins in, it is seen soon.
    )
    [row] = data["result"]
    assert row["metric"]["alertstate"] == "firing" and row["metric"]["severity"] == "page"
    times = [at for at, _ in row["values"]]
    assert T + 1800 < times[0] < T + 2400 and times[-1] > T + 2400
    since = await world.vector(
        'ALERTS_FOR_STATE{slo="shop",long_window="1h"} @ ' + f"{times[0] + 60}"
    )
    assert [times[0] - 60 <= v <= times[0] for v in since.values()] == [True]
    fired = await world.vector(
        'max_over_time(slo_alert_firing{slo="shop",long_window="1h"}[1h])', world.clock.now()
    )
    assert list(fired.values()) == [1.0]


async def test_alerts_of_before_a_restart_are_known_after_it(world: World, tmp_path: Path) -> None:
    query = 'ALERTS{alertname="ErrorBudgetBurn",slo="shop",long_window="1h"}'
    span = {"start": T, "end": world.clock.now(), "step": 60}
    before = await world.ask("query_range", query=query, **span)
    # A copy, since the state file has one owner.
    file = tmp_path / "again.toml"
    file.write_text((tmp_path / "slod.toml").read_text().replace("slod.db", "again.db"))
    for path in tmp_path.glob("slod.db*"):
        (tmp_path / path.name.replace("slod", "again")).write_bytes(path.read_bytes())
    async with running(file, world.clock) as daemon:
        again = World(daemon, world.clock, world.counts, [])
        assert await again.ask("query_range", query=query, **span) == before


async def test_slod_itself_is_remembered_for_a_while(world: World) -> None:
    found = await world.vector("count_over_time(slod_source_up[10m])")
    assert [10 <= v <= 41 for v in found.values()] == [True]
    assert list((await world.vector("slod_config_last_reload_successful")).values()) == [1.0]
    before = await world.vector('slo_gate_open{slo="shop"}', world.clock.now() - 1200)
    assert list(before.values()) == [0.0]


async def test_what_there_is_can_be_listed(world: World) -> None:
    names = await world.ask("label/__name__/values")
    assert {"slo_burn_rate", "slo:objective:ratio", "ALERTS", "slod_build_info"} <= set(names)
    assert "window" in await world.ask("labels")
    match = {"match[]": 'slo_burn_rate{slo="shop"}'}
    assert await world.ask("labels", **match) == ["__name__", "service", "slo", "team", "window"]
    assert await world.ask("label/team/values", **match) == ['a"b']
    found = await world.ask("series", **{"match[]": 'slo_objective_ratio{slo="shop"}'})
    assert found == [
        {"__name__": "slo_objective_ratio", "slo": "shop", "service": "shop", "team": 'a"b'}
    ]
    assert len(await world.ask("series", **match, limit=2)) == 2
    about = await world.ask("metadata", metric="slo_events_total")
    assert about["slo_events_total"][0]["type"] == "counter"
    assert len(await world.ask("metadata", limit=3)) == 3
    groups = (await world.ask("rules"))["groups"]
    assert [g["name"] for g in groups] == ["shop", "routes"]
    assert await world.ask("rules", type="record") == {"groups": []}
    [first, *_] = groups[0]["rules"]
    assert (first["name"], first["type"], first["health"]) == ("ErrorBudgetBurn", "alerting", "ok")
    # The rule's own words are a query that this API answers.
    firing = await world.vector(first["query"])
    assert bool(firing) == (first["state"] == "firing")
    alerts = (await world.ask("alerts"))["alerts"]
    assert {a["labels"]["alertname"] for a in alerts} >= {"ErrorBudgetPolicy"}
    assert (await world.ask("status/buildinfo"))["version"].startswith("3.")
    assert await world.ask("format_query", query="sum(slo_burn_rate)by(slo)") == (
        "sum by (slo) (slo_burn_rate)"
    )
    assert await world.ask("query_exemplars", query="x") == []
    assert await world.ask("status/flags") == {"query.timeout": "30s"}


@pytest.mark.parametrize(
    ("path", "params", "status", "kind", "said"),
    [
        ("query", {}, 400, "bad_data", 'invalid parameter "query"'),
        ("query", {"query": "sum("}, 400, "bad_data", "cannot read the query"),
        ("query", {"query": "1", "time": "noon"}, 400, "bad_data", 'cannot parse "noon"'),
        ("query", {"query": 'x{a=~"["}'}, 400, "bad_data", "missing ]"),
        ("query", {"query": "mad_over_time(x[5m])"}, 422, "execution", "mad_over_time"),
        ("query", {"query": "info(x)"}, 422, "execution", "info()"),
        ("query", {"query": 'x{a="b" or c="d"}'}, 422, "execution", "`or`"),
        ("query", {"query": "slo_burn_rate + on (slo) slo_burn_rate"}, 422, "execution", "many-to"),
        ("query", {"query": "slo_burn_rate", "timeout": "0"}, 503, "timeout", "timed out"),
        ("query", {"query": "max_over_time(slo_burn_rate[1d:1s])"}, 422, "execution", "subquery"),
        ("query_range", {"query": "1", "start": 1, "end": 2}, 400, "bad_data", '"step"'),
        ("query_range", {"query": "1", "start": 3, "end": 2, "step": 1}, 400, "bad_data", '"end"'),
        ("query_range", {"query": "1", "start": 1, "end": 2, "step": 0}, 400, "bad_data", "zero"),
        (
            "query_range",
            {"query": "1", "start": 0, "end": 20_000, "step": 1},
            400,
            "bad_data",
            "exceeded maximum resolution of 11,000 points",
        ),
        (
            "query_range",
            {"query": "slo_burn_rate[5m]", "start": 0, "end": 2, "step": 1},
            400,
            "bad_data",
            "range vector",
        ),
        ("series", {}, 400, "bad_data", "no match[]"),
        ("series", {"match[]": "1"}, 400, "bad_data", "not a series selector"),
        ("labels", {"match[]": "{}"}, 400, "bad_data", "at least one non-empty"),
        ("labels", {"match[]": ""}, 400, "bad_data", "is empty"),
        ("labels", {"start": "noon"}, 400, "bad_data", 'cannot parse "noon"'),
        ("series", {"match[]": "x", "end": "x"}, 400, "bad_data", 'cannot parse "x"'),
        ("labels", {"limit": "x"}, 400, "bad_data", '"limit"'),
        ("format_query", {"query": "("}, 400, "bad_data", "cannot read"),
        ("targets", {}, 404, "not_found", "slod does not answer"),
    ],
)
async def test_what_cannot_be_answered_is_said_in_prometheus_own_way(
    quiet: World, path: str, params: dict[str, Any], status: int, kind: str, said: str
) -> None:
    for method in ("GET", "POST") if path != "label" else ("GET",):
        got, answer = await quiet.answer(path, params, method)
        assert (got, answer["status"], answer["errorType"]) == (status, "error", kind), answer
        assert said in answer["error"] and "\n" not in answer["error"]


async def test_a_method_that_is_not_answered_is_said_as_prometheus_does(quiet: World) -> None:
    for method, path in (("DELETE", "query"), ("POST", "rules"), ("PUT", "series")):
        got, answer = await quiet.answer(path, {}, method)
        assert (got, answer["status"], answer["errorType"]) == (405, "error", "bad_data")
        assert f"is not asked by {method}" in answer["error"]
    got, answer = await quiet.answer("rules", {"type": "odd"}, "GET")
    assert (got, answer["error"]) == (400, 'invalid parameter "type": not supported value "odd"')
