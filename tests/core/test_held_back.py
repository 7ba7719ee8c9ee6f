"""A term that had series and has none: nothing counts until it is back, or errors would be 100%."""

from __future__ import annotations

import pytest

from exporter.core.selector import parse_selector
from exporter.core.slo import CounterSLI
from tests.core.builders import LONG_AGO, Reader, T, slo, told
from tests.core.conftest import Begin

GOOD, BAD, TOTAL = (parse_selector(name) for name in ("good", "bad", "total"))
GOOD_OF_TOTAL = slo(sli=CounterSLI(good=GOOD, total=TOTAL))
BAD_OF_TOTAL = slo(sli=CounterSLI(bad=BAD, total=TOTAL))
GOOD_AND_BAD = slo(sli=CounterSLI(good=GOOD, bad=BAD))

HELD = "had series there and has none"


def test_errors_without_their_total_wait_for_it(begin: Begin) -> None:
    r = begin(BAD_OF_TOTAL)
    r.poll(0, {"bad": 0.0, "total": 0.0})
    r.poll(10, {"bad": 1.0, "total": 10.0})
    for k in (2, 3):
        taken = r.poll(10.0 * k, {"bad": 1.0 * k})
        assert HELD in taken.notes["a"] and not taken.samples
    assert r.counted == (9, 1)
    taken = r.poll(40, {"bad": 4.0, "total": 40.0})
    assert not taken.notes and r.counted == (36, 4)


def test_errors_without_any_total_anywhere_are_not_known(begin: Begin) -> None:
    r = begin(BAD_OF_TOTAL)
    for k in range(3):
        taken = r.poll(10.0 * k, {"bad": 5.0 * k})
        assert taken.fault is not None and taken.fault.startswith("total matches nothing")
    assert r.counted == (0, 0)
    # Once it is there it was born, and all counts from then on.
    assert r.poll(30, {"bad": 15.0, "total": 100.0}).fault is None
    r.poll(40, {"bad": 20.0, "total": 200.0})
    assert r.counted == (190, 10)


def test_errors_may_be_away_at_any_time(begin: Begin) -> None:
    r = begin(BAD_OF_TOTAL)
    r.poll(0, {"bad": 3.0, "total": 0.0})
    taken = r.poll(10, {"total": 10.0})
    assert not taken.notes and r.counted == (10, 0)


@pytest.mark.parametrize("of", [GOOD_OF_TOTAL, GOOD_AND_BAD])
def test_good_events_that_vanish_while_the_others_go_on_are_not_known(
    of: object, begin: Begin
) -> None:
    r = begin(of)
    r.poll(0, {"good": 0.0, "bad": 0.0, "total": 0.0})
    r.poll(10, {"good": 10.0, "bad": 1.0, "total": 11.0})
    taken = r.poll(20, {"bad": 2.0, "total": 22.0})
    assert HELD in taken.notes["a"] and r.counted == (10, 1)
    r.poll(30, {"good": 30.0, "bad": 3.0, "total": 33.0})
    assert r.counted == (30, 3)


@pytest.mark.parametrize("fell", [True, False])
def test_a_new_process_may_have_errors_only(begin: Begin, fell: bool) -> None:
    r = begin(GOOD_OF_TOTAL)
    r.poll(0, {"good": 10.0, "total": 11.0}, started={"a": LONG_AGO})
    # It fell, or its start moved.
    taken = r.poll(10, {"total": 3.0 if fell else 20.0}, started={} if fell else {"a": T + 5})
    assert not taken.notes and r.counted == (0, 3 if fell else 20)
    taken = r.poll(20, {"total": 30.0, "good": 7.0}, started={} if fell else {"a": T + 5})
    assert r.counted == (7, 23)


def test_a_total_that_vanishes_with_a_new_process_is_waited_for_all_the_same(begin: Begin) -> None:
    r = begin(BAD_OF_TOTAL)
    r.poll(0, {"bad": 5.0, "total": 90.0}, started={"a": LONG_AGO})
    taken = r.poll(10, {"bad": 2.0}, started={"a": T + 5})
    assert HELD in taken.notes["a"]
    taken = r.poll(20, {"bad": 3.0, "total": 20.0}, started={"a": T + 5})
    assert not taken.notes and r.counted == (17, 3)


def test_a_process_that_is_met_without_a_term_waits_for_nothing(begin: Begin) -> None:
    r = begin(GOOD_OF_TOTAL)
    r.polls(0, {"b": {"good": 1.0, "total": 1.0}})
    taken = r.polls(10, {"a": {"total": 9.0}, "b": {"good": 2.0, "total": 2.0}})
    assert not taken.notes
    r.polls(20, {"a": {"total": 12.0}, "b": {"good": 2.0, "total": 2.0}})
    assert r.counted == (1, 3)


@pytest.mark.parametrize("length", [1, 2, 3, 5, 30])
def test_held_looks_are_the_same_wherever_a_history_is_cut(length: int) -> None:
    r = Reader("", BAD_OF_TOTAL)
    times = [T + 10.0 * k for k in range(30)]
    gap = {times[k] for k in (7, 8, 15, 22, 23, 24, 25)}
    for first in range(0, 30, length):
        some = times[first : first + length]
        page = {
            "bad": [(time, (time - T) / 10) for time in some],
            "total": [(time, time - T) for time in some if time not in gap],
        }
        taken = r.poll(some[-1] - T, page, own_clock=False, observed={"a": some})
        assert bool(taken.notes) == (some[-1] in gap)
    assert r.counted == (290 - 29, 29)


def test_a_page_without_anything_holds_nothing(begin: Begin) -> None:
    r = begin(BAD_OF_TOTAL)
    r.poll(0, {"bad": 0.0, "total": 0.0})
    taken = r.poll(10, {})
    assert not taken.notes and told(taken) == set()
