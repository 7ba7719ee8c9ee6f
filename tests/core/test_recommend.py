"""The objective that history supports, and the periods it rests on."""

from __future__ import annotations

import pytest

from exporter.backtest.periods import History
from exporter.backtest.whole import Whole
from exporter.core.ledger import Counts
from exporter.core.recommend import recommend
from exporter.core.slo import Calendar, Period
from tests.core.builders import window

DAY = 86_400.0
NEW_YEAR = 1_704_067_200.0
"""2024-01-01, UTC."""


def history(days: float, start: float = NEW_YEAR, period: Period | str = "30d") -> History:
    ledger = Whole()
    end = start + days * DAY
    ledger.add(start, end, 1000.0 * days, days)
    return History(ledger, window(period) if isinstance(period, str) else period, start, end)


def test_the_tightest_objective_that_was_always_met_is_recommended() -> None:
    found = recommend([Counts(99_910, 90), Counts(99_960, 40), Counts(99_950, 50)])
    assert (found.objective, found.periods, found.met) == (0.999, 3, 3)


@pytest.mark.parametrize(("good", "objective"), [(19, 0.999), (18, 0.98)])
def test_it_may_have_been_missed_in_one_period_of_twenty(good: int, objective: float) -> None:
    periods = [Counts(99_910, 90)] * good + [Counts(98_000, 2000)] * (20 - good)
    found = recommend(periods)
    assert (found.objective, found.periods, found.met) == (
        (objective, 20, good) if good == 19 else (objective, 20, 20)
    )


def test_an_objective_that_allows_less_than_one_bad_event_cannot_be_told_from_all() -> None:
    assert recommend([Counts(1000, 0)]).objective == 0.999
    assert recommend([Counts(100, 0), Counts(1e9, 0)]).objective == 0.99


def test_without_a_whole_period_nothing_is_recommended() -> None:
    found = recommend(history(29).whole())
    assert (found.objective, found.periods) == (None, 0)


def test_where_everything_failed_nothing_is_recommended() -> None:
    found = recommend([Counts(10, 90)])
    assert (found.objective, found.periods, found.met) == (None, 1, 0)


@pytest.mark.parametrize(("days", "count"), [(29, 0), (30, 1), (59, 1), (89.9, 3), (90, 3)])
def test_rolling_periods_are_counted_back_from_the_end(days: float, count: int) -> None:
    assert len(history(days).whole()) == count


def test_only_whole_months_count_and_the_one_that_goes_on_does_not() -> None:
    periods = history(31 + 29 + 10, period=Calendar("month", "UTC")).whole()
    assert [round(p.bad) for p in periods] == [29, 31]
    later = history(31 + 29, NEW_YEAR + 10 * DAY, Calendar("month", "UTC")).whole()
    assert [round(p.bad) for p in later] == [29]


def test_periods_without_events_are_none() -> None:
    silent = history(60)
    silent.end += 60 * DAY
    assert len(silent.whole()) == 2


def test_a_budget_is_that_of_a_whole_period_though_history_is_shorter() -> None:
    young = history(10)
    assert young.spent(30.03, 0.999, young.end) == pytest.approx(1.0)
    assert young.spent(30.03, 0.999, young.start + DAY) == pytest.approx(1.0)
    assert young.spent(1.0, 0.999, young.start) == 0.0
    month = history(41, period=Calendar("month", "UTC"))
    assert month.spent(31.031, 0.999, NEW_YEAR + DAY) == pytest.approx(1.0)
    assert month.spent(29.029, 0.999, NEW_YEAR + 35 * DAY) == pytest.approx(1.0)
