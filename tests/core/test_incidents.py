"""Bursts are told from the background, whatever the ledger, the period and the objective."""

from __future__ import annotations

from itertools import pairwise
from math import inf, log
from random import Random

import pytest

from exporter.core.incidents import Incident, budget, incidents, spent
from exporter.core.ledger import Ledger
from exporter.core.segments import segments
from exporter.core.slo import Calendar, Period, Window
from tests.core.builders import T

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
MONTH = Window("30d", 30 * DAY)
Ratios = list[tuple[float, float, float]]
"""From and to, in minutes since T, and the share of failing events."""


def ledger(
    ratios: Ratios, days: float = 2.0, usual: float = 0.0, interval: float = MINUTE
) -> Ledger:
    """A thousand events a minute, of which a usual share fails and another one in between."""
    made = Ledger(30 * DAY, interval)
    cuts = sorted({0.0, days * 1440, *(edge for a, b, _ in ratios for edge in (a, b))})
    for begin, until in pairwise(cuts):
        share = next((r for a, b, r in ratios if a <= begin < b), usual)
        for k in range(round((until - begin) * MINUTE / interval)):
            at, each = T + begin * MINUTE + k * interval, 1000 * interval / MINUTE
            made.add(at, at + interval, each * (1 - share), each * share)
    return made


def found(
    of: Ledger,
    objective: float = 0.999,
    period: Period = MONTH,
    interval: float = MINUTE,
    now: float | None = None,
) -> list[Incident]:
    return incidents(of, objective, period, interval, of.last if now is None else now)


def told(of: list[Incident]) -> list[list[float]]:
    """Minutes since T, and bad events."""
    return [[(one.start - T) / MINUTE, (one.end - T) / MINUTE, one.bad] for one in of]


# --- what is one --------------------------------------------------------------------------------


def test_an_outage_is_an_incident_with_the_edges_of_its_samples() -> None:
    [one] = found(ledger([(63, 81.5, 0.5)], interval=10.0), interval=10.0)
    assert told([one]) == [pytest.approx([63, 81.5, 9250])]
    assert one.total == pytest.approx(18_500) and not one.ongoing
    # Of 30 days that are like the first minutes.
    assert one.spent == pytest.approx(9250 / (0.001 * 1000 * 30 * 1440))


def test_calm_between_two_bursts_makes_two_of_them() -> None:
    assert len(found(ledger([(60, 80, 0.5), (120, 140, 0.5)]))) == 2


def test_bursts_of_different_heights_that_follow_each_other_are_one() -> None:
    assert told(found(ledger([(60, 90, 0.1), (90, 100, 1.0), (100, 130, 0.05)]))) == [
        pytest.approx([60, 130, 14_500])
    ]


def test_what_costs_under_a_hundredth_of_the_budget_is_none() -> None:
    assert found(ledger([(60, 80, 0.021)])) == []
    assert len(found(ledger([(60, 80, 0.022)]))) == 1


def test_up_to_twice_what_the_objective_allows_is_none_however_long() -> None:
    assert found(ledger([(600, 9000, 0.0019)], days=8)) == []
    assert len(found(ledger([(600, 9000, 0.0022)], days=8))) == 1


def test_what_is_usual_is_background_and_what_is_twice_of_it_no_more_than_that() -> None:
    # Thrice what is allowed since ever, and for some hours a little more.
    more = [(20 * 1440, 20 * 1440 + 600, 0.0055)]
    assert found(ledger(more, days=25, usual=0.003)) == []
    outage = [(20 * 1440, 20 * 1440 + 600, 0.02)]
    [one] = found(ledger(outage, days=25, usual=0.003))
    assert told([one])[0][:2] == [20 * 1440, 20 * 1440 + 600]


def test_the_first_hours_of_a_young_slo_are_no_background_yet() -> None:
    [one] = found(ledger([(0, 90, 0.5)], days=0.25))
    assert told([one])[0][:2] == [0, 90]
    # All there is, and it goes on.
    [one] = found(ledger([(0, 360, 0.5)], days=0.25))
    assert one.ongoing and one.end == T + 6 * HOUR


def test_an_outage_after_a_long_silence_is_no_background() -> None:
    of = ledger([], days=1)
    start = of.last + 40 * DAY
    for k in range(60):
        of.add(start + k * MINUTE, start + (k + 1) * MINUTE, 500.0, 500.0)
    assert told(found(of))[0][:2] == [41 * 1440, 41 * 1440 + 60]


def test_a_low_objective_has_incidents_too() -> None:
    assert len(found(ledger([(60, 1500, 1.0)]), objective=0.45)) == 1


def test_it_is_ongoing_until_an_event_comes_after_it() -> None:
    of = ledger([(1440, 2880, 0.5)])
    assert [one.ongoing for one in found(of)] == [True]
    # Time alone ends nothing.
    assert [one.ongoing for one in found(of, now=of.last + DAY)] == [True]
    of.add(of.last, of.last + MINUTE, 1000.0, 0.0)
    assert [one.ongoing for one in found(of)] == [False]


def test_what_is_excluded_is_no_incident() -> None:
    of = ledger([(60, 90, 0.5), (300, 330, 0.5)])
    of.exclude(((T + 55 * MINUTE, T + 95 * MINUTE),))
    assert [one[0] for one in told(found(of))] == [300]


