"""Counting while processes restart, pods come and go, names change and clocks are set."""

from __future__ import annotations

import pytest

from tests.core.builders import (
    ERROR,
    LONG_AGO,
    OK,
    T,
    batch,
    counted,
    engine,
    feed,
    in_window,
    resets,
    slo,
)


def test_a_restart_is_seen_by_the_process_start_when_the_counter_has_overtaken() -> None:
    e = engine()
    feed(e, T, {OK: 5.0}, started={"a": LONG_AGO})
    taken = feed(e, T + 60, {OK: 80.0}, started={"a": T + 20})
    assert counted(e) == (80, 0) and resets(taken) == 1
    feed(e, T + 70, {OK: 81.0}, started={"a": T + 20})
    assert counted(e) == (81, 0)


def test_a_restart_within_a_batch_counts_only_what_came_after_it_anew() -> None:
    e = engine()
    feed(e, T, {OK: 100.0}, started={"a": LONG_AGO}, own_clock=False)
    fell = [(T + 10, 103.0), (T + 20, 105.0), (T + 30, 2.0)]
    started = {"a": [(T + 10, LONG_AGO), (T + 30, T + 25)]}
    feed(e, T + 30, {OK: fell}, started=started, own_clock=False)
    assert counted(e) == (7, 0)
    overtook = [(T + 20, 105.0), (T + 30, 2.0), (T + 40, 3.0), (T + 50, 30.0), (T + 60, 31.0)]
    started = {"a": [(T + 20, LONG_AGO), (T + 30, T + 25), (T + 50, T + 45)]}
    feed(e, T + 60, {OK: overtook}, started=started, own_clock=False)
    assert counted(e) == (7 + 1 + 30 + 1, 0)


def test_a_series_that_is_late_after_a_restart_counts_whole_though_it_overtook() -> None:
    e = engine()
    feed(e, T, {OK: 1.0, ERROR: 3.0}, started={"a": LONG_AGO})
    feed(e, T + 10, {OK: 0.0}, started={"a": T + 5})
    feed(e, T + 20, {OK: 0.0, ERROR: 5.0}, started={"a": T + 5})
    assert counted(e) == (0, 5)


def test_a_created_timestamp_that_moved_is_a_reset_whatever_the_value() -> None:
    e = engine()
    feed(e, T, {OK: 5.0}, created=LONG_AGO)
    feed(e, T + 10, {OK: 8.0}, created=T + 3)
    feed(e, T + 20, {OK: 9.0}, created=T + 3)
    assert counted(e) == (9, 0)


def test_a_process_start_that_jitters_is_no_restart() -> None:
    e = engine()
    for i in range(20):
        feed(e, T + 10 * i, {OK: 100.0 + i}, started={"a": LONG_AGO + (i * 7 % 3) / 2})
    assert counted(e) == (19, 0)


def test_a_target_whose_clock_is_ahead_of_ours_is_compared_with_itself_only() -> None:
    e = engine()
    for i in range(5):
        feed(e, T + 10 * i, {OK: 100.0 + i}, started={"a": T + 3000}, created=T + 3000)
    feed(e, T + 50, {OK: 200.0}, started={"a": T + 3045}, created=T + 3045)
    assert counted(e) == (4 + 200, 0)


