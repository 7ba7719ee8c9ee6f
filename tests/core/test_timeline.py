"""Events: how long they matter, what they spent, and when a change is to blame."""

from __future__ import annotations

from math import comb, inf
from statistics import NormalDist
from typing import Any

import pytest

from exporter.core import proportions
from exporter.core.instance import Instance
from exporter.core.ledger import Counts
from exporter.core.timeline import Event, Span, Spans, blame, cost
from tests.core.builders import T, slo

HOUR, DAY = 3600.0, 86_400.0


def event(start: float = T, **more: Any) -> Event:
    fields: dict[str, Any] = {
        "id": "1",
        "origin": "api",
        "kind": "deploy",
        "name": "v2",
        "service": "shop",
        "slos": (),
        "end": None,
        "link": "",
        "by": "anna",
        "at": start,
    }
    return Event(start=start, **{**fields, **more})


# --- which share is larger ----------------------------------------------------------------------


def test_many_events_are_compared_by_the_pooled_z_test() -> None:
    # By hand: pooled 150 / 2000, z = 0.05 / sqrt(0.075 * 0.925 * 0.002) = 4.24476.
    found = proportions.larger(Counts(900.0, 100.0), Counts(950.0, 50.0))
    assert found == pytest.approx(NormalDist().cdf(-4.24476), rel=1e-4)
    assert proportions.larger(Counts(950.0, 50.0), Counts(900.0, 100.0)) == pytest.approx(1 - found)


def test_few_events_are_compared_exactly() -> None:
    # Of 20 events of which 5 are bad, 10 drawn hold 4 or 5.
    found = proportions.larger(Counts(6.0, 4.0), Counts(9.0, 1.0))
    ways = sum(comb(5, k) * comb(15, 10 - k) for k in (4, 5)) / comb(20, 10)
    assert found == pytest.approx(ways)
    assert proportions.larger(Counts(0.0, 3.0), Counts(0.0, 2.0)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("after", "before"),
    [
        (Counts(0, 0), Counts(10, 10)),
        (Counts(10, 10), Counts(0, 0)),
        (Counts(10, 0), Counts(10, 0)),
        (Counts(0, 50), Counts(0, 50)),
    ],
)
def test_where_nothing_can_be_compared_nothing_is_larger(after: Counts, before: Counts) -> None:
    assert proportions.larger(after, before) == 1


# --- how long an event matters ------------------------------------------------------------------


def matter(events: list[Event], effect: float, now: float) -> list[tuple[Event, Span]]:
    return Spans(events, effect).between(-inf, inf, now)


def span(one: Event, every: list[Event], effect: float, now: float) -> tuple[float, float]:
    return next(found for e, found in matter([one, *every], effect, now) if e is one)


def test_a_change_has_an_effect_until_the_next_one_of_its_service() -> None:
    one = event()
    others = [one, event(T + 600, service="other"), event(T + 1200, kind="incident"), event(T + 60)]
    assert span(one, others[:3], HOUR, T + DAY) == (T, T + HOUR)
    assert span(one, others, HOUR, T + DAY) == (T, T + 60)
    assert span(event(end=T + 7), others, HOUR, T) == (T, T + 7)


def test_an_incident_without_an_end_goes_on() -> None:
    one = event(kind="incident")
    assert span(one, [one], HOUR, T + DAY) == (T, T + DAY)
    assert span(one, [one], HOUR, T - 1) == (T, T)


def test_an_event_is_for_its_slos_or_else_for_those_of_its_service() -> None:
    whole, named = event(1.0), event(2.0, slos=("a", "a", "c"), service="")
    spans = Spans([whole, named], HOUR)

    def of(slo: str, service: str) -> list[float]:
        return [one.start for one, _ in spans.of(slo, service, 0, T, T)]

    assert of("a", "shop") == [2, 1]
    assert (of("b", "shop"), of("c", "other"), of("b", "")) == ([1], [2], [])


def test_only_what_touches_the_time_asked_for_matters() -> None:
    spans = Spans([event(T, end=T + 60)], HOUR)
    asked = [(T - 2, T - 1), (T - 2, T), (T + 60, T + 70), (T + 61, T + 70)]
    assert [len(spans.between(a, b, T)) for a, b in asked] == [0, 1, 1, 0]
    assert [len(spans.of("a", "shop", a, b, T)) for a, b in asked] == [0, 1, 1, 0]


