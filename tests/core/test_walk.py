"""Histories: many looks of one batch, and what an upstream knows of its own scrapes.

What comes out is the same however a history is cut into batches.
"""

from __future__ import annotations

from typing import Any

import pytest

from exporter.core.selector import parse_selector
from exporter.core.slo import CounterSLI
from tests.core.builders import ERROR, LONG_AGO, OK, Reader, T, in_window, slo, status, told
from tests.core.conftest import Begin

THEIRS: dict[str, Any] = {"own_clock": False}
Samples = list[tuple[float, float]]
LENGTHS = [1, 2, 3, 7, 60]


def cut(page: dict[str, Samples], length: int, **more: Any) -> tuple[Reader, set[tuple[str, str]]]:
    """A history in batches of so many looks; the reader and the evidence of all readings."""
    r, found = Reader("state" if length == 3 else "", slo(interval=10.0)), set()
    times = sorted({time for samples in page.values() for time, _ in samples})
    begin = 0.0
    for first in range(0, len(times), length):
        some = times[first : first + length]
        part = {
            text: [s for s in samples if begin < s[0] <= some[-1]] for text, samples in page.items()
        }
        begin = some[-1]
        starts = {"a": [one for one in more.get("starts", ()) if some[0] <= one[0] <= some[-1]]}
        taken = r.poll(some[-1] - T, part, started=starts, observed={"a": some}, **THEIRS)
        found |= told(taken)
    return r, found


def line(first: float, count: int, value: float, each: float) -> Samples:
    """Samples every ten seconds, from `first` seconds after `T`."""
    return [(T + first + 10 * k, value + each * k) for k in range(count)]


@pytest.mark.parametrize("length", LENGTHS)
def test_a_restart_and_all_that_begins_anew_with_it(length: int) -> None:
    page = {
        OK: line(0, 20, 1000, 100) + line(200, 20, 50, 100),
        # Errors come later in the new life, and are more then than they ever were.
        ERROR: line(0, 20, 3, 0) + line(250, 15, 40, 1),
    }
    starts = [(T, LONG_AGO), (T + 200, T + 195)]
    r, found = cut(page, length, starts=starts)
    assert r.counted == (1900 + 1950, 54) and ("reset", "process_start") in found


@pytest.mark.parametrize("length", LENGTHS)
def test_labels_that_change_go_on_and_their_old_names_begin_anew(length: int) -> None:
    one, two = (f'http_requests_total{{v="{v}"}}' for v in "12")
    page = {one: line(0, 20, 1000, 10) + line(400, 20, 1400, 10), two: line(200, 20, 1200, 10)}
    r, found = cut(page, length)
    assert r.counted == (590, 0) and ("increase", "renamed") in found


@pytest.mark.parametrize("length", LENGTHS)
def test_a_series_that_expires_and_returns_at_zero(length: int) -> None:
    page = {OK: line(0, 60, 1000, 100), ERROR: line(0, 10, 50, 5) + line(400, 20, 2, 1)}
    r, found = cut(page, length)
    assert r.counted == (5900, 45 + 21) and ("reset", "returned_at_zero") in found


@pytest.mark.parametrize("length", LENGTHS)
def test_the_first_errors_of_a_process_that_was_looked_at(length: int) -> None:
    r, found = cut({OK: line(0, 60, 1000, 100), ERROR: line(300, 20, 4, 0)}, length)
    assert r.counted == (5900, 4) and ("birth", "process_looked_at_before") in found


@pytest.mark.parametrize("ahead", [5.5, 2.0])
@pytest.mark.parametrize("length", LENGTHS)
def test_zeros_at_created_times_stand_between_the_looks(length: int, ahead: float) -> None:
    """A Prometheus that takes created timestamps in as zeros puts one before the first sample."""
    page = {OK: line(0, 60, 1000, 100), ERROR: [(T + 210 - ahead, 0.0), *line(210, 39, 4, 1)]}
    r, _ = cut(page, length)
    assert r.counted == (5900, 42)


def test_a_zero_that_was_stored_is_no_look_at_the_others(begin: Begin) -> None:
    r = begin()
    for k in range(8):
        r.poll(
            10.0 * k,
            {OK: line(10 * k, 1, 1000 + 100 * k, 0), ERROR: line(10 * k, 1, 5, 0)},
            **THEIRS,
        )
    taken = r.poll(76, {ERROR: [(T + 76, 0.0)]}, **THEIRS)
    assert told(taken) == {("reset", "created_zero")}
    r.poll(80, {OK: line(80, 1, 1800, 0), ERROR: line(80, 1, 2, 0)}, **THEIRS)
    assert r.counted == (800, 2)


