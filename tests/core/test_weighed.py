"""Kinds of looks that random worlds showed to be read wrongly, each as one story.

The process is that of `test_evidence`: 100 good events and five errors in each look, ten seconds
apart.
"""

from __future__ import annotations

import pytest

from tests.core.builders import ERROR, LONG_AGO, OK, Reader, T, slo, told
from tests.core.conftest import Begin
from tests.core.test_evidence import FUTURE, MISSING, STARTED, gained, page, steady
from tests.core.test_held_back import GOOD_OF_TOTAL
from tests.core.test_histograms import LATENCY, classic

THEIRS = {"own_clock": False}
ANOTHER_ERROR = 'http_requests_total{code="503"}'


def test_a_restart_on_a_host_whose_clock_is_ahead_holds_nothing_of_it_back(begin: Begin) -> None:
    r = steady(begin, **STARTED)
    r.poll(80, {OK: 30.0}, **FUTURE)
    r.poll(90, {OK: 130.0, ERROR: 2.0}, **FUTURE)
    assert gained(r) == (130, 2)


def test_where_a_part_left_a_sum_a_small_fall_is_of_it_too(begin: Begin) -> None:
    r = steady(begin, **STARTED)
    assert told(r.poll(80, {OK: 1000.0, ERROR: 84.0}, **STARTED)) == {("unknown", "part_left")}
    r.poll(90, {OK: 1060.0, ERROR: 88.0}, **STARTED)
    assert gained(r) == (60, 4)


