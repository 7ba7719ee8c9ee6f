"""Times of samples: ahead, in another unit, late, and zeros long before their value."""

from __future__ import annotations

from collections.abc import Callable
from math import floor

import pytest

from tests.cases.pages import OPENMETRICS, PROTOBUF, TEXT, Sample, render
from tests.cases.stage import Hook, Request, Stage, T, answer
from tests.cases.upstream import Upstream, series

TWO = """
[source.x]
type = "scrape"
targets = ["http://sound:80/metrics", "http://ahead:80/metrics"]
interval = "{interval}"
[slo.case]
objective = 99
sli = {{ bad = 'bad_total', total = 'all_total' }}
"""


def serve(stage: Stage, name: str, page: Callable[[int, float], bytes], content: str) -> None:
    """A target whose page depends on the look, of `interval` seconds each, and on the time."""

    def handler(request: Request) -> object:
        return answer(page(round((stage.now - T) / 10), stage.now), content)

    stage.network.hosts[f"{name}:80"] = handler  # type: ignore[assignment]


# --- pages whose clock is ahead -------------------------------------------------------------------


def two_targets(stage: Stage, ahead: float, content: str) -> None:
    """One target has all the errors; the other one's samples are so many seconds ahead."""

    def sound(look: int, now: float) -> bytes:
        failed = 10.0 * min(max(look - 2, 0), 4)
        return render({"all_total": 100.0 + 20 * look, "bad_total": failed}, content)

    def other(look: int, now: float) -> bytes:
        page = {
            "all_total": Sample(5000.0 + 3 * look, now + ahead),
            "bad_total": Sample(7.0, now + ahead),
        }
        return render(page, content)

    serve(stage, "sound", sound, content)
    serve(stage, "ahead", other, content)


@pytest.mark.parametrize("ahead", [15.0, 61.0, 540.0])
@pytest.mark.parametrize("content", [TEXT, OPENMETRICS, PROTOBUF], ids=["text", "om", "protobuf"])
async def test_a_page_that_is_a_little_ahead_moves_nobodys_history(
    stage: Stage, ahead: float, content: str
) -> None:
    two_targets(stage, ahead, content)
    await stage.start(TWO.format(interval="10s"))
    for look in range(1, 16):
        await stage.advance(10)
        if look == 8:
            await stage.restart()
    metrics = await stage.metrics()
    assert metrics.events() == (15 * 23 - 40, 40)
    good, bad = await stage.in_last("5m")
    assert bad == pytest.approx(40)
    assert good == pytest.approx(15 * 23 - 40, rel=0.05)
    # The errors came between the second and the sixth look, and are not seen before that.
    assert (await history(stage, T + 20))[1] == pytest.approx(0, abs=0.1)
    assert (await history(stage, T + 60))[1] == pytest.approx(40, abs=0.1)


async def history(stage: Stage, at: float, window: str = "5m") -> tuple[float, float]:
    """Good and bad events of a window that ended at a moment."""
    found = await stage.api("slos/case/history", window=window, start=at, end=at, step=1)
    points = [one["points"][-1] for one in found["instances"]]
    return sum(p[1] for p in points), sum(p[2] for p in points)


@pytest.mark.parametrize("ahead", [660.0, 3600.0, 400 * 86_400.0])
@pytest.mark.parametrize("content", [TEXT, OPENMETRICS], ids=["text", "om"])
async def test_a_page_that_is_far_ahead_is_refused_and_the_others_count(
    stage: Stage, ahead: float, content: str
) -> None:
    two_targets(stage, ahead, content)
    await stage.start(TWO.format(interval="10s"))
    for _ in range(15):
        await stage.advance(10)
    metrics = await stage.metrics()
    assert metrics.events() == (15 * 20 - 40, 40)
    assert (await stage.in_last("5m"))[1] == pytest.approx(40)
    assert metrics.sum("slod_samples_refused_total", reason="too_far_ahead") > 10


# --- timestamps in another unit -------------------------------------------------------------------

