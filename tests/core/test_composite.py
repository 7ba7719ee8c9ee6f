"""SLOs made of other SLOs: every event once, as often as it weighs, whatever comes late."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.core import composite
from exporter.core.engine import Engine
from exporter.core.exclusion import Exclusion
from exporter.core.indicator import describe
from exporter.core.selector import Matcher, parse_matchers
from exporter.core.slo import SLO, CompositeSLI
from tests.core.builders import (
    ERROR,
    OK,
    STEPS,
    T,
    aged,
    batch,
    counted,
    engine,
    feed,
    packed,
    rule,
    show,
    slo,
    status,
)

HOUR = 3600.0
SAID = {"alertname": "SLIDataMissing", "service": "shop", "severity": "ticket"}


def whole(*parts: tuple[str, float], **more: Any) -> SLO:
    return slo("all", CompositeSLI(parts), source="", **more)  # type: ignore[arg-type]


def made(*parts: tuple[str, float], **more: Any) -> Engine:
    """SLOs `a` and `b` of two sources, and one made of these parts."""
    parts = parts or (("a", 1.0), ("b", 1.0))
    return engine(slo("a", source="one"), slo("b", source="two"), whole(*parts, **more))


def poll(e: Engine, at: float, source: str, ok: float, error: float, target: str = "x") -> None:
    e.ingest(batch(e, at, {target: {OK: ok, ERROR: error}}, source=source))
    e.tick(at)


def test_the_events_of_all_parts_are_its_own() -> None:
    e = made()
    for source in ("one", "two"):
        poll(e, T, source, 0, 0)
    poll(e, T + 10, "one", 90, 10)
    poll(e, T + 10, "two", 40, 0)
    assert counted(e, "all") == (130, 10)
    s = status(e, T + 10, "all")
    assert s.windows[-1].good == 130 and s.windows[-1].bad == 10


def test_an_event_counts_as_often_as_it_weighs() -> None:
    e = made(("a", 3.0), ("b", 0.5))
    for source in ("one", "two"):
        poll(e, T, source, 0, 0)
    poll(e, T + 10, "one", 90, 10)
    poll(e, T + 10, "two", 40, 2)
    assert counted(e, "all") == (3 * 90 + 20, 31)


def test_time_without_events_is_known_and_holds_none() -> None:
    e = made()
    for at in (T, T + 10, T + 20):
        for source in ("one", "two"):
            poll(e, at, source, 5, 0)
    assert counted(e, "all") == (0, 0)
    assert e.accounts["all"].memory.instances[()].ledger.coverage(T, T + 20) == 1.0


Round = tuple[str, int, int, float, str]


@example(
    [("one", 0, 0, 1.0, "x")] * 3
    + [("two", 0, bad, 1.0, target) for target, bad in (("x", 0), ("y", 0), ("y", 1), ("x", 1))],
    False,
)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["one", "two"]),
            st.integers(0, 50),
            st.integers(0, 5),
            st.sampled_from([1.0, 7.0, 10.0, 400.0]),
            st.sampled_from(["x", "y"]),
        ),
        max_size=40,
    ),
    st.booleans(),
)
def test_whoever_comes_late_and_whatever_restarts_no_event_is_lost_or_comes_twice(
    rounds: list[Round], restart: bool
) -> None:
    e, now = made(), T
    seen: dict[tuple[str, str], list[int]] = {}
    for i, (source, good, bad, seconds, target) in enumerate(rounds):
        now += seconds
        sums = seen.setdefault((source, target), [0, 0])
        sums[0], sums[1] = sums[0] + good, sums[1] + bad
        poll(e, now, source, *sums, target=target)
        if restart and i == len(rounds) // 2:
            again = made()
            for name in e.accounts:
                assert again.restore(name, packed(e.dump(name)), []) is None
            e = again
    e.tick(now)
    # Now and then a part waits for the other: once both have been looked at all is there.
    for k in (1, 2):
        for (source, target), sums in seen.items():
            poll(e, now + 10 * k, source, *sums, target=target)
    a, b = counted(e, "a"), counted(e, "b")
    assert counted(e, "all") == pytest.approx((a[0] + b[0], a[1] + b[1]))


def test_history_that_was_there_before_is_read_off_the_ledgers() -> None:
    parts = slo("a", source="one"), slo("b", source="two")
    e = engine(*parts)
    failed = 0
    for k in range(4000):
        # Errors come and go, so that there are many points.
        failed += 5 if 300 <= k < 400 or k % 3 == 1 else 0
        poll(e, T + 60 * k, "one", 100 * k, 0)
        poll(e, T + 60 * k, "two", 100 * k, failed)
    now = T + 60 * 3999
    e.configure([*parts, whole(("a", 1.0), ("b", 1.0))], [])
    e.tick(now)
    assert e.accounts["all"].behind
    assert e.status(now).unknown["all"] == "its history is being fetched"
    for _ in range(5):
        e.tick(now)
    assert not e.accounts["all"].behind
    assert counted(e, "all") == pytest.approx((2 * 399_900, failed))
    mine, part = (e.accounts[name].memory.instance(()).ledger for name in ("all", "b"))
    # At any moment it says what its parts say, to what thinning it again may lose.
    for k in range(0, 3990, 7):
        start, end = T + 60 * k, T + 60 * (k + 5)
        off = abs(mine.counts(start, end).bad - part.counts(start, end).bad)
        assert off <= 2e-3 * part.counts(start, now).bad + 1e-6, k
    assert mine.coverage(T, now) == pytest.approx(1.0)


def test_of_hundreds_of_thousands_of_points_some_are_put_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(composite, "_STEPS", 100)
    e = engine(slo("a", source="one"))
    for k in range(2000):
        poll(e, T + 60 * k, "one", 100 * k, 7 * (k // 2))
    e.configure([slo("a", source="one"), whole(("a", 1.0))], [])
    e.tick(T + 60 * 1999)
    assert not e.accounts["all"].behind
    assert counted(e, "all") == pytest.approx((199_900, 6993))
    assert len(e.drain()["all"]) < 300


def test_what_parts_have_forgotten_is_no_news() -> None:
    short = slo("a", source="one", period="1h")
    e = engine(short)
    for k in range(400):
        poll(e, T + 60 * k, "one", 100 * k, 50 * min(k, 100))
    now = T + 60 * 399
    e.configure([short, whole(("a", 1.0), period="1h", rules=(rule("page", "5m", "1m", 2.0),))], [])
    for _ in range(5):
        said = e.tick(now).said
        assert said == []
    assert status(e, now, "all").windows[-1].bad == pytest.approx(0.0, abs=1e-6)


EVERYBODY: tuple[Matcher, ...] = ()
OUTAGE = (T + 30 * 60, T + 60 * 60 + 45)


def shop() -> Engine:
    """Three hours of two parts, of which one was down for half an hour; both before `all`."""
    parts = slo("a", source="one"), slo("b", source="two")
    e = engine(*parts)
    sums = {"one": [0, 0], "two": [0, 0]}
    for k in range(3 * 240):
        now = T + 15 * (k + 1)
        for source, both in sums.items():
            both[source == "one" and OUTAGE[0] < now <= OUTAGE[1]] += 1500
            poll(e, now, source, *both)
    e.configure([*parts, whole(("a", 1.0), ("b", 2.0), rules=(rule("page", "3h", "3h", 1.0),))], [])
    return e


def down(*names: str, where: str = "") -> Exclusion:
    matchers = parse_matchers(where) if where else EVERYBODY
    return Exclusion("down", matchers, (OUTAGE,))


def bad(e: Engine, name: str = "all") -> float:
    return status(e, T + 3 * HOUR, name).windows[-1].bad


def test_what_is_excluded_of_everything_is_excluded_of_its_history() -> None:
    e = shop()
    e.exclude([down()])
    for k in range(5):
        e.tick(T + 3 * HOUR + k)
    assert bad(e, "a") == bad(e) == pytest.approx(0.0, abs=1e-6)
    e.exclude([])
    e.tick(T + 3 * HOUR + 5)
    assert bad(e) == pytest.approx(bad(e, "a"))


def test_what_is_excluded_of_a_part_alone_is_left_out_and_pages_nobody() -> None:
    e = shop()
    e.exclude([down(where='slo="a"')])
    said = [n for k in range(5) for n in e.tick(T + 3 * HOUR + k).said]
    assert said == []
    assert bad(e, "a") == bad(e) == pytest.approx(0.0, abs=1e-6)
    mine = e.accounts["all"].memory.instance(()).ledger
    # The other part's events count on, and the counter goes on with all of them.
    assert mine.counts(*OUTAGE).total == pytest.approx(2 * 100 * 1845)
    assert counted(e, "all")[1] == pytest.approx(184_500)
    assert mine.unadjusted(*OUTAGE).bad == pytest.approx(184_500)
    # It holds for what comes, too, and after a restart; and it can be taken back.
    again = engine(*(account.slo for account in e.accounts.values()))
    for name in e.accounts:
        assert again.restore(name, packed(e.dump(name)), []) is None
    again.exclude([down(where='slo="a"')])
    again.tick(T + 3 * HOUR + 6)
    assert bad(again) == pytest.approx(0.0, abs=1e-6)
    again.exclude([])
    [page] = again.tick(T + 3 * HOUR + 7).said
    assert page.labels["slo"] == "all"
    assert bad(again) == pytest.approx(184_500)


def test_an_exclusion_of_a_part_that_is_added_to_meanwhile_is_read_anew() -> None:
    e = shop()
    e.exclude([Exclusion("later", parse_matchers('slo="a"'), ((T + 3 * HOUR, T + 4 * HOUR),))])
    for _ in range(3):
        e.tick(T + 3 * HOUR)
    before = bad(e)
    for k in range(1, 5):
        for source in ("one", "two"):
            poll(e, T + 3 * HOUR + 15 * k, source, 2_000_000, 1_000_000 + 1000 * k)
    late = e.accounts["all"].memory.instance(()).ledger
    part = e.accounts["a"].memory.instance(()).ledger
    assert part.counts(T + 3 * HOUR, T + 3 * HOUR + 60).bad == 0
    assert late.counts(T + 3 * HOUR + 15, T + 3 * HOUR + 60).bad == pytest.approx(2 * 3000)
    assert before == pytest.approx(184_500)


def test_a_part_that_is_silent_for_long_holds_up_nobody_and_is_not_known() -> None:
    e = made()
    for k in range(100):
        poll(e, T + 10 * k, "one", 10 * k, 0)
        if k < 50:
            poll(e, T + 10 * k, "two", 10 * k, 0)
    assert counted(e, "all") == (990 + 490, 0)
    assert in_window_of(e, T + 990) < 0.7
    poll(e, T + 1000, "two", 1000, 7)
    poll(e, T + 1010, "one", 1010, 0)
    poll(e, T + 1010, "two", 1010, 7)
    assert counted(e, "all") == (1010 + 1010, 7)


def in_window_of(e: Engine, now: float) -> float:
    start = now - 990
    return e.accounts["all"].memory.instance(()).ledger.coverage(start, now)


def test_a_part_that_never_came_leaves_the_rest_unknown_but_counted() -> None:
    e = made()
    poll(e, T, "one", 0, 0)
    poll(e, T + 10, "one", 90, 10)
    assert counted(e, "all") == (90, 10)
    assert e.accounts["all"].memory.instance(()).ledger.coverage(T, T + 10) == 0


def test_without_any_data_nothing_happens() -> None:
    e = made()
    e.tick(T)
    assert counted(e, "all") == (0, 0)
    assert e.status(T).unknown["all"] == "there is no data yet"


def test_while_the_history_of_a_part_is_fetched_it_waits() -> None:
    e = made()
    poll(e, T, "one", 0, 0)
    e.behind("two", ["b"], T)
    poll(e, T + 10, "one", 90, 10)
    assert e.accounts["all"].behind and counted(e, "all") == (0, 0)
    e.behind("two", [], T + 20)
    poll(e, T + 20, "one", 90, 10)
    assert counted(e, "all") == (90, 10)


def test_groups_of_a_part_come_together() -> None:
    e = engine(slo("a", group_by=("instance",)), whole(("a", 1.0)))
    for at, ok in ((T, 0.0), (T + 10, 30.0)):
        e.ingest(batch(e, at, {"x": {OK: ok, ERROR: 0.0}, "y": {OK: 2 * ok, ERROR: 0.0}}))
        e.tick(at)
    assert counted(e, "all") == (90, 0)


def test_a_part_that_begins_anew_is_taken_from_zero() -> None:
    e = engine(slo("a"), whole(("a", 1.0)))
    feed(e, T, {OK: 0.0})
    feed(e, T + 10, {OK: 100.0})
    e.tick(T + 10)
    e.configure([slo("a", group_by=("instance",)), whole(("a", 1.0))], [])
    e.configure([slo("a"), whole(("a", 1.0))], [])
    feed(e, T + 20, {OK: 100.0})
    feed(e, T + 30, {OK: 140.0})
    e.tick(T + 30)
    assert counted(e, "all") == (140, 0)


def test_it_follows_a_clock_that_is_set_back() -> None:
    e = engine(slo("a"), whole(("a", 1.0)))
    feed(e, T, {OK: 0.0})
    feed(e, T + 10, {OK: 100.0})
    e.tick(T + 10)
    back = T - HOUR
    feed(e, back + 20, {OK: 110.0})
    e.tick(back + 20)
    feed(e, back + 30, {OK: 120.0})
    e.tick(back + 30)
    assert counted(e, "all") == (120, 0)
    assert status(e, back + 30, "all").windows[-1].good == pytest.approx(120)


def test_its_alerts_and_its_policy_are_its_own() -> None:
    e = aged(made(objective=0.9, period="1h", rules=(rule("page", "5m", "1m", 5.0),), steps=STEPS))
    for source in ("one", "two"):
        poll(e, T, source, 0, 0)
    e.ingest(batch(e, T + 10, {"x": {OK: 0.0, ERROR: 100.0}}, source="one"))
    e.ingest(batch(e, T + 10, {"x": {OK: 0.0, ERROR: 0.0}}, source="two"))
    said = {n.labels["alertname"] for n in e.tick(T + 10).said if n.labels["slo"] == "all"}
    assert said == {"ErrorBudgetBurn", "ErrorBudgetPolicy"}
    heard = [n for k in range(10) for n in e.tick(T + 10 + 50 * k).said]
    [words] = [n.annotations for n in heard if n.labels == {**SAID, "slo": "all"}]
    assert "No sample of the SLI came to the SLOs it is made of" in words["description"]


def test_it_says_what_it_is_made_of() -> None:
    found = describe(CompositeSLI((("a", 3.0), ("b", 1.0))), 15.0, show)
    assert found.text == "Events are those of a (3 times) and b."
    assert describe(CompositeSLI((("a", 1.0),)), 15.0, show).text == "Events are those of a."