def test_what_was_away_and_comes_back_small_expired(begin: Begin) -> None:
    """No sum over workers goes from a page between two of its parts."""
    r = begin()
    for k in range(4):
        r.poll(10.0 * k, {OK: 13_290.0 + k, MISSING: 693.0, ERROR: 670.0 + k // 3}, **STARTED)
    for k in range(4, 12):
        r.poll(10.0 * k, {OK: 13_293.0, MISSING: 693.0, ERROR: 671.0}, **STARTED)
    r.poll(120, {}, **STARTED)
    r.poll(130, {OK: 48.0, MISSING: 3.0, ERROR: 3.0}, **STARTED)
    assert r.counted == (3 + 51, 1 + 3)


def test_a_replica_is_behind_in_what_is_rare_by_more_than_its_pace(begin: Begin) -> None:
    r = begin()
    for k in range(8):
        r.poll(10.0 * k, {OK: 90_000.0 + 1000 * k, ERROR: 500.0 + k})
    taken = r.poll(80, {OK: 95_500.0, ERROR: 504.0})
    assert told(taken) == {("jitter", "a_little_behind")}
    r.poll(90, {OK: 99_000.0, ERROR: 509.0})
    assert r.counted == (9000, 9)


def test_a_restart_that_its_start_shows_is_no_replica_that_is_behind(begin: Begin) -> None:
    r = begin()
    for k in range(5):
        r.poll(10.0 * k, {OK: 100.0 * k, ERROR: 5.0 * k}, started={"a": T - 1})
    r.poll(50, {OK: 320.0, ERROR: 17.0}, started={"a": T + 40.5})
    assert r.counted == (720, 37)


@pytest.mark.parametrize(("errors", "counts"), [(20.0, 20), (250.0, 250), (500.0, 0)])
def test_first_errors_are_of_the_traffic_beside_them_or_were_there_before(
    begin: Begin, errors: float, counts: float
) -> None:
    r = steady(begin)
    r.poll(80, {**page(8), ANOTHER_ERROR: errors})
    assert gained(r) == (100, 5 + counts)


def test_a_few_errors_need_no_traffic_beside_them(begin: Begin) -> None:
    r = begin()
    for k in range(8):
        r.poll(10.0 * k, {OK: 1000.0})
    r.poll(80, {OK: 1001.0, ERROR: 7.0})
    assert r.counted == (1, 7)


def test_a_restart_may_bring_an_outage_with_it(begin: Begin) -> None:
    """Errors are many for the pace of errors, and all of them are so for one reason."""
    r = begin()
    for k in range(8):
        r.poll(10.0 * k, {OK: 9e5 + 900 * k, ERROR: 400.0 + k, ANOTHER_ERROR: 200.0 + k // 2})
    r.poll(80, {OK: 60.0, ERROR: 280.0, ANOTHER_ERROR: 140.0})
    assert r.counted == (6300 + 60, 7 + 3 + 420)


def test_a_restart_may_bring_less_traffic_with_it(begin: Begin) -> None:
    """All series are below their pace for one reason."""
    shares = {f'http_requests_total{{code="200",route="{n}"}}': 100.0 * n for n in range(1, 9)}
    r = begin()
    for k in range(8):
        r.poll(10.0 * k, {text: n * (3000 + k) for text, n in shares.items()})
    r.poll(80, {text: n / 10 for text, n in shares.items()})
    assert r.counted == (7 * 3600 + 360, 0)


def test_a_new_pod_beside_idle_ones_began_at_zero(begin: Begin) -> None:
    """Siblings without traffic tell nothing of its past."""
    r = begin()
    for k in range(8):
        r.poll(10.0 * k, {OK: 5000.0}, started={"a": LONG_AGO})
    pages = {"a": {OK: 5000.0}, "b": {OK: 3000.0}}
    r.polls(80, pages, started={"a": LONG_AGO, "b": T + 71})
    assert r.counted == (3000, 0)


def test_a_restart_right_after_traffic_came_is_no_replica_that_is_behind(begin: Begin) -> None:
    """The pace that fits is that of the last look, not yet the usual one."""
    r = begin(slo(interval=300.0))
    for k in range(12):
        r.poll(300.0 * k, {OK: 0.0 if k < 11 else 320.0}, started={"a": T - 1})
    r.poll(3600, {OK: 319.0, ERROR: 1.0}, started={"a": T + 3301})
    assert r.counted == (639, 1)


def test_a_process_that_crashes_again_and_again_without_a_start_time_counts(begin: Begin) -> None:
    r = steady(begin)
    for k in range(8, 28):
        again = k % 2
        taken = r.poll(10.0 * k, {OK: 90.0 + 100 * again, ERROR: 4.0 + 5 * again})
        assert not taken.notes
    assert gained(r) == (1900, 90)


def test_series_that_go_as_others_fall_make_it_another_process(begin: Begin) -> None:
    """What is not there yet begins at 0 then."""
    exporter = {"started": {"a": LONG_AGO}}
    r = steady(begin, **exporter)
    r.poll(80, {OK: 12.0}, **exporter)
    taken = r.poll(90, {OK: 112.0, ERROR: 2.0}, **exporter)
    assert told(taken) == {("increase", "difference")} and gained(r) == (112, 2)


def test_the_first_series_of_a_process_that_began_since_are_born(begin: Begin) -> None:
    """Its start time says so, however many they are."""
    r = begin()
    for k in range(8):
        r.polls(10.0 * k, {"b": page(k), "a": {}})
    r.polls(80, {"b": page(8), "a": {OK: 40_000.0, ERROR: 900.0}}, started={"a": T + 73})
    assert r.counted == (800 + 40_000, 40 + 900)


def test_a_page_that_was_empty_shows_another_process_under_other_labels(begin: Begin) -> None:
    r = steady(begin, **STARTED)
    r.poll(80, {}, **STARTED)
    ok, error = (f'http_requests_total{{code="{code}",version="2"}}' for code in (200, 500))
    r.poll(90, {ok: 250.0, error: 9.0}, **STARTED)
    assert gained(r) == (250, 9)


def test_of_a_new_version_that_shows_only_some_series_all_counts(begin: Begin) -> None:
    """All of the old one went in the look in which others came: those were not there before."""
    busy = {("200", "a"): 50, ("200", "b"): 55, ("404", "a"): 3, ("404", "b"): 3}
    rare = [(code, route) for code in ("500", "503") for route in "ab"]

    def shown(values: dict[tuple[str, str], float], version: int) -> dict[str, float]:
        text = 'http_requests_total{{code="{}",route="{}",version="{}"}}'
        return {text.format(*key, version): value for key, value in values.items()}

    r = begin()
    for k in range(8):
        values = {key: 1e6 * n + n * k for key, n in busy.items()} | dict.fromkeys(rare, 2000.0)
        r.poll(10.0 * k, shown(values, 1), **STARTED)
    few = zip(busy, (60.0, 84.0, 6.0, 3.0), strict=True)
    r.poll(80, shown(dict(few), 2), **STARTED)
    assert r.counted == (7 * 111 + 153, 0)


def test_a_bucket_that_is_spelled_otherwise_from_one_look_on_counts_in_one_answer() -> None:
    r = Reader("", LATENCY)
    for k in range(8):
        r.poll(10.0 * k, classic(9.0 * k, 10.0 * k), **THEIRS)
    parts = [classic(72.0, 80.0), classic(5.0, 6.0, le="0.50")]
    both = {t: [(T + 80 + 10 * k, n)] for k, part in enumerate(parts) for t, n in part.items()}
    count = next(text for text in both if "count" in text)
    both[count] = [(T + 80, 80.0), (T + 90, 6.0)]
    r.poll(90, both, **THEIRS)
    assert r.counted == (72 + 5, 8 + 1)


def test_a_new_process_that_reaches_an_upstream_late_was_there_for_no_poll(begin: Begin) -> None:
    """It began two minutes and more before the last poll, and less before its first sample."""
    r = begin()
    for k in range(30):
        r.poll(10.0 * k, {OK: [(T + 10 * k, 100.0 * k)]}, "b", **THEIRS)
    taken = r.polls(
        300,
        {"b": {OK: [(T + 300, 3000.0)]}, "a": {OK: [(T + 190, 70.0), (T + 200, 80.0)]}},
        started={"a": [(T + 190, T + 150)]},
        **THEIRS,
    )
    assert ("birth", "process_start") in told(taken) and r.counted == (3080, 0)


def test_a_series_that_is_met_in_a_look_that_counts_nothing_is_a_baseline(begin: Begin) -> None:
    """Pages with times of their own: what is shown without the good events is no less old."""
    r = begin(GOOD_OF_TOTAL)
    for k in range(4):
        at = T + 60.0 * k
        fine = {"good": [(at, 60.0 * k)], 'total{code="200"}': [(at, 60.0 * k)]}
        rest = {'total{code="500"}': [(at + 30, 5000.0 + k)]}
        r.poll(60.0 * k + 40, {**fine, **rest}, observed={"a": at + 40}, **THEIRS)
    good, bad = r.counted
    assert good == 180 and bad <= 3
