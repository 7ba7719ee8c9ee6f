"""When alerts fire, hold and resolve, and what is said of them."""

from __future__ import annotations

import random
from typing import Any

import pytest

from exporter.core.alert import Alert, to_say
from exporter.core.burn import Condition
from exporter.core.outbox import Route
from exporter.core.slo import burn_rate_of_share
from tests.core.builders import (
    OK,
    T,
    Traffic,
    aged,
    engine,
    feed,
    packed,
    rule,
    said,
    show,
    slo,
    status,
    wait,
    window,
    workbook,
)

PAGE = rule("page", "1h", "5m", 14.4)
TICKET = rule("ticket", "6h", "30m", 1.0)
BURN = "ErrorBudgetBurn"


@pytest.mark.parametrize(("period", "rate", "scrapes"), [("30d", 14.4, 6), ("28d", 13.44, 5)])
def test_two_percent_of_the_budget_in_an_hour_pages_at_the_arithmetic_moment(
    period: str, rate: float, scrapes: int
) -> None:
    """Of 360 scrapes in 1h, more than 1.44% (1.344%) must be all errors: 5.18 (4.84) of them."""
    page = workbook(period)[0]
    assert page.rate == pytest.approx(rate)
    assert burn_rate_of_share(0.02, window(period), window("1h")) == page.rate
    t = Traffic(engine(slo(period=period, rules=(page,))))
    assert t.run(3600, good=100) == []
    assert t.run(600, good=0, bad=100) == [(3600 + 10 * scrapes, "firing", f"{BURN} 1h")]
    (state,) = status(t.engine, t.now).rules
    assert state.firing and state.since == T + 3600 + 10 * scrapes
    # It resolves when the last error leaves the short window, long before it leaves the long one.
    assert t.run(1200, good=100) == [(4200 + 300, "resolved", f"{BURN} 1h")]
    assert not status(t.engine, t.now).rules[0].firing


def test_an_alert_says_what_burns_and_how_long_the_budget_lasts() -> None:
    t = Traffic(aged(engine(slo(rules=(PAGE,), labels={"team": "red"}))))
    t.run(3600, good=100)
    t.run(50, good=0, bad=100)
    feed(t.engine, t.now + 10, {OK: t.good, 'http_requests_total{code="500"}': t.bad + 100})
    (one,) = t.engine.tick(t.now + 10).said
    assert one.labels == {
        "alertname": BURN, "slo": "slo", "service": "shop", "severity": "page",
        "long_window": "1h", "short_window": "5m", "team": "red",
    }  # fmt: skip
    assert set(one.annotations) == {"summary", "description", "budget_remaining", "exhausts_in"}
    assert "600 bad of 36000 events in 1h" in one.annotations["description"]
    assert one.annotations["exhausts_in"] == "0s"  # 1.6% of all the period's events were bad


def test_what_is_left_lasts_for_left_times_period_over_burn() -> None:
    rules = (rule("page", "10m", "1m", 1.0),)
    t = Traffic(aged(engine(slo(objective=0.5, period="1h", rules=rules))))
    t.run(3000, good=100)
    t.run(400, good=0, bad=100)
    s = status(t.engine, t.now)
    left = 1 - (400 / 3400) / 0.5
    assert s.budget_remaining == pytest.approx(left)
    assert s.exhaustion_seconds == pytest.approx(left * 3600 / (400 / 600 / 0.5), rel=1e-3)
    assert f"spent in {show(s.exhaustion_seconds or 0)}" in str(
        [a.annotations for a in t.engine.accounts["slo"].alerts()]
    )


def test_both_windows_must_burn() -> None:
    t = Traffic(engine(slo(rules=(PAGE,))))
    t.run(3600, good=100)
    assert t.run(30, good=0, bad=100) == []  # only the short one
    t.run(300, good=100)
    assert t.run(20, good=40, bad=60) == []


