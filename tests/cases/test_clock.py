"""This machine's clock is set, or the machine sleeps, while slod runs and between two starts.

Events count exactly, history stays where it was counted, and the step alone tells nobody anything.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.cases.pages import TEXT, render
from tests.cases.service import QUICK, SOURCE, Service
from tests.cases.stage import Hook, Request, Stage, T, answer
from tests.cases.upstream import Upstream, series

HOUR, DAY = 3600.0, 86_400.0
STEPS = [-3 * DAY, -HOUR, -20.0, 20.0, HOUR, 3 * DAY]
CONFIG = f"""{SOURCE}{QUICK}
[slo.case]
objective = 99
window = "1d"
source = "x"
alert_policy = "quick"
sli = {{ bad = 'bad_total', total = 'all_total' }}
[receiver.hook]
type = "webhook"
url = "http://hook:80/"
"""


class World(Service):
    """A service, and who hears of it. Its time is not this machine's."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage)
        self.hook = Hook()
        stage.network.hosts["hook:80"] = self.hook

    async def counted(self) -> tuple[float, float]:
        """Good and bad events, by slod."""
        return (await self.stage.metrics()).events()


@pytest.fixture
async def world(stage: Stage) -> World:
    return World(stage)


async def step(world: World, seconds: float, *, restart: bool) -> None:
    if restart:
        await world.stage.stop()
    world.stage.clock.step(seconds)
    if restart:
        await world.stage.start()


@pytest.mark.parametrize("restart", [False, True], ids=["running", "between starts"])
@pytest.mark.parametrize("seconds", STEPS)
async def test_a_clock_that_is_set_loses_no_event_and_tells_nobody(
    world: World, seconds: float, restart: bool
) -> None:
    await world.stage.start(CONFIG)
    await world.run(200)
    await world.run(30, share=0.02)
    await world.run(200)
    await step(world, seconds, restart=restart)
    await world.run(300)
    assert await world.counted() == world.truth
    assert world.hook.alerts == []


@pytest.mark.parametrize("restart", [False, True], ids=["running", "between starts"])
@pytest.mark.parametrize("seconds", STEPS)
async def test_an_alert_goes_on_over_a_step_and_ends_with_its_outage(
    world: World, seconds: float, restart: bool
) -> None:
    await world.stage.start(CONFIG)
    await world.run(200)
    await world.run(200, share=0.5)
    assert len(world.hook.named(status="firing")) == 1
    await step(world, seconds, restart=restart)
    await world.run(120, share=0.5)
    assert not world.hook.named(status="resolved")
    await world.run(200)
    (ended,) = {a["fingerprint"]: a for a in world.hook.named(status="resolved")}.values()
    assert ended["endsAt"] > ended["startsAt"]
    assert await world.counted() == world.truth


@pytest.mark.parametrize("restart", [False, True], ids=["running", "between starts"])
@pytest.mark.parametrize("seconds", [s for s in STEPS if s > 0])
async def test_a_clock_set_forward_leaves_history_where_it_was(
    world: World, seconds: float, restart: bool
) -> None:
    await world.stage.start(CONFIG)
    await world.run(600)
    await world.run(100, share=0.1)
    end = world.stage.now
    await step(world, seconds, restart=restart)
    await world.run(300)
    found = await world.stage.api("slos/case/history", window="5m", start=end, end=end, step=1)
    assert found["instances"][0]["points"][-1][2] == pytest.approx(100, abs=1)
    # That nothing is known of the time between is shown.
    if seconds >= HOUR:
        assert (await world.stage.window("10m"))["coverage"] < 0.6


@pytest.mark.parametrize("restart", [False, True], ids=["running", "between starts"])
@pytest.mark.parametrize("seconds", [s for s in STEPS if s < 0])
async def test_a_clock_set_back_leaves_every_window_as_it_was(
    world: World, seconds: float, restart: bool
) -> None:
    await world.stage.start(CONFIG)
    await world.run(600)
    await world.run(100, share=0.1)
    await world.run(200)
    before = await world.stage.window("10m")
    await step(world, seconds, restart=restart)
    await world.run(20)
    after = await world.stage.window("10m")
    assert after["bad"] == pytest.approx(before["bad"], abs=1) == pytest.approx(100, abs=1)
    assert after["coverage"] == pytest.approx(1, abs=0.06)


@pytest.mark.parametrize("hours", [0.1, 70])
async def test_a_machine_that_slept_bridges_what_it_missed(world: World, hours: float) -> None:
    """Its monotonic clock stands still, the wall clock jumps, and the service goes on."""
    await world.stage.start(CONFIG)
    await world.run(600)
    world.total += round(hours * HOUR) * 10
    world.bad += 4
    world.stage.clock.step(hours * HOUR)
    await world.run(600)
    assert await world.counted() == world.truth
    assert world.hook.alerts == []


