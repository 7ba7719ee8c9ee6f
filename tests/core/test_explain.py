"""An explanation of one SLO, from pages that went in by the front door."""

from __future__ import annotations

from math import inf
from typing import Any

import pytest

from exporter.core.engine import Engine
from exporter.core.exclusion import Exclusion
from exporter.core.explain import explain, find
from exporter.core.explained import Explanation, RuleSaid
from exporter.core.forecast import Forecast
from exporter.core.query_sli import QuerySLI
from exporter.core.selector import Query, parse_selector
from exporter.core.slo import Calendar, CounterSLI, GaugeSLI
from tests.core.builders import (
    ERROR,
    OK,
    T,
    Traffic,
    aged,
    engine,
    feed,
    rule,
    show,
    slo,
    workbook,
)


def explained(
    of: Engine, now: float, group: tuple[str, ...] = (), name: str = "slo"
) -> Explanation:
    return explain(of.accounts[name], group, now, show)


def one_rule(of: Engine, now: float) -> RuleSaid:
    (said,) = explained(of, now).rules
    return said


def quick(**more: Any) -> Engine:
    return engine(slo(period="1h", objective=0.9, rules=(rule("page", "10m", "1m", 2.0, **more),)))


def test_words_come_first_and_say_why_so_much_is_left() -> None:
    traffic = Traffic(quick())
    traffic.run(1800, good=97, bad=3)
    said = explained(traffic.engine, traffic.now)
    assert said.summary == (
        "97% of 18,000 events in 1h were good, and the objective is 90%: 85.0% of the budget is "
        "left, because 540 of the 3,600.0 bad events it allows at the pace of its first 1800s of "
        "1h have happened. Over 10m it burns 0.3x; going on so it is spent in 10200s. There is "
        "data for 50.0% of 1h."
    )
    assert said.counted_since == T
    assert said.gaps == (pytest.approx((T - 1800, T), abs=1.1),)
    assert said.all_gaps


def test_the_forecast_comes_with_the_earliest_and_latest_moment() -> None:
    traffic = Traffic(quick())
    traffic.run(3600, good=97, bad=3)
    said = explained(traffic.engine, traffic.now).budget
    assert said.exhaustion == pytest.approx(0.7 * 3600 / 0.3)
    assert said.earliest is not None
    assert said.latest is not None
    assert said.earliest < traffic.now + said.exhaustion < said.latest
    assert "Clopper-Pearson" in said.sure


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (Forecast(T, 7200.0, 9000.0, inf, 30), "by the forecast it is spent in"),
        (Forecast(T, 7200.0, inf, inf, 30), "the forecast sees no end of it."),
        (None, "going on so it is spent in"),
    ],
)
def test_a_forecast_is_not_said_to_be_what_the_present_rate_makes(
    made: Forecast | None, said: str
) -> None:
    traffic = Traffic(quick())
    traffic.run(3600, good=997, bad=3)
    traffic.engine.accounts["slo"].foretell((), made and made._replace(at=traffic.now))
    assert said in explained(traffic.engine, traffic.now).summary


def test_too_few_bad_events_are_no_statement() -> None:
    traffic = Traffic(quick())
    traffic.run(600, good=1000)
    traffic.run(10, good=1000, bad=1)
    said = explained(traffic.engine, traffic.now).budget
    assert said.sure == "no statement: 1 bad of 60001 events in 10m are too few"
    assert said.earliest is None


def test_nothing_burns_nothing_left_and_no_events_at_all() -> None:
    traffic = Traffic(quick())
    traffic.run(3600, good=10)
    assert (
        "Over 10m nothing burns. There is data for all of 1h."
        in explained(traffic.engine, traffic.now).summary
    )
    traffic.run(600, good=0, bad=30)
    said = explained(traffic.engine, traffic.now)
    assert "overspent by 275.0%" in said.summary
    assert said.budget.sure == "it is spent"
    empty = explained(quick(), T)
    assert empty.summary == (
        "There were no events in 1h, so nothing can be said of the objective of 90%. There is data "
        "for 0.0% of 1h."
    )
    assert empty.budget.sure == "no statement: no events in 10m"
    assert empty.wants == ()
    assert empty.series_since is None


