"""The truth beside the worlds is a program too: what it says of pages that are easily counted."""

from __future__ import annotations

from random import Random

import pytest

from tests.worlds.doors import naive, newest, polls
from tests.worlds.exposition import Look, Page, Shown, Slot
from tests.worlds.kinds import KINDS, world
from tests.worlds.readings import PART_LEFT, TURNS, UNSEEN
from tests.worlds.table import truth_of
from tests.worlds.truth import Reader, Truth
from tests.worlds.world import BEGIN, Life

OK, ERROR = 'requests_total{code="200"}', 'requests_total{code="500"}'

Samples = dict[str, tuple[Life, float] | list[tuple[Life, float]]]


def role(series: str) -> tuple[bool, bool]:
    return True, series == ERROR


def page(**more: object) -> Page:
    return Page("a:80", Random(1), [Slot("", None)], **more)  # type: ignore[arg-type]


def look(of: Page, at: float, samples: Samples | str, start: float | None = None) -> Look:
    if isinstance(samples, str):
        return Look(of, BEGIN + at, samples)
    shown = []
    for series, lives in samples.items():
        parts = tuple(lives) if isinstance(lives, list) else (lives,)
        value = sum(number for _, number in parts)
        shown.append(Shown("", series, value, parts, None, None))
    began = None if start is None else BEGIN + start
    return Look(of, BEGIN + at, "page", shown, BEGIN + at, began)


def read(*looks: Look, upstream: bool = False) -> Truth:
    reader = Reader(role, upstream=upstream)
    for one in looks:
        reader.read(one)
    return reader.truth


def numbers(truth: Truth) -> tuple[float, float, float, float]:
    return truth.total.low, truth.total.high, truth.part.low, truth.part.high


def born(at: float, process: float | None = None) -> Life:
    return Life(BEGIN + at, BEGIN + (at if process is None else process))


def test_a_process_that_goes_on_counts_its_differences() -> None:
    of, ok, error = page(), born(-1e5), born(15, -1e5)
    truth = read(
        look(of, 0, {OK: (ok, 1000.0)}),
        look(of, 10, {OK: (ok, 1010.0)}),
        look(of, 20, {OK: (ok, 1020.0), ERROR: (error, 2.0)}),
    )
    assert numbers(truth) == (22, 22, 2, 2)


def test_a_process_that_began_anew_counts_whole() -> None:
    of, old, new = page(), born(-1e5), born(25)
    truth = read(
        look(of, 0, {OK: (old, 1000.0)}),
        look(of, 10, {OK: (old, 1010.0)}),
        look(of, 20, {OK: (old, 1020.0)}),
        look(of, 30, {OK: (new, 5.0)}),
    )
    assert numbers(truth)[:2] == (25, 25)


def test_a_restart_that_no_page_shows_is_left_open_and_one_with_a_start_is_not() -> None:
    for start, low in ((None, 25), ("own", 55)):
        of, old, new = page(start=start), born(-100), born(25)
        truth = read(
            look(of, 0, {OK: (old, 10.0)}, start and -100),
            look(of, 10, {OK: (old, 20.0)}, start and -100),
            look(of, 20, {OK: (old, 30.0)}, start and -100),
            look(of, 30, {OK: (new, 35.0)}, start and 25),
        )
        assert numbers(truth)[:2] == (low, 55)
        assert (UNSEEN in truth.open) is (start is None)


def test_a_series_that_was_there_before_it_was_shown_counts_nothing() -> None:
    of, ok, late = page(), born(-1e6), born(-1e6)
    truth = read(
        look(of, 0, {OK: (ok, 1000.0)}),
        look(of, 10, {OK: (ok, 1010.0)}),
        look(of, 20, {OK: (ok, 1020.0), ERROR: (late, 500.0)}),
        look(of, 30, {OK: (ok, 1020.0), ERROR: (late, 503.0)}),
    )
    assert numbers(truth) == (23, 23, 3, 3)


def test_a_series_of_a_new_process_counts_whole_however_late_it_is_shown() -> None:
    of, old, new, late = page(), born(-1e5), born(15), born(15)
    truth = read(
        look(of, 0, {OK: (old, 1000.0)}),
        look(of, 10, {OK: (old, 1010.0)}),
        look(of, 20, {OK: (new, 5.0)}),
        look(of, 30, {OK: (new, 15.0), ERROR: (late, 4.0)}),
    )
    assert numbers(truth) == (29, 29, 4, 4)


