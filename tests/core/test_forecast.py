"""Forecasts: patterns, what leaves the period, what nobody has seen, the interval and its alert."""

from __future__ import annotations

from math import inf
from random import Random
from typing import Any

import pytest

from exporter.core.engine import Engine
from exporter.core.exclusion import Exclusion
from exporter.core.forecast import HOUR, Day, Forecast, Past, forecast, past
from exporter.core.foresight import GOOD_FOR
from exporter.core.ledger import Ledger
from exporter.core.slo import Calendar
from tests.core.builders import ERROR, OK, T, Traffic, aged, engine, feed, packed, rule, slo, status

DAY = 86_400.0
MONDAY = 4 * DAY
"""The first one of unix time."""


def day(bad: float = 0.0, total: float = 2400.0, hour: int = 12, weekend: bool = False) -> Day:
    """A day with all its bad events in one hour."""
    bads = tuple(bad * (h == hour) for h in range(24))
    return Day(bads, (total / 24,) * 24, bad, total, weekend)


def made(past: Past, seed: int = 1, objective: float = 0.99) -> Forecast:
    return forecast(past, objective, Random(seed).random)


def month(days: list[Day], leaving: list[Day] | None = None, bad: float | None = None) -> Past:
    """30 days, which are the period too, unless told otherwise."""
    leaving = days if leaving is None else leaving
    now_bad = sum(d.bad for d in leaving) if bad is None else bad
    return Past(MONDAY, days, now_bad, sum(d.total for d in leaving), leaving, 24 * len(leaving))


def test_errors_of_every_day_that_stay_within_the_objective_do_not_exhaust_it() -> None:
    found = made(month([day(bad=5.0)] * 30))
    assert found.middle == found.upper == inf
    assert found.days == 30


def test_without_an_incident_one_is_not_excluded_either() -> None:
    calm = made(month([day()] * 30, bad=0.0))
    assert calm.middle == inf and calm.lower == inf
    near = month([day()] * 30, leaving=[day()] * 29 + [day(bad=700.0)])
    assert made(near).lower < inf


def test_a_budget_that_is_used_up_by_what_happens_every_day_is_gone_when_that_says() -> None:
    # 720 bad events are allowed, 480 are there, and 48 come every day at noon; none leave.
    found = made(month([day(bad=48.0)] * 10, leaving=[day()] * 30, bad=480.0))
    assert found.middle == 5 * DAY + 13 * HOUR
    assert found.lower <= found.middle <= found.upper <= 6 * DAY


def test_what_leaves_the_period_gives_its_budget_back() -> None:
    leaving = [day(bad=600.0), *([day()] * 29)]
    assert made(month([day(bad=20.0)] * 30, leaving=leaving)).middle == inf
    leaving = [*([day()] * 29), day(bad=600.0)]
    assert made(month([day(bad=20.0)] * 30, leaving=leaving)).middle < 8 * DAY


def test_weekends_are_drawn_for_weekends() -> None:
    days = [day(bad=400.0 * (k % 7 >= 5), weekend=k % 7 >= 5) for k in range(28)]
    found = made(Past(MONDAY, days, 500.0, 72_000.0, [], 24 * 30))
    # Monday begins the forecast; it is gone on Saturday at noon.
    assert found.middle == 5 * DAY + 13 * HOUR


def test_with_too_few_weekends_every_day_may_come() -> None:
    days = [day(bad=400.0)] * 4 + [day(weekend=True)]
    found = made(Past(MONDAY, days, 500.0, 72_000.0, [], 24 * 30))
    assert found.lower == 13 * HOUR


def test_a_budget_that_is_gone_is_gone_now() -> None:
    assert made(month([day(bad=30.0)] * 30))[1:4] == (0.0, 0.0, 0.0)


def test_the_same_numbers_give_the_same_forecast() -> None:
    some = month([day(bad=10.0 * (k % 5)) for k in range(30)])
    assert made(some) == made(some)


def test_all_else_alike_more_errors_never_put_the_end_off() -> None:
    # Each path has the same days whatever became of those before it: else a forecast would jump
    # each time it is made, with no news.
    days = [day(bad=150.0 * (k % 6 == 0) + 5.0, hour=k % 24) for k in range(30)]
    some = month(days)
    found = [made(some._replace(bad=200.0 + 5 * k)) for k in range(100)]
    for ends in ([f.lower for f in found], [f.middle for f in found]):
        assert ends == sorted(ends, reverse=True)
        assert ends[0] > ends[-1]


def test_an_hour_that_nearly_exhausts_it_may_not() -> None:
    # Good events come before the bad ones of the day: within the slack it is looked at closely.
    days = [day(bad=20.0)] * 30
    found = made(Past(MONDAY, days, 690.0, 72_000.0, [day(bad=19.0)] * 30, 24 * 30))
    assert found.middle == inf or found.middle > DAY


