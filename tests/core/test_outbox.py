"""The outbox: at least once, in order for each alert, one dead endpoint holds up no other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import outbox as module
from exporter.core.alert import Alert, State
from exporter.core.notification import Notification, Reason
from exporter.core.outbox import Entry, Outbox, Route

HOOK = Route("hook", "hook a")
PAGES = Route("pages", "pages b", ("page",))
MANAGER = Route("am", "am c", (), 60.0)


def note(alert: str = "x", severity: str = "page", key: str = "1") -> Notification:
    labels = {"slo": alert, "severity": severity}
    return Notification(f"{alert}-{key}", alert, Reason.FIRING, labels, {}, 1.0, None)


def test_everyone_hears_what_they_take() -> None:
    box = Outbox([HOOK, PAGES])
    box.put(note(severity="ticket"), 0.0)
    assert [box.waiting(e) for e in ("hook a", "pages b", "nobody")] == [1, 0, 0]
    assert box.next_due("hook a") == 0.0
    assert box.next_due("pages b") is None


def test_a_dead_endpoint_holds_up_no_other() -> None:
    box = Outbox([HOOK, PAGES])
    box.put(note(), 0.0)
    box.failed(box.due("hook a", 0.0)[0], 0.0, 0.9, None)
    assert box.due("hook a", 0.0) == []
    [entry] = box.due("pages b", 0.0)
    box.delivered(entry, 0.0)
    assert box.waiting("pages b") == 0


def test_a_clock_that_is_set_back_makes_nobody_wait_longer() -> None:
    box = Outbox([HOOK])
    box.put(note(), 1000.0)
    pause = box.failed(box.due("hook a", 1000.0)[0], 1000.0, 0.5, None)
    box.shift(-900.0)
    assert box.next_due("hook a") == 100.0 + pause


def test_a_later_word_on_an_alert_waits_for_the_earlier_one() -> None:
    box = Outbox([HOOK])
    box.put(note("x", key="fires"), 0.0)
    box.put(note("x", key="ends"), 1.0)
    box.put(note("y"), 1.0)
    [first, other] = box.due("hook a", 1.0)
    assert (first.notification.key, other.notification.key) == ("x-fires", "y-1")
    box.failed(first, 1.0, 0.0, None)
    box.delivered(other, 1.0)
    assert box.due("hook a", 1.2) == []
    box.delivered(box.due("hook a", 9.0)[0], 9.0)
    assert [e.notification.key for e in box.due("hook a", 9.0)] == ["x-ends"]


@given(st.integers(0, 50), st.floats(0, 1, exclude_max=True))
def test_the_first_retry_comes_within_a_second_and_the_others_at_most_a_minute_apart(
    attempts: int, jitter: float
) -> None:
    box = Outbox([HOOK])
    box.put(note(), 0.0)
    entry = box.due("hook a", 0.0)[0]
    pause = box.failed(replace(entry, attempts=attempts), 100.0, jitter, None)
    assert 0.0 < pause <= (1.0 if attempts == 0 else 60.0)
    assert box.entries()[0].due == 100.0 + pause


def test_retry_after_is_honoured_up_to_an_hour() -> None:
    box = Outbox([HOOK])
    box.put(note(), 0.0)
    entry = box.due("hook a", 0.0)[0]
    assert box.failed(entry, 0.0, 0.0, 120.0) == 120.0
    assert box.failed(entry, 0.0, 0.0, 1e9) == 3600.0


def test_what_was_refused_for_good_is_gone() -> None:
    box = Outbox([HOOK])
    box.put(note(), 0.0)
    entry = box.due("hook a", 0.0)[0]
    box.given_up(entry)
    assert box.entries() == []
    assert box.failed(entry, 0.0, 0.0, None) > 0
    assert box.entries() == []


def test_a_save_is_told_what_came_and_what_went_and_a_restart_takes_it_back() -> None:
    box = Outbox([HOOK, PAGES])
    box.put(note(), 0.0)
    assert len(box.changed) == 2
    kept = list(box.changed.values())
    box.saved()
    box.delivered(box.due("hook a", 0.0)[0], 0.0)
    assert (list(box.changed), box.gone) == ([], {"hook a x-1"})

    again = Outbox([HOOK])
    again.load([replace(e, due=1e12) for e in kept])
    assert [e.endpoint for e in again.due("hook a", 0.0)] == ["hook a"]
    assert again.gone == {"pages b x-1"}


def test_what_waits_for_a_receiver_that_is_no_more_is_dropped_and_counted() -> None:
    box = Outbox([HOOK, PAGES])
    box.put(note(), 0.0)
    assert box.configure([PAGES]) == 1
    assert [e.endpoint for e in box.entries()] == ["pages b"]
    assert "hook a x-1" in box.gone


def test_a_full_queue_is_told_and_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_QUEUED", 1)
    box = Outbox([HOOK])
    assert box.put(note("x"), 0.0) == []
    assert box.put(note("y"), 0.0) == [HOOK]
    assert box.waiting("hook a") == 1


def firing(said: bool = True) -> Alert:
    labels = {"slo": "x", "severity": "page"}
    return Alert(labels, {}, state=State.FIRING, since=1.0, said=said)


def test_a_level_triggered_receiver_hears_again_while_an_alert_fires() -> None:
    box = Outbox([HOOK, MANAGER])
    alert = firing()
    box.resend([alert], 100.0)
    assert (box.waiting("hook a"), box.waiting("am c")) == (0, 1)
    box.resend([alert], 101.0)
    assert box.waiting("am c") == 1
    box.delivered(box.due("am c", 101.0)[0], 101.0)
    box.resend([alert], 160.0)
    assert box.waiting("am c") == 0
    box.resend([alert], 161.0)
    [entry] = box.due("am c", 161.0)
    assert entry.notification.reason is Reason.RESEND


def test_a_level_triggered_receiver_hears_of_a_resolved_alert_for_five_minutes() -> None:
    box = Outbox([MANAGER])
    alert = replace(firing(), state=State.INACTIVE, said=False, ended=1000.0)
    box.resend([alert], 1200.0)
    [entry] = box.due("am c", 1200.0)
    assert entry.notification.ends_at == 1000.0
    box.delivered(entry, 1200.0)
    box.resend([alert], 1301.0)
    assert box.entries() == []
    box.resend([replace(alert, ended=None)], 1301.0)
    assert box.entries() == []


def test_what_was_not_said_and_what_is_not_taken_is_not_sent_again() -> None:
    box = Outbox([HOOK])
    box.resend([firing()], 100.0)
    tickets = Outbox([replace(MANAGER, severities=("ticket",))])
    tickets.resend([firing()], 100.0)
    quiet = Outbox([MANAGER])
    quiet.resend([firing(said=False)], 100.0)
    assert box.entries() + tickets.entries() + quiet.entries() == []


def test_an_entry_is_known_by_endpoint_and_message() -> None:
    assert Entry("a", "b", note()).attempts == 0
