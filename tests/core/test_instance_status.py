"""The numbers of one instance at one moment, as the metrics page and the API show them."""

from __future__ import annotations

from math import inf

import pytest

from exporter.core.slo import Calendar
from tests.core.builders import (
    ERROR,
    OK,
    STEPS,
    T,
    Traffic,
    aged,
    engine,
    feed,
    rule,
    show,
    slo,
    status,
    workbook,
)


def test_every_alert_window_stands_once_shortest_first_and_the_period_last() -> None:
    labels = [w.label for w in status(engine(slo(rules=workbook())), T).windows]
    assert labels == ["5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d"]


def test_before_any_event_all_ratios_are_unknown_and_the_gate_is_open() -> None:
    s = status(engine(slo(rules=workbook(), steps=STEPS)), T)
    assert (s.budget_remaining, s.budget_remaining_events, s.exhaustion_seconds) == (None,) * 3
    assert all(w.sli is None and w.burn(0.999) is None for w in s.windows)
    assert (s.policy_state, s.gate_open, s.ledger_bytes) == ("ok", True, 0)


def test_the_budget_is_what_the_period_has_left() -> None:
    t = Traffic(aged(engine(slo(objective=0.99, period="1h"))))
    t.run(1000, good=995, bad=5)
    s = status(t.engine, t.now)
    assert s.budget_remaining == pytest.approx(0.5)
    assert s.budget_remaining_events == pytest.approx(500)
    assert s.exhaustion_seconds == pytest.approx(3600.0)  # at half the rate, with half left
    t.run(1000, good=980, bad=20)
    s = status(t.engine, t.now)
    assert s.budget_remaining == pytest.approx(-0.25)
    assert s.budget_remaining_events == pytest.approx(-500)
    assert s.exhaustion_seconds == 0


def test_a_budget_that_does_not_burn_lasts_for_ever() -> None:
    t = Traffic(engine(slo(rules=workbook())))
    t.run(600, good=5)
    assert status(t.engine, t.now).exhaustion_seconds == inf


def test_exhaustion_from_a_full_budget_at_14_4_is_50_hours() -> None:
    t = Traffic(engine(slo(objective=0.999, rules=workbook(), interval=3600.0)), 3600.0)
    t.run(29 * 86_400, good=1e7)
    t.run(3600, good=1e6 - 14_400, bad=14_400)
    s = status(t.engine, t.now)
    assert s.windows[2].burn(0.999) == pytest.approx(14.4)
    left = s.budget_remaining or 0
    assert left > 0.99 and s.exhaustion_seconds == pytest.approx(left * 50 * 3600, rel=1e-3)


def test_counters_are_those_since_the_beginning_whatever_the_windows_hold() -> None:
    t = Traffic(engine(slo(period="1h")))
    t.run(10, good=7, bad=3)
    t.run(7200, good=1)
    s = status(t.engine, t.now)
    assert (s.good_total, s.bad_total) == (727, 3)
    assert s.windows[-1].bad == 0
    assert s.ledger_bytes > 0


def test_a_rule_is_shown_with_its_windows_and_since_when_it_fires() -> None:
    t = Traffic(aged(engine(slo(rules=(rule("page", "10m", "1m", 14.4),)))))
    (quiet,) = status(t.engine, t.now).rules
    assert (quiet.severity, quiet.long, quiet.short, quiet.rate) == ("page", "10m", "1m", 14.4)
    assert (quiet.firing, quiet.since) == (False, None)
    t.run(20, good=1, bad=5)
    (firing,) = status(t.engine, t.now).rules
    assert (firing.firing, firing.since) == (True, T + 10)
    t.run(120, good=1)
    (over,) = status(t.engine, t.now).rules
    assert (over.firing, over.since) == (False, None)


