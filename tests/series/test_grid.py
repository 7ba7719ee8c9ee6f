"""When series that are read off a ledger have samples."""

from __future__ import annotations

import pytest

from exporter.series.grid import MOST, Grid, Ticks

T = 1_700_000_000.0


def grid(step: float, first: float = 0.0, now: float = T) -> Grid:
    return Grid(step, first, Ticks(now))


def test_the_newest_sample_is_at_a_whole_multiple_and_from_now_on_at_now() -> None:
    moments = [T - 100, T - 61, T - 1, T, T + 50]
    assert grid(30.0).at(moments, 300.0) == [T - 110, T - 80, T - 20, T, T]


def test_there_is_none_before_the_first_and_none_that_is_too_old() -> None:
    moments = [T - 100, T - 50, T + 299, T + 300]
    assert grid(10.0, first=T - 60).at(moments, 300.0) == [None, T - 50, T, None]
    assert grid(10.0).at([], 300.0) == []


def test_however_rarely_a_source_is_polled_there_is_a_sample_each_minute() -> None:
    [at] = grid(3600.0).at([T - 500], 300.0)
    assert at is not None and T - 560 < at <= T - 500


@pytest.mark.parametrize("step", [1.0, 15.0, 60.0])
def test_a_window_is_open_on_its_left(step: float) -> None:
    end = T // step * step - 10 * step
    found = grid(step).within([end], 3 * step)
    assert found == [end - 2 * step, end - step, end]


def test_windows_that_overlap_have_each_sample_once() -> None:
    moments = [T - 60, T - 50, T - 10]
    found = grid(10.0).within(moments, 20.0)
    assert found == [T - 70, T - 60, T - 50, T - 20, T - 10]
    assert grid(10.0, first=T - 60).within(moments, 20.0) == [T - 60, T - 50, T - 20, T - 10]
    assert grid(10.0, first=T + 5).within(moments, 20.0) == []


def test_a_very_long_window_has_every_nth_sample() -> None:
    month = grid(1.0).within([T], 30 * 86_400.0)
    assert MOST / 2 < len(month) <= MOST
    apart = month[1] - month[0]
    assert apart == int(apart) and month == [month[0] + k * apart for k in range(len(month))]
