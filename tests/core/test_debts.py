"""Parts that are more than their total: they wait for it, and are let go if it does not come."""

from __future__ import annotations

import pytest

from exporter.core.selector import parse_selector
from exporter.core.slo import CounterSLI
from tests.core.builders import T, counted, engine, feed, packed, slo
from tests.core.conftest import Begin

GOOD_OF_TOTAL = slo(
    sli=CounterSLI(good=parse_selector("good"), total=parse_selector("total")), interval=30.0
)


def test_a_part_that_came_before_its_total_is_paid_by_the_next_looks(begin: Begin) -> None:
    r = begin(GOOD_OF_TOTAL)
    r.poll(0, {"good": 0.0, "total": 0.0})
    r.poll(30, {"good": 30.0, "total": 20.0})
    # Six of the ten, then the rest: what is left is bad.
    r.poll(60, {"good": 40.0, "total": 36.0})
    r.poll(90, {"good": 50.0, "total": 55.0})
    assert r.counted == (50, 5)


def test_two_debts_are_paid_in_their_order(begin: Begin) -> None:
    r = begin(GOOD_OF_TOTAL)
    r.poll(0, {"good": 0.0, "total": 0.0})
    r.poll(30, {"good": 30.0, "total": 20.0})
    r.poll(60, {"good": 60.0, "total": 45.0})
    r.poll(90, {"good": 60.0, "total": 63.0})
    assert r.counted == (60, 3)


@pytest.mark.parametrize(("after", "bad"), [(150.0, 10), (180.0, 20)])
def test_a_debt_is_let_go_once_it_is_too_old(begin: Begin, after: float, bad: float) -> None:
    r = begin(GOOD_OF_TOTAL)
    r.poll(0, {"good": 0.0, "total": 0.0})
    r.poll(30, {"good": 30.0, "total": 20.0})
    for k in range(2, int(after / 30) + 1):
        taken = r.poll(30.0 * k, {"good": 30.0, "total": 20.0})
    assert taken.surplus == 0
    taken = r.poll(after + 30, {"good": 30.0, "total": 40.0})
    assert r.counted == (30, bad) and taken.surplus == (10 if bad == 20 else 0)


def test_a_part_that_is_more_look_by_look_is_none_of_its_total(begin: Begin) -> None:
    r = begin(GOOD_OF_TOTAL)
    for k in range(5):
        taken = r.poll(30.0 * k, {"good": 12.0 * k, "total": 10.0 * k})
        assert not taken.surplus and taken.fault is None
    for k in range(5, 9):
        taken = r.poll(30.0 * k, {"good": 12.0 * k, "total": 10.0 * k})
        assert taken.surplus == (10 if k == 5 else 2)
        assert taken.fault == (
            "good counts more than total, so bad events cannot be told; select as good only what "
            "total counts too"
        )
    # Nothing of it hides the outage that comes.
    taken = r.poll(270, {"good": 96.0, "total": 180.0})
    assert r.counted == (96, 100) and not taken.surplus


def test_a_long_history_in_which_all_fits_again_ends_it(begin: Begin) -> None:
    r = begin(GOOD_OF_TOTAL)
    for k in range(7):
        taken = r.poll(30.0 * k, {"good": 12.0 * k, "total": 10.0 * k}, own_clock=False)
    assert taken.surplus == 2
    times = [30.0 * k for k in range(7, 47)]
    page = {
        "good": [(T + time, 72 + time - 180) for time in times],
        "total": [(T + time, 60 + 2 * (time - 180)) for time in times],
    }
    r.poll(times[-1], page, own_clock=False)
    assert r.counted == (72 + 1200, 1200)
    # So what is too much now may be paid again.
    taken = r.poll(1410, {"good": 1300.0, "total": 2460.0 + 10}, own_clock=False)
    assert not taken.surplus


def test_debts_of_earlier_versions_had_no_times(begin: Begin) -> None:
    """They are older than any debt that is waited for."""
    e = engine(GOOD_OF_TOTAL)
    dumped = packed(e.dump("slo"))
    ((group, _, *rest),) = dumped["state"]["instances"]
    for state in (dict(dumped["state"], instances=[(group, 7.0, *rest)]), dumped["state"]):
        logs = [[("debt", group, 7.0)]] if state is dumped["state"] else []
        assert e.restore("slo", {**dumped, "state": state}, logs) is None
        feed(e, T, {"good": 0.0, "total": 0.0})
        assert e.accounts["slo"].memory.instance(()).debt == 7
        taken = feed(e, T + 30, {"good": 0.0, "total": 10.0})
        assert taken.surplus == 7 and counted(e) == (0, 10)


def test_bad_events_over_the_total_are_a_debt_of_good_ones(begin: Begin) -> None:
    sli = CounterSLI(bad=parse_selector("bad"), total=parse_selector("total"))
    r = begin(slo(sli=sli))
    for k in range(8):
        taken = r.poll(10.0 * k, {"bad": 12.0 * k, "total": 10.0 * k})
    assert taken.fault is not None and taken.fault.startswith("bad counts more than total")
    assert r.counted == (0, 84)
