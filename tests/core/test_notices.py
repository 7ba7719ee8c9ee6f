"""Notices: said once, taken back at their end, neither forgotten nor repeated by a restart."""

from __future__ import annotations

import pytest

from exporter.core.engine import Engine
from exporter.core.notices import REMEMBERED, Notice
from exporter.core.outbox import Route
from tests.core.builders import T, engine, packed, said

HOUR = 3600.0
ONE = Notice("one", {"alertname": "GateOverride", "state": "one"}, {"summary": "s"}, T, T + HOUR)
FIRING, RESOLVED = ("firing", "GateOverride one"), ("resolved", "GateOverride one")


def restarted(of: Engine) -> Engine:
    again = engine()
    again.notices.load(packed(of.notices.dump()))
    return again


def test_a_notice_is_said_once_and_taken_back_at_its_end() -> None:
    e = engine()
    e.notices.put(ONE)
    e.notices.put(ONE)
    assert said(e, T + 5) == [FIRING]
    assert said(e, T + HOUR - 1) == []
    assert said(e, T + HOUR) == [RESOLVED]
    e.notices.put(ONE)
    assert said(e, T + HOUR + 1) == []


def test_it_began_when_it_says_it_did() -> None:
    e = engine()
    e.notices.put(ONE)
    [notification] = e.tick(T + 5).said
    assert notification.starts_at == T


def test_one_may_be_ended_before_its_time() -> None:
    e = engine()
    e.notices.put(ONE)
    said(e, T)
    e.notices.end("one", T + 60)
    e.notices.end("unknown", T + 60)
    assert said(e, T + 60) == [RESOLVED]


def test_one_that_was_over_before_anybody_looked_is_said_and_taken_back() -> None:
    e = engine()
    e.notices.put(ONE)
    assert said(e, T + 2 * HOUR) == [FIRING]
    assert said(e, T + 2 * HOUR + 1) == [RESOLVED]


@pytest.mark.parametrize("before", [0, 1, 2])
def test_a_restart_neither_forgets_nor_repeats(before: int) -> None:
    e = engine()
    e.notices.put(ONE)
    heard = [x for now in (T, T + HOUR)[:before] for x in said(e, now)]
    e = restarted(e)
    e.notices.put(ONE)
    heard += [x for now in (T, T + HOUR)[before:] for x in said(e, now)]
    assert heard == [FIRING, RESOLVED]


def test_a_level_triggered_receiver_hears_of_it_again() -> None:
    e = engine(routes=[Route("am", "am", resend=60.0)])
    e.notices.put(ONE)
    for now in (T, T + 70):
        e.tick(now)
        for entry in e.outbox.due("am", now):
            e.outbox.delivered(entry, now)
    e.tick(T + 140)
    assert e.outbox.waiting("am") == 1


def test_long_after_its_end_it_is_forgotten_and_that_is_to_be_saved() -> None:
    e = engine()
    e.notices.put(ONE)
    said(e, T)
    said(e, T + HOUR)
    e.notices.changed = False
    said(e, T + HOUR + 1)
    assert not e.notices.changed
    said(e, T + HOUR + REMEMBERED + 1)
    assert e.notices.changed
    assert list(e.notices.alerts()) == []


def test_one_may_be_for_some_receivers_only_also_after_a_restart() -> None:
    routes = [Route("hook", "hook"), Route("am", "am", resend=10.0)]
    e = engine(routes=routes)
    e.notices.put(Notice("one", {"alertname": "x"}, {}, T, T + HOUR, ("hook",)))
    e.tick(T)
    again = engine(routes=routes)
    again.notices.load(packed(e.notices.dump()))
    for one in (e, again):
        one.tick(T + 60)
        one.tick(T + HOUR)
        assert one.outbox.waiting("am") == 0
    assert (e.outbox.waiting("hook"), again.outbox.waiting("hook")) == (2, 1)


def test_it_may_be_put_into_other_words_that_its_end_is_told_with() -> None:
    e = engine()
    e.notices.put(ONE)
    e.tick(T)
    e.notices.changed = False
    e.notices.reword("one", ONE.annotations)
    e.notices.reword("unknown", {"summary": "nobody"})
    assert not e.notices.changed
    e.notices.reword("one", {"summary": "more by now"})
    assert e.notices.changed
    assert e.tick(T + 1).said == []
    [over] = e.tick(ONE.until + 1).said
    assert over.annotations == {"summary": "more by now"}
