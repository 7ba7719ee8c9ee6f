"""Pages that pass other processes on: each of them is looked at whenever its page is."""

from __future__ import annotations

import pytest

from tests.core.builders import ERROR, OK, T, told
from tests.core.conftest import Begin

PAGE = {"page": "p"}


def test_a_process_that_appears_on_a_page_is_young_or_was_there_by_its_pace(begin: Begin) -> None:
    r = begin()
    for k in range(6):
        r.polls(10.0 * k, {"x": {OK: 100.0 + 10 * k}}, **PAGE)
    new = {"y": {OK: 5e4}, "z": {OK: 3.0}}
    taken = r.polls(60, {"x": {OK: 160.0}, **new}, **PAGE)
    assert told(taken) >= {("baseline", "found_late"), ("birth", "process_looked_at_before")}
    r.polls(70, {"x": {OK: 170.0}, "y": {OK: 5e4 + 10}, "z": {OK: 13.0}}, **PAGE)
    assert r.counted == (60 + 3 + 10 + 10 + 10, 0)


def test_a_process_on_the_very_first_page_is_a_baseline(begin: Begin) -> None:
    r = begin()
    assert told(r.polls(0, {"x": {OK: 100.0}}, **PAGE)) == {("baseline", "first_look")}
    r.polls(10, {"x": {OK: 107.0}}, **PAGE)
    assert r.counted == (7, 0)


@pytest.mark.parametrize("created", [T + 15.0, T - 500.0])
def test_a_process_that_appears_says_by_created_when_it_began(begin: Begin, created: float) -> None:
    r = begin()
    for k in range(2):
        r.polls(10.0 * k, {"x": {OK: 100.0}}, **PAGE)
    r.polls(20, {"x": {OK: 100.0}, "y": {OK: 7.0}}, created=created, **PAGE)
    assert r.counted == (7 if created > T else 0, 0)


def test_the_page_was_looked_at_while_a_process_was_away(begin: Begin) -> None:
    r = begin()
    for k in range(6):
        r.polls(10.0 * k, {"x": {OK: 1000.0 + 10 * k}, "y": {OK: 1.0}}, **PAGE)
    for k in range(6, 9):
        r.polls(10.0 * k, {"y": {OK: 1.0}}, **PAGE)
    # As little as the time since its last look makes.
    r.polls(90, {"x": {OK: 12.0, ERROR: 1.0}, "y": {OK: 1.0}}, **PAGE)
    assert r.counted == (50 + 12, 1)
