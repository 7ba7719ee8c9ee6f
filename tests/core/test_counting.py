"""What is counted from which samples: contract.md, "Counting", sentence by sentence."""

from __future__ import annotations

from math import inf, nan

import pytest

from exporter.core.selector import parse_selector
from exporter.core.slo import CounterSLI
from tests.core.builders import (
    ERROR,
    LONG_AGO,
    OK,
    T,
    batch,
    births,
    counted,
    engine,
    feed,
    in_window,
    resets,
    slo,
    status,
)


def test_what_a_counter_gained_since_the_first_poll_counts() -> None:
    e = engine()
    feed(e, T, {OK: 1000.0, ERROR: 10.0})
    assert counted(e) == (0, 0)
    feed(e, T + 10, {OK: 1005.0, ERROR: 12.0})
    assert counted(e) == (5, 2)


def test_a_counter_that_falls_was_reset_and_its_new_value_is_the_increase() -> None:
    e = engine()
    feed(e, T, {OK: 1000.0})
    taken = feed(e, T + 10, {OK: 3.0})
    assert counted(e) == (3, 0) and resets(taken) == 1


def test_a_series_born_on_an_observed_target_counts_from_zero() -> None:
    e = engine()
    feed(e, T, {OK: 1000.0})
    taken = feed(e, T + 10, {OK: 1000.0, ERROR: 4.0})
    assert counted(e) == (0, 4) and births(taken) == 2  # once as bad, once as total


def test_a_target_without_any_series_yet_was_observed_too() -> None:
    e = engine()
    feed(e, T, {})
    feed(e, T + 10, {OK: 7.0})
    assert counted(e) == (7, 0)


def test_a_new_target_is_a_baseline() -> None:
    e = engine()
    feed(e, T, {OK: 1.0})
    feed(e, T + 10, {OK: 500.0}, "b")
    feed(e, T + 20, {OK: 501.0}, "b")
    assert counted(e) == (1, 0)


@pytest.mark.parametrize(
    ("started", "counts"),
    [(T + 95, 7), (T - 1, 0), (T + 5, 7), (T + 340, 0), (LONG_AGO, 0)],
)
def test_a_new_target_counts_if_its_process_began_under_our_eyes(
    started: float, counts: float
) -> None:
    e = engine()
    feed(e, T, {OK: 1.0})
    feed(e, T + 100, {OK: 7.0}, "b", started={"b": started})
    assert counted(e) == (counts, 0)


def test_discovery_may_take_two_minutes_and_no_longer() -> None:
    for age, counts in ((119, 7), (121, 0)):
        e = engine()
        feed(e, T, {})
        feed(e, T + 1000, {OK: 1.0})
        feed(e, T + 1001, {OK: 7.0}, "b", started={"b": T + 1000 - age})
        assert counted(e)[0] == 1 + counts


def test_a_created_timestamp_says_it_as_well_and_is_believed_first() -> None:
    e = engine()
    feed(e, T, {})
    feed(e, T + 10, {OK: 7.0}, "b", created=T + 5, started={"b": LONG_AGO})
    feed(e, T + 10, {OK: 7.0}, "c", created=LONG_AGO, started={"c": T + 5})
    assert counted(e) == (7, 0)


def test_nothing_is_born_at_the_very_first_poll() -> None:
    e = engine()
    feed(e, T, {OK: 7.0}, started={"a": T - 1}, created=T - 1)
    assert counted(e) == (0, 0)


def test_a_missed_scrape_loses_nothing() -> None:
    e = engine()
    feed(e, T, {OK: 0.0, ERROR: 0.0})
    e.ingest(batch(e, T + 10, {}))
    feed(e, T + 20, {OK: 20.0, ERROR: 1.0})
    assert counted(e) == (20, 1)


def test_an_unanswered_want_skips_the_slo_and_the_next_batch_bridges() -> None:
    e = engine(slo(), slo("other", CounterSLI(parse_selector("up"), None, parse_selector("all"))))
    page = {OK: 0.0, ERROR: 0.0, "up": 0.0, "all": 0.0}
    feed(e, T, page)
    bad = e.accounts["slo"].slo.sli.wants()[0]
    later = {OK: 5.0, ERROR: 5.0, "up": 1.0, "all": 2.0}
    taken = e.ingest(batch(e, T + 10, {"a": later}, failed=frozenset({bad})))
    assert taken["slo"].skipped and not taken["other"].skipped
    assert counted(e) == (0, 0) and counted(e, "other") == (1, 1)
    assert [a.since for a in e.asks("app")] == [T, T + 10]
    feed(e, T + 20, {**page, OK: 9.0, ERROR: 6.0, "up": 1.0, "all": 2.0})
    assert counted(e) == (9, 6) and counted(e, "other") == (1, 1)