@pytest.mark.parametrize("more", [{"min_bad_events": 3}, {"min_events": 7}, {"confidence": 0.95}])
def test_one_error_at_night_pages_unless_the_rule_asks_for_more(more: dict[str, float]) -> None:
    """Five requests in an hour, the last one failed: an error ratio of 20%."""
    for rules, pages in (((PAGE,), 1), ((rule("page", "1h", "5m", 14.4, **more),), 0)):
        t = Traffic(engine(slo(rules=rules)))
        for _ in range(4):
            t.run(720, good=0)
            t.run(10, good=1)
        assert len(t.run(10, good=0, bad=1)) == pages
        # A real outage pages all the same.
        t.run(300, good=0, bad=1)
        assert status(t.engine, t.now).rules[0].firing


def test_without_data_a_firing_alert_fires_on_and_none_begins() -> None:
    t = Traffic(engine(slo(rules=(PAGE,))))
    t.run(3600, good=100)
    t.run(100, good=0, bad=100)
    assert t.silence(7200) == [(3700 + 310, "firing", "SLIDataMissing")]
    assert status(t.engine, t.now).rules[0].firing
    # The counter tells: nothing failed meanwhile.
    assert t.run(600, good=100) == [
        (10910, "resolved", f"{BURN} 1h"),
        (10910, "resolved", "SLIDataMissing"),
    ]


def test_no_traffic_is_no_health_either() -> None:
    t = Traffic(engine(slo(rules=(PAGE,))))
    t.run(3600, good=100)
    t.run(100, good=0, bad=100)
    assert t.run(7200, good=0) == []
    assert status(t.engine, t.now).rules[0].firing
    assert t.run(10, good=1)[0][1] == "resolved"


def test_data_missing_is_said_after_patience_and_resolved_by_data() -> None:
    t = Traffic(engine())
    t.run(100, good=1)
    assert t.silence(300) == []
    assert t.silence(600) == [(410, "firing", "SLIDataMissing")]
    assert t.run(20, good=1) == [(1010, "resolved", "SLIDataMissing")]
    assert t.silence(310) == [(1330, "firing", "SLIDataMissing")]


def test_missing_data_is_told_with_why_its_source_cannot_be_read() -> None:
    e = engine(slo(interval=600.0))
    said(e, T)
    e.unreadable("app", "connection refused")
    e.unreadable("other", "timeout")
    why = "there is no data yet; the source app cannot be read (connection refused)"
    assert e.status(T).unknown == {"slo": why}
    wait(e, T, T + 2390)
    (alert,) = e.tick(T + 2401).said
    assert alert.annotations["description"] == (
        "No sample of the SLI came from source app for 2401s. Its alerts hold their state. The "
        "source cannot be read: connection refused."
    )
    e.unreadable("app", "")
    assert e.status(T).unknown == {"slo": "there is no data yet"}


def test_data_that_never_came_is_missing_too_but_not_right_after_the_start() -> None:
    e = engine(slo(interval=600.0))
    assert said(e, T) == [] == wait(e, T, T + 2400)
    assert said(e, T + 2401) == [("firing", "SLIDataMissing")]


def test_a_clock_set_back_does_not_hide_missing_data_for_as_long() -> None:
    e = engine()
    assert said(e, T) == [] == said(e, T - 86_400)
    assert wait(e, T - 86_400, T - 86_400 + 301) == [("firing", "SLIDataMissing")]


def test_an_alert_on_missing_data_moves_along_with_a_clock_that_is_set_back_and_is_forgotten() -> (
    None
):
    t = Traffic(engine(slo()))
    t.run(100, good=1)
    assert [what for _, what, _ in t.silence(400)] == ["firing"]
    (alert,) = t.engine.accounts["slo"].alerts()
    since = alert.since
    t.now -= 86_400
    assert t.run(600, good=1)[-1][1:] == ("resolved", "SLIDataMissing")
    assert since - 87_000 < alert.since < since - 85_000
    t.run(4000, good=1)
    assert list(t.engine.accounts["slo"].alerts()) == []