def test_the_newest_comes_first() -> None:
    found = matter([event(1.0), event(3.0), event(2.0)], HOUR, T)
    assert [e.start for e, _ in found] == [3, 2, 1]


# --- what it spent ------------------------------------------------------------------------------


def running(before: float, after: float) -> Instance:
    """100 events a second for a day and an hour; these shares fail before T and after it."""
    out = Instance(slo(objective=0.99, period="30d"), {}, 60.0)
    for minute in range(-24 * 60, 60):
        start, share = T + 60 * minute, after if minute >= 0 else before
        out.ledger.add(start, start + 60, 6000 * (1 - share), 6000 * share)
    return out


def test_a_cost_is_a_share_of_the_budget_and_what_is_above_the_burn_before() -> None:
    one = running(0.001, 0.05)
    found = cost(one.slo, one, T, T + HOUR, T + HOUR)
    assert (found.slo, found.title) == ("slo", "slo")
    assert found.bad == pytest.approx(18_000) and found.total == pytest.approx(360_000)
    # Of the whole period, at the pace of the 25 hours that are known.
    budget = 0.01 * 30 * 24 * 360_000
    assert found.share == pytest.approx(18_000 / budget)
    assert found.seconds == pytest.approx(18_000 / budget * 30 * DAY)
    assert found.more == pytest.approx((18_000 - 360) / budget, rel=1e-3)


def test_what_is_yet_to_come_costs_nothing() -> None:
    one = running(0.001, 0.05)
    assert cost(one.slo, one, T + HOUR, T + DAY, T + HOUR).bad == 0
    assert cost(one.slo, one, T, T + DAY, T + HOUR / 2).bad == pytest.approx(9000)


def test_without_events_no_share_is_known() -> None:
    one = Instance(slo(), {}, 60.0)
    found = cost(one.slo, one, T, T + HOUR, T + HOUR)
    assert (found.bad, found.share, found.seconds, found.more) == (0, None, None, None)
    one.ledger.add(T, T + 60, 10, 1)
    assert cost(one.slo, one, T, T + HOUR, T + HOUR).more is None


# --- who is to blame ----------------------------------------------------------------------------


def blamed(before: float, after: float, now: float = T + HOUR, fewest: float = 5) -> Any:
    one = running(before, after)
    return blame(one.slo, one, T, T + HOUR, now, 0.001, fewest)


def test_a_change_that_burns_significantly_more_is_to_blame() -> None:
    found = blamed(0.001, 0.05)
    assert (found.slo, found.title, found.at) == ("slo", "slo", T + HOUR)
    assert (found.before, found.after) == pytest.approx((0.1, 5.0), rel=1e-3)
    assert found.p < 1e-6 and found.severity == "ticket"
    assert found.spent == pytest.approx(0.2 * 25 / (30 * 24))


def test_one_that_would_wake_somebody_is_a_page() -> None:
    assert blamed(0.0, 0.2).severity == "page"


@pytest.mark.parametrize(
    ("before", "after", "more"),
    [
        (0.05, 0.05, {}),
        (0.0, 0.009, {}),
        (0.001, 0.05, {"fewest": 20_000}),
        (0.001, 0.05, {"now": T}),
        (0.0499, 0.05, {}),
    ],
)
def test_what_is_no_worse_too_little_or_only_chance_is_not(
    before: float, after: float, more: dict[str, float]
) -> None:
    assert blamed(before, after, **more) is None


def test_without_events_nobody_is_to_blame() -> None:
    one = Instance(slo(), {}, 60.0)
    assert blame(one.slo, one, T, T + HOUR, T + HOUR, 0.001, 0) is None


def test_without_anything_before_it_is_not_known_who_is() -> None:
    one = Instance(slo(objective=0.9), {}, 60.0)
    one.ledger.add(T, T + 60, 0, 1000)
    assert blame(one.slo, one, T, T + HOUR, T + HOUR, 0.001, 0) is None
