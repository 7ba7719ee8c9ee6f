"""Latency by histograms: a count tells nothing without its bucket, and one form counts for all."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.core.sample import NativeHistogram
from tests.core.builders import LONG_AGO, Reader, T, histogram, slo, told
from tests.core.conftest import Begin

LATENCY = slo(sli=histogram(0.5))
GOOD_IF = slo(sli=histogram(0.5, 'code!~"5.."'))


def classic(fast: float, all_: float, path: str = "/", le: str = "0.5", code: str = "200") -> Any:
    """A histogram with one bucket."""
    labels = f'path="{path}",code="{code}"'
    return {
        f'latency_bucket{{{labels},le="{le}"}}': fast,
        f"latency_count{{{labels}}}": all_,
    }


def bare(all_: float, path: str = "/", code: str = "200") -> Any:
    """Only the count."""
    return {f'latency_count{{path="{path}",code="{code}"}}': all_}


def native(fast: float, slow: float, path: str = "/", code: str = "200") -> Any:
    """The same as a native histogram."""
    value = NativeHistogram(fast + slow, ((0.0, 0.5, fast), (0.5, 1.0, slow)))
    return {f'latency{{path="{path}",code="{code}"}}': value}


def steady(begin: Begin, of: Any = LATENCY, **more: Any) -> Reader:
    """Eight looks: nine fast ones and a slow one each."""
    r = begin(of)
    for k in range(8):
        r.poll(10.0 * k, classic(9.0 * k, 10.0 * k), **more)
    assert r.counted == (63, 7)
    return r


def test_the_threshold_is_found_by_number_at_each_pod(begin: Begin) -> None:
    r = begin(LATENCY)
    for k in range(3):
        pages = {
            "a": classic(9.0 * k, 10.0 * k, le="0.5"),
            "b": classic(9.0 * k, 10.0 * k, le="5e-1"),
            "c": classic(9.0 * k, 10.0 * k, le="0.50"),
        }
        r.polls(10.0 * k, pages)
    assert r.counted == (54, 6)


def test_pods_without_the_bucket_are_told_and_count_nothing(begin: Begin) -> None:
    r = begin(LATENCY)
    for k in range(3):
        pages = {"a": classic(9.0 * k, 10.0 * k), "b": classic(9.0 * k, 10.0 * k, le="0.4")}
        taken = r.polls(10.0 * k, pages)
    assert r.counted == (18, 2) and set(taken.notes) == {"b"}
    assert "latency has no bucket that ends at 0.5 there" in taken.notes["b"]


def test_a_layout_that_loses_the_bucket_leaves_events_unknown_and_one_that_gets_it_back_counts(
    begin: Begin,
) -> None:
    r = steady(begin)
    taken = r.poll(80, bare(80.0))
    assert set(taken.notes) == {"a"}
    r.poll(90, bare(90.0))
    taken = r.poll(100, classic(90.0, 100.0))
    assert r.counted == (63, 7) and ("baseline", "no_bucket_before") in told(taken)
    r.poll(110, classic(99.0, 110.0))
    assert r.counted == (72, 8)


def test_a_new_version_with_other_buckets_is_a_new_process_all_the_same(begin: Begin) -> None:
    r = steady(begin, started={"a": LONG_AGO})
    taken = r.poll(80, classic(3.0, 4.0, le="0.4"), started={"a": T + 75})
    assert set(taken.notes) == {"a"} and r.counted == (63, 7)
    # The next one has it again; all of it is new.
    r.poll(90, classic(2.0, 3.0), started={"a": T + 85})
    assert r.counted == (65, 8)


@pytest.mark.parametrize("length", [1, 2, 3, 20])
def test_looks_without_a_bucket_are_the_same_wherever_a_history_is_cut(length: int) -> None:
    r = Reader("", LATENCY)
    times = [T + 10.0 * k for k in range(20)]
    without = {times[8], times[9], times[15]}
    for first in range(0, 20, length):
        some = times[first : first + length]
        page = {
            'latency_bucket{le="0.5"}': [(t, 0.9 * (t - T)) for t in some if t not in without],
            "latency_count": [(t, t - T) for t in some],
        }
        r.poll(some[-1] - T, page, own_clock=False, observed={"a": some})
    # Five steps of ten seconds are unknown: to each look without, and from the last one of a row.
    assert r.counted == pytest.approx((0.9 * 140, 0.1 * 140))


def test_histograms_of_one_process_that_are_not_in_the_same_looks(begin: Begin) -> None:
    r = begin(LATENCY)
    looks = [T + 10.0 * k for k in range(10)]
    r.poll(0, {k: [(T, 0.0)] for k in (*classic(0, 0), *classic(0, 0, "/b"))}, own_clock=False)
    page: dict[str, Any] = {}
    for path, shown in (("/", looks[1:]), ("/b", [*looks[1:4], *looks[6:]])):
        bucket, count = classic(0, 0, path)
        page[bucket] = [(t, 0.9 * (t - T)) for t in shown]
        # One more series is not there at the third look.
        page[count] = [(t, t - T) for t in shown if path == "/b" or t != looks[3]]
    r.poll(90, page, observed={"a": looks[1:]}, own_clock=False)
    # Both are bridged.
    assert r.counted == pytest.approx((162, 18))


def test_a_histogram_that_is_born_whole_counts_whole(begin: Begin) -> None:
    r = steady(begin)
    taken = r.poll(80, {**classic(72.0, 80.0), **classic(3.0, 4.0, "/new")})
    assert r.counted == (72 + 3, 8 + 1)
    assert ("birth", "process_looked_at_before") in told(taken)


# --- good_if ------------------------------------------------------------------------------------


def test_errors_are_bad_however_fast_and_need_no_bucket(begin: Begin) -> None:
    r = steady(begin, GOOD_IF)
    taken = r.poll(80, {**classic(72.0, 80.0), **bare(5.0, code="500")})
    assert r.counted == (72, 8 + 5) and not taken.notes
    r.poll(90, {**classic(81.0, 90.0), **classic(6.0, 6.0, code="500")})
    assert r.counted == (81, 9 + 6)


def test_all_requests_may_be_errors(begin: Begin) -> None:
    r = begin(GOOD_IF)
    for k in range(3):
        r.poll(10.0 * k, bare(4.0 * k, code="500"))
    assert r.counted == (0, 8)


# --- native and classic -------------------------------------------------------------------------


def test_native_histograms_of_errors_are_bad(begin: Begin) -> None:
    r = begin(GOOD_IF)
    for k in range(3):
        r.poll(10.0 * k, {**native(9.0 * k, 1.0 * k), **native(2.0 * k, 0.0, code="500")})
    assert r.counted == (18, 2 + 4)


def test_a_page_that_shows_both_counts_one_and_may_switch_either_way(begin: Begin) -> None:
    r = begin(LATENCY)
    for k in range(8):
        r.poll(10.0 * k, {**classic(9.0 * k, 10.0 * k), **native(9.0 * k, 1.0 * k)})
    assert r.counted == (63, 7)
    for k in range(8, 10):
        r.poll(10.0 * k, {**bare(10.0 * k), **native(9.0 * k, 1.0 * k)})
    assert r.counted == (81, 9)
    for k in range(10, 12):
        r.poll(10.0 * k, {**classic(9.0 * k, 10.0 * k), **native(9.0 * k, 1.0 * k)})
    # What the bucket had counted meanwhile is not known by it.
    assert r.counted == (90, 10)


def test_a_client_that_goes_over_to_the_other_form_begins_at_what_it_shows(begin: Begin) -> None:
    r = steady(begin)
    taken = r.poll(80, native(90_000.0, 10_000.0))
    assert told(taken) == {("baseline", "found_late")} or r.counted == (63, 7)
    r.poll(90, native(90_009.0, 10_001.0))
    assert r.counted == (72, 8)


def test_a_threshold_inside_a_bucket_of_the_other_form_is_no_measure(begin: Begin) -> None:
    r = steady(begin)
    inside = NativeHistogram(80.0, ((0.0, 0.4, 70.0), (0.4, 1.0, 10.0)))
    (series,) = native(0.0, 0.0)
    assert told(r.poll(80, {series: inside})) == {("baseline", "other_form_before")}
    r.poll(90, classic(81.0, 90.0))
    assert r.counted == (63, 7)


def test_a_bucket_without_its_count_goes_on_from_nothing(begin: Begin) -> None:
    r = begin(LATENCY)
    for k in range(8):
        r.poll(10.0 * k, native(9.0 * k, 1.0 * k))
    bucket, count = classic(72.0, 80.0)
    assert told(r.poll(80, {bucket: 72.0})) == {("baseline", "other_form_before")}
    r.poll(90, {bucket: 81.0, count: 90.0})
    assert r.counted[0] >= 63


def test_another_process_in_the_other_form_is_told_by_its_fall(begin: Begin) -> None:
    r = steady(begin)
    assert told(r.poll(80, native(3.0, 1.0))) == {("reset", "all_fell")}
    r.poll(90, native(12.0, 2.0))
    assert r.counted == (63 + 12, 7 + 2)


def test_long_histories_of_native_histograms_count_their_fast_part(begin: Begin) -> None:
    r = begin(LATENCY)
    for first in (0, 40):
        samples = [
            (T + 10 * k, NativeHistogram(10.0 * k, ((0.0, 0.5, 9.0 * k), (0.5, 1.0, 1.0 * k))))
            for k in range(first, first + 40)
        ]
        r.poll(10.0 * (first + 39), {"latency": samples}, own_clock=False)
    assert r.counted == (9 * 79, 79)


@pytest.mark.parametrize(
    ("lower", "upper", "share"),
    [(-1.0, -0.25, 1.0), (-1.0, 0.7, 0.5 / 0.7), (0.2, 0.7, 0.6), (0.7, 0.9, 0.0)],
)
def test_a_bucket_around_the_threshold_is_shared_out(
    begin: Begin, lower: float, upper: float, share: float
) -> None:
    r = begin(LATENCY)
    lower = -float("inf") if upper == 0.7 and lower < 0 else lower
    for k in range(2):
        r.poll(10.0 * k, {"latency": NativeHistogram(100.0 * k, ((lower, upper, 100.0 * k),))})
    assert r.counted == pytest.approx((100 * share, 100 - 100 * share))


@pytest.mark.parametrize(("upper", "good"), [(-0.1, 0.0), (float("inf"), 0.0)])
def test_of_a_bucket_without_an_end_nothing_is_surely_fast(
    begin: Begin, upper: float, good: float
) -> None:
    r = begin(slo(sli=histogram(-0.5)))
    for k in range(2):
        value = NativeHistogram(10.0 * k, ((-float("inf"), upper, 10.0 * k),))
        r.poll(10.0 * k, {"latency": value})
    assert r.counted == (good, 10 - good)


def test_a_negative_bucket_is_shared_out_on_a_logarithmic_scale(begin: Begin) -> None:
    r = begin(slo(sli=histogram(-0.5)))
    for k in range(2):
        r.poll(10.0 * k, {"latency": NativeHistogram(8.0 * k, ((-1.0, -0.25, 8.0 * k),))})
    assert r.counted == pytest.approx((4, 4))


# --- a process that goes from one form to the other and back --------------------------------------


def _form(k: int, *, natively: bool, base: float = 0.0) -> Any:
    if natively:
        return native(base + 9.0 * k, base + 1.0 * k)
    return classic(base + 9.0 * k, base + base + 10.0 * k)


@pytest.mark.parametrize("base", [0.0, 50_000.0])
def test_a_form_that_returns_does_not_count_what_the_other_one_did(
    begin: Begin, base: float
) -> None:
    r = begin(LATENCY)
    for k in range(12):
        taken = r.poll(10.0 * k, _form(k, natively=k // 3 % 2 == 1, base=base))
        if k in (3, 6, 9):
            assert ("increase", "other_form") in told(taken)
    assert r.counted == (9 * 11, 11)


def test_errors_in_the_other_form_do_not_count_twice(begin: Begin) -> None:
    r = begin(GOOD_IF)
    for k in range(12):
        page = bare(10.0 * k, code="500")
        if k // 3 % 2:
            page = native(9.0 * k, 1.0 * k, code="500")
        r.poll(10.0 * k, {**classic(9.0 * k, 10.0 * k, "/b"), **page})
    assert r.counted[1] <= 11 + 10 * 11
    # The native form is none of its own where the target's others are classic; of it what came
    # since the look before its end counts.
    assert r.counted == (9 * 11, 11 + 10 * 5)


def test_one_route_that_was_away_is_bridged_in_a_page_of_both_forms(begin: Begin) -> None:
    r = begin(LATENCY)
    for k in range(8):
        page = {**classic(9.0 * k, 10.0 * k), **native(9.0 * k, 1.0 * k)}
        if k not in (4, 5):
            page |= {**classic(9.0 * k, 10.0 * k, "/b"), **native(9.0 * k, 1.0 * k, "/b")}
        r.poll(10.0 * k, page)
    assert r.counted == (2 * 63, 2 * 7)


def test_another_process_in_the_other_form_counts_from_zero(begin: Begin) -> None:
    r = begin(LATENCY)
    for k in range(9):
        age = k % 3
        page = _form(age + 1, natively=k // 3 == 1)
        r.poll(10.0 * k, page, started={"a": T + 10.0 * (k - age) - 5 if k > 2 else LONG_AGO})
    # Two of the first process, whose first look tells nothing; three of each other.
    assert r.counted == (9 * 8, 8)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 7, 12])
def test_forms_that_change_count_nothing_twice_wherever_a_history_is_cut(length: int) -> None:
    r = Reader("", LATENCY)
    looks = list(range(18))
    for first in range(0, len(looks), length):
        page: dict[str, Any] = {}
        for k in looks[first : first + length]:
            for key, value in _form(k, natively=k // 3 % 2 == 1).items():
                page.setdefault(key, []).append((T + 10.0 * k, value))
        some = looks[first : first + length]
        observed = {"a": [T + 10.0 * k for k in some]}
        r.poll(10.0 * some[-1], page, own_clock=False, observed=observed)
    # Each change may cost what came between two looks of one form, if batches end there too.
    good, bad = r.counted
    assert 9 * 8 <= good <= 9 * 17 and good == 9 * bad