def test_an_alert_on_the_burn_rate_moves_along_too() -> None:
    t = Traffic(engine(slo(period="1h", objective=0.9, rules=(rule("page", "10m", "1m", 2.0),))))
    t.run(600, good=100)
    assert [what for _, what, _ in t.run(600, good=0, bad=100)] == ["firing"]
    before, at = status(t.engine, t.now).rules[0].since, t.now
    t.now -= 86_400
    t.run(20, good=0, bad=100)
    (rule_,) = status(t.engine, t.now).rules
    assert rule_.firing
    assert before is not None and rule_.since is not None
    assert t.now - rule_.since == pytest.approx(at - before, abs=61)


def test_a_ticket_keeps_quiet_while_a_faster_page_fires_and_speaks_after() -> None:
    t = Traffic(engine(slo(rules=(TICKET, PAGE))))
    t.run(6 * 3600, good=100)
    fired = t.run(600, good=0, bad=100)
    assert [what for _, _, what in fired] == [f"{BURN} 6h", f"{BURN} 1h"]  # slow first: the ticket
    t = Traffic(engine(slo(rules=(rule("ticket", "6h", "30m", 3.0), PAGE))))
    t.run(6 * 3600, good=100)
    (paged,) = t.run(600, good=0, bad=100)
    assert paged[2] == f"{BURN} 1h"
    assert [r.firing for r in status(t.engine, t.now).rules] == [True, True]
    # Of every two hundred events one fails still: five times what is allowed.
    over = t.run(900, good=199, bad=1)
    assert [what[1:] for what in over] == [
        ("resolved", f"{BURN} 1h"),
        ("firing", f"{BURN} 6h"),
    ]
    assert t.run(3600, good=100)[0][1:] == ("resolved", f"{BURN} 6h")


def test_a_ticket_that_kept_quiet_is_not_said_when_the_errors_have_ended_with_the_page() -> None:
    t = Traffic(engine(slo(rules=(rule("ticket", "6h", "30m", 3.0), PAGE))))
    t.run(6 * 3600, good=100)
    t.run(600, good=0, bad=100)
    assert [r.firing for r in status(t.engine, t.now).rules] == [True, True]
    (over,) = t.run(3 * 3600, good=100)
    assert over[1:] == ("resolved", f"{BURN} 1h")


def test_a_page_of_the_budget_policy_keeps_tickets_quiet_too() -> None:
    page = Alert({"alertname": "ErrorBudgetPolicy", "severity": "page"}, {}, 0.0)
    ticket = Alert({"alertname": BURN, "severity": "ticket"}, {}, 6 * 3600.0)
    for one in (page, ticket):
        one.step(Condition.ABOVE, T)
    assert [n.labels for n in to_say([page, ticket])] == [page.labels]
    page.step(Condition.BELOW, T + 10)
    assert [n.labels for n in to_say([page, ticket])] == [page.labels, ticket.labels]


def test_a_ticket_that_was_never_said_is_never_resolved_aloud() -> None:
    rules = (rule("ticket", "2h", "1m", 7.2), PAGE)
    t = Traffic(engine(slo(rules=rules)))
    t.run(7200, good=100)
    t.run(120, good=0, bad=100)
    assert all(r.firing for r in status(t.engine, t.now).rules)
    assert t.run(3600, good=100)[0][2] == f"{BURN} 1h"
    assert [what for _, _, what in t.log] == [f"{BURN} 1h"] * 2


def test_windows_of_seconds_work_at_a_scrape_every_second() -> None:
    t = Traffic(engine(slo(rules=(rule("page", "10s", "2s", 14.4),), interval=1.0)), 1.0)
    t.run(60, good=50)
    assert t.run(3, good=49, bad=1) == []
    assert t.run(20, good=50) == []
    assert t.run(5, good=0, bad=50) == [(84, "firing", f"{BURN} 10s")]
    assert t.run(5, good=50) == [(90, "resolved", f"{BURN} 10s")]