def test_a_sum_that_loses_a_part_is_bounded_by_what_the_others_did() -> None:
    of, one, other = page(summed=True), born(-1e5), born(-1e5)
    truth = read(
        look(of, 0, {OK: [(one, 600.0), (other, 400.0)]}),
        look(of, 10, {OK: [(one, 610.0), (other, 410.0)]}),
        look(of, 20, {OK: [(one, 620.0)]}),
    )
    assert numbers(truth)[:2] == (20, 30)
    assert PART_LEFT in truth.open and truth.unknown


def test_a_refused_look_of_ours_is_a_look_and_one_of_an_upstream_is_not() -> None:
    of, new = page(), born(5)
    looks = [look(of, 0, "refused"), look(of, 10, {OK: (new, 7.0)})]
    assert numbers(read(*looks))[:2] == (7, 7)
    assert numbers(read(*looks, upstream=True))[:2] == (0, 7)


def test_several_processes_at_one_address_are_no_number_at_all() -> None:
    of, one, other = page(turns=True), born(-1e5), born(-1e5)
    truth = read(
        look(of, 0, {OK: (one, 600.0)}),
        look(of, 10, {OK: (other, 400.0)}),
        look(of, 20, {OK: (one, 620.0)}),
    )
    assert numbers(truth)[:2] == (0, 20)
    assert TURNS in truth.open and truth.unknown


def test_an_exporter_that_restarts_before_a_young_process_is_in_doubt() -> None:
    for value, doubt in ((8.0, True), (90_000.0, False)):
        of, ok = page(start="front"), born(-1e6)
        truth = read(
            look(of, 0, {OK: (ok, value)}, -1e6),
            look(of, 10, {OK: (ok, value + 1)}, -1e6),
            look(of, 20, {OK: (ok, value + 2)}, 15),
        )
        assert truth.total.low == 2
        assert truth.ambiguous is doubt


def test_a_small_part_that_left_looks_like_a_replica_that_is_behind() -> None:
    for small, low in ((5.0, 14), (400.0, 17)):
        of, one, other = page(summed=True), born(-1e5), born(-1e5)
        truth = read(
            look(of, 0, {OK: [(one, 600.0), (other, small)]}),
            look(of, 10, {OK: [(one, 610.0), (other, small)]}),
            look(of, 20, {OK: [(one, 612.0)]}),
            look(of, 30, {OK: [(one, 619.0)]}),
        )
        assert numbers(truth)[:2] == (low, 19)


def test_a_process_that_no_page_showed_yet_may_be_of_any_age() -> None:
    for start, doubt in ((None, True), ("own", False)):
        of, late = page(start=start), born(5)
        truth = read(
            look(of, 0, {}, start and -1e5),
            look(of, 10, {}, start and 5),
            look(of, 20, {OK: (late, 90_000.0)}, start and 5),
        )
        assert truth.total.high == 90_000
        assert truth.ambiguous is doubt


def test_where_one_of_a_page_falls_all_of_it_may_have_begun_anew() -> None:
    of, old, new, other = page(shared=True), born(-1e5), born(15), born(-1e5)
    first = look(of, 0, {OK: (old, 30.0)})
    second = look(of, 10, {OK: (old, 31.0)})
    third = look(of, 20, {OK: (new, 2.0)})
    for one, value in ((first, 6.0), (second, 6.0), (third, 7.0)):
        more = look(of, 0, {ERROR: (other, value)}).shown
        one.shown += [shown._replace(instance="another") for shown in more]
    assert numbers(read(first, second, third))[2:] == (1, 7)


def test_polls_go_on_until_what_is_dated_ahead_has_come() -> None:
    one = world("timestamps", 2_000_028)
    last = one.looks[-1].at
    assert newest(one) > last + 100
    assert newest(one) < polls(one, 15.0)[-1]


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_world_is_always_the_same(kind: str) -> None:
    one, again = world(kind, 7), world(kind, 7)
    assert [look.at for look in one.looks] == [look.at for look in again.looks]
    assert naive(one) == naive(again)
    assert numbers(truth_of(one)) == numbers(truth_of(again))
    assert one.sli == again.sli and one.looks