# --- an upstream whose clock is another -----------------------------------------------------------

UPSTREAM = """
[source.prom]
type = "prometheus"
url = "http://prom:9090"
interval = "15s"
[slo.case]
objective = 99
window = "1d"
sli = { bad = 'req_total{code="500"}', total = 'req_total' }
"""


@pytest.mark.parametrize("restart", [False, True], ids=["running", "between starts"])
@pytest.mark.parametrize("seconds", [-HOUR, -40.0, 40.0, HOUR])
async def test_samples_of_an_upstream_stay_where_its_own_clock_put_them(
    stage: Stage, seconds: float, restart: bool
) -> None:
    """While this machine's clock is behind, what is newer by the upstream's is not asked for; that
    nothing comes is said. Once the clocks agree again all of it is there, once."""
    true = stage.clock.now
    skew = 0.0
    upstream = Upstream(lambda: true() - skew)
    stage.network.hosts["prom:9090"] = upstream
    own = {"job": "app", "instance": "a:1"}
    for index in range(-20, 200):
        at = T + 15 * index
        upstream.write(series("up", **own), at, 1.0)
        for code, pace in (("200", 90.0), ("500", 10.0)):
            counter = series("req_total", code=code, **own)
            upstream.write(counter, at, 40_000 + pace * (20 + index))
    await stage.start(UPSTREAM)
    for _ in range(20):
        await stage.advance(15)
    good, bad = (await stage.metrics()).events()

    async def move(by: float) -> None:
        nonlocal skew
        if restart:
            await stage.stop()
        skew += by
        stage.clock.step(by)
        if restart:
            await stage.start()

    await move(seconds)
    for _ in range(40):
        await stage.advance(15)
    await move(-seconds)
    for _ in range(8):
        await stage.advance(15)
    new_good, new_bad = (await stage.metrics()).events()
    assert new_bad - bad == pytest.approx(10 * 48, abs=20)
    assert (new_good - good) == 9 * (new_bad - bad)
    found = await stage.api("slos/case/history", window="2m", start=T + 300, end=T + 300, step=1)
    assert found["instances"][0]["points"][-1][2] == pytest.approx(80, abs=11)


# --- daylight saving ------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")
CALENDAR = """
[source.x]
type = "scrape"
targets = ["http://app:80/metrics"]
interval = "5m"
[slo.case]
objective = 99
window = { calendar = "day", timezone = "Europe/Berlin" }
source = "x"
sli = { bad = 'bad_total', total = 'all_total' }
[exclusion.backups]
slos = "{}"
owner = "ops"
start = 2024-01-01T04:00:00
duration = "1h"
timezone = "Europe/Berlin"
rrule = "FREQ=DAILY"
reason = "backups"
"""


@pytest.mark.parametrize("day", ["2024-03-31", "2024-10-27"])
async def test_over_a_change_of_the_clocks_days_and_exclusions_keep_to_the_clocks_there(
    stage: Stage, day: str
) -> None:
    """What recurs at four is left out at four by the clocks of that day, and the next period begins
    at the midnight after it, 23 or 25 hours later."""
    midnight = datetime.fromisoformat(day).replace(tzinfo=BERLIN)
    excluded = midnight.replace(hour=4).timestamp()
    total = bad = 0.0

    def page(_: Request) -> object:
        return answer(render({"all_total": total, "bad_total": bad}, TEXT))

    async def run(until: float) -> None:
        nonlocal total, bad
        while stage.now < until - 1:
            # An error a minute, a hundred while it is excluded.
            total += 3000
            bad += 500 if excluded <= stage.now < excluded + HOUR else 5
            await stage.advance(300)

    stage.network.hosts["app:80"] = page  # type: ignore[assignment]
    begin = excluded - 3 * HOUR
    stage.clock.step(begin - stage.now)
    await stage.start(CALENDAR)
    await run(excluded + 1.5 * HOUR)
    window = (await stage.slo())["windows"][-1]
    assert window["bad"] == pytest.approx(3.5 * 60, abs=6)
    assert window["good"] + window["bad"] == pytest.approx(3.5 * 36_000, rel=0.03)
    next_midnight = (midnight + timedelta(days=1)).timestamp()
    stage.clock.step(next_midnight - 1200 - stage.now)
    await run(next_midnight + 1800)
    window = (await stage.slo())["windows"][-1]
    assert window["bad"] == pytest.approx(30, abs=6)