def test_an_alert_waits_for_nothing_but_data() -> None:
    t = Traffic(engine(slo(rules=(PAGE,))))
    t.run(3600, good=100)
    feed(t.engine, t.now + 10, {OK: t.good, 'http_requests_total{code="500"}': 1e4})
    assert said(t.engine, t.now + 10.0) == [("firing", f"{BURN} 1h")]
    assert said(t.engine, t.now + 10.0) == []


def test_alerts_wait_for_the_last_chunk_of_a_catch_up() -> None:
    e = aged(engine(slo(rules=(PAGE,))))
    feed(e, T, {OK: 0.0, 'http_requests_total{code="500"}': 0.0}, own_clock=False)
    said(e, T)
    page = {OK: [(T + 60, 100.0)], 'http_requests_total{code="500"}': [(T + 60, 100.0)]}
    feed(e, T + 60, page, own_clock=False, complete=False)
    assert said(e, T + 61) == []
    feed(e, T + 70, {OK: [(T + 70, 200.0)]}, own_clock=False)
    assert said(e, T + 71) == [("firing", f"{BURN} 1h")]


def test_what_is_said_is_queued_for_whoever_takes_it_and_resent_to_who_asks() -> None:
    routes = [Route("am", "am:1", (), 60.0), Route("hook", "hook:1", ("ticket",))]
    t = Traffic(engine(slo(rules=(rule("page", "10m", "1m", 14.4),)), routes=routes))
    t.run(60, good=0, bad=10)
    outbox = t.engine.outbox
    assert (outbox.waiting("am:1"), outbox.waiting("hook:1")) == (1, 0)
    (entry,) = outbox.due("am:1", t.now)
    outbox.delivered(entry, t.now)
    t.run(70, good=0, bad=10)
    assert outbox.waiting("am:1") == 1


def test_missing_data_is_resent_too_and_resolved_when_its_slo_is_removed() -> None:
    t = Traffic(engine(routes=[Route("am", "am:1", (), 60.0)]))
    t.silence(310)
    (entry,) = t.engine.outbox.due("am:1", t.now)
    t.engine.outbox.delivered(entry, t.now)
    t.silence(70)
    assert t.engine.outbox.waiting("am:1") == 1
    t.engine.configure([], [])
    assert said(t.engine, t.now) == [("resolved", "SLIDataMissing")]


# --- margins ------------------------------------------------------------------------------------


def burning(**more: Any) -> Traffic:
    """A service whose errors of ten minutes are well above the rate."""
    of = slo(objective=0.9, period="1h", rules=(rule("page", "10m", "1m", 2.0, **more),))
    t = Traffic(engine(of))
    t.run(600, good=700, bad=300)
    assert status(t.engine, t.now).rules[0].firing
    t.log.clear()
    return t


def test_a_rule_ends_at_a_share_of_its_rate_and_not_before() -> None:
    t = burning()
    assert t.run(1200, good=805, bad=195) == []
    assert t.run(60, good=811, bad=189) == []  # That can be chance.
    assert t.run(60, good=830, bad=170)[-1][1:] == ("resolved", f"{BURN} 10m")
    # Between both it does not begin either.
    assert t.run(1200, good=805, bad=195) == []
    t = burning(hysteresis=0.0)
    assert t.run(60, good=805, bad=195)[-1][1:] == ("resolved", f"{BURN} 10m")


def test_its_words_say_at_which_rate_it_ends() -> None:
    t = burning()
    t.run(660, good=805, bad=195)
    (one,) = t.engine.accounts["slo"].alerts()
    assert "over 1m, it fired above 2x and ends at 1.9x." in one.annotations["description"]
    t = burning(keep_firing_for=300.0)
    t.run(120, good=1000)
    (one,) = t.engine.accounts["slo"].alerts()
    assert "it ends when one was at most 1.9x for 300s." in one.annotations["description"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("events", "more", "most"),
    [
        (25, {}, 10),
        (25, {"keep_firing_for": 900.0}, 5),
        (25, {"hysteresis": 0.0}, 400),
        (3, {}, 10),
    ],
)
def test_a_burn_at_just_the_rate_pages_a_handful_of_times_in_two_days(
    events: int, more: dict[str, float], most: int
) -> None:
    """Some requests at each poll, of which 1.44% fail; the rule begins above 14.4x. Of 100 a minute
    five minutes hold 7 errors, give or take 3: that is more than a margin of 5%."""
    rng = random.Random(7)
    t = Traffic(engine(slo(rules=workbook(**more)[:2], interval=15.0)), 15.0)
    for _ in range(4 * 1440 * 2):
        bad = sum(rng.random() < 0.0144 for _ in range(events))
        t.run(15, good=events - bad, bad=bad)
    found = [what for _, reason, what in t.log if reason == "firing"]
    assert most / 10 <= len(found) <= most