def test_of_a_service_that_is_quiet_now_the_future_is_not_told() -> None:
    traffic = Traffic(aged(quick()))
    traffic.run(1200, good=97, bad=3)
    traffic.run(900, good=0)
    said = explained(traffic.engine, traffic.now)
    assert (
        "70.0% of the budget is left, because 360 of the 1,200.0 bad events it allows have "
        "happened. Over 10m there were no events. There is data for all of 1h."
    ) in said.summary
    assert (said.budget.burn_rate, said.budget.exhaustion) == (None, None)
    assert said.budget.sure == "no statement: no events in 10m"


def test_a_budget_spent_to_the_last_event_is_spent() -> None:
    of = aged(engine(slo(period="1h", objective=0.5)))
    traffic = Traffic(of)
    traffic.run(600, good=10, bad=10)
    said = explained(of, traffic.now)
    assert "the budget is spent, because 600" in said.summary
    assert said.budget.burn_window == "1h"


def test_ratios_near_one_keep_the_digits_that_matter() -> None:
    traffic = Traffic(engine(slo(period="1h", objective=0.999)))
    traffic.run(600, good=1e7)
    traffic.run(10, good=1e7, bad=3)
    assert explained(traffic.engine, traffic.now).summary.startswith("99.9999995% of ")


def test_exclusions_are_said_with_what_would_be_left_without_them() -> None:
    traffic = Traffic(quick())
    traffic.run(600, good=97, bad=3)
    traffic.run(600, good=0, bad=100)
    traffic.run(600, good=97, bad=3)
    traffic.engine.exclude([Exclusion("night", (), ((T + 600, T + 1200),))])
    said = explained(traffic.engine, traffic.now)
    assert said.excluded_seconds == 600
    assert "Excluded from that: 600s; without that -76.7% would be left." in said.summary
    traffic.engine.exclude([Exclusion("all", (), ((T - 600, T + 3600),))])
    assert "nothing can be said" in explained(traffic.engine, traffic.now).summary


def test_a_rule_says_why_it_does_not_fire_and_why_it_does() -> None:
    traffic = Traffic(quick())
    traffic.run(1800, good=90, bad=10)
    assert one_rule(traffic.engine, traffic.now).why == (
        "does not fire: 10m burns 1x and 1m burns 1x, not above 2x"
    )
    traffic.run(60, good=0, bad=100)
    said = one_rule(traffic.engine, traffic.now)
    assert said.why == "does not fire: 10m burns 1.9x, not above 2x"
    traffic.run(60, good=0, bad=100)
    said = one_rule(traffic.engine, traffic.now)
    assert (said.firing, said.why) == (True, "fires: 10m and 1m are both above 2x")
    assert said.since == traffic.now - 50
    # A little less than at its beginning, and more than at its end.
    traffic.run(600, good=805, bad=195)
    said = one_rule(traffic.engine, traffic.now)
    assert said.why == "fires on: 10m burns 1.95x and 1m burns 1.95x, and it ends at 1.9x"
    traffic.run(60, good=1000)
    assert not one_rule(traffic.engine, traffic.now).firing


def test_a_rule_that_chance_does_not_end_says_so() -> None:
    """Of a steady trickle a minute without any is no recovery."""
    traffic = Traffic(quick())
    traffic.run(1800, good=3, bad=1)
    traffic.run(60, good=4)
    said = one_rule(traffic.engine, traffic.now)
    assert (said.firing, said.why) == (True, "fires on: 1m burns 0x, which can be chance")


def test_a_rule_that_fires_on_for_a_while_says_so() -> None:
    traffic = Traffic(quick(keep_firing_for=300.0))
    traffic.run(600, good=0, bad=100)
    traffic.run(120, good=100)
    said = one_rule(traffic.engine, traffic.now)
    assert (said.firing, said.why) == (
        True,
        "fires on for its keep_firing_for: 1m burns 0x, not above 1.9x",
    )


def test_a_rule_that_has_too_little_data_says_how_much() -> None:
    traffic = Traffic(quick(min_coverage=0.5))
    traffic.run(120, good=0, bad=100)
    assert one_rule(traffic.engine, traffic.now).why == (
        "does not fire: only 20.0% of 10m has data, min_coverage is 50%"
    )