def test_time_without_events_within_an_incident_belongs_to_it() -> None:
    of = Ledger(30 * DAY, MINUTE)
    for begin, end, share in ((0, 600, 0.0), (600, 630, 0.5), (660, 690, 0.5), (690, 1440, 0.0)):
        for k in range(begin, end):
            of.add(T + k * MINUTE, T + (k + 1) * MINUTE, 1000 * (1 - share), 1000 * share)
    assert told(found(of)) == [pytest.approx([600, 690, 30_000])]


def test_nothing_is_known_of_no_events() -> None:
    assert incidents(Ledger(30 * DAY, MINUTE), 0.999, MONTH, MINUTE, T) == []
    of = ledger([])
    assert found(of) == [] and found(of, now=T) == []


# --- grain --------------------------------------------------------------------------------------


def test_samples_that_come_seldom_have_long_steps() -> None:
    of = ledger([(80, 100, 0.5)], interval=1200.0)
    assert told(found(of, interval=1200.0))[0][:2] == [80, 100]


def test_a_short_period_has_short_steps() -> None:
    of = ledger([(20, 20.5, 0.5)], days=0.025, interval=1.0)
    period = Window("30m", 1800.0)
    assert told(found(of, period=period, interval=1.0)) == [pytest.approx([20, 20.5, 250])]


def test_where_history_begins_changes_nothing_that_came_a_period_later() -> None:
    outages = [(3000.0, 3020.0, 0.4), (61_000.0, 61_030.0, 0.4), (70_000.0, 70_400.0, 0.01)]
    long = ledger(outages, days=60, usual=0.0002)
    later = [(a - 14_400, b - 14_400, r) for a, b, r in outages[1:]]
    short = ledger(later, days=50, usual=0.0002)
    moved = [[a - 14_400, b - 14_400, n] for a, b, n in told(found(long))[1:]]
    assert told(found(short)) == [pytest.approx(one, abs=0.5) for one in moved]


def test_a_thinned_ledger_has_the_same_ones() -> None:
    outages = [(3000.0, 3020.0, 0.4), (20_000.0, 20_200.0, 0.02), (30_000.0, 30_003.0, 1.0)]
    fresh = ledger(outages, days=22, usual=0.0003)
    old = Ledger(30 * DAY, MINUTE)
    old.load(fresh.dump())
    for k in range(100):
        # Much comes after it, so that what was is thinned again and again.
        start = fresh.last + k * HOUR
        old.add(start, start + HOUR, 3e6, 3e4)
    first = [one for one in told(found(old)) if one[1] < 22 * 1440]
    assert first == told(found(fresh))


def test_where_errors_change_all_the_time_steps_are_longer() -> None:
    random = Random(3)
    of = Ledger(30 * DAY, MINUTE)
    for k in range(20 * 1440):
        share = 0.5 if 10_000 <= k < 10_060 else random.choice([0.0, 0.003])
        of.add(T + k * MINUTE, T + (k + 1) * MINUTE, 20 * (1 - share), 20 * share)
    [one] = found(of)
    assert told([one])[0][:2] == pytest.approx([10_000, 10_060], abs=3)


# --- what it costs ------------------------------------------------------------------------------


def test_the_budget_is_that_of_the_period_up_to_a_moment() -> None:
    of = ledger([], days=40)
    end = T + 40 * DAY
    assert budget(of, 0.999, MONTH, end) == pytest.approx(30 * 1440)
    # What is not known yet is as what is.
    assert budget(of, 0.999, MONTH, T + DAY) == pytest.approx(30 * 1440)
    assert budget(of, 0.999, MONTH, T) == 0.0
    assert spent(of, 0.999, MONTH, 432.0, end) == pytest.approx(0.01)
    assert spent(of, 0.999, MONTH, 432.0, T) is None
    # A calendar month: of so many days as the month has that it lies in, here November.
    month = Calendar("month", "UTC")
    assert budget(of, 0.999, month, T + DAY) == pytest.approx(30 * 1440)


def test_what_comes_later_does_not_change_what_an_incident_cost() -> None:
    of = ledger([(600, 630, 0.5)])
    [before] = found(of)
    for k in range(20):
        of.add(of.last, of.last + DAY, 1e7, 0.0)
        [now] = found(of)
        assert now == before, k


# --- segments -----------------------------------------------------------------------------------


def test_a_cut_must_be_worth_its_penalty() -> None:
    bad, total = [1.0] * 20 + [9.0] * 20, [100.0] * 40
    assert segments(bad, total, 5.0) == [0, 20]
    assert segments(bad, total, 1000.0) == [0]
    assert segments([], [], 5.0) == []


def test_cuts_are_those_of_a_search_without_pruning() -> None:
    made = Random(7)
    for _ in range(5):
        ratios = [made.choice([0.01, 0.012, 0.05, 0.3]) for _ in range(8)]
        total = [200.0] * 160
        bad = [float(sum(made.random() < ratios[k // 20] for _ in range(200))) for k in range(160)]
        assert segments(bad, total, 8.0) == exhaustive(bad, total, 8.0)


def exhaustive(bad: list[float], total: list[float], penalty: float) -> list[int]:
    """By the definition, every cut tried."""

    def worth(start: int, end: int) -> float:
        k, n = sum(bad[start:end]), sum(total[start:end])
        return sum(x * log(x / n) for x in (k, n - k) if x > 0)

    best, last = [0.0], [0]
    for end in range(1, len(total) + 1):
        value, chosen = -inf, 0
        for start in range(end):
            one = best[start] + worth(start, end) - penalty
            if one > value:
                value, chosen = one, start
        best.append(value)
        last.append(chosen)
    cuts = [last[-1]]
    while cuts[-1] > 0:
        cuts.append(last[cuts[-1]])
    return cuts[::-1]
