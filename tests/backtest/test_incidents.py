"""Incidents, what they cost, and whether anybody was paged for them and for nothing else."""

from __future__ import annotations

import pytest

from exporter.backtest.replay import replay
from exporter.backtest.result import Backtest, Outcome
from exporter.backtest.variant import Variant
from tests.backtest.histories import INTERVAL, configured, days, errors, plain, whole
from tests.core.builders import T, rule, show

DAY, HOUR = 86_400.0, 3600.0
Ratios = list[tuple[float, float, float]]


def found(
    ratios: Ratios, length: float = 40 * DAY, *more: Variant, rate: float = 100.0
) -> Backtest:
    slo = plain()
    batches = days(whole(slo, {"a": errors(length, ratios, rate)}))
    (one,) = replay(slo, batches, [configured(slo), *more], significant=0.02, show=show)
    return one


def outcome(ratios: Ratios, length: float = 40 * DAY) -> Outcome:
    return found(ratios, length).outcomes[0]


def test_an_outage_is_an_incident_with_sharp_edges_and_its_price() -> None:
    of = outcome([(35 * DAY + 30, 35 * DAY + 1830, 0.05)])
    (incident,) = of.incidents
    assert (incident.start, incident.end) == (T + 35 * DAY + 30, T + 35 * DAY + 1830)
    assert incident.bad == pytest.approx(1800 * 100 * 0.05)
    assert incident.total == pytest.approx(1800 * 100)
    # 30 minutes of 5% are 1800 s * 50 times too fast, of 30 days.
    assert incident.spent == pytest.approx(1800 * 50 / (30 * DAY), rel=1e-3)
    assert incident.detected is not None
    assert incident.reset is not None


def test_bursts_with_calm_between_them_are_incidents_of_their_own() -> None:
    begin = 35 * DAY
    two = [(begin, begin + 1800, 0.05), (begin + 5100, begin + 6900, 0.05)]
    rising = [(begin, begin + 1800, 0.05), (begin + 1800, begin + 6900, 0.02)]
    assert len(outcome(two).incidents) == 2
    assert len(outcome(rising).incidents) == 1


def test_variants_are_measured_by_the_same_outages() -> None:
    slow, fast = (20 * DAY, 20 * DAY + 4 * HOUR, 0.02), (35 * DAY, 35 * DAY + 1800, 0.4)
    loose = Variant(0.99, "same", plain().rules)
    late = Variant(0.999, "late", (rule("page", "1d", "1h", 2.0),))
    both = found([slow, fast], 40 * DAY, loose, late).outcomes
    spans = [[(i.start, i.end, i.bad) for i in o.incidents] for o in both]
    assert spans[0] == spans[1] == spans[2] and len(spans[0]) == 2
    # Each at its own budget; and who misses one is not the faster for it.
    assert both[1].incidents[0].spent == pytest.approx(both[0].incidents[0].spent / 10)
    assert [o.recall for o in both] == [1.0, 0.5, 1.0]
    assert [o.detection is not None for o in both] == [True, True, True]
    assert both[2].detection == min(i.detected for i in both[2].incidents if i.detected)


def test_noise_is_no_incident() -> None:
    lone = [(d * DAY + 5 * HOUR, d * DAY + 5 * HOUR + INTERVAL, 0.002) for d in range(1, 39)]
    of = outcome(lone)
    assert of.incidents == ()
    assert (of.precision, of.recall, of.detection, of.reset) == (None, None, None, None)


def test_a_slow_burn_that_is_never_paged_costs_recall() -> None:
    slow, fast = (20 * DAY, 24 * DAY, 0.0025), (35 * DAY, 35 * DAY + 1800, 0.2)
    of = outcome([slow, fast])
    assert [i.detected is not None for i in of.incidents] == [False, True]
    assert [i.spent >= 0.02 for i in of.incidents] == [True, True]
    assert of.recall == 0.5
    assert of.precision == 1.0
    # The slow one was a ticket, which belongs to it all the same.
    assert {a.incident for a in of.alerts if a.severity == "ticket"} >= {0}


def test_pages_that_spent_next_to_nothing_cost_precision() -> None:
    nervous = Variant(0.999, "nervous", (rule("page", "5m", "1m", 2.0),))
    short = (20 * DAY, 20 * DAY + 60, 0.02)
    of = found([short, (35 * DAY, 35 * DAY + 1800, 0.2)], 40 * DAY, nervous).outcomes[1]
    assert [a.spent < 0.01 for a in of.alerts] == [True, False]
    assert of.precision == 0.5
    assert of.recall == 1.0


def test_an_alert_knows_its_peak_and_what_was_spent_since_its_window_began() -> None:
    of = outcome([(35 * DAY, 35 * DAY + 1800, 0.05)])
    page = next(a for a in of.alerts if a.long == "1h")
    assert (page.severity, page.short, page.rate) == ("page", "5m", 14.4)
    # Half an hour of 50 in an hour.
    assert page.peak == pytest.approx(25.0, rel=0.02)
    assert page.spent == pytest.approx(1800 * 50 / (30 * DAY), rel=1e-3)
    assert page.incident == 0


def test_an_alert_that_fires_at_the_end_of_history_has_no_end() -> None:
    of = outcome([(39 * DAY, 41 * DAY, 0.05)])
    assert [a.end for a in of.alerts] == [None] * 4
    (incident,) = of.incidents
    assert incident.end == T + 40 * DAY
    assert incident.reset is None


def test_the_budget_at_the_end_at_its_lowest_and_on_the_way() -> None:
    of = outcome([(8 * DAY, 8 * DAY + HOUR, 0.2), (35 * DAY, 35 * DAY + 1800, 0.05)], 45 * DAY)
    spent = 1800 * 50 / (30 * DAY)
    assert of.remaining == pytest.approx(1 - spent, rel=1e-3)
    # The first one had left the window by then; at 30 days it was all there was.
    assert of.lowest is not None
    assert of.lowest < 1 - 3600 * 200 / (30 * DAY) + 0.01
    assert len(of.burn_down) == 400
    assert of.burn_down[-1] == (T + 45 * DAY, of.remaining)
    assert (of.periods, of.met) == (1, 1)


def test_another_objective_has_other_alerts_incidents_and_periods() -> None:
    loose, tight = Variant(0.99, "same", plain().rules), Variant(0.9999, "same", plain().rules)
    both = found([(35 * DAY, 35 * DAY + HOUR, 0.1)], 40 * DAY, loose, tight).outcomes
    assert [o.met for o in both] == [1, 1, 0]
    assert [len([a for a in o.alerts if a.severity == "page"]) for o in both] == [2, 0, 2]


def test_what_history_holds_is_told() -> None:
    of = found([], 10 * DAY)
    assert (of.start, of.end) == (T, T + 10 * DAY)
    assert (of.good, of.bad, of.coverage) == (10 * DAY * 100, 0.0, 1.0)
    assert (of.resets, of.births) == (0, 0)
    assert of.recommendation.objective is None
    assert of.notes == ("history is shorter than one whole period of 30d",)
