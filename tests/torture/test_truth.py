"""The verdicts of the run: whatever slod may do wrong, the truth beside it must see."""

from __future__ import annotations

import pytest

from tests.torture.truth import ENDED_WITHIN, LONG, TOLD_WITHIN, Alerts, Counts
from tests.torture.verdict import Calm, Verdict

NOT_YET = TOLD_WITHIN - 1
TOO_LATE = TOLD_WITHIN + 1


@pytest.fixture
def verdict() -> Verdict:
    return Verdict()


@pytest.fixture
def counts(verdict: Verdict) -> Counts:
    """Of three pages."""
    counts = Counts("shop", verdict)
    for page in ((40, 1), (75, 1), (110, 4)):
        counts.page(*page)
    return counts


@pytest.mark.parametrize("says", [(0, 0), (40, 1), (75, 1), (110, 4)])
def test_what_a_page_had_may_be_counted(
    counts: Counts, verdict: Verdict, says: tuple[int, int]
) -> None:
    assert counts.says(*says) and verdict.ok


@pytest.mark.parametrize(
    ("says", "wrong"),
    [
        ((109, 4), "an event is lost"),
        ((111, 4), "one counts twice"),
        ((110, 1), "errors come later than their total"),
        ((150, 5), "a page counts twice"),
        ((35, 0), "the first page was no baseline"),
        ((float("nan"), 4), "no number"),
    ],
)
def test_what_no_page_had_is_wrong(
    counts: Counts, verdict: Verdict, says: tuple[float, float], wrong: str
) -> None:
    assert not counts.says(*says) and verdict.kinds == {"counts": 1}, wrong


def test_at_the_end_only_the_last_page_is_right(counts: Counts) -> None:
    assert counts.agrees(110, 4) and not counts.agrees(75, 1)


class World:
    """An alert's truth, on a clock that the test moves."""

    def __init__(self, verdict: Verdict) -> None:
        self.alerts, self.others = Alerts("shop", verdict), Calm()
        self.now = 0.0

    def run(self, seconds: float) -> None:
        for _ in range(round(seconds * 10)):
            self.now += 0.1
            self.alerts.move(0.1, self.now, self.others)

    def outage(self) -> None:
        self.run(30)
        self.alerts.burns(True)


@pytest.fixture
def world(verdict: Verdict) -> World:
    return World(verdict)


def test_an_alert_that_is_told_in_time_and_ends_is_right(world: World, verdict: Verdict) -> None:
    for turn in range(3):
        world.outage()
        world.run(NOT_YET)
        world.alerts.hears("firing", f"{turn} firing")
        world.run(5)
        world.alerts.burns(False)
        world.run(ENDED_WITHIN - 1)
        world.alerts.hears("resolved", f"{turn} resolved")
    assert verdict.ok and world.alerts.settled and verdict.seen["alerts told"] == 3


def test_one_that_is_missed_is_wrong_once(world: World, verdict: Verdict) -> None:
    world.outage()
    world.run(3 * TOO_LATE)
    assert verdict.kinds == {"alert": 1} and world.alerts.settled


def test_one_whose_end_is_missed_is_wrong(world: World, verdict: Verdict) -> None:
    world.outage()
    world.run(2)
    world.alerts.hears("firing", "1")
    world.alerts.burns(False)
    world.run(ENDED_WITHIN + 1)
    assert verdict.kinds == {"alert": 1}


def test_one_without_an_outage_is_wrong(world: World, verdict: Verdict) -> None:
    world.run(30)
    world.alerts.hears("firing", "1")
    assert verdict.kinds == {"false alert": 1}


def test_one_long_after_an_outage_is_wrong(world: World, verdict: Verdict) -> None:
    world.outage()
    world.run(2)
    world.alerts.hears("firing", "1")
    world.alerts.burns(False)
    world.alerts.hears("resolved", "2")
    world.run(30)
    world.alerts.hears("firing", "1")
    assert verdict.ok, "the same message once more is no other alert"
    world.run(60)
    world.alerts.hears("firing", "3")
    assert verdict.kinds == {"false alert": 1}


def test_the_alert_of_the_outage_before_does_not_stand_for_this_one(
    world: World, verdict: Verdict
) -> None:
    world.outage()
    world.alerts.hears("firing", "1")
    world.alerts.burns(False)
    world.run(1)
    world.alerts.burns(True)
    world.run(TOO_LATE)
    assert verdict.kinds == {"alert": 1}


def test_time_in_which_a_fault_holds_does_not_count(world: World, verdict: Verdict) -> None:
    world.outage()
    world.others.begin("away")
    world.run(5 * TOO_LATE)
    world.others.end("away")
    world.others.takes("clock", LONG, world.now)
    world.run(LONG)
    world.alerts.calm.begin("network")
    world.run(TOO_LATE)
    world.alerts.calm.end("network")
    world.run(NOT_YET)
    assert verdict.ok
    world.run(2)
    assert not verdict.ok


def test_a_power_cut_may_take_that_an_alert_began_and_not_that_it_is_told_at_all(
    world: World, verdict: Verdict
) -> None:
    world.outage()
    world.run(2)
    world.alerts.hears("firing", "1")
    world.alerts.burns(False)
    world.alerts.power_cut()
    world.run(5 * TOO_LATE)
    assert verdict.ok and world.alerts.settled
    world.alerts.burns(True)
    world.alerts.power_cut()
    world.run(TOO_LATE)
    assert verdict.kinds == {"alert": 1}


def test_of_many_of_one_kind_some_are_shown_and_all_are_counted(verdict: Verdict) -> None:
    for number in range(20):
        verdict.wrong("counts", str(number))
    assert verdict.kinds["counts"] == 20 and len(verdict.texts) == 5
