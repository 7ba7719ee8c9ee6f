"""An exception at any await of the daemon ends nothing else: polls, deliveries, ticks, saves and
requests go on, and nothing is lost or counted twice.

All awaits that a busy daemon passes are tried, one after the other, if SLOD_ALL_AWAITS is set; or
else some of them, the same in every run.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterator
from random import Random
from typing import Any

import aiohttp
import pytest

from tests.cases.awaits import Throws, Unforeseen
from tests.cases.stage import Request, Stage, answer, settle
from tests.cases.upstream import Upstream, series

SAME = 50
"""So many places are tried in every run."""
ERRORS = (Unforeseen, MemoryError, ArithmeticError, asyncio.CancelledError)
STEP = 5.0
MOST = 60
"""Steps until all must work again: the longest pause of a retry, and some polls."""
CONFIG = """
[source.app]
type = "scrape"
targets = ["http://a/metrics", "http://b/metrics"]
interval = "10s"
discover.http = "http://list/targets"
discover.refresh = "20s"
[source.prom]
type = "prometheus"
url = "http://prom"
interval = "15s"
backfill = "1h"
[receiver.am]
type = "alertmanager"
url = "http://am"
[receiver.hook]
type = "webhook"
url = "http://hook/"
[grafana]
url = "http://grafana"
[events.versions]
source = "prom"
selector = "build"
label = "version"
service = "far"
interval = "20s"
[alert_policy.quick]
rules = [{ severity = "page", burn_rate = 2, long = "10m", short = "1m" }]
[exclusion.nightly]
slos = ["near"]
reason = "windows"
start = "2023-11-01T03:00:00"
rrule = "FREQ=DAILY"
duration = "1h"
timezone = "UTC"
[slo.near]
source = "app"
objective = 99
window = "1h"
alert_policy = "quick"
sli = { bad = 'hits_total{code="500"}', total = "hits_total" }
[slo.far]
source = "prom"
objective = 99
window = "1h"
alert_policy = "quick"
sli = { bad = 'calls_total{code="500"}', total = "calls_total" }
[slo.asked]
source = "prom"
objective = 99
window = "1h"
[slo.asked.sli]
bad_query = "sum(increase(calls_total{code='500'}[1m]))"
total_query = "sum(increase(calls_total[1m]))"
"""
PATHS = (
    *("/", "/alerts", "/sources", "/configuration", "/slo/near", "/metrics", "/-/ready"),
    *("/api/slo/v1/slos", "/api/slo/v1/alerts", "/api/slo/v1/slos/far", "/api/slo/v1/events"),
    *("/api/slo/v1/slos/near/history?window=10m", "/api/slo/v1/explain/near"),
    *("/api/slo/v1/gate/near", "/api/slo/v1/exclusions", "/api/slo/v1/report"),
    *("/api/v1/rules", "/api/v1/alerts", "/api/v1/query?query=slo_sli_ratio", "/api/v1/labels"),
)
ALWAYS = ("/", "/metrics", "/alerts", "/api/slo/v1/slos", "/api/v1/rules", "/-/healthy")


class World:
    """A stage with peers whose counters grow while `grows`."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.grows = True
        self.hits = dict.fromkeys("ab", 0)
        self.calls = 0
        self.written = stage.now - 600
        self.posts = {"am": 0, "hook": 0}
        self.upstream = Upstream(lambda: stage.now)
        self.throws: Throws

    async def start(self) -> None:
        hosts = self.stage.network.hosts
        for host in "ab":
            hosts[host] = lambda request, host=host: answer(self._page(host))
        hosts["list"] = lambda request: answer('[{"targets": ["b"]}]', "application/json")
        hosts["prom"] = self.upstream
        hosts["grafana"] = lambda request: answer('{"id": 1}', "application/json")
        for name in self.posts:
            hosts[name] = lambda request, name=name: self._took(name, request)
        self._write()
        await self.stage.start(CONFIG)
        for _ in range(8):
            await self.step()

    def _page(self, host: str) -> str:
        if self.grows:
            self.hits[host] += 10
        bad = self.hits[host] // 2
        rest = self.hits[host] - bad
        return f'hits_total{{code="500"}} {bad}\nhits_total{{code="200"}} {rest}\n'

    def _took(self, name: str, request: Request) -> Any:
        self.posts[name] += 1
        json.loads(request.body)
        return answer(b"")

    def _write(self) -> None:
        while self.written + 15 <= self.stage.now:
            self.written += 15
            self.calls += 10 * self.grows
            for code in ("200", "500"):
                labels = series("calls_total", job="j", instance="i", code=code)
                self.upstream.write(labels, self.written, float(self.calls))
            self.upstream.write(series("up", job="j", instance="i"), self.written, 1.0)
            self.upstream.write(series("build", version="1"), self.written, 1.0)

    async def step(self) -> None:
        """Some seconds pass."""
        self._write()
        await self.stage.advance(STEP)

    async def busy(self) -> AsyncIterator[None]:
        """What people and other programs do to a slod, one thing at a time; between them time
        passes."""
        for path in PATHS:
            await self.ask("GET", path)
            yield
        await self.ask("POST", "/-/reload")
        yield
        one = {"slos": ["near"], "start": "2023-11-14T22:00:00Z", "end": "2023-11-14T22:01:00Z"}
        status, made = await self.ask(
            "POST", "/api/slo/v1/exclusions", {"by": "me", "reason": "r", **one}
        )
        yield
        if status in (200, 201):
            ident = json.loads(made)["id"]
            await self.ask("DELETE", f"/api/slo/v1/exclusions/{ident}?by=me&why=over")
        await self.ask(
            "POST",
            "/api/slo/v1/events",
            {"by": "me", "kind": "deploy", "name": "2", "service": "near"},
        )
        yield
        for _ in range(12):
            await self.step()
            yield

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, str]:
        """A request to slod; status 0 where the connection broke."""
        url = f"http://127.0.0.1:{self.stage.daemon.port}{path}"
        try:
            async with (
                asyncio.timeout(5),
                aiohttp.ClientSession() as session,
                session.request(method, url, json=body) as found,
            ):
                return found.status, await found.text()
        except (aiohttp.ClientError, TimeoutError):
            return 0, ""

    async def failures(self) -> float:
        """Of all kinds that slod counts."""
        metrics = await self.stage.metrics()
        return (
            metrics.sum("slod_failures_total")
            + metrics.sum("slod_poll_errors_total")
            + metrics.sum("slod_state_errors_total")
            + metrics.sum("slod_notifications_total", outcome="retried")
        )

    async def works(self) -> list[str]:
        """What does not work, once there was time to try again."""
        self.grows = True
        posts = dict(self.posts)
        await self.step()
        self.grows = False
        wrong = ["nothing was looked at"]
        for _ in range(MOST):
            await self.step()
            wrong = await self._wrong(posts)
            if not wrong:
                break
        self.grows = True
        return wrong

    async def _wrong(self, posts: dict[str, int]) -> list[str]:
        wrong = []
        for path in ALWAYS:
            status, text = await self.ask("GET", path)
            if status != 200:
                wrong.append(f"{path} is {status}: {text[:200]}")
        if wrong:
            return wrong
        metrics = await self.stage.metrics()
        near = sum(self.hits.values()) - 2 * 10
        far = 2 * self.calls
        if sum(metrics.events("near")) != near:
            wrong.append(f"near counted {metrics.events('near')} of {near}")
        counted = sum(metrics.events("far"))
        if abs(counted - far) > 2 * 10:
            wrong.append(f"far counted {counted} of {far}")
        if metrics.get("slod_state_saving") != 1:
            wrong.append("is not saved")
        if self.posts["am"] <= posts["am"]:
            wrong.append("the Alertmanager is not told again")
        if metrics.sum("slod_notification_queue_length"):
            wrong.append("notifications wait")
        return wrong