def test_a_calendar_budget_is_of_the_period_so_far_and_judged_by_the_whole_one() -> None:
    midnight = T - T % 86_400
    e = aged(engine(slo(objective=0.9, period=Calendar("day", "UTC"), steps=STEPS)), midnight)
    feed(e, midnight + 3600, {OK: 0.0, ERROR: 0.0})
    feed(e, midnight + 21_600, {OK: 60.0, ERROR: 40.0})
    s = status(e, midnight + 21_600)
    assert s.budget_remaining == pytest.approx(-3)
    assert s.budget_remaining_events == pytest.approx(-30)
    # At the pace of its first quarter there will be 400 events, of which 40 may fail.
    assert s.whole_remaining == pytest.approx(0)
    assert (s.whole_allowed_events, s.whole_remaining_events) == pytest.approx((40, 0))
    assert s.exhaustion_seconds == 0
    assert (s.age, s.length, s.young, s.windows[-1].seconds) == (21_600, 86_400, False, 21_600)
    assert s.part(show) == ""


def test_a_young_one_is_judged_by_the_budget_of_its_whole_period() -> None:
    t = Traffic(engine(slo(objective=0.9, period="1h", steps=STEPS)))
    t.run(350, good=0, bad=50)
    s = status(t.engine, t.now)
    assert (s.age, s.length, s.young, s.part(show)) == (350, 3600, True, "350s of 1h")
    # By definition ten times the budget of these minutes, and nearly all of the hour's.
    assert s.budget_remaining == pytest.approx(-9)
    assert s.whole_remaining == pytest.approx(1 / 36)
    assert s.gate_open and s.policy_state == "freeze_discussion"
    t.run(20, good=0, bad=50)
    assert status(t.engine, t.now).policy_state == "exhausted"
    assert not status(t.engine, t.now).gate_open
    t.run(3600, good=0, bad=50)
    s = status(t.engine, t.now)
    assert (s.age, s.young, s.part(show)) == (3600, False, "")
    assert s.whole_remaining == s.budget_remaining == pytest.approx(-9)


def test_before_data_it_has_no_age() -> None:
    s = status(engine(slo(steps=STEPS)), T)
    assert (s.age, s.whole_remaining, s.whole_allowed_events) == (0, None, None)
    assert s.whole_remaining_events is None


def test_the_policy_state_follows_the_numbers_without_waiting_for_a_tick() -> None:
    e = aged(engine(slo(objective=0.9, period="1h", steps=STEPS)))
    feed(e, T, {OK: 0.0, ERROR: 0.0})
    feed(e, T + 10, {OK: 92.0, ERROR: 8.0})
    s = status(e, T + 10)
    assert (s.policy_state, s.gate_open) == ("freeze_discussion", True)
    feed(e, T + 20, {OK: 92.0, ERROR: 90.0})
    s = status(e, T + 20)
    assert (s.policy_state, s.gate_open) == ("exhausted", False)


def test_the_budget_policy_is_said_on_every_change_of_state_and_back() -> None:
    t = Traffic(aged(engine(slo(objective=0.9, period="1h", steps=STEPS))))
    name = "ErrorBudgetPolicy"
    assert t.run(1800, good=100) == []
    assert status(t.engine, t.now).policy_state == "ok"
    t.run(300, good=0, bad=100)
    assert [one[1:] for one in t.log] == [
        ("firing", f"{name} warning"),
        ("firing", f"{name} freeze_discussion"),
        ("firing", f"{name} exhausted"),
    ]
    s = status(t.engine, t.now)
    assert (s.policy_state, s.gate_open) == ("exhausted", False)
    assert [x.step.state for x in s.steps if x.holds] == ["exhausted"]
    t.log.clear()
    t.run(3600, good=100)
    assert [one[1:] for one in t.log] == [
        ("resolved", f"{name} exhausted"),
        ("resolved", f"{name} freeze_discussion"),
        ("resolved", f"{name} warning"),
    ]
    assert status(t.engine, t.now).policy_state == "ok" and status(t.engine, t.now).gate_open


def test_a_budget_that_is_unknown_for_want_of_traffic_keeps_its_state() -> None:
    t = Traffic(aged(engine(slo(objective=0.9, period="1h", steps=STEPS))))
    t.run(100, good=0, bad=10)
    t.run(7200, good=0)
    s = status(t.engine, t.now)
    assert (s.budget_remaining, s.policy_state, s.gate_open) == (None, "exhausted", False)
