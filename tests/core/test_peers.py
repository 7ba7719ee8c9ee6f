"""What `increase()` and Sloth's rules say; the numbers of the first tests are worked by hand."""

from __future__ import annotations

from math import nan

import pytest

from exporter.core.peers import Heard, Peers, bad_and_total, extrapolated
from exporter.core.sample import NativeHistogram, Reading, Series

T = 1_700_000_000.0


def reading(name: str, samples: list[tuple[float, float]], **labels: str) -> Reading:
    return Reading(Series(name, "t", labels), [(T + t, v) for t, v in samples])


def peers(end: float, start: float = 0.0, **more: float) -> Peers:
    def group(reading: Reading) -> tuple[str, ...]:
        return (reading.series.labels.get("route", ""),)

    return Peers(T + start, T + end, group, **more)


def steady(name: str, per: float, until: float, step: float = 10.0, start: float = 0.0) -> Reading:
    n = int((until - start) / step)
    return reading(name, [(start + step * i, per * i) for i in range(n + 1)])


def heard(of: Peers) -> Heard:
    return of.said()[("",)]


def test_a_counter_is_stretched_to_both_edges_when_they_are_near() -> None:
    assert extrapolated((5.0, 55.0), 100.0, 50.0, 5, (0.0, 60.0)) == 60.0


def test_it_is_stretched_by_half_the_spacing_when_an_edge_is_far() -> None:
    assert extrapolated((30.0, 60.0), 100.0, 30.0, 3, (0.0, 100.0)) == 40.0


def test_it_is_not_stretched_below_zero() -> None:
    assert extrapolated((5.0, 55.0), 2.0, 50.0, 5, (0.0, 55.0)) == 52.0


def test_no_increase_stays_none() -> None:
    assert extrapolated((5.0, 55.0), 7.0, 0.0, 5, (0.0, 60.0)) == 0.0


def test_bad_events_are_made_of_any_two_roles() -> None:
    assert bad_and_total({"bad": 1.0, "total": 4.0}) == (1.0, 4.0)
    assert bad_and_total({"good": 3.0, "total": 4.0}) == (1.0, 4.0)
    assert bad_and_total({"good": 3.0, "bad": 1.0}) == (1.0, 4.0)
    assert bad_and_total({"total": 4.0}) is None


def test_resets_are_bridged_and_stale_markers_no_samples() -> None:
    of = peers(60)
    samples = [(5.0, 10.0), (15.0, 20.0), (20.0, nan), (25.0, 3.0), (55.0, 6.0)]
    of.feed("total", [reading("a", samples)])
    assert heard(of).sampled == {"total": 16.0}


def test_samples_that_come_twice_or_after_the_end_do_not_count() -> None:
    of = peers(60)
    of.feed("total", [steady("a", 1.0, 30)])
    of.feed("total", [reading("a", [(20.0, 2.0), (30.0, 3.0), (40.0, 4.0), (70.0, 9.0)])])
    assert heard(of).sampled == {"total": 3.0}


def test_native_histograms_are_left_out() -> None:
    of = peers(60)
    histogram = NativeHistogram(1.0, ())
    of.feed("total", [Reading(Series("h", "t", {}), [(T + 1, histogram)])])
    assert heard(of).increase == {}


def test_a_late_born_series_misses_its_first_value_and_a_lone_sample_everything() -> None:
    of = peers(100)
    of.feed("total", [steady("all", 10.0, 100)])
    of.feed("bad", [reading("late", [(50.0, 7.0), (60.0, 8.0)]), reading("lone", [(90.0, 5.0)])])
    found = heard(of)
    assert (found.late, found.late_events, found.alone) == (2, {"bad": 12.0}, 1)
    assert found.sampled["bad"] == 1.0
    assert found.increase["bad"] == pytest.approx(2.0)


def test_sloth_averages_ratios_so_quiet_times_weigh_as_much_as_busy_ones() -> None:
    of = peers(1200)
    total, bad = [(-300.0, 0.0)], [(-300.0, 0.0)]
    for i in range(150):
        busy = i < 90
        total.append((-290.0 + 10 * i, total[-1][1] + (1000.0 if busy else 1.0)))
        bad.append((-290.0 + 10 * i, bad[-1][1] + (0.0 if busy else 1.0)))
    of.feed("total", [reading("total", total)])
    of.feed("bad", [reading("bad", bad)])
    found = heard(of)
    assert found.moments == 40
    assert found.averaged is not None and found.averaged > 0.25
    assert found.error_ratio is not None and found.error_ratio < 0.0011


def test_a_quiet_time_is_nan_and_a_missing_series_no_ratio_at_all() -> None:
    of = peers(900)
    flat = [(-300.0 + 10 * i, 5.0) for i in range(121)]
    of.feed("total", [reading("total", flat)])
    of.feed("bad", [reading("bad", [(t, v) for t, v in flat if t < 300])])
    found = heard(of)
    assert found.quiet > 0 and found.absent > 0 and found.averaged is None
    assert found.quiet + found.absent == 30
    assert found.error_ratio is None


def test_feeding_in_chunks_says_the_same_as_all_at_once() -> None:
    whole, parts = peers(3600), peers(3600)
    total, bad = steady("t", 13.0, 3600, start=-300), steady("b", 1.0, 3600, start=-290)
    for role, one in (("total", total), ("bad", bad)):
        whole.feed(role, [one])
    for begin in range(-300, 3600, 600):
        for role, one in (("total", total), ("bad", bad)):
            some = [s for s in one.samples if T + begin - 30 <= s[0] <= T + begin + 600]
            parts.feed(role, [one._replace(samples=some)])
        parts.advance(T + begin + 600)
    assert heard(parts) == heard(whole)
    assert heard(parts).moments == 120


def test_groups_are_kept_apart_and_a_long_window_is_evaluated_less_often() -> None:
    of = peers(3600 * 24 * 30)
    of.feed("total", [reading("a", [(10.0, 1.0), (20.0, 3.0)], route="/a")])
    of.feed("total", [reading("b", [(10.0, 1.0), (20.0, 8.0)], route="/b")])
    assert of.every == 259.2
    sums = {group: heard.sampled["total"] for group, heard in of.said().items()}
    assert sums == {("/a",): 2.0, ("/b",): 7.0}
