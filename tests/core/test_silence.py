"""What alerts do, and what is said of them, while nothing comes that could end them."""

from __future__ import annotations

import pytest

from exporter.core.alert import Alert
from exporter.core.engine import Engine
from exporter.core.forecast import Forecast
from exporter.core.slo import BudgetStep, Calendar, CompositeSLI
from tests.core.builders import (
    ERROR,
    OK,
    T,
    Traffic,
    aged,
    engine,
    feed,
    in_window,
    packed,
    rule,
    said,
    show,
    slo,
    status,
)

FAST = rule("page", "2m", "1m", 5.0)
BURN = "ErrorBudgetBurn 2m"
SINCE = " Note: there has been no data since 2023-11-14T22:24:20Z, so the alert holds its state."


def alert(of: Engine, name: str = "ErrorBudgetBurn") -> Alert:
    """The one alert of a name."""
    (found,) = (a for a in of.accounts["slo"].alerts() if a.labels["alertname"] == name)
    return found


def firing(**more: object) -> Traffic:
    """Half of all events fail for a minute."""
    t = Traffic(engine(slo(period="1h", rules=(FAST,), **more)))  # type: ignore[arg-type]
    t.run(600, good=100)
    assert t.run(60, good=50, bad=50)[0][1:] == ("firing", BURN)
    return t


# --- time alone ---------------------------------------------------------------------------------


def test_an_alert_ends_when_only_what_is_well_is_left_in_the_window() -> None:
    t = firing()
    assert t.run(20, good=100) == []
    # From the fifth sample on that is missing windows end now; the last errors are 20 s older.
    assert t.silence(40) == []
    assert t.silence(120) == [(680 + 50, "resolved", BURN)]


def test_an_alert_holds_when_nothing_is_left_in_the_window() -> None:
    t = firing()
    assert t.silence(290) == []
    assert in_window(t.engine, t.now, "1m").sli is None
    assert status(t.engine, t.now).rules[0].firing
    assert t.silence(20) == [(660 + 310, "firing", "SLIDataMissing")]
    assert t.run(60, good=100)[0][1:] == ("resolved", BURN)


def test_an_alert_begins_when_what_was_well_has_left_the_window() -> None:
    t = Traffic(engine(slo(period="1h", objective=0.9, rules=(rule("page", "5m", "5m", 2.0),))))
    t.run(600, good=100)
    # A fifth of the window's events and less, until the first minutes leave it.
    assert t.run(50, good=0, bad=110) == []
    assert t.silence(60) == [(650 + 50, "firing", "ErrorBudgetBurn 5m")]
    assert alert(t.engine).annotations["description"].startswith("550 bad of 2")
    assert "since 2023-11-14T22:24:10Z" in alert(t.engine).annotations["description"]


def test_nothing_moves_while_history_is_being_fetched() -> None:
    t = firing()
    t.run(20, good=100)
    for _ in range(20):
        t.engine.behind("app", {"slo"}, t.now)
        assert t.silence(10) == []


def test_a_restart_is_no_silence() -> None:
    t = firing()
    t.run(20, good=100)
    again = Engine([t.engine.accounts["slo"].slo], (), show)
    assert again.restore("slo", packed(t.engine.dump("slo")), []) is None
    now = t.now + 5
    assert said(again, now) == said(again, now + 40) == []
    assert said(again, now + 41) == [("resolved", BURN)]


def test_a_clock_that_is_set_back_looks_at_once() -> None:
    t = firing()
    t.run(20, good=100)
    t.now -= 7200
    feed(t.engine, t.now, {OK: t.good, ERROR: t.bad})
    t.engine.tick(t.now)
    assert t.silence(40) == []
    assert [what[1:] for what in t.silence(60)] == [("resolved", BURN)]


def test_a_composite_goes_by_how_its_parts_arrive() -> None:
    parts = CompositeSLI((("slo", 1.0), ("b", 1.0)))
    e = engine(slo(), slo("b"), slo("all", parts, rules=(FAST,), source=""))
    for k in range(60):
        # The second part is always half a minute late.
        old = [(T + 10 * k - 30, 10.0 * k)] if k > 2 else []
        for name, page in (("slo", {OK: 10.0 * k}), ("b", {OK: old} if old else {})):
            feed(e, T + 10 * k, page, own_clock=False, slos=frozenset({name}))
        e.tick(T + 10 * k)
    newest = T + 590 - 30

    def total(now: float) -> float:
        (found,) = (s for s in e.status(now).slos if s.slo.name == "all")
        return found.windows[0].total

    assert total(newest + 70) == pytest.approx(120)
    assert total(newest + 71) < 100


# --- texts --------------------------------------------------------------------------------------


def test_an_alert_that_holds_says_by_what_it_fired_and_since_when_there_is_no_data() -> None:
    t = firing()
    fired = alert(t.engine).annotations
    assert fired["description"].endswith("; the budget is spent.")
    t.silence(600)
    held = alert(t.engine).annotations
    assert held["description"].endswith(SINCE)
    assert held["description"].startswith("200 bad of 1200 events in 2m, burn rate 166.7x there")
    assert (held["summary"], held["exhausts_in"]) == (fired["summary"], "0s")
    assert float(held["budget_remaining"]) < 0
    # When data are back, its end says how long there were none.
    (over,) = (n for n in ended(t) if " over 2m" in n["summary"])
    assert over["description"].endswith(
        " Note: there was no data from 2023-11-14T22:24:20Z to 2023-11-14T22:34:30Z."
    )
    assert "unknown" not in over["description"]


def ended(t: Traffic) -> list[dict[str, str]]:
    """The annotations of what ends with the next sample."""
    t.now += 10
    t.good += 100_000
    feed(t.engine, t.now, {OK: t.good, ERROR: t.bad})
    return [dict(n.annotations) for n in t.engine.tick(t.now).said if n.reason.value == "resolved"]


