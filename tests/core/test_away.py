"""New targets after an upstream was away itself: when it looked last decides, not when we asked."""

from __future__ import annotations

import pytest

from tests.core.builders import LONG_AGO, OK, T, counted, engine, feed


def upstream_was_away(asked: float | None) -> float:
    """Its samples end at T + 60 and go on at T + 1000 with two pods that began in between; events
    that were counted then. `asked`: when we asked in vain meanwhile."""
    e = engine()
    feed(e, T, {OK: 1.0}, started={"a": LONG_AGO}, own_clock=False)
    feed(e, T + 60, {OK: 1.0}, started={"a": LONG_AGO}, own_clock=False)
    if asked is not None:
        feed(e, asked, {}, own_clock=False)
    started = {"b": T + 300, "c": T + 300, "d": T + 50}
    feed(e, T + 1000, {OK: 4.0}, "b", started=started, own_clock=False)
    feed(e, T + 1020, {OK: 7.0}, "c", started=started, own_clock=False)
    feed(e, T + 1200, {OK: 9.0}, "d", started=started, own_clock=False)
    return counted(e)[0]


@pytest.mark.parametrize("asked", [None, T + 200, T + 900])
def test_a_target_that_began_while_the_upstream_was_away_counts(asked: float | None) -> None:
    assert upstream_was_away(asked) == 4 + 7


def test_a_target_that_is_only_found_late_is_a_baseline_all_the_same() -> None:
    e = engine()
    for k in range(10):
        feed(e, T + 60 * k, {OK: 1.0}, started={"a": LONG_AGO}, own_clock=False)
    feed(e, T + 600, {OK: 7.0}, "b", started={"b": T + 300}, own_clock=False)
    assert counted(e) == (0, 0)


def test_what_we_scrape_ourselves_is_looked_at_whenever_we_ask() -> None:
    e = engine()
    feed(e, T, {OK: 1.0}, started={"a": LONG_AGO})
    feed(e, T + 900, {})
    feed(e, T + 1000, {OK: 7.0}, "b", started={"b": T + 300})
    assert counted(e) == (0, 0)


def test_samples_that_come_twice_end_no_absence() -> None:
    e = engine()
    feed(e, T, {OK: 1.0}, started={"a": LONG_AGO}, own_clock=False)
    feed(e, T + 60, {OK: 1.0}, started={"a": LONG_AGO}, own_clock=False)
    feed(e, T + 900, {OK: [(T + 60, 1.0)]}, own_clock=False)
    feed(e, T + 1000, {OK: 7.0}, "b", started={"b": T + 300}, own_clock=False)
    assert counted(e) == (7, 0)
