"""Budget policies: states that do not flap, incidents, burn rates, deadlines, and what survives."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.core.engine import Engine
from exporter.core.slo import BudgetStep, Calendar
from tests.core.builders import (
    ERROR,
    OK,
    STEPS,
    T,
    Traffic,
    aged,
    engine,
    feed,
    packed,
    slo,
    status,
    window,
)

DAY = 86_400.0
REVIEW = BudgetStep(None, "review_due", incident_above=0.2, within=DAY)
BURNS = BudgetStep(None, "fast_week", burn_above=2.0, over=window("1h"), severity="page")


def one(*steps: BudgetStep, **more: Any) -> Traffic:
    """A service polled every minute, under a policy of these steps; 100 events a minute."""
    of = slo(objective=0.9, period="10h", steps=steps, interval=60.0, **more)
    return Traffic(aged(engine(of)), interval=60.0)


def holding(t: Traffic) -> list[str]:
    return [s.step.state for s in status(t.engine, t.now).steps if s.holds]


def words(log: list[tuple[float, str, str]]) -> list[tuple[str, str]]:
    return [(reason, what.removeprefix("ErrorBudgetPolicy ")) for _, reason, what in log]


def test_at_the_edge_of_a_step_nothing_flaps() -> None:
    t = one(BudgetStep(0.5, "warning"), hysteresis=0.05)
    t.run(36_000, good=95, bad=5)
    t.log.clear()
    for _ in range(20):
        # A little over 5% and a little under, around half of the budget.
        t.run(60, good=93, bad=7)
        t.run(60, good=97, bad=3)
    assert len(t.log) <= 1
    t.run(3600 * 4, good=100)
    assert words(t.log)[-1] == ("resolved", "warning") and len(t.log) <= 2


def test_a_worse_step_is_entered_at_once() -> None:
    t = one(*STEPS, hysteresis=0.3)
    t.run(600, good=100)
    t.run(60, good=0, bad=60)
    assert holding(t) == ["warning"] or holding(t) == ["freeze_discussion"]
    t.run(600, good=0, bad=100)
    assert holding(t) == ["exhausted"]


def test_an_incident_that_spends_a_share_of_the_budget_is_to_be_reviewed_until_the_deadline() -> (
    None
):
    t = one(REVIEW)
    t.run(36_000, good=100)
    t.run(600, good=0, bad=100)
    # 1,000 of 6,000 bad events that a period allows.
    assert holding(t) == []
    t.run(300, good=0, bad=100)
    assert holding(t) == ["review_due"]
    [step] = status(t.engine, t.now).steps
    assert step.since is not None and step.due == step.since + DAY
    t.run(DAY - 600, good=100)
    assert holding(t) == ["review_due"]
    t.run(600, good=100)
    assert words(t.log) == [("firing", "review_due"), ("resolved", "review_due")]


def test_errors_more_than_an_hour_apart_are_two_incidents() -> None:
    t = one(BudgetStep(None, "review_due", incident_above=0.2))
    t.run(36_000, good=100)
    for _ in range(3):
        t.run(600, good=0, bad=100)
        t.run(4200, good=100)
    assert t.log == []
    t.run(900, good=0, bad=80)
    t.run(1800, good=100)
    t.run(600, good=0, bad=100)
    assert words(t.log) == [("firing", "review_due")]
    t.run(4200, good=100)
    assert words(t.log) == [("firing", "review_due"), ("resolved", "review_due")]


def test_an_incident_is_found_again_after_a_restart() -> None:
    t = one(REVIEW)
    t.run(36_000, good=100)
    t.run(600, good=0, bad=100)
    again = engine(t.engine.accounts["slo"].slo)
    assert again.restore("slo", packed(t.engine.dump("slo")), []) is None
    t.engine = again
    t.run(300, good=0, bad=100)
    assert words(t.log) == [("firing", "review_due")]


def test_after_a_day_that_nobody_looked_at_the_incident_is_found_from_the_ledger() -> None:
    t = one(REVIEW)
    t.run(1200, good=90, bad=10)
    t.now += 3 * DAY
    t.run(3600, good=100)
    t.run(1200, good=0, bad=100)
    assert ("firing", "review_due") in words(t.log)


def test_a_burn_rate_over_a_day_or_a_week_is_a_state_of_its_own() -> None:
    t = one(BURNS, *STEPS)
    t.run(36_000, good=100)
    t.run(600, good=0, bad=100)
    assert holding(t) == []
    t.run(180, good=0, bad=100)
    assert holding(t) == ["fast_week"]
    severities = {a.labels["severity"] for a in t.engine.accounts["slo"].alerts() if a.firing}
    assert severities == {"page"}
    t.run(3600, good=100)
    assert words(t.log)[-1] == ("resolved", "fast_week")


def test_without_events_it_is_unknown_whether_it_burns_and_the_state_stays() -> None:
    t = one(BURNS, REVIEW)
    t.run(900, good=0, bad=100)
    assert sorted(holding(t)) == ["fast_week", "review_due"]
    t.run(3600 * 12, good=0)
    assert holding(t) == ["fast_week", "review_due"]
    t.run(DAY, good=0)
    assert holding(t) == ["fast_week", "review_due"]


def test_without_events_it_is_unknown_what_an_incident_spent() -> None:
    t = one(BudgetStep(None, "review_due", incident_above=0.2))
    t.run(900, good=0, bad=100)
    assert holding(t) == ["review_due"]
    for hours in (5, 7):
        # The second time no event of the period is left.
        t.run(3600 * hours, good=0)
        assert holding(t) == ["review_due"]
    t.run(3600, good=100)
    assert holding(t) == []


def test_a_burn_rate_of_minutes_is_none_of_an_hour() -> None:
    of = slo(objective=0.9, period="10h", steps=(BURNS,), interval=60.0)
    t = Traffic(engine(of), interval=60.0)
    t.run(300, good=0, bad=100)
    assert holding(t) == []
    t.run(300, good=0, bad=100)
    assert holding(t) == ["fast_week"]


def test_of_a_calendar_period_a_burn_rate_is_watched_too() -> None:
    of = slo(objective=0.9, period=Calendar("day", "UTC"), steps=(BURNS,), interval=60.0)
    t = Traffic(engine(of), interval=60.0)
    t.run(7200, good=100)
    t.run(900, good=0, bad=100)
    assert holding(t) == ["fast_week"]


def test_what_is_to_be_done_by_whom_and_until_when_is_said() -> None:
    step = BudgetStep(
        0.5, "freeze", False, action="No releases.", owner="team-a", runbook="http://r", within=DAY
    )
    e = aged(engine(slo(objective=0.9, period="1h", steps=(step,))))
    feed(e, T, {OK: 0.0, ERROR: 0.0})
    feed(e, T + 10, {OK: 92.0, ERROR: 8.0})
    [said] = e.tick(T + 10).said
    assert said.annotations == {
        "summary": "slo: error budget policy is in state freeze",
        "description": "20.0% of the error budget over 1h is left, under 50%; the gate is closed.",
        "budget_remaining": "0.2000",
        "action": "No releases.",
        "owner": "team-a",
        "runbook_url": "http://r",
        "deadline": "2023-11-15T22:13:30Z",
    }


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (REVIEW, "; one incident has spent more than 20% of it"),
        (BURNS, "; over 1h it burns faster than 2x"),
    ],
)
def test_the_reason_of_the_other_steps_is_said(step: BudgetStep, why: str) -> None:
    e = aged(engine(slo(objective=0.9, period="1h", steps=(step,))))
    feed(e, T, {OK: 0.0, ERROR: 0.0})
    feed(e, T + 10, {OK: 50.0, ERROR: 50.0})
    [said] = e.tick(T + 10).said
    assert why in said.annotations["description"]


# --- when a gate opens again --------------------------------------------------------------------


CLOSED = BudgetStep(0.0, "exhausted", gate_open=False)


def reopens(t: Traffic) -> float | None:
    found = status(t.engine, t.now).reopens
    return None if found is None else found - T


def test_a_closed_gate_opens_when_enough_errors_have_left_the_window() -> None:
    t = one(CLOSED, hysteresis=0.0)
    t.run(3600 * 9, good=100)
    assert reopens(t) is None
    t.run(3600, good=0, bad=200)
    # 12,000 of 66,000 are bad and 6,600 would be allowed: 27 of 60 minutes have to leave.
    assert reopens(t) == pytest.approx(3600 * 9 + 27 * 60 + 36_000, abs=1)


def test_a_calendar_budget_comes_back_with_the_next_period() -> None:
    midnight = T - T % DAY
    of = slo(objective=0.9, period=Calendar("day", "UTC"), steps=(CLOSED,))
    e = aged(engine(of), midnight + 3600)
    feed(e, midnight + 3600, {OK: 0.0, ERROR: 0.0})
    feed(e, midnight + 7200, {OK: 5.0, ERROR: 0.0})
    feed(e, midnight + 14_400, {OK: 5.0, ERROR: 95.0})
    # 95 of 100 in a sixth of the day: 158% of what the whole day allows.
    assert status(e, midnight + 14_400).reopens == midnight + DAY


def test_other_steps_that_close_the_gate_say_when_too() -> None:
    burns = BudgetStep(None, "burns", False, burn_above=2.0, over=window("1h"))
    t = one(burns, hysteresis=0.0)
    t.run(36_000, good=100)
    t.run(1200, good=0, bad=100)
    assert reopens(t) == pytest.approx(36_000 + 8 * 60 + 3600, abs=1)
    due = BudgetStep(None, "review", False, incident_above=0.1, within=DAY)
    t = one(due)
    t.run(36_000, good=100)
    t.run(900, good=0, bad=100)
    [step] = status(t.engine, t.now).steps
    assert status(t.engine, t.now).reopens == step.due


def test_when_it_opens_is_unknown_where_nobody_can_say() -> None:
    endless = BudgetStep(None, "review", False, incident_above=0.1)
    t = one(endless, CLOSED)
    t.run(36_000, good=100)
    t.run(900, good=0, bad=100)
    assert holding(t) == ["review"] and reopens(t) is None
    t = one(CLOSED)
    t.run(900, good=0, bad=100)
    t.run(36_000 * 2, good=0)
    assert holding(t) == ["exhausted"] and reopens(t) is None


def test_a_policy_may_have_no_steps_at_all() -> None:
    t = one()
    t.run(600, good=0, bad=100)
    s = status(t.engine, t.now)
    assert (s.policy_state, s.steps, s.gate_open) == ("ok", (), True)
    assert isinstance(t.engine, Engine) and t.log == []
