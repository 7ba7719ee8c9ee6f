"""What one look at a process means, explanation by explanation; the tables of `core/evidence.py`.

Every story begins with eight looks at a steady process, 10 seconds apart: 10 good events per second
and an error every two seconds. Then comes what has to be explained.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.builders import ERROR, LONG_AGO, OK, Reader, T, told
from tests.core.conftest import Begin

STARTED = {"started": {"a": LONG_AGO}}
GOOD_THEN, BAD_THEN = 700.0, 35.0
"""Events that were counted in the steady looks."""
MISSING = 'http_requests_total{code="404"}'


def page(k: float, good: float = 1000.0, bad: float = 50.0) -> dict[str, float]:
    """The steady process after so many looks."""
    return {OK: good + 100.0 * k, ERROR: bad + 5.0 * k}


def steady(begin: Begin, **more: Any) -> Reader:
    """The first eight looks."""
    r = begin()
    for k in range(8):
        r.poll(10.0 * k, page(k), **more)
    assert r.counted == (GOOD_THEN, BAD_THEN)
    return r


def gained(r: Reader) -> tuple[float, float]:
    """Good and bad events since the steady looks."""
    good, bad = r.counted
    return good - GOOD_THEN, bad - BAD_THEN


NEW_START = {"started": {"a": T + 75}}
FUTURE = {"started": {"a": T + 5000}}


@pytest.mark.parametrize(
    ("shown", "before", "after", "counts", "evidence"),
    [
        # SAME: it goes on, as always or in a burst.
        (page(8), STARTED, STARTED, (100, 5), {("increase", "difference")}),
        ({OK: 51_700.0, ERROR: 90.0}, {}, {}, (50_000, 5), {("increase", "difference")}),
        # An exporter's restart: 1,800 events cannot have come in five seconds.
        (page(8), STARTED, NEW_START, (100, 5), {("increase", "difference")}),
        (page(8), STARTED, FUTURE, (100, 5), {("increase", "difference")}),
        (page(8), STARTED, {"started": {"a": LONG_AGO - 3600}}, (100, 5), None),
        (page(8), {}, NEW_START, (100, 5), {("increase", "difference")}),
        # NEW: another process.
        ({OK: 30.0, ERROR: 2.0}, {}, {}, (30, 2), {("reset", "all_fell")}),
        ({OK: 30.0, ERROR: 2.0}, STARTED, STARTED, (30, 2), {("reset", "all_fell")}),
        ({OK: 30.0, ERROR: 2.0}, STARTED, NEW_START, (30, 2), {("reset", "process_start")}),
        ({OK: 30.0, ERROR: 2.0}, {}, NEW_START, (30, 2), {("reset", "process_start")}),
        ({OK: 30.0, ERROR: 2.0}, STARTED, FUTURE, (30, 2), {("reset", "process_start_elsewhere")}),
        (
            {OK: 30.0, MISSING: 2.0}, STARTED, NEW_START, (32, 0),
            {("reset", "process_start"), ("birth", "process_start")},
        ),
        # PART LEFT: of a sum over three workers one died.
        ({OK: 1200.0, ERROR: 60.0}, {}, {}, (0, 0), {("unknown", "part_left")}),
        # Of one that has new series too, those are born.
        (
            {OK: 1200.0, ERROR: 60.0, MISSING: 1.0}, {}, {}, (1, 0),
            {("unknown", "part_left"), ("birth", "process_looked_at_before")},
        ),
        # One series goes on, another one loses a part.
        (
            {OK: 1800.0, ERROR: 50.0, MISSING: 1.0}, {}, {}, None,
            {("unknown", "part_left"), ("birth", "process_looked_at_before"),
             ("increase", "difference")},
        ),
        # A little behind, of a replica: the higher value stays the mark.
        (
            {OK: 1695.0, ERROR: 85.0}, {}, {}, (0, 0),
            {("jitter", "a_little_behind"), ("increase", "difference")},
        ),
        # Its own reset, while traffic goes on.
        (
            {OK: 1800.0, ERROR: 1.0}, {}, {}, (100, 1),
            {("reset", "own_fall"), ("increase", "difference")},
        ),
        # Born: its number fits the pace; or brought by a collector that was there before.
        (
            {**page(8), MISSING: 7.0}, {}, {}, (107, 5),
            {("birth", "process_looked_at_before"), ("increase", "difference")},
        ),
        (
            {**page(8), MISSING: 5e6, 'http_requests_total{code="403"}': 5e5}, {}, {}, (100, 5),
            {("baseline", "found_late"), ("increase", "difference")},
        ),
    ],
)  # fmt: skip
def test_a_look_is_explained_by_what_is_likeliest(
    begin: Begin, shown: Any, before: Any, after: Any, counts: Any, evidence: Any
) -> None:
    r = steady(begin, **before)
    taken = r.poll(80.0, shown, **after)
    if counts is not None:
        assert gained(r) == counts
    if evidence is not None:
        assert told(taken) == evidence


def test_after_jitter_the_difference_is_to_the_higher_value(begin: Begin) -> None:
    r = steady(begin)
    r.poll(80.0, {OK: 1695.0, ERROR: 85.0})
    r.poll(90.0, page(9))
    assert gained(r) == (200, 10)


# --- start times --------------------------------------------------------------------------------


def test_an_exporter_that_restarts_again_and_again_is_no_process_that_begins_anew(
    begin: Begin,
) -> None:
    r = steady(begin, **STARTED)
    for k in range(8, 12):
        r.poll(10.0 * k, page(k), started={"a": T + 10 * k - 5})
    assert gained(r) == (400, 20)
    # Counters that fall while it stays are as common there.
    r.poll(120.0, {OK: 100.0, ERROR: 5.0}, started={"a": T + 105})
    assert gained(r) == (500, 25)


def test_a_start_time_that_proves_to_be_its_own_is_believed_more(begin: Begin) -> None:
    r = steady(begin, **STARTED)
    for k in range(8, 12):
        taken = r.poll(10.0 * k, {OK: 30.0, ERROR: 2.0}, started={"a": T + 10 * k - 5})
        assert told(taken) == {("reset", "process_start")}
    assert gained(r) == (120, 8)


def test_counters_that_begin_anew_while_the_start_stays_make_it_another_process(
    begin: Begin,
) -> None:
    r = steady(begin, **STARTED)
    for k in range(8, 12):
        taken = r.poll(10.0 * k, page(k % 2, 90.0, 4.0) if k % 2 else page(0, 40, 2), **STARTED)
        assert ("reset", "all_fell") in told(taken) or k % 2
    assert gained(r) == (40 + 150 + 40 + 150, 2 + 7 + 2 + 7)


def test_a_start_that_nothing_was_counted_by_before_is_not_judged(begin: Begin) -> None:
    r = begin()
    r.poll(0, {OK: 0.0}, **STARTED)
    r.poll(10, {OK: 0.0}, started={"a": T + 5})
    r.poll(20, {OK: 3.0}, started={"a": T + 5})
    assert r.counted == (3, 0)


# --- created timestamps -------------------------------------------------------------------------

CREATED = {"created": LONG_AGO}


def test_a_created_timestamp_that_stays_allows_no_reset(begin: Begin) -> None:
    r = steady(begin, **CREATED)
    taken = r.poll(80.0, {OK: 1790.0, ERROR: 84.0}, **CREATED)
    assert ("jitter", "a_little_behind") in told(taken)
    taken = r.poll(90.0, {OK: 1000.0, ERROR: 95.0}, **CREATED)
    assert ("unknown", "part_left") in told(taken)
    assert gained(r) == (90, 10)


def test_a_created_timestamp_that_moved_is_a_reset_and_one_that_moved_back_proves_nothing(
    begin: Begin,
) -> None:
    r = steady(begin, **CREATED)
    taken = r.poll(80.0, page(0), created=T + 75)
    assert told(taken) == {("reset", "created_timestamp")} and gained(r) == (1000, 50)
    taken = r.poll(90.0, page(1), created=T + 60)
    assert told(taken) == {("increase", "difference")} and gained(r) == (1100, 55)
    # Nor does one that is not told any more.
    assert told(r.poll(100.0, page(2))) == {("increase", "difference")}


@pytest.mark.parametrize(
    ("created", "verdict", "counts"),
    [
        (T + 75, ("birth", "created_timestamp"), 9000),
        (T - 5000, ("baseline", "created_before_last_look"), 0),
        # Its clock is ahead, so its own word proves nothing: 9,000 were not made in ten seconds.
        (T + 3000, ("baseline", "found_late"), 0),
    ],
)
def test_a_new_series_began_when_its_created_timestamp_says(
    begin: Begin, created: float, verdict: Any, counts: float
) -> None:
    r = steady(begin)
    taken = r.poll(80.0, {**page(8), MISSING: 9000.0}, created={MISSING: created})
    assert verdict in told(taken) and gained(r) == (100 + counts, 5)


def test_where_only_created_timestamps_speak_nothing_else_is_weighed(begin: Begin) -> None:
    r = steady(begin, **CREATED)
    taken = r.poll(80.0, {OK: 3.0}, created=T + 75)
    # The error series is not there: nothing is known of it, whatever the others do.
    assert told(taken) == {("reset", "created_timestamp")} and gained(r) == (3, 0)
    r.poll(90.0, {OK: 4.0, ERROR: 87.0}, created={OK: T + 75, ERROR: LONG_AGO})
    assert gained(r) == (4, 2)


# --- absent series ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "counts", "verdict"),
    [
        (3.0, 3, ("reset", "returned_at_zero")),
        (110.0, 25, ("increase", "difference")),
        (84.0, 0, ("jitter", "a_little_behind")),
    ],
)
def test_an_expired_series_returns_at_zero_or_had_only_been_away(
    begin: Begin, value: float, counts: float, verdict: Any
) -> None:
    r = steady(begin)
    for k in range(8, 13):
        r.poll(10.0 * k, {OK: 1000.0 + 100 * k})
    taken = r.poll(130.0, {OK: 2300.0, ERROR: value})
    assert verdict in told(taken) and gained(r) == (600, counts)


def test_all_series_that_went_and_come_back_small_are_a_new_process(begin: Begin) -> None:
    r = steady(begin)
    r.poll(80.0, {})
    r.poll(90.0, {OK: 90.0, ERROR: 5.0})
    assert gained(r) == (90, 5)


def test_other_series_after_an_empty_page_were_made_in_its_time_or_are_found_late(
    begin: Begin,
) -> None:
    for value, counts in ((90.0, 90), (2e6, 0)):
        r = steady(begin)
        r.poll(80.0, {})
        r.poll(90.0, {'http_requests_total{code="204"}': value})
        assert gained(r) == (counts, 0)


# --- nobody listened ----------------------------------------------------------------------------


def test_after_a_refused_connection_what_answers_began_anew(begin: Begin) -> None:
    r = steady(begin)
    r.poll(80.0, {}, down=["a"])
    taken = r.poll(90.0, {OK: 3000.0, ERROR: 1.0})
    assert told(taken) == {("reset", "nobody_listened_before")} and gained(r) == (3000, 1)


def test_unless_it_is_a_proxys_address_and_the_process_went_on(begin: Begin) -> None:
    for more in ({}, STARTED):
        r = steady(begin, **more)
        r.poll(80.0, {}, down=["a"], **more)
        r.poll(90.0, page(9), **more)
        assert gained(r) == (200, 10)


def test_an_exporter_that_was_away_while_it_restarted_shows_the_same_process(begin: Begin) -> None:
    """Under load its counters are as high as those of a new process with a burst could be."""
    r = begin()
    for k in range(8):
        r.poll(0.5 * k, {OK: 400.0 + 100 * k}, started={"a": LONG_AGO})
    r.poll(4.0, {}, down=["a"])
    r.poll(4.5, {OK: 1300.0}, started={"a": T + 4.2})
    assert r.counted == (900, 0)


def test_the_first_series_of_a_process_that_nobody_listened_for_before_are_born(
    begin: Begin,
) -> None:
    r = begin()
    r.poll(0, {})
    r.poll(10, {}, down=["a"])
    taken = r.poll(20, {OK: 19.0, ERROR: 5.0})
    assert told(taken) == {("birth", "nobody_listened_before")} and r.counted == (19, 5)


def test_an_outage_may_begin_with_several_errors_at_once() -> None:
    """Its first errors are many for so short a time, yet no more than what the process answers."""
    r = Reader("on")
    ok = 'http_requests_total{code="200"}'
    for k in range(20):
        r.poll(0.15 * k, {ok: 2.0 * k})
    errors = {f'http_requests_total{{code="50{n}"}}': 29.0 for n in (0, 2, 3)}
    r.poll(3.0, {ok: 60.0, **errors})
    assert r.counted == (60, 87)


def test_the_first_errors_of_a_service_without_traffic_yet_are_born() -> None:
    """No events so far are no pace: what comes first is many beside nothing."""
    r = Reader("on")
    ok = 'http_requests_total{code="200"}'
    for k in range(2):
        r.poll(0.15 * k, {ok: 0.0})
    errors = {f'http_requests_total{{code="50{n}"}}': 29.0 for n in (0, 2, 3)}
    r.poll(0.3, {ok: 0.0, **errors})
    assert r.counted == (0, 87)


# --- a process that is replaced while it still answers ------------------------------------------


def test_a_process_that_ended_may_answer_for_a_while_on_connections_that_were_kept(
    begin: Begin,
) -> None:
    """Its successor began before the last look at it, and its counters are lower now."""
    r = steady(begin, **STARTED)
    taken = r.poll(80.0, {OK: 120.0, ERROR: 7.0}, started={"a": T + 65})
    assert told(taken) == {("reset", "process_start")} and gained(r) == (120, 7)
    r.poll(90.0, {OK: 220.0, ERROR: 12.0}, started={"a": T + 65})
    assert gained(r) == (220, 12)