@pytest.fixture
def throws() -> Iterator[Throws]:
    throws = Throws()
    throws.install()
    yield throws
    throws.remove()


def chosen(places: set[str]) -> list[tuple[str, type[BaseException]]]:
    """Places, and what is thrown there."""
    order = sorted(places)
    random = Random(15)
    random.shuffle(order)
    if not os.environ.get("SLOD_ALL_AWAITS"):
        order = order[:SAME]
    return [(place, ERRORS[at % len(ERRORS)]) for at, place in enumerate(order)]


# What is thrown in place of an await leaves other coroutines that were made for it.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_whatever_await_raises_all_others_go_on(stage: Stage, throws: Throws) -> None:
    world = World(stage)
    await world.start()
    assert await world.works() == []
    throws.seen.clear()
    async for _ in world.busy():
        pass
    assert len(throws.seen) > 150
    broken = []
    for place, error in chosen(throws.seen):
        before = await world.failures()
        throws.arm(place, error)
        async for _ in world.busy():
            await settle()
            if throws.thrown:
                break
        throws.disarm()
        if not throws.thrown:
            continue
        wrong = await world.works()
        # Of one that is cancelled itself nobody can tell that it was cancelled otherwise.
        if error is not asyncio.CancelledError and await world.failures() <= before:
            wrong.append("nobody was told")
        broken += [f"{place} {error.__name__}: {why}" for why in wrong]
    assert not broken, "\n".join(broken)


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_whatever_await_raises_at_the_end_all_is_saved(stage: Stage, throws: Throws) -> None:
    world = World(stage)
    await world.start()
    throws.seen.clear()
    await stage.stop()
    # The ends of all the others: nothing is stopped if these do not begin. The state file is let go
    # of by the end of the process at the latest, which is not the end of this one.
    outer = ("self._stop()", "asyncio.timeout(_STOP_WITHIN)", ".close()", "_close)")
    ending = chosen({one for one in throws.seen if not one.endswith(outer)})
    assert len(ending) > 15
    await stage.start()
    broken = []
    for place, error in ending:
        wrong = await world.works()
        throws.arm(place, error)
        try:
            await stage.stop()
        except ERRORS as raised:
            wrong.append(f"ended with {raised!r}")
        throws.disarm()
        await stage.start()
        if sum((await stage.metrics()).events("near")) == 0:
            wrong.append("begins anew")
        broken += [f"{place} {error.__name__}: {why}" for why in wrong]
    assert not broken, "\n".join(broken)