@pytest.mark.parametrize("up", [True, False])
def test_a_quiet_new_process_is_a_look_and_no_zero_that_was_stored(begin: Begin, up: bool) -> None:
    """It restarts while nobody comes; its errors are no series yet."""
    r = begin(slo(interval=10.0))
    looks = [T + 10 * k for k in range(20)]
    starts = [(time, LONG_AGO if time < T + 80 else T + 75) for time in looks]
    page = {OK: line(0, 8, 1000, 100) + line(80, 4, 0, 0) + line(120, 8, 100, 100)}
    page[ERROR] = line(0, 8, 3, 1) + line(150, 5, 1, 1)
    evidence: set[tuple[str, str]] = set()
    for first, last in ((0, 90), (100, 140), (150, 190)):
        part = {k: [s for s in v if T + first <= s[0] <= T + last] for k, v in page.items()}
        observed = [t for t in looks if T + first <= t <= T + last] if up else []
        begun = [s for s in starts if T + first <= s[0] <= T + last]
        taken = r.poll(last, part, started={"a": begun}, observed={"a": observed}, **THEIRS)
        evidence |= told(taken)
    assert r.counted == (700 + 800, 7 + 5)
    assert ("reset", "process_start") in evidence and ("reset", "created_zero") not in evidence


def test_an_upstreams_down_target_begins_anew_with_its_next_sample(begin: Begin) -> None:
    r = begin()
    for k in range(8):
        r.poll(10.0 * k, {OK: line(10 * k, 1, 1000 + 100 * k, 0)}, **THEIRS)
    r.poll(80, {}, down=["a"], observed={"a": T + 80}, **THEIRS)
    r.poll(90, {OK: line(90, 1, 40, 0)}, **THEIRS)
    assert r.counted == (740, 0)


def test_samples_of_a_look_may_be_apart_by_less_than_half_its_spacing(begin: Begin) -> None:
    r = begin()
    for k in range(8):
        page = {OK: line(10 * k + 1.0, 1, 1000 + 100 * k, 0), ERROR: line(10 * k, 1, 5 + k, 0)}
        r.poll(10.0 * k + 1, page, **THEIRS)
    page = {OK: [(T + 81, 1800.0), (T + 91, 1900.0)], ERROR: [(T + 80, 13.0), (T + 90, 14.0)]}
    r.poll(91, page, **THEIRS)
    assert r.counted == (900, 9)


def test_what_an_upstream_saw_of_a_new_target_before_its_first_series(begin: Begin) -> None:
    r = begin()
    r.poll(0, {OK: line(0, 1, 1, 0)}, "b", **THEIRS)
    looks = [T + 10, T + 20, T + 30]
    pages = {"b": {OK: line(10, 3, 11, 10)}, "a": {ERROR: [(T + 30, 3.0)], OK: line(20, 2, 12, 1)}}
    r.polls(30, pages, observed={"a": looks, "b": looks}, **THEIRS)
    assert r.counted == (30 + 13, 3)


def test_a_name_comes_back_in_the_batch_in_which_another_had_gone_on_for_it(begin: Begin) -> None:
    one, two = (f'http_requests_total{{v="{v}"}}' for v in "12")
    r = begin()
    r.poll(0, {one: line(0, 1, 1000, 0)}, **THEIRS)
    # A collector brings a series of the old name, which was there for long.
    page = {
        one: line(10, 9, 1010, 10) + line(200, 11, 5e7, 10),
        two: line(100, 21, 1100, 10),
    }
    looks = [T + 10.0 * k for k in range(1, 31)]
    taken = r.poll(300, page, observed={"a": looks}, **THEIRS)
    assert {("increase", "renamed"), ("baseline", "found_late")} <= told(taken)
    assert r.counted == (300 + 100, 0)


def test_a_series_that_is_one_of_all_events_only_under_its_new_name(begin: Begin) -> None:
    bad, total = parse_selector('m{code="500"}'), parse_selector('m{v="2"}')
    r = begin(slo(sli=CounterSLI(bad=bad, total=total)))
    for k in range(8):
        r.poll(10.0 * k, {'m{code="500",v="1"}': 10.0 * k, 'm{code="200",v="2"}': 100.0 * k})
    taken = r.poll(80, {'m{code="500",v="2"}': 80.0})
    assert told(taken) == {("increase", "renamed")}
    r.poll(90, {'m{code="500",v="2"}': 90.0, 'm{code="200",v="2"}': 900.0})
    # Of all 90 errors the last ten were one of the total's events: the others were none before.
    assert r.counted == (910 - 90, 90)


def test_looks_that_show_nothing_of_a_term_that_never_was_there_end_nothing(begin: Begin) -> None:
    r = begin(slo(sli=CounterSLI(good=parse_selector("good"), bad=parse_selector("bad"))))
    r.poll(0, {"bad": line(0, 1, 0, 0)}, **THEIRS)
    looks = [T + 10.0 * k for k in range(1, 9)]
    fell = [*line(10, 4, 101, 1), (T + 50, 2.0)]
    r.poll(80, {"bad": fell}, observed={"a": looks}, **THEIRS)
    r.poll(90, {"bad": line(90, 1, 5, 0)}, observed={"a": [T + 90]}, **THEIRS)
    assert r.counted == (0, 104 + 5)