def test_duplicates_and_old_samples_are_refused_and_counted_as_such() -> None:
    e = engine()
    feed(e, T, {OK: 0.0})
    feed(e, T + 10, {OK: 5.0})
    again = feed(e, T + 10, {OK: 5.0})
    old = feed(e, T + 9.5, {OK: 4.0})
    feed(e, T + 20, {OK: 6.0})
    assert counted(e) == (6, 0)
    assert again.refused == {"duplicate": 1} and old.refused == {"out_of_order": 1}


@pytest.mark.parametrize("value", [nan, inf, -1.0])
def test_what_is_no_count_is_refused_and_bridged(value: float) -> None:
    e = engine()
    feed(e, T, {OK: 1.0})
    taken = feed(e, T + 10, {OK: value})
    feed(e, T + 20, {OK: 3.0})
    assert counted(e) == (2, 0) and sum((taken.refused).values()) == 1


def test_a_stale_marker_is_no_data() -> None:
    e = engine(slo(period="1h"))
    feed(e, T, {OK: 1.0})
    for i in range(1, 60):
        feed(e, T + 10 * i, {OK: nan})
    assert in_window(e, T + 590, "1h").coverage == 0


def test_an_slo_added_later_counts_no_history_of_a_target_others_know() -> None:
    e = engine()
    feed(e, T, {OK: 100.0})
    feed(e, T + 10, {OK: 101.0})
    e.configure([slo(), slo("new")], [])
    feed(e, T + 20, {OK: 102.0})
    feed(e, T + 30, {OK: 103.0, ERROR: 1.0})
    assert counted(e) == (3, 1) and counted(e, "new") == (1, 1)


def test_a_whole_history_brought_again_is_not_counted_again() -> None:
    """As when an SLO is added and its source fetches 30 days for everybody."""
    e = engine()
    history = [(T + 3600 * hour, 100.0 * hour) for hour in range(24 * 4)]
    feed(e, T + 3600, {OK: history[:2]}, "short-lived", own_clock=False)
    for hour in range(2, 24 * 4):
        feed(e, T + 3600 * hour, {OK: [history[hour]]}, "b", own_clock=False)
        e.tick(T + 3600 * hour)
    before = counted(e)
    assert list(e.accounts["slo"].memory.targets) == ["b"]
    for low in range(0, 24 * 4, 24):
        pages = {"short-lived": {OK: history[:2]}, "b": {OK: history[low : low + 24]}}
        e.ingest(batch(e, history[low + 23][0], pages, own_clock=False))
    assert counted(e) == before
    assert list(e.accounts["slo"].memory.targets) == ["b"]


def test_a_catch_up_is_counted_sample_by_sample() -> None:
    e = engine(slo(period="1h"))
    feed(e, T, {OK: 0.0, ERROR: 0.0}, own_clock=False)
    first = {OK: [(T + 10.0 * i, 10.0 * i) for i in range(1, 100)], ERROR: [(T + 500, 3.0)]}
    feed(e, T + 1000, first, own_clock=False, complete=False)
    second = {OK: [(T + 10.0 * i, 10.0 * i) for i in range(90, 200)], ERROR: [(T + 1500, 4.0)]}
    feed(e, T + 1990, second, own_clock=False)
    assert counted(e) == (1990, 4)
    assert status(e, T + 1990).windows[-1].coverage == pytest.approx(1990 / 3600)


def test_the_upstreams_first_scrape_of_a_new_target_dates_births_within_a_batch() -> None:
    e = engine()
    feed(e, T, {OK: 0.0}, own_clock=False)
    new = {OK: [(T + 20, 900.0), (T + 30, 901.0)], ERROR: [(T + 30, 2.0)]}
    feed(e, T + 30, new, "b", own_clock=False, observed={"b": [T + 20, T + 30]})
    assert counted(e) == (1, 2)


def test_all_series_of_a_target_met_for_the_first_time_are_baselines_not_only_the_first_one() -> (
    None
):
    e = engine()
    feed(e, T, {OK: 0.0, ERROR: 0.0}, "old")
    later = {"old": {OK: 5.0, ERROR: 1.0}, "new": {OK: 700.0, ERROR: 30.0}}
    e.ingest(batch(e, T + 10, later))
    assert counted(e) == (5, 1)
    e.ingest(batch(e, T + 20, {"new": {OK: 701.0, ERROR: 30.0}, "old": later["old"]}))
    assert counted(e) == (6, 1)


def test_what_is_gone_from_a_page_is_as_much_work_as_what_is_on_it() -> None:
    of, name = engine(), 'http_requests_total{{code="200",n="{}"}}'
    first = batch(of, T, {"a": {name.format(n): 1.0 for n in range(9)}})
    account = of.accounts["slo"]
    assert account.gone(first) == 0
    of.ingest(first)
    assert account.gone(batch(of, T + 10, {"a": {name.format(0): 2.0}})) == 8
    assert account.gone(batch(of, T + 10, {"b": {name.format(0): 2.0}})) == 0