UNITS = {
    "milliseconds-in-openmetrics": (OPENMETRICS, 1e3),
    "microseconds-in-openmetrics": (OPENMETRICS, 1e6),
    "nanoseconds-in-text": (TEXT, 1e6),
    "microseconds-in-text": (TEXT, 1e3),
    "seconds-in-text": (TEXT, 1e-3),
    "nanoseconds-in-protobuf": (PROTOBUF, 1e6),
}
WRONG_UNIT = """
[source.net]
type = "scrape"
targets = ["http://net:80/metrics"]
interval = "10s"
[source.sound]
type = "scrape"
targets = ["http://sound:80/metrics"]
interval = "10s"
[alert_policy.quick]
rules = [{ severity = "page", burn_rate = 5, long = "1m", short = "20s" }]
[slo.net]
source = "net"
objective = 99
alert_policy = "quick"
sli = { bad = "bad_total", total = "all_total" }
[slo.case]
source = "sound"
objective = 99
alert_policy = "quick"
sli = { bad = "bad_total", total = "all_total" }
[receiver.hook]
type = "webhook"
url = "http://hook:80/"
"""


@pytest.mark.parametrize(("content", "factor"), UNITS.values(), ids=UNITS)
async def test_times_in_another_unit_are_refused_and_everything_else_goes_on(
    stage: Stage, content: str, factor: float
) -> None:
    def counts(look: int) -> tuple[float, float]:
        return 300.0 + 50 * look, 10.0 + 30 * max(look - 3, 0)

    def wrong(look: int, now: float) -> bytes:
        total, failed = counts(look)
        at = floor(now) * factor
        page = {"all_total": Sample(total, at), "bad_total": Sample(failed, at)}
        return render(page, content)

    def sound(look: int, now: float) -> bytes:
        total, failed = counts(look)
        return render({"all_total": total, "bad_total": failed}, TEXT)

    hook: Hook = Hook()
    stage.network.hosts["hook:80"] = hook
    serve(stage, "net", wrong, content)
    serve(stage, "sound", sound, TEXT)
    await stage.start(WRONG_UNIT)
    for _ in range(12):
        await stage.advance(10)
    metrics = await stage.metrics()
    assert metrics.events() == (12 * 50 - 9 * 30, 9 * 30)
    assert metrics.events("net") == (0, 0)
    assert metrics.sum("slod_samples_refused_total", source="net") > 0
    assert [a["labels"]["slo"] for a in hook.named()] == ["case"]
    assert (await stage.slo("net"))["unknown"]
    await stage.restart()
    await stage.advance(10)
    assert (await stage.metrics()).events() == (13 * 50 - 10 * 30, 10 * 30)


async def test_samples_older_than_the_ledger_are_refused(stage: Stage) -> None:
    def old(look: int, now: float) -> bytes:
        at = now - 90 * 86_400
        return render({"all_total": Sample(50.0 * look, at), "bad_total": Sample(look, at)}, TEXT)

    serve(stage, "sound", old, TEXT)
    await stage.start(TWO.format(interval="10s").replace(', "http://ahead:80/metrics"', ""))
    for _ in range(5):
        await stage.advance(10)
    metrics = await stage.metrics()
    assert metrics.events() == (0, 0)
    assert metrics.sum("slod_samples_refused_total", reason="too_old") > 0


# --- samples that come late -----------------------------------------------------------------------

LATE = """
[source.prom]
type = "prometheus"
url = "http://prom:9090"
interval = "{interval:.0f}s"
{more}
[slo.case]
objective = 99
sli = {{ bad = 'req_total{{code="500"}}', total = 'req_total' }}
"""
Arrival = Callable[[str, float], float]
"""When a sample of a series (its code) and time arrives."""