def test_a_calendar_period_says_that_it_goes_by_the_pace_so_far() -> None:
    midnight = T - T % 86_400
    of = aged(engine(slo(period=Calendar("day", "UTC"), objective=0.9)), midnight)
    feed(of, midnight, {OK: 0.0, ERROR: 0.0})
    feed(of, midnight + 21_600, {OK: 900.0, ERROR: 100.0})
    assert (
        "75.0% of the budget is left, because 100 of the 400.0 bad events it allows at the pace so "
        "far have happened."
    ) in explained(of, midnight + 21_600).summary


def test_a_rule_waits_for_what_is_not_evaluated_yet() -> None:
    of = quick()
    for i in range(61):
        feed(of, T + 10 * i, {OK: 0.0, ERROR: 10.0 * i})
    assert one_rule(of, T + 600).why.endswith("but it was not evaluated since")
    of.behind("app", ["slo"], T + 600)
    assert one_rule(of, T + 600).why.endswith("but history is still being fetched")
    of.behind("app", [], T + 600)
    of.tick(T + 600)
    for i in range(61, 68):
        feed(of, T + 10 * i, {OK: 100.0 * (i - 60), ERROR: 600.0})
    assert one_rule(of, T + 670).why == ("ends at the next evaluation: 1m burns 0x, not above 1.9x")


def test_a_window_without_events_decides_nothing() -> None:
    of = quick()
    assert one_rule(of, T).why == ("does not fire: no events in 10m and 1m, which decides nothing")
    traffic = Traffic(of)
    traffic.run(600, good=0, bad=10)
    traffic.run(120, good=0)
    assert one_rule(of, traffic.now).why == "fires on: no events in 1m, which decides nothing"


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("min_events", 1000, "600 events in 10m, min_events is 1000"),
        ("min_bad_events", 700, "600 bad events in 10m, min_bad_events is 700"),
    ],
)
def test_low_traffic_options_are_named_where_they_hold_a_rule_back(
    option: str, value: float, why: str
) -> None:
    traffic = Traffic(quick(**{option: value}))
    traffic.run(600, good=0, bad=10)
    assert one_rule(traffic.engine, traffic.now).why == f"does not fire: {why}"


def test_a_rule_that_wants_to_be_surer_says_so() -> None:
    traffic = Traffic(quick(confidence=0.99))
    traffic.run(600, good=3, bad=1)
    assert one_rule(traffic.engine, traffic.now).why == (
        "does not fire: too few events to be sure at confidence 0.99"
    )


def test_detection_and_reset_are_those_of_the_workbook() -> None:
    of = engine(slo(rules=workbook()))
    first = explained(of, T).rules[0]
    times = [(o.error_ratio, o.detection, o.reset) for o in first.outages]
    assert times[0] == (1.0, pytest.approx(51.84), pytest.approx(300 * (1 - 0.95 * 0.0144)))
    assert times[1] == (0.1, pytest.approx(518.4), pytest.approx(300 * (1 - 0.95 * 0.144)))
    assert times[2] == (0.01, None, None)


# --- series -------------------------------------------------------------------------------------


def test_each_series_says_what_it_brought_and_how_it_began() -> None:
    of = engine()
    feed(of, T, {OK: 100.0})
    feed(of, T + 10, {OK: 110.0, ERROR: 3.0})
    feed(of, T + 20, {OK: 4.0, ERROR: float("nan")})
    feed(of, T + 420, {OK: 9.0, ERROR: 5.0})
    said = explained(of, T + 420)
    bad, total = said.wants
    (errors,) = bad.series
    assert (bad.role, bad.increase, bad.births, bad.refused) == ("bad", 8.0, 1, {"not_a_number": 1})
    assert (errors.last, errors.increase, errors.gaps) == (5.0, 8.0, 1)
    assert errors.births == {"process_looked_at_before": 1}
    assert total.increase == 27.0
    (ok,) = [s for s in total.series if s.series == OK]
    assert (ok.increase, ok.resets, ok.gaps, ok.births) == (19.0, 1, 1, {})
    assert ok.readings == {"baseline": {"first_look": 1}, "reset": {"all_fell": 1}}
    assert errors.readings["refused"] == {"not_a_number": 1}
    assert ok.labels == {"code": "200", "instance": "a"}
    assert said.series_since == T


def test_what_counts_nothing_is_told_too() -> None:
    of, other = engine(), 'http_requests_total{code="204"}'
    feed(of, T, {OK: 100.0, other: 700.0})
    feed(of, T + 10, {OK: 110.0, other: 699.0})
    _, total = explained(of, T + 10).wants
    told = {s.series: s.readings for s in total.series}
    assert told['http_requests_total{code="204"}']["jitter"] == {"a_little_behind": 1}


