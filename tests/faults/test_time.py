"""Clocks that are set, that jump, repeat a second or change to summer time.

What is counted stays exact, nothing is negative, and the step alone neither begins an alert nor
ends one. A `Twin` has no such troubles: two machines watch the same service, only one's clock is
touched.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from exporter.core.engine import Engine
from exporter.core.outbox import Route
from exporter.core.slo import Calendar
from tests.core.builders import (
    ERROR,
    OK,
    T,
    batch,
    counted,
    engine,
    feed,
    rule,
    said,
    slo,
    status,
)

HOUR = 3600.0
RULES = (rule("page", "20m", "2m", 10.0), rule("ticket", "40m", "10m", 3.0))
ALERTMANAGER = Route("am", "am http://127.0.0.1/", resend=60.0)


def watched(interval: float = 10.0, period: object = "2h") -> Engine:
    return engine(
        slo(rules=RULES, objective=0.99, interval=interval, period=period), routes=[ALERTMANAGER]
    )


class Twin:
    """One service and two machines that watch it; `skew` is what the first one's clock is off."""

    def __init__(self, interval: float = 10.0) -> None:
        self.touched, self.steady = watched(interval), watched(interval)
        self.interval, self.elapsed, self.skew = interval, 0.0, 0.0
        self.good = self.bad = 0.0
        self.said: list[tuple[str, str]] = []
        self.expected: list[tuple[str, str]] = []
        self._poll()

    @property
    def now(self) -> float:
        """What the touched clock shows."""
        return T + self.elapsed + self.skew

    def run(self, seconds: float, good: float, bad: float) -> None:
        """So long, with so many events a second."""
        for _ in range(round(seconds / self.interval)):
            self.elapsed += self.interval
            self.good += good * self.interval
            self.bad += bad * self.interval
            self._poll()
        # Where the clock went back by less than a few samples, those bridge.
        assert counted(self.touched) == counted(self.steady) == tuple(self.page.values())
        self.sane()

    def sleep(self, seconds: float, good: float, bad: float) -> None:
        """The first machine is suspended, the service goes on."""
        self.elapsed += seconds
        self.good += good * seconds
        self.bad += bad * seconds

    def beat(self) -> None:
        """The first machine looks at its alerts without anything new, as it does all the time."""
        self.said += said(self.touched, self.now)
        self.sane()

    def sane(self) -> None:
        one = status(self.touched, self.now)
        for window in one.windows:
            assert window.good >= 0 and window.bad >= 0
            assert 0 <= window.coverage <= 1
        assert one.budget_remaining is None or one.budget_remaining <= 1
        assert one.exhaustion_seconds is None or one.exhaustion_seconds >= 0

    @property
    def page(self) -> dict[str, float]:
        return {OK: float(int(self.good)), ERROR: float(int(self.bad))}

    def _poll(self) -> None:
        self.said += said(self.touched, self.now)
        feed(self.touched, self.now, self.page)
        feed(self.steady, T + self.elapsed, self.page)
        self.said += said(self.touched, self.now)
        self.expected += said(self.steady, T + self.elapsed)

    def burns(self) -> tuple[dict[str, float | None], dict[str, float | None]]:
        """By window, what either machine says now."""
        return (
            {w.label: w.bad for w in status(self.touched, self.now).windows},
            {w.label: w.bad for w in status(self.steady, T + self.elapsed).windows},
        )


STEPS = [-30 * HOUR, -HOUR, -301.0, -11.0, -1.0, 0.3, 11.0, 301.0, HOUR, 30 * HOUR]


@pytest.mark.parametrize("step", STEPS)
def test_a_step_in_calm_weather_says_nothing_and_counts_everything(step: float) -> None:
    twin = Twin()
    twin.run(HOUR, 10, 0.02)
    twin.skew += step
    twin.beat()
    twin.run(HOUR, 10, 0.02)
    assert twin.said == []


@pytest.mark.parametrize("step", STEPS)
def test_a_step_in_an_outage_neither_ends_its_alert_nor_begins_another(step: float) -> None:
    twin = Twin()
    twin.run(HOUR, 10, 0)
    twin.run(600, 5, 5)
    assert twin.said == twin.expected != []
    twin.skew += step
    twin.beat()
    twin.run(600, 5, 5)
    assert burning(twin.said) == burning(twin.expected)
    twin.run(HOUR, 10, 0)
    assert sorted(burning(twin.said)) == sorted(burning(twin.expected))


@pytest.mark.parametrize("step", STEPS)
def test_an_outage_after_a_step_is_told_when_it_would_have_been(step: float) -> None:
    twin = Twin()
    twin.run(HOUR, 10, 0.02)
    twin.skew += step
    twin.beat()
    # A long step forward empties the windows, and one error more is too many then.
    twin.run(HOUR if abs(step) > 60 else 60, 10, 0.02)
    twin.run(600, 5, 5)
    assert sorted(burning(twin.said)) == sorted(burning(twin.expected)) != []