# --- from a ledger ------------------------------------------------------------------------------


def ledger(days: int, horizon: float = 30 * DAY, gap: tuple[int, int] = (0, 0)) -> Ledger:
    """Two events an hour until T, one of ten bad; nobody looked in the days of the gap."""
    out = Ledger(horizon, 60.0)
    begin = T - days * DAY
    for hour in range(days * 24):
        start = begin + hour * HOUR
        if gap[0] <= hour // 24 < gap[1]:
            continue
        out.add(start, start + HOUR, 18.0, 2.0)
        out.cover(start, start + HOUR)
    return out


def test_a_ledger_gives_days_hours_and_what_leaves() -> None:
    found = past(slo(), ledger(30), T)
    assert found is not None
    assert len(found.days) == 30 and len(found.leaving) == 30 and found.hours == 720
    assert (found.bad, found.total) == pytest.approx((1440.0, 14_400.0))
    assert found.days[0].total == pytest.approx(480) and found.days[0].bads[3] == pytest.approx(2)
    # 2023-11-14 is a Tuesday, so the day before yesterday night was a Sunday's.
    assert [d.weekend for d in found.days[-4:]] == [True, True, False, False]


def test_days_nobody_looked_at_or_that_are_excluded_are_not_drawn() -> None:
    some = ledger(30, gap=(5, 9))
    some.exclude(((T - 2 * DAY, T - DAY),))
    found = past(slo(), some, T)
    assert found is not None and len(found.days) == 25 and len(found.leaving) == 30


def test_of_a_long_period_the_newest_days_are_drawn_and_all_of_them_leave() -> None:
    found = past(slo(period="90d"), ledger(90, horizon=90 * DAY), T)
    assert found is not None
    assert len(found.days) == 35 and len(found.leaving) == 90 and found.hours == 90 * 24
    assert [d.total for d in found.leaving] == pytest.approx([480.0] * 90, rel=0.01)
    assert sum(found.leaving[0].bads) == pytest.approx(found.leaving[0].bad)
    assert found.leaving[-35:] == found.days
    assert [d.weekend for d in found.leaving[:7]] == [d.weekend for d in found.leaving[7:14]]


def test_a_calendar_period_ends_and_loses_nothing_before() -> None:
    found = past(slo(period=Calendar("month", "UTC")), ledger(30, horizon=32 * DAY), T)
    assert found is not None
    assert found.leaving == [] and found.hours == int((30 - 14 + 1 / 13.5) * 24)
    assert found.total == pytest.approx(20 * (13 * 24 + 22), abs=20)


@pytest.mark.parametrize(("period", "days"), [("1d", 30), ("30d", 1), ("30d", 0)])
def test_too_little_history_or_too_short_a_period_has_no_forecast(period: str, days: int) -> None:
    assert past(slo(period=period), ledger(days), T) is None


# --- of an instance -----------------------------------------------------------------------------


def foreseen(made: Forecast | None, **more: Any) -> Engine:
    """An SLO with half of its budget, and this forecast."""
    e = aged(engine(slo(objective=0.9, **more)), T - 10)
    feed(e, T - 10, {OK: 0.0, ERROR: 0.0})
    feed(e, T, {OK: 95.0, ERROR: 5.0})
    put(e, made)
    return e


def put(e: Engine, made: Forecast | None) -> None:
    e.accounts["slo"].foretell((), made)


def interval(e: Engine, now: float = T) -> tuple[float | None, float | None, float | None]:
    s = status(e, now)
    return s.exhaustion_lower, s.exhaustion_seconds, s.exhaustion_upper


SOON = Forecast(T - 600, DAY, 2 * DAY, inf, 30)


def test_the_interval_is_counted_from_now() -> None:
    assert interval(foreseen(SOON)) == (DAY - 600, 2 * DAY - 600, inf)


@pytest.mark.parametrize(
    ("change", "kept"), [({}, True), ({"objective": 0.95}, False), ({"period": "28d"}, False)]
)
def test_a_forecast_about_another_budget_is_dropped(change: dict[str, Any], kept: bool) -> None:
    e = foreseen(SOON)
    e.configure([slo(**{"objective": 0.9, "labels": {"team": "b"}, **change})], ())
    assert (interval(e)[0] is not None) is kept


@pytest.mark.parametrize("at", [T - GOOD_FOR - 1, T + 1])
def test_an_old_forecast_is_none(at: float) -> None:
    lower, middle, upper = interval(foreseen(SOON._replace(at=at)))
    assert (lower, upper) == (None, None)
    assert middle == pytest.approx(0.5 * 30 * DAY / 0.5)


