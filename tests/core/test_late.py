"""A part of a process that comes later than the rest: of looks that have counted without it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.builders import AVAILABILITY, ERROR, OK, T, histogram, slo, told
from tests.core.conftest import Begin

Samples = list[tuple[float, float]]


def line(first: float, last: float, value: float, each: float) -> Samples:
    """Samples every ten seconds, of `value` at `T`."""
    times = range(round(first), round(last) + 1, 10)
    return [(T + t, value + each * t / 10) for t in times]


def theirs(asked: float, first: float, last: float, **more: Any) -> dict[str, Any]:
    """What an upstream tells beside: it looked every ten seconds."""
    looks = [t for t, _ in line(first, last, 0, 0)]
    wants = dict.fromkeys(AVAILABILITY.wants(), T + asked)
    return {"own_clock": False, "observed": {"a": looks}, "asked": wants, **more}


def test_errors_that_come_late_count_when_they_happened_whatever_counted_since(
    begin: Begin,
) -> None:
    r = begin()
    r.poll(50, {OK: line(0, 50, 1000, 100), ERROR: line(0, 10, 50, 5)}, **theirs(-1, -10, 50))
    for end in range(60, 200, 10):
        page = {OK: line(end, end, 1000, 100), ERROR: line(end - 40, end - 40, 50, 5)}
        taken = r.poll(end, page, **theirs(end - 130, end - 130, end))
        assert told(taken) == {("increase", "difference")}
    assert r.counted == (19 * 100, 15 * 5)


@pytest.mark.parametrize(
    ("first", "asked", "bad", "evidence"),
    [
        # The looks before it were asked for too, and did not show it.
        (60, 20, 11, ("birth", "process_looked_at_before")),
        # Nobody knows since when it has been there.
        (60, 50, 8, ("baseline", "found_late")),
        (20, 10, 8, ("baseline", "found_late")),
    ],
)
def test_the_first_sample_of_a_late_series_is_judged_by_the_looks_before_it(
    begin: Begin, first: float, asked: float, bad: float, evidence: tuple[str, str]
) -> None:
    r = begin()
    r.poll(100, {OK: line(0, 100, 1000, 100)}, **theirs(-1, -10, 100))
    late = [(T + first, 3.0), (T + first + 10, 3.0), (T + first + 20, 11.0)]
    taken = r.poll(110, {OK: line(110, 110, 1000, 100), ERROR: late}, **theirs(asked, asked, 110))
    assert r.counted[1] == bad and evidence in told(taken)
    # At the next looks nothing is odd about the rest of the process.
    taken = r.poll(120, {OK: line(120, 120, 1000, 100)}, **theirs(60, 60, 120))
    assert told(taken) == {("increase", "difference")}


def test_a_late_part_that_fell_began_anew(begin: Begin) -> None:
    r = begin()
    r.poll(50, {OK: line(0, 50, 1000, 100), ERROR: line(0, 10, 50, 5)}, **theirs(-1, -10, 50))
    page = {OK: line(60, 60, 1000, 100), ERROR: [(T + 20, 1.0), (T + 30, 6.0)]}
    taken = r.poll(60, page, **theirs(0, 0, 60))
    assert r.counted[1] == 5 + 6 and ("reset", "all_fell") in told(taken)


def test_a_late_count_without_its_bucket_is_unknown(begin: Begin) -> None:
    r = begin(slo(sli=histogram(), interval=10.0))
    bucket, count = 'latency_bucket{code="200",le="0.5"}', 'latency_count{code="200"}'
    r.poll(50, {bucket: line(0, 50, 900, 90), count: line(0, 50, 1000, 100)}, own_clock=False)
    late = {count.replace("200", "500"): line(20, 30, 5, 1)}
    taken = r.poll(60, late, own_clock=False)
    assert ("unknown", "no_bucket") in told(taken)
    assert r.counted == (450, 50)


def test_what_began_in_the_first_range_that_was_asked_for_is_born(begin: Begin) -> None:
    r = begin()
    young = {"started": {"a": [(T + 60, T + 49)]}}
    taken = r.poll(100, {OK: line(60, 100, 32, 10)}, **theirs(0, 60, 100, **young))
    assert ("birth", "process_start") in told(taken) and r.counted[0] == 32 + 60 + 40