def test_numbers_are_those_of_now_again_once_data_are_back() -> None:
    t = firing()
    t.silence(100)
    assert SINCE in alert(t.engine).annotations["description"]
    t.run(60, good=0, bad=100)
    assert "Note" not in alert(t.engine).annotations["description"]
    t.silence(30)
    assert "Note" not in ended(t)[0]["description"]


def test_an_alert_without_events_says_so_though_samples_come() -> None:
    t = firing()
    t.run(200, good=0)
    assert (
        alert(t.engine)
        .annotations["description"]
        .endswith(" Note: there are no events in the last 1m, so the alert holds its state.")
    )
    assert "Note" not in ended(t)[0]["description"]


def test_a_clock_that_is_set_moves_the_silence_of_an_alert_too() -> None:
    t = firing()
    t.silence(100)
    t.now -= 7200
    (over,) = ended(t)
    assert "no data from 2023-11-14T20:26:00Z to" in over["description"]


def test_after_a_restart_an_alert_keeps_the_numbers_by_which_it_fired() -> None:
    t = firing()
    t.silence(600)
    again = Engine([t.engine.accounts["slo"].slo], (), show)
    assert again.restore("slo", packed(t.engine.dump("slo")), []) is None
    for k in range(9):
        again.tick(t.now + 10 * k)
    assert alert(again).annotations["description"].count("Note") == 1
    assert alert(again).annotations["description"].startswith("300 bad of 1200 events")


def test_a_step_that_holds_without_data_says_so() -> None:
    steps = (
        BudgetStep(0.0, "exhausted", gate_open=False),
        BudgetStep(None, "burning", burn_above=5.0, over=FAST.long),
    )
    t = firing(steps=steps)
    states = {
        a.labels["state"]: a for a in t.engine.accounts["slo"].alerts() if "state" in a.labels
    }
    t.silence(600)
    assert states["burning"].annotations["description"].endswith(SINCE)
    # What is left of the hour's budget is known all the same.
    assert "Note" not in states["exhausted"].annotations["description"]
    t.silence(3600)
    assert states["exhausted"].annotations["description"].endswith(SINCE)
    assert states["exhausted"].annotations["description"].startswith("-")
    assert "no data from" in next(n for n in ended(t) if "exhausted" in n["summary"])["description"]


def test_a_review_that_is_due_waits_for_no_data() -> None:
    step = BudgetStep(None, "review", incident_above=0.2, within=86_400.0, over=None)
    t = Traffic(aged(engine(slo(period="1d", steps=(step,), interval=60.0))), 60.0)
    t.run(600, good=100)
    t.run(300, good=0, bad=100)
    (review,) = t.engine.accounts["slo"].alerts()
    before = review.annotations["description"]
    t.run(7200, good=0)
    assert review.firing
    assert "spent more than 20% of it" in before == review.annotations["description"]


def test_a_step_without_any_budget_to_tell_of_says_that_nothing_is_known() -> None:
    midnight = 1_700_006_400.0
    day = Calendar("day", "UTC")
    step = BudgetStep(None, "burning", burn_above=2.0, over=FAST.long)
    e = engine(slo(period=day, rules=(FAST,), steps=(step,)))
    for k in range(5):
        feed(e, midnight - 50 + 10 * k, {OK: 0.0, ERROR: 10.0 * k})
    feed(e, midnight, {OK: 0.0, ERROR: 50.0})
    e.tick(midnight)
    assert alert(e, "ErrorBudgetPolicy").annotations["description"] == (
        "Nothing is known of the error budget over day; over 2m it burns faster than 2x; the gate "
        "is open."
    )
    texts = alert(e).annotations
    assert texts["description"].endswith("; how long the budget lasts is not known.")
    assert (texts["budget_remaining"], texts["exhausts_in"]) == ("unknown", "unknown")


def test_a_slow_rule_says_how_the_budget_lasts_when_the_fastest_has_nothing_to_say() -> None:
    rules = (rule("page", "1m", "1m", 1e3), rule("ticket", "30m", "10m", 1.0))
    t = Traffic(engine(slo(objective=0.5, period="30d", rules=rules)))
    t.run(86_400 * 0.1, good=100)
    t.run(1200, good=0, bad=100)
    t.run(100, good=1)
    texts = alert(t.engine).annotations
    assert texts["exhausts_in"] == "never"
    assert texts["description"].endswith("over the last 1m nothing of the budget was spent.")
    t.run(100, good=0)
    texts = alert(t.engine).annotations
    assert texts["exhausts_in"].endswith("s") and "at this rate" in texts["description"]


def test_a_forecast_that_is_too_old_is_said_to_be() -> None:
    t = Traffic(engine(slo(forecast_within=86_400.0)))
    t.run(60, good=100)
    made = Forecast(t.now, 100.0, 200.0, 300.0, 5)
    t.engine.accounts["slo"].foretell((), made)
    assert t.run(10, good=100)[0][1:] == ("firing", "ErrorBudgetForecast")
    t.engine.accounts["slo"].foretell((), None)
    t.run(60, good=100)
    assert (
        alert(t.engine, "ErrorBudgetForecast")
        .annotations["description"]
        .endswith(" Note: there is no forecast of the last hours, so the alert holds its state.")
    )
    t.engine.accounts["slo"].foretell((), made._replace(middle=1e9, upper=2e9, at=t.now))
    t.now += 10
    feed(t.engine, t.now, {OK: t.good + 100, ERROR: t.bad})
    (over,) = t.engine.tick(t.now).said
    assert over.reason.value == "resolved" and "Note" not in over.annotations["description"]