def test_the_very_first_history_counts_what_falls_and_what_is_born(begin: Begin) -> None:
    r = begin()
    page = {OK: line(0, 10, 100, 10) + line(100, 10, 5, 10), ERROR: line(50, 5, 3, 0)}
    taken = r.poll(190, page, **THEIRS)
    kinds = [("baseline", "first_look"), ("increase", "difference"), ("reset", "all_fell")]
    assert told(taken) == {*kinds, ("birth", "process_looked_at_before")}
    assert r.counted == (90 + 95, 3)


def test_series_with_times_of_their_own_are_baselines_until_one_comes_again(begin: Begin) -> None:
    r = begin()
    for k in range(4):
        # Each is read once a minute, half a minute from the other.
        r.poll(60.0 * k, {OK: [(T + 60 * k, 100.0 * k)]}, **THEIRS)
        r.poll(60.0 * k + 30, {ERROR: [(T + 60 * k + 30, 500.0 + k)]}, **THEIRS)
    assert r.counted == (300, 3)


def test_of_two_polls_at_one_moment_both_count(begin: Begin) -> None:
    r = begin()
    r.poll(0, {OK: [(T - 9, 10.0)]})
    r.poll(10, {OK: [(T + 3, 20.0)]})
    # A page with times of its own is asked twice, and had several new samples by then.
    r.poll(10, {OK: [(T + 5, 25.0), (T + 6, 26.0)]})
    assert r.counted == (16, 0)


# --- pages whose samples have times of their own ------------------------------------------------


def test_times_ahead_of_the_poll_are_dated_by_it(begin: Begin) -> None:
    r = begin(slo(period="1h"))
    for k in range(12):
        r.poll(10.0 * k, {OK: [(T + 10 * k + 300, 100.0 * k)]})
    assert r.counted == (1100, 0)
    assert in_window(r.engine, T + 110, "1h").good == 1100
    assert status(r.engine, T + 110).windows[-1].coverage == pytest.approx(110 / 3600)


def test_times_further_ahead_are_refused_and_so_are_those_too_old(begin: Begin) -> None:
    r = begin(slo(period="1h"))
    r.poll(0, {OK: 5.0})
    assert r.poll(10, {OK: [(T + 611, 10.0)]}).refused == {"too_far_ahead": 1}
    assert r.poll(20, {OK: [(float("inf"), 10.0)]}).refused == {"malformed": 1}
    later = 400 * 86_400.0
    old = [(T + later - 300 * 86_400.0, 1.0), (T + later, 8.0)]
    assert r.poll(later, {OK: old}).refused == {"too_old": 1}
    assert r.counted == (3, 0)


def test_a_page_that_repeats_a_sample_time_shows_its_series_all_the_same(begin: Begin) -> None:
    """An exporter that reads its numbers once a minute, with their own time."""
    r = begin()
    for k in range(30):
        minute = k // 6
        r.poll(10.0 * k, {OK: [(T + 60 * minute - 5, 100.0 * minute)], ERROR: 1.0 * k})
    assert r.counted == (400, 29)


def test_a_series_with_a_time_of_its_own_restarts_between_two_looks(begin: Begin) -> None:
    r = begin()
    for k in range(10):
        r.poll(10.0 * k, {OK: [(T + 10 * k - 3, 1000.0 + 100 * k)], ERROR: 5.0 + k})
    r.poll(100, {OK: [(T + 97, 60.0)], ERROR: 1.0}, started={"a": T + 92})
    assert r.counted == (960, 10)


# --- series that end ----------------------------------------------------------------------------


def test_a_new_process_without_some_series_has_them_begin_at_zero_later(begin: Begin) -> None:
    r = begin()
    for k in range(8):
        r.poll(10.0 * k, {OK: 100.0 * k, ERROR: 3.0}, started={"a": LONG_AGO})
    r.poll(80, {OK: 10.0}, started={"a": T + 75})
    r.poll(90, {OK: 20.0, ERROR: 9.0}, started={"a": T + 75})
    assert r.counted == (720, 9)


def test_a_series_that_was_long_gone_is_renamed_to_nothing(begin: Begin) -> None:
    old, new = (f'http_requests_total{{v="{v}"}}' for v in "12")
    r = begin()
    for k in range(8):
        r.poll(10.0 * k, {old: 1000.0 + 100 * k})
    taken = r.poll(80, {new: 1800.0})
    assert told(taken) == {("increase", "renamed")} and r.counted == (800, 0)
    # Its name is free again, and begins at zero.
    r.poll(90, {new: 1900.0})
    taken = r.poll(100, {new: 2000.0, old: 30.0})
    assert ("birth", "process_looked_at_before") in told(taken) and r.counted == (1030, 0)


def test_of_several_new_names_only_those_with_a_twin_go_on(begin: Begin) -> None:
    r = begin(slo(sli=CounterSLI(good=parse_selector("good"), bad=parse_selector("bad"))))
    for k in range(8):
        r.poll(10.0 * k, {'good{v="1"}': 1000.0 + 100 * k, 'bad{v="1"}': 40.0})
    taken = r.poll(80, {'good{v="2"}': 1800.0, 'bad{v="2"}': 40.0, 'bad{v="2",code="504"}': 2.0})
    assert told(taken) == {("increase", "renamed"), ("birth", "process_looked_at_before")}
    assert r.counted == (800, 2)
