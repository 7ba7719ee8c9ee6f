"""The gate: closed beats unknown, unknown beats open, and somebody's word beats the policy."""

from __future__ import annotations

import pytest

from exporter.core.engine import Engine
from exporter.core.exclusion import Exclusion
from exporter.core.gate import Gate, gate
from exporter.core.override import Override, Verdict
from tests.core.builders import ERROR, OK, STEPS, T, aged, engine, feed, slo

GOOD, BAD = {OK: 1000.0, ERROR: 0.0}, {OK: 500.0, ERROR: 500.0}


def serving(page: dict[str, float], *names: str, at: float = T + 10) -> Engine:
    """SLOs of the service `shop` that were polled twice."""
    slos = [slo(name, objective=0.9, period="1h", steps=STEPS) for name in names or ("slo",)]
    e = aged(engine(*slos), at - 10)
    feed(e, at - 10, {OK: 0.0, ERROR: 0.0})
    feed(e, at, page)
    e.tick(at)
    return e


def asked(e: Engine, name: str = "shop", now: float = T + 10) -> Gate:
    found = gate(name, e.status(now))
    assert found is not None
    return found


def test_a_budget_that_is_there_opens_the_gate_and_says_how_much_is_left() -> None:
    found = asked(serving(GOOD))
    assert (found.name, found.service) == ("shop", "shop")
    assert (found.verdict, found.allow) == (Verdict.OPEN, True)
    assert found.reason == "slo, 100.0% of the error budget is left"
    assert asked(serving(GOOD), "slo").verdict is Verdict.OPEN


def test_a_state_under_a_step_is_named_though_the_gate_is_open() -> None:
    found = asked(serving({OK: 940.0, ERROR: 60.0}))
    assert found.allow and found.reason == "slo (warning), 40.0% of the error budget is left"


def test_an_exhausted_budget_closes_it_with_the_reason_and_when_it_opens() -> None:
    found = asked(serving(BAD))
    assert (found.verdict, found.allow) == (Verdict.CLOSED, False)
    assert found.reason == "slo: exhausted, -400.0% of the error budget is left"
    assert found.reopens is not None and T + 3600 < found.reopens < T + 3610


def test_one_slo_of_a_service_is_enough_to_close_it() -> None:
    of = (slo("good", objective=0.9, steps=STEPS), slo("bad", objective=0.5, steps=STEPS))
    e = aged(engine(*of))
    feed(e, T, {OK: 0.0, ERROR: 0.0})
    feed(e, T + 10, {OK: 800.0, ERROR: 200.0})
    assert asked(e).verdict is Verdict.CLOSED
    assert [b.verdict for b in asked(e).behind] == [Verdict.CLOSED, Verdict.OPEN]
    assert asked(e, "bad").verdict is Verdict.OPEN


def test_what_nobody_knows_is_not_found() -> None:
    assert gate("nothing", serving(GOOD).status(T)) is None


@pytest.mark.parametrize("page", [{}, {OK: 0.0}])
def test_without_data_or_events_it_is_unknown_and_never_open(page: dict[str, float]) -> None:
    e = engine(slo(steps=STEPS))
    if page:
        feed(e, T, page)
        feed(e, T + 10, page)
    found = asked(e)
    assert (found.verdict, found.allow, found.reopens) == (Verdict.UNKNOWN, False, None)
    assert found.reason == (
        "slo: there are no events in 30d" if page else "slo: there is no data yet"
    )


def test_an_slo_by_groups_that_has_none_yet_is_unknown() -> None:
    found = asked(engine(slo(group_by=("route",), steps=STEPS)))
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, "slo: there is no data yet")
    assert found.behind[0].status is None and not found.behind[0].allows


def test_a_group_is_named() -> None:
    e = engine(slo(objective=0.9, group_by=("instance",), steps=STEPS))
    feed(e, T, {OK: 0.0, ERROR: 0.0})
    aged(e)
    feed(e, T + 10, BAD)
    assert asked(e).reason.startswith("slo{instance=a}: exhausted, ")


def test_data_that_stopped_makes_it_unknown_unless_its_time_is_excluded() -> None:
    e = serving(GOOD)
    found = asked(e, now=T + 1000)
    assert (found.verdict, found.reason) == (Verdict.UNKNOWN, "slo: there is no data for 990s")
    e.exclude([Exclusion("maintenance", (), ((T + 20, T + 2000),))])
    assert asked(e, now=T + 1000).verdict is Verdict.OPEN


def test_while_history_is_fetched_or_it_cannot_be_computed_it_is_unknown() -> None:
    e = serving(GOOD)
    e.behind("app", ["slo"], T + 10)
    assert asked(e).reason == "slo: its history is being fetched"
    e.behind("app", [], T + 10)
    e.accounts["slo"].fault = "no bucket"
    found = asked(e)
    assert (found.verdict, found.reason) == (
        Verdict.UNKNOWN,
        "slo: it cannot be computed: no bucket",
    )


def test_a_closed_gate_stays_closed_without_data() -> None:
    assert asked(serving(BAD), now=T + 1000).verdict is Verdict.CLOSED


def override(verdict: Verdict, scope: str = "shop", since: float = T) -> Override:
    return Override("1", scope, verdict, "anna", "a fix", since, T + 100)


def test_an_override_lets_through_what_the_policy_would_not_until_it_expires() -> None:
    e = serving(BAD)
    e.overrides = (override(Verdict.OPEN),)
    found = asked(e)
    assert (found.verdict, found.allow, found.override) == (Verdict.CLOSED, True, e.overrides[0])
    assert not asked(e, now=T + 100).allow
    assert asked(e, now=T + 100).override is None


def test_an_override_may_close_and_the_newest_one_counts() -> None:
    e = serving(GOOD, "slo", "other")
    e.overrides = (override(Verdict.OPEN, since=T + 1), override(Verdict.CLOSED, "slo", T + 2))
    assert not asked(e).allow
    assert [b.allows for b in asked(e).behind] == [False, True]
    e.overrides = (override(Verdict.OPEN, since=T + 3), *e.overrides)
    assert asked(e).allow


def test_an_override_opens_what_is_unknown() -> None:
    e = engine(slo(group_by=("route",)))
    e.overrides = (override(Verdict.OPEN),)
    assert asked(e).allow