def burning(log: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Without the budget's own alerts: they are about the period, which a long step empties."""
    return [one for one in log if not one[1].startswith("ErrorBudgetPolicy")]


@pytest.mark.parametrize("step", [s for s in STEPS if s < 0])
def test_a_clock_set_back_leaves_every_window_as_it_was(step: float) -> None:
    twin = Twin()
    twin.run(1200, 10, 0)
    twin.run(300, 8, 2)
    twin.run(1200, 10, 0.01)
    twin.skew += step
    twin.run(300, 10, 0.01)
    touched, steady = twin.burns()
    assert touched == pytest.approx(steady, rel=0.01, abs=2 * twin.interval)


@pytest.mark.parametrize("steps", [(HOUR,), (-HOUR,), (5 * HOUR, -5 * HOUR), (-HOUR, HOUR)])
def test_windows_are_right_again_once_the_step_has_left_them(steps: tuple[float, ...]) -> None:
    twin = Twin()
    twin.run(HOUR, 10, 0.2)
    for step in steps:
        twin.skew += step
        twin.run(300, 7, 0.4)
    twin.run(2 * HOUR, 9, 0.1)
    touched, steady = twin.burns()
    assert touched == pytest.approx(steady, rel=0.01)


@pytest.mark.parametrize("hours", [0.02, 0.5, 3, 40])
def test_a_suspended_machine_bridges_what_it_slept_through_and_says_nothing_of_it(
    hours: float,
) -> None:
    twin = Twin()
    twin.run(HOUR, 10, 0.02)
    twin.sleep(hours * HOUR, 10, 0.02)
    twin.beat()
    twin.run(HOUR, 10, 0.02)
    assert twin.said == []


@pytest.mark.parametrize("interval", [0.25, 0.5, 1.0, 10.0])
@pytest.mark.parametrize("smeared", [False, True])
def test_a_leap_second_repeated_or_smeared_is_not_noticed(interval: float, smeared: bool) -> None:
    twin = Twin(interval)
    twin.run(100 * interval, 20, 0.04)
    if smeared:
        for _ in range(100):
            twin.skew -= 0.01
            twin.run(2 * interval, 20, 0.04)
    else:
        twin.skew -= 1.0
    twin.run(100 * interval, 20, 0.04)
    assert twin.said == []
    touched, steady = twin.burns()
    assert touched == pytest.approx(steady, abs=1.0)


@pytest.mark.parametrize("day", ["2023-10-29", "2024-03-31"])
@pytest.mark.parametrize("unit", ["day", "week", "month"])
def test_summer_time_comes_and_goes_without_a_trace(day: str, unit: str) -> None:
    period = Calendar(unit, "Europe/Berlin")
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    begin, start = noon.timestamp() - 18 * HOUR, period.start(noon.timestamp())
    of = watched(300.0, period)
    for minute in range(0, 28 * 60, 5):
        now = begin + 60 * minute
        feed(of, now, {OK: 60.0 * minute, ERROR: 0.1 * minute})
        assert said(of, now) == []
        if begin < start <= now or start < begin:
            if period.start(now) == start:
                expected = (now - max(start, begin)) / 60 * 60.1
                found = status(of, now).windows[-1]
                assert found.total == pytest.approx(expected, rel=0.002, abs=1)
                assert found.bad == pytest.approx(expected / 601, rel=0.01, abs=0.1)


@pytest.mark.parametrize("step", [-5 * HOUR, -HOUR, -301.0, HOUR])
def test_an_alert_never_ends_before_it_began_and_is_said_again_in_time(step: float) -> None:
    """Alertmanager refuses one that does, and forgets one it hears nothing of."""
    twin = Twin()
    twin.run(HOUR, 10, 0)
    twin.run(600, 5, 5)
    outbox = twin.touched.outbox
    told = outbox.due(ALERTMANAGER.endpoint, twin.now)
    assert told
    for entry in told:
        outbox.delivered(entry, twin.now)
    twin.skew += step
    # Four times `resend` is how long it is valid for.
    twin.run(180, 5, 5)
    again = outbox.due(ALERTMANAGER.endpoint, twin.now)
    fingerprints = {e.notification.fingerprint for e in told}
    assert fingerprints == {e.notification.fingerprint for e in again}
    assert all(e.notification.starts_at <= twin.now for e in again)
    for entry in again:
        outbox.delivered(entry, twin.now)
    twin.run(HOUR, 10, 0)
    for entry in outbox.entries():
        ends = entry.notification.ends_at
        assert ends is None or ends >= entry.notification.starts_at


def test_what_waits_for_a_retry_does_not_wait_for_the_clock_to_catch_up() -> None:
    twin = Twin()
    twin.run(HOUR, 10, 0)
    twin.run(600, 5, 5)
    outbox = twin.touched.outbox
    waiting = outbox.due(ALERTMANAGER.endpoint, twin.now)
    assert waiting
    for entry in waiting:
        outbox.failed(entry, twin.now, 0.5, None)
    twin.skew -= 5 * HOUR
    twin.run(120, 5, 5)
    assert {e.id for e in outbox.due(ALERTMANAGER.endpoint, twin.now)} >= {e.id for e in waiting}


@pytest.mark.parametrize("step", [-5 * HOUR, -HOUR, -301.0, HOUR])
@pytest.mark.parametrize("age", [60.0, 40 * HOUR])
def test_a_process_that_restarts_after_a_step_is_counted_from_zero(step: float, age: float) -> None:
    """The start that it had before is by the clock as it was: later than that of the new process,
    where that clock was ahead."""
    of, now = watched(), T
    for n in range(30):
        now += 10
        page = {"pod": {OK: 100.0 * n, ERROR: 0.0}}
        of.ingest(batch(of, now, page, started={"pod": T - age}))
    now += step
    for _ in range(10):
        now += 10
        of.ingest(batch(of, now, page, started={"pod": T - age}))
    before = counted(of)
    of.ingest(batch(of, now + 10, {"pod": {OK: 80.0, ERROR: 1.0}}, started={"pod": now + 2.5}))
    assert counted(of) == (before[0] + 80, before[1] + 1)
