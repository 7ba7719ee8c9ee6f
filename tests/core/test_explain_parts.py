"""The parts of an explanation by themselves: gaps, certainty, and why others count otherwise."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.core import outage, sure
from exporter.core.differences import differences
from exporter.core.gaps import gaps
from exporter.core.indicator import describe
from exporter.core.ledger import Counts
from exporter.core.peers import Heard
from exporter.core.selector import parse_matchers
from tests.core.builders import histogram, rule, show

DAY = 86_400.0


def covered(*holes: tuple[float, float]) -> Callable[[float, float], float]:
    def coverage(start: float, end: float) -> float:
        missing = sum(max(0.0, min(b, end) - max(a, start)) for a, b in holes)
        return 1 - missing / (end - start)

    return coverage


def test_gaps_are_found_wherever_they_are() -> None:
    holes = ((0.0, 500.0), (100_000.25, 100_400.5), (2_000_000.0, 2_000_777.0))
    found, complete = gaps(covered(*holes), 0.0, 30 * DAY, shortest=30, most=20)
    assert complete
    assert found == [pytest.approx(hole, abs=1.0) for hole in holes]


def test_all_and_nothing_are_one_gap_and_none() -> None:
    assert gaps(covered(), 0.0, DAY, shortest=30, most=20) == ([], True)
    assert gaps(covered((0.0, DAY)), 0.0, DAY, shortest=30, most=20) == ([(0.0, DAY)], True)


def test_of_many_gaps_the_newest_are_told() -> None:
    holes = tuple((1000.0 * i, 1000.0 * i + 400) for i in range(86))
    found, complete = gaps(covered(*holes), 0.0, DAY, shortest=30, most=3)
    assert not complete
    assert found == [pytest.approx(hole, abs=1.0) for hole in holes[-3:]]


def test_slivers_at_an_edge_are_no_gaps() -> None:
    holes = ((0.0, 8.0), (5000.0, 5400.0), (DAY - 8.0, DAY))
    found, _ = gaps(covered(*holes), 0.0, DAY, shortest=30, most=20)
    assert found == [pytest.approx(holes[1], abs=1.0)]


def test_a_search_without_end_gives_up() -> None:
    found, complete = gaps(lambda a, b: 0.5, 0.0, 30 * DAY, shortest=30, most=20)
    assert not complete
    assert len(found) <= 20


def test_the_interval_is_clopper_and_pearsons() -> None:
    # Brown, Cai, DasGupta (2001) and any statistics package: 10 of 100 is 4.900% to 17.622%.
    low, high = sure.interval(Counts(90.0, 10.0)) or (0.0, 0.0)
    assert (low, high) == (pytest.approx(0.0490, abs=1e-4), pytest.approx(0.17622, abs=1e-4))


def test_too_few_bad_or_good_events_give_no_interval() -> None:
    assert sure.interval(Counts(1e6, 9.0)) is None
    assert sure.interval(Counts(9.0, 1e6)) is None


def test_an_outage_that_is_too_small_is_never_noticed() -> None:
    assert outage.detection(rule("page", "1h", "5m", 14.4), 0.999, 0.0144) is None
    assert outage.reset(rule("page", "1h", "5m", 14.4), 0.999, 0.01) is None


def test_a_histogram_says_its_condition() -> None:
    said = describe(histogram(0.5, 'code!~"5.."'), 10, show)
    assert said.text.endswith('good is an observation at or under 0.5 whose series also has '
                              'code!~"5..".')  # fmt: skip
    assert parse_matchers('code!~"5.."')
    assert describe(histogram(), 10, show).text.endswith("at or under 0.5.")


# --- differences --------------------------------------------------------------------------------


def test_counters_without_two_samples_say_nothing() -> None:
    said = differences(Counts(10.0, 1.0), Heard({}, {}, {}), ("bad", "total"), 30, show)
    assert said == ("increase() says nothing: no counter has two samples in the window.",)


def test_no_difference_needs_no_sentence() -> None:
    same = {"bad": 1.0, "total": 11.0}
    assert (
        differences(Counts(10.0, 1.0), Heard(same, same, {"bad": 0.2}), ("bad", "total"), 30, show)
        == ()
    )


def test_without_events_there_is_no_ratio_to_compare() -> None:
    heard = Heard({"bad": 0.0, "total": 0.0}, {"bad": 0.0, "total": 0.0}, {}, moments=1)
    assert differences(Counts(0.0, 0.0), heard, ("bad", "total"), 30, show) == ()


def test_each_reason_has_its_sentence() -> None:
    heard = Heard(
        {"bad": 10.0, "total": 110.0},
        {"bad": 9.0, "total": 100.0},
        {"bad": 5.0},
        late=1,
        alone=2,
        moments=7,
        ratios=0.7,
        quiet=2,
        absent=1,
    )
    words = differences(Counts(90.0, 15.0), heard, ("bad", "total"), 30, show)
    starts = (
        "1 series began inside",
        "2 series have a single sample",
        "increase() stretches",
        "Together increase() finds 10.0 bad of 110.0 events where 15.0 of 105.0 happened.",
        "Sloth averages 7 ratios over 5m, one every 30s",
        "In 2 of 10 evaluations nothing happened",
        "In 1 of 10 evaluations a counter had no two samples",
    )
    assert len(words) == len(starts)
    for said, start in zip(words, starts, strict=True):
        assert said.startswith(start)


def test_a_missing_counter_makes_the_ratio_empty() -> None:
    heard = Heard({"total": 100.0}, {"total": 100.0}, {}, absent=10)
    first, second = differences(Counts(100.0, 0.0), heard, ("bad", "total"), 30, show)
    assert first.startswith("No series of bad events has two samples in the window")
    assert second.startswith("In 10 of 10 evaluations")