ARRIVALS: dict[str, tuple[float, Arrival]] = {
    "all-a-minute-late": (10, lambda code, t: t + 60),
    "errors-late": (7, lambda code, t: t + (42 if code == "500" else 0.5)),
    "traffic-late": (10, lambda code, t: t + (75 if code == "200" else 0.5)),
    "almost-two-minutes": (15, lambda code, t: t + 110),
    "once-a-minute": (10, lambda code, t: (t // 60 + 1) * 60 + 1),
    "errors-once-a-minute": (15, lambda code, t: (t // 60 + 1) * 60 + 2 if code == "500" else t),
    "more-and-more-late": (15, lambda code, t: t + 0.5 + (t - T) * 0.2),
    "in-disorder": (5, lambda code, t: t + (50 if int(t - T) % 15 == 0 else 10)),
}


@pytest.mark.parametrize("restarts", [False, True], ids=["", "restarts"])
@pytest.mark.parametrize(("interval", "arrival"), ARRIVALS.values(), ids=ARRIVALS)
async def test_samples_that_come_late_count_once_and_when_they_happened(
    stage: Stage, interval: float, arrival: Arrival, restarts: bool
) -> None:
    upstream = Upstream(stage.clock.now)
    stage.network.hosts["prom:9090"] = upstream
    for index in range(-20, 48):
        at = T + 5 * index
        for code, pace in (("200", 90.0), ("500", 10.0)):
            own = series("req_total", job="app", instance="a:1", code=code)
            upstream.write(own, at, 40_000 + pace * (20 + index), arrival(code, at))
        upstream.write(series("up", job="app", instance="a:1"), at, 1.0, arrival("200", at))
    await stage.start(LATE.format(interval=interval, more=""))
    for step in range(round(390 / interval)):
        await stage.advance(interval)
        if restarts and step % 9 == 4:
            await stage.restart()
    seen = await history(stage, T + 200, "2m")
    # To within a poll at either edge.
    assert seen[0] == pytest.approx(24 * 90, abs=18 * interval)
    assert seen[1] == pytest.approx(24 * 10, abs=2 * interval)
    # From the first sample that was there at the start to the last one of all.
    good, bad = (await stage.metrics()).events()
    assert good >= 46 * 90 and bad >= 46 * 10
    assert good % 90 == 0 and bad % 10 == 0
    assert good <= 68 * 90 and bad <= 68 * 10


async def test_one_of_three_instances_is_late(stage: Stage) -> None:
    upstream = Upstream(stage.clock.now)
    stage.network.hosts["prom:9090"] = upstream
    for index in range(40):
        at = T - 2 + 10 * index
        for instance, late in (("a:1", 0.5), ("b:1", 0.5), ("c:1", 95.0)):
            own = {"job": "app", "instance": instance}
            upstream.write(series("up", **own), at, 1.0, at + late)
            upstream.write(series("req_total", code="200", **own), at, 9.0 * index, at + late)
            failed = 2.0 * index if instance == "c:1" else 0.0
            upstream.write(series("req_total", code="500", **own), at, failed, at + late)
    await stage.start(LATE.format(interval=10, more=""))
    for step in range(52):
        await stage.advance(10)
        if step == 25:
            await stage.restart()
    good, bad = (await stage.metrics()).events()
    assert good == 3 * 9 * 39
    assert bad == 2 * 39


# --- zeros at created times -----------------------------------------------------------------------


@pytest.mark.parametrize("interval", [40.0, 60.0, 110.0])
@pytest.mark.parametrize("restarts", [False, True], ids=["", "restarts"])
async def test_a_zero_that_is_stored_long_before_its_value_tells_of_a_restart(
    stage: Stage, interval: float, restarts: bool
) -> None:
    upstream = Upstream(stage.clock.now)
    stage.network.hosts["prom:9090"] = upstream
    own = {"job": "app", "instance": "a:1"}
    # At the fourth scrape the counters have overtaken; their zero is as old as the third scrape.
    for index, (ok, failed) in enumerate(((700, 8), (720, 9), (740, 9), (760, 31), (770, 32))):
        at = T - 3 + interval * index
        upstream.write(series("up", **own), at, 1.0)
        for code, value in (("200", ok), ("500", failed)):
            labels = series("req_total", code=code, **own)
            if index == 3:
                upstream.write(labels, at - interval + 2, 0.0, at + 0.5)
            upstream.write(labels, at, value)
    await stage.start(LATE.format(interval=10, more=""))
    for step in range(round(interval * 4 / 10) + 3):
        await stage.advance(10)
        if restarts and step % 4 == 3:
            await stage.restart()
    assert (await stage.metrics()).events() == (40 + 770, 1 + 32)