def test_after_a_restart_series_are_counted_from_what_was_saved() -> None:
    before = engine()
    feed(before, T, {OK: 100.0})
    feed(before, T + 10, {OK: 150.0})
    after = engine()
    after.restore("slo", before.dump("slo"), [])
    feed(after, T + 20, {OK: 157.0})
    _, total = explained(after, T + 20).wants
    (ok,) = total.series
    assert (ok.increase, ok.labels, ok.last) == (7.0, None, 157.0)


def test_groups_are_explained_one_by_one() -> None:
    of = engine(slo(group_by=("route",)))
    a, b = 'http_requests_total{code="200",route="/a"}', 'http_requests_total{route="/b"}'
    feed(of, T, {a: 1.0, b: 1.0})
    feed(of, T + 10, {a: 11.0, b: 3.0})
    account = of.accounts["slo"]
    assert len(find(account, {})) == 2
    (only,) = find(account, {"route": "/b"})
    assert only.group == {"route": "/b"}
    assert find(account, {"route": "/c"}) == []
    said = explained(of, T + 10, ("/a",))
    assert said.group == {"route": "/a"}
    assert [s.series for s in said.wants[1].series] == [a]
    after = engine(slo(group_by=("route",)))
    after.restore("slo", of.dump("slo"), [])
    feed(after, T + 20, {})
    said = explained(after, T + 20, ("/b",))
    assert [s.series for s in said.wants[1].series] == [b]


def test_a_remembered_series_with_an_unreadable_name_is_of_every_group() -> None:
    of = engine(slo(group_by=("route",)))
    page = 'http_requests_total{route="/a"}'
    feed(of, T, {page: 1.0})
    dumped = of.dump("slo")
    ((_, _, _, series, *_),) = dumped["state"]["targets"]
    series[1] = [("no selector {", *values) for _, *values in series[1]]
    after = engine(slo(group_by=("route",)))
    after.restore("slo", dumped, [])
    feed(after, T + 20, {})
    assert [s.series for s in explained(after, T + 20, ("/a",)).wants[1].series] == [
        "no selector {"
    ]


# --- other forms --------------------------------------------------------------------------------


def test_a_gauge_counts_seconds_and_makes_no_statement_on_chance() -> None:
    sli = GaugeSLI(parse_selector("up"), ">=", 1.0)
    of = engine(slo(sli=sli, objective=0.9, period="1h"))
    for i in range(61):
        feed(of, T + 10 * i, {"up": 0.0 if i % 20 == 0 else 1.0})
    said = explained(of, T + 600)
    assert said.unit == "seconds"
    assert said.budget.sure.startswith("no statement: samples of one gauge")
    (want,) = said.wants
    (up,) = want.series
    assert (want.increase, up.last, up.last_time, up.increase) == (None, None, T + 600, None)


def test_a_calendar_period_goes_by_its_own_length() -> None:
    of = engine(slo(period=Calendar("day", "UTC"), objective=0.9))
    traffic = Traffic(of)
    traffic.run(600, good=90, bad=5)
    said = explained(of, traffic.now)
    assert said.period == "day"
    assert said.windows[-1].window == "day"


def test_each_form_says_how_exact_it_is() -> None:
    good, total = parse_selector("good"), parse_selector("all")
    forms = {
        "g": CounterSLI(good=good, total=total),
        "b": CounterSLI(good=good, bad=parse_selector("bad")),
        "q": QuerySLI(bad=Query("sum(increase(bad[1m]))"), total=Query("x")),
        "r": QuerySLI(error_ratio=Query("ratio")),
    }
    of = engine(*(slo(name, sli) for name, sli in forms.items()))
    found = {name: explained(of, T, name=name) for name in forms}
    assert found["g"].sli.text == "Good events are good, of all events all; the rest is bad."
    assert (
        found["b"].sli.text == "Good events are good, bad ones bad; all events are both together."
    )
    assert {name: one.sli.exactness for name, one in found.items()} == {
        "g": "exact",
        "b": "exact",
        "q": "inexact",
        "r": "inexact",
    }
    assert "bad sum(increase(bad[1m])); total x." in found["q"].sli.text
    assert found["r"].unit == "seconds"
