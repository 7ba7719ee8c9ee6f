"""One SLO instance for each combination of label values, and no more than there may be."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from exporter.core.engine import Engine
from exporter.core.selector import parse_selector
from exporter.core.slo import GaugeSLI
from tests.core.builders import T, aged, engine, feed, rule, said, slo, status, wait


def page(**totals: tuple[float, float]) -> dict[str, float]:
    """Good and bad requests so far, by route."""
    out = {}
    for route, (good, bad) in totals.items():
        out[f'http_requests_total{{code="200",route="{route}"}}'] = good
        out[f'http_requests_total{{code="500",route="{route}"}}'] = bad
    return out


def by_route(e: Engine, now: float = T) -> Mapping[str, tuple[float, float]]:
    return {s.labels["route"]: (s.good_total, s.bad_total) for s in e.status(now).slos}


ROUTES = slo(group_by=("route",), labels={"team": "red"}, period="1h")


def test_a_grouped_slo_has_no_instance_before_there_is_a_group() -> None:
    e = engine(ROUTES)
    assert e.status(T).slos == ()
    feed(e, T, {})
    assert e.status(T).slos == ()


def test_each_group_counts_for_itself_under_its_own_labels() -> None:
    e = engine(ROUTES)
    feed(e, T, page(cart=(0, 0), pay=(0, 0)))
    feed(e, T + 10, page(cart=(5, 1), pay=(7, 0)))
    assert by_route(e) == {"cart": (5, 1), "pay": (7, 0)}
    assert e.status(T).slos[0].labels == {"team": "red", "route": "cart"}


def test_a_label_that_is_absent_groups_as_the_empty_string() -> None:
    e = engine(ROUTES)
    feed(e, T, {"http_requests_total": 0.0})
    feed(e, T + 10, {"http_requests_total": 4.0})
    assert by_route(e) == {"": (4, 0)}


def test_a_group_that_appears_later_is_born_at_zero() -> None:
    e = engine(ROUTES)
    feed(e, T, page(cart=(100, 0)))
    feed(e, T + 10, page(cart=(100, 0), pay=(3, 2)))
    assert by_route(e) == {"cart": (0, 0), "pay": (3, 2)}


def test_groups_over_the_cap_are_told_and_nothing_else_breaks() -> None:
    e = engine(slo(group_by=("route",), max_groups=2), slo("whole"))
    many = {f"r{i}": (0.0, 0.0) for i in range(50)}
    taken = feed(e, T, page(**many))
    assert len(e.accounts["slo"].memory.instances) == 2
    assert taken.over_cap == {(f"r{i}",) for i in range(2, 50)}
    taken = feed(e, T + 10, page(**dict.fromkeys(many, (3.0, 1.0))))
    assert len(taken.over_cap) == 48
    slos = e.status(T + 10).slos
    assert [(s.good_total, s.bad_total) for s in slos] == [(3, 1), (3, 1), (150, 50)]


def test_a_group_that_gets_a_free_place_does_not_bring_its_past() -> None:
    e = engine(slo(group_by=("route",), max_groups=1, period="1h"))
    feed(e, T, page(cart=(0, 0), pay=(0, 0)))
    feed(e, T + 10, page(cart=(1, 0), pay=(500, 0)))
    e.tick(T + 10)
    for i in range(2, 500):
        feed(e, T + 10 * i, page(pay=(500.0 + i, 0)))
        e.tick(T + 10 * i)
    assert set(by_route(e)) == {"pay"}
    # From the poll on that followed four without the other one.
    assert by_route(e)["pay"][0] == 494


def test_a_gone_group_is_forgotten_when_no_window_reaches_it() -> None:
    e = engine(ROUTES)
    feed(e, T, page(cart=(0, 0), pay=(0, 0)))
    e.tick(T)
    for minute in range(1, 130):
        feed(e, T + 60 * minute, page(pay=(float(minute), 0)))
        e.tick(T + 60 * minute)
        if minute == 59:
            assert set(by_route(e)) == {"cart", "pay"}
    assert set(by_route(e)) == {"pay"}


def test_one_group_pages_without_the_others() -> None:
    e = engine(slo(group_by=("route",), rules=(rule("page", "10m", "1m", 14.4),)))
    feed(e, T, page(cart=(0, 0), pay=(0, 0)))
    aged(e)
    feed(e, T + 10, page(cart=(0, 9), pay=(900, 0)))
    assert [n.labels["route"] for n in e.tick(T + 10).said] == ["cart"]
    firing = {s.labels["route"]: s.rules[0].firing for s in e.status(T + 10).slos}
    assert firing == {"cart": True, "pay": False}


def test_a_group_of_which_only_nan_was_seen_is_none() -> None:
    gauge = GaugeSLI(parse_selector("up"), ">=", 1.0)
    e = engine(slo(sli=gauge, group_by=("instance",)))
    feed(e, T, {"up": float("nan")}, "a")
    feed(e, T, {"up": 1.0}, "b")
    assert [s.labels["instance"] for s in e.status(T).slos] == ["b"]


def test_data_of_any_group_is_data_of_the_slo() -> None:
    e = engine(ROUTES)
    for i in range(100):
        feed(e, T + 10 * i, page(pay=(i, 0)) if i else page(pay=(0, 0), cart=(0, 0)))
        assert said(e, T + 10 * i) == []
    assert wait(e, T + 990, T + 990 + 301) == [("firing", "SLIDataMissing")]


def test_the_one_instance_of_a_plain_slo_is_there_from_the_start() -> None:
    e = engine()
    s = status(e, T)
    assert (s.good_total, s.bad_total, s.budget_remaining) == (0, 0, None)
    assert s.windows[-1].coverage == 0 == pytest.approx(s.windows[-1].total)