@pytest.mark.parametrize(("events", "seconds"), [(3, 300), (25, 60), (25, 1800), (1000, 300)])
def test_an_outage_that_ends_ends_its_page_when_the_short_window_is_past_it(
    events: int, seconds: int
) -> None:
    t = Traffic(engine(slo(rules=workbook()[:1], interval=15.0)), 15.0)
    t.run(7200, good=events)
    t.run(seconds, good=0, bad=events)
    assert [reason for _, reason, _ in t.log] == ["firing"]
    t.run(3600, good=events)
    when, reason, _ = t.log[-1]
    assert reason == "resolved"
    assert 280 <= when - 7200 - seconds <= 330


def test_a_rule_fires_on_for_as_long_as_it_is_told_and_forgets_a_short_calm() -> None:
    t = burning(keep_firing_for=300.0)
    assert t.run(200, good=1000) == []
    # It is above again, so the time begins anew.
    assert t.run(60, good=0, bad=1000) == []
    (ended,) = t.run(600, good=1000)
    # A tenth of a minute's errors leave the short window within its last fifth.
    assert ended == (600 + 260 + 50 + 300, "resolved", f"{BURN} 10m")


def test_a_restart_in_the_middle_of_that_time_goes_on_from_where_it_was() -> None:
    t = burning(keep_firing_for=300.0)
    assert t.run(200, good=1000) == []
    again = engine(t.engine.accounts["slo"].slo)
    assert again.restore("slo", packed(t.engine.dump("slo")), []) is None
    t.engine = again
    # The short window fell below 30 s after the errors ended.
    assert t.run(600, good=1000) == [(600 + 30 + 300, "resolved", f"{BURN} 10m")]


def test_an_alert_of_an_earlier_state_file_knows_no_such_moment() -> None:
    t = burning(keep_firing_for=300.0)
    t.run(200, good=1000)
    dump = packed(t.engine.dump("slo"))
    for *_, alerts in dump["state"]["instances"]:
        alerts[:] = [alert[:8] for alert in alerts]
    op = next(o for log in t.engine.drain().values() for o in log if o[0] == "alert")
    again = engine(t.engine.accounts["slo"].slo)
    assert again.restore("slo", dump, [packed([op[:10]])]) is None
    t.engine = again
    assert t.run(290, good=1000) == []
    assert [what[1] for what in t.run(20, good=1000)] == ["resolved"]


@pytest.mark.long
def test_no_rule_fires_before_a_tenth_of_its_long_window_has_data() -> None:
    t = Traffic(engine(slo(rules=workbook())))
    log = t.run(86_400, good=0, bad=5)
    first = {what: when for when, reason, what in reversed(log) if reason == "firing"}
    # Of the tickets nothing is said beside a faster page.
    assert first == {f"{BURN} 1h": 360, f"{BURN} 6h": 2160}
    since = {r.long: (r.since or 0) - T for r in status(t.engine, t.now).rules}
    assert since == {"1h": 360, "6h": 2160, "1d": 8640, "3d": 25_920}


def test_what_must_be_there_for_a_rule_to_begin_does_not_end_it() -> None:
    t = burning(min_coverage=0.9, min_events=50_000, min_bad_events=1000, confidence=0.9)
    t.silence(200)
    assert status(t.engine, t.now).rules[0].firing
    t.run(60, good=7, bad=3)
    assert status(t.engine, t.now).rules[0].firing