def test_while_an_alert_fires_the_outage_goes_on() -> None:
    e = foreseen(SOON, rules=(rule("page", "5m", "1m", 0.1),))
    e.tick(T)
    lower, middle, upper = interval(e)
    assert middle == pytest.approx(0.5 * 30 * DAY / 0.5)
    assert lower == DAY - 600 and upper == inf
    put(e, SOON._replace(lower=60 * DAY, upper=DAY))
    lower, middle, upper = interval(e)
    assert lower == middle == upper


def test_a_budget_that_is_spent_is_gone_now_whatever_was_foreseen() -> None:
    e = foreseen(SOON)
    feed(e, T + 10, {OK: 95.0, ERROR: 50.0})
    assert interval(e, T + 10) == (None, 0.0, None)


def test_of_a_budget_that_is_gone_no_future_is_told() -> None:
    e = foreseen(
        SOON._replace(lower=0.0, middle=0.0, upper=0.0),
        forecast_within=3 * DAY,
        rules=(rule("page", "5m", "1m", 0.1),),
    )
    feed(e, T + 10, {OK: 95.0, ERROR: 50.0})
    said = {n.labels["alertname"]: n.annotations for n in e.tick(T + 10).said}
    # As slow as can be, it is not said while a page fires.
    assert said["ErrorBudgetBurn"]["description"].endswith("over 30d; the budget is spent.")
    (alert,) = (a for a in e.accounts["slo"].alerts() if "Forecast" in a.labels["alertname"])
    assert alert.annotations == {
        "summary": "slo: the error budget is gone",
        "description": "The budget over 30d is gone.",
        "budget_remaining": "-2.4483",
        "exhausts_in": "0s",
    }


def told(e: Engine, now: float) -> list[str]:
    return [
        n.reason.value for n in e.tick(now).said if n.labels["alertname"] == "ErrorBudgetForecast"
    ]


def test_an_alert_says_when_the_budget_will_be_gone_soon_and_ends_when_it_lasts_again() -> None:
    e = foreseen(SOON, forecast_within=3 * DAY)
    [said] = e.tick(T).said
    assert said.annotations == {
        "summary": "slo: the error budget will be gone in 172800s",
        "description": (
            "Going by the last 30 days, the budget over 30d is gone in 172800s; with a chance of "
            "10% already in 86400s, and of 10% only later than that: not within 30d."
        ),
        "budget_remaining": "0.5000",
        "exhausts_in": "172800s",
    }
    put(e, SOON._replace(middle=3.7 * DAY))
    assert told(e, T + 1) == []
    put(e, SOON._replace(middle=inf))
    assert told(e, T + 2) == ["resolved"]


def test_the_alert_survives_a_restart_and_waits_for_a_new_forecast() -> None:
    e = foreseen(SOON, forecast_within=3 * DAY)
    assert told(e, T) == ["firing"]
    again = engine(slo(objective=0.9, forecast_within=3 * DAY))
    assert again.restore("slo", packed(e.dump("slo")), []) is None
    assert told(again, T + 20) == []
    put(again, SOON._replace(middle=inf))
    assert told(again, T + 30) == ["resolved"]


def test_while_a_page_fires_it_is_not_said() -> None:
    e = foreseen(SOON, forecast_within=3 * DAY, rules=(rule("page", "5m", "1m", 0.1),))
    assert told(e, T) == []


def test_without_the_setting_or_a_forecast_there_is_no_alert() -> None:
    assert told(foreseen(SOON), T) == []
    assert told(foreseen(None, forecast_within=3 * DAY), T) == []
    burning = rule("page", "5m", "1m", 0.1)
    far = SOON._replace(middle=inf)
    assert told(foreseen(far, forecast_within=3 * DAY, rules=(burning,)), T) == []


def test_a_forecast_is_made_of_what_the_ledger_holds_by_now() -> None:
    t = Traffic(engine(slo(objective=0.9, interval=HOUR)), interval=HOUR)
    t.run(40 * DAY, good=19, bad=1)
    account = t.engine.accounts["slo"]
    account.foresee((), t.now, Random(1).random)
    lower, middle, upper = interval(t.engine, t.now)
    assert lower is not None and middle == upper == inf
    account.foresee(("nobody",), t.now, Random(1).random)
    account.behind = True
    put(t.engine, None)
    account.foresee((), t.now, Random(1).random)
    assert interval(t.engine, t.now)[0] is None
    account.behind = False
    t.engine.exclude([Exclusion("all", (), ((0.0, t.now),))])
    account.foresee((), t.now, Random(1).random)
    assert interval(t.engine, t.now)[0] is None