def test_a_pod_that_returns_within_a_day_is_bridged_and_after_a_day_it_is_new() -> None:
    for away, counts in ((3600.0 * 20, 50), (3600.0 * 26, 0)):
        e = engine()
        feed(e, T, {OK: 100.0})
        for hour in range(int(away // 3600)):
            feed(e, T + 3600 * hour + 1, {}, "b")
            e.tick(T + 3600 * hour + 2)
        feed(e, T + away, {OK: 150.0})
        assert counted(e) == (counts, 0)


def test_a_series_silent_for_a_day_is_forgotten_on_a_living_target() -> None:
    e = engine()
    feed(e, T, {OK: 100.0, ERROR: 5.0})
    for hour in range(1, 27):
        feed(e, T + 3600 * hour, {OK: 100.0})
        e.tick(T + 3600 * hour + 1)
    feed(e, T + 3600 * 27, {OK: 100.0, ERROR: 7.0})
    assert counted(e) == (0, 7)


def test_when_slod_itself_was_away_for_days_the_next_sample_bridges() -> None:
    e = engine()
    feed(e, T, {OK: 100.0})
    e.tick(T + 3 * 86_400)
    feed(e, T + 3 * 86_400 + 10, {OK: 150.0})
    assert counted(e) == (50, 0)


def test_target_labels_may_change_without_counting_anything_twice() -> None:
    e = engine()
    for i, team in enumerate(("red", "blue")):
        one = batch(e, T + 10 * i, {"a": {OK: 100.0 + i}})
        for readings in one.readings.values():
            for reading in readings:
                dict.update(reading.series.labels, team=team)
        e.ingest(one)
    assert counted(e) == (1, 0)


def test_a_target_whose_page_labels_change_goes_on_under_the_new_names() -> None:
    def page(version: str, ok: float, error: float) -> dict[str, float]:
        return {
            f'http_requests_total{{code="200",version="{version}"}}': ok,
            f'http_requests_total{{code="201",version="{version}"}}': ok + 7,
            f'http_requests_total{{code="500",version="{version}"}}': error,
        }

    e = engine()
    feed(e, T, page("1", 1000.0, 30.0), started={"a": LONG_AGO})
    feed(e, T + 10, page("1", 1001.0, 30.0), started={"a": LONG_AGO})
    feed(e, T + 20, page("2", 1002.0, 31.0), started={"a": LONG_AGO})
    assert counted(e) == (4, 1)


def test_a_label_that_flips_and_flips_back_counts_on_and_nothing_twice() -> None:
    e = engine()
    leader, follower = (f'http_requests_total{{leader="{x}"}}' for x in ("true", "false"))
    seen: dict[str, list[tuple[float, float]]] = {leader: [], follower: []}
    for i in range(12):
        seen[leader if i // 3 % 2 else follower].append((T + 10 * i, 100.0 + i))
        page = {text: samples[-5:] for text, samples in seen.items() if samples}
        e.ingest(batch(e, T + 10 * i, {"a": page}, own_clock=False))
    assert counted(e) == (11, 0)


def test_new_names_of_a_new_process_begin_at_zero() -> None:
    e = engine()
    feed(e, T, {'http_requests_total{version="1"}': 5.0}, started={"a": LONG_AGO})
    feed(e, T + 10, {'http_requests_total{version="2"}': 7.0}, started={"a": T + 5})
    assert counted(e) == (7, 0)


def test_new_names_with_less_on_them_than_the_old_begin_at_zero() -> None:
    e = engine()
    feed(e, T, {'http_requests_total{version="1"}': 5.0})
    feed(e, T + 10, {'http_requests_total{version="2"}': 4.0})
    feed(e, T + 20, {'http_requests_total{version="3"}': 9.0}, created=T + 11)
    assert counted(e) == (13, 0)


@pytest.mark.parametrize("step", [-0.005, -0.5, -3.0, -30.0, -7200.0, 7200.0])
def test_our_clock_may_step_either_way_between_two_scrapes(step: float) -> None:
    e = engine(slo(period="1h"))
    for i in range(10):
        feed(e, T + 10 * i, {OK: 10.0 * i, ERROR: 0.0})
    for i in range(10, 20):
        feed(e, T + 10 * i + step, {OK: 10.0 * i, ERROR: i - 9.0})
    now = T + 190 + step
    assert counted(e) == (190, 10)
    if step < 0:  # forward, the first ten events may be from any moment of the two hours
        assert in_window(e, now, "1h").bad == pytest.approx(10)
        assert in_window(e, now, "1h").good == pytest.approx(190)


def test_a_slow_target_whose_page_comes_late_is_no_clock_set_back() -> None:
    e = engine(slo(period="1h"))
    for i in range(60):
        feed(e, T + 10 * i, {OK: 10.0 * i}, "fast")
        feed(e, T + 10 * i - 8, {OK: 10.0 * i}, "slow")
    assert counted(e) == (1180, 0)
    now = T + 590
    assert in_window(e, now, "1h").good == pytest.approx(1180)
    assert in_window(e, now, "1h").coverage == pytest.approx(590 / 3600, abs=1e-3)
