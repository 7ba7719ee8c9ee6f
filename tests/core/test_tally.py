"""What is told of single series: all that happens to one, and what is only summed."""

from __future__ import annotations

import pytest

from exporter.core import tally
from exporter.core.engine import Engine
from exporter.core.explain import explain
from exporter.core.explained import WantSaid
from exporter.core.sample import NativeHistogram
from exporter.core.selector import parse_selector
from exporter.core.slo import GaugeSLI
from tests.core.builders import (
    ERROR,
    LONG_AGO,
    OK,
    Page,
    T,
    batch,
    engine,
    feed,
    histogram,
    show,
    slo,
)

DAY = 86_400.0


def total(of: Engine, now: float = T) -> WantSaid:
    return explain(of.accounts["slo"], (), now, show).wants[1]


def births(of: Engine) -> dict[str, dict[str, int]]:
    return {s.series: dict(s.births) for s in total(of).series if s.births}


def test_a_birth_is_proven_by_the_process_the_counter_or_the_upstream() -> None:
    of = engine()
    feed(of, T, {OK: 1.0}, target="a")
    feed(of, T + 10, {'http_requests_total{n="1"}': 5.0}, target="b", started={"b": T + 5})
    feed(of, T + 20, {'http_requests_total{n="2"}': 5.0}, target="c", created=T + 15)
    late = batch(
        of, T + 30, {"d": {'http_requests_total{n="3"}': 5.0}}, observed={"d": [T + 25, T + 30]},
        own_clock=False,
    )  # fmt: skip
    of.ingest(late)
    feed(of, T + 40, {OK: 1.0, ERROR: 5.0}, target="a")
    assert births(of) == {
        'http_requests_total{n="1"}': {"process_start": 1},
        'http_requests_total{n="2"}': {"created_timestamp": 1},
        'http_requests_total{n="3"}': {"process_looked_at_before": 1},
        ERROR: {"process_looked_at_before": 1},
    }


def test_an_overlap_is_no_refusal_and_what_is_wrong_in_it_counts_once() -> None:
    of = engine()
    feed(of, T, {OK: [(T - 10, 1.0), (T, 2.0)]})
    feed(of, T + 10, {OK: [(T - 10, 1.0), (T, 2.0), (T + 10, 3.0)]})
    assert total(of).refused == {}
    bad = [(T, 2.0), (T + 20, -1.0), (T + 30, 4.0), (T + 30, 4.0), (T + 25, 4.0), (T + 40, 5.0)]
    feed(of, T + 40, {OK: bad})
    assert total(of).refused == {"negative": 1, "duplicate": 1, "out_of_order": 1}
    assert total(of).increase == 4.0


def test_increases_agree_with_what_was_counted_through_restarts_and_new_labels() -> None:
    of = engine()
    feed(of, T, {OK: 100.0}, started={"a": LONG_AGO})
    feed(of, T + 10, {OK: 120.0}, started={"a": LONG_AGO})
    feed(of, T + 20, {ERROR: 7.0}, started={"a": T + 15})
    feed(of, T + 30, {OK: 130.0, ERROR: 8.0}, started={"a": T + 15})
    said = total(of, T + 30)
    (status,) = of.status(T + 30).slos
    assert said.increase == status.good_total + status.bad_total
    relabelled = engine()
    feed(relabelled, T, {'http_requests_total{v="1"}': 100.0})
    feed(relabelled, T + 10, {'http_requests_total{v="2"}': 105.0})
    said = total(relabelled, T + 10)
    assert said.increase == 5.0
    assert {s.series: (s.increase, s.last) for s in said.series} == {
        'http_requests_total{v="1"}': (0.0, None),
        'http_requests_total{v="2"}': (5.0, 105.0),
    }


def test_past_the_limit_series_are_one_sum(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MOST", 3)
    of = engine()

    def page(value: float) -> Page:
        return {f'http_requests_total{{n="{i}"}}': value + i for i in range(8)}

    feed(of, T, page(1.0))
    feed(of, T + 10, page(11.0))
    said = total(of)
    assert (len(said.series), said.others, said.increase) == (3, 5, 80.0)
    feed(of, T + 20, page(2.0))
    said = total(of)
    assert (said.resets, said.increase) == (8, 80.0 + sum(2.0 + i for i in range(8)))


def test_what_is_long_over_is_only_summed() -> None:
    of = engine()
    feed(of, T, {OK: 1.0}, target="a")
    feed(of, T + 10, {OK: 5.0, ERROR: 2.0}, target="a")
    feed(of, T + 20, {OK: 1.0, ERROR: float("nan")}, target="a")
    feed(of, T + 20, {OK: 1.0}, target="b")
    feed(of, T + 2 * DAY, {OK: 3.0}, target="b")
    of.tick(T + 2 * DAY)
    said = total(of, T + 2 * DAY)
    assert [s.target for s in said.series] == ["b"]
    assert said.increase == 4.0 + 1.0 + 2.0 + 2.0
    assert (said.resets, said.births, said.refused) == (1, 1, {"not_a_number": 1})


def test_native_histograms_count_their_observations() -> None:
    of = engine(slo(sli=histogram()))
    for i, count in enumerate((4.0, 10.0, float("nan"))):
        value = NativeHistogram(count, ((0.1, 0.4, count),))
        feed(of, T + 10 * i, {"latency": [(T + 10 * i, value)]})
    native = explain(of.accounts["slo"], (), T, show).wants[2]
    assert (native.role, native.increase, native.refused) == ("native", 6.0, {"not_a_number": 1})


def test_a_series_that_never_had_a_number_brought_nothing() -> None:
    of = engine()
    feed(of, T, {OK: float("nan")})
    (only,) = total(of).series
    assert (only.increase, only.last, only.refused) == (0.0, None, {"not_a_number": 1})


def test_gauges_are_listed_up_to_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tally, "MOST", 3)
    of = engine(slo(sli=GaugeSLI(parse_selector("up"), ">=", 1.0)))
    feed(of, T, {f'up{{n="{i}"}}': 1.0 for i in range(5)})
    (want,) = explain(of.accounts["slo"], (), T, show).wants
    assert (len(want.series), want.increase) == (3, None)


def test_what_is_over_before_anything_came_is_not_told() -> None:
    before = engine()
    feed(before, T, {OK: 1.0}, target="a")
    feed(before, T + 2 * DAY, {OK: 1.0}, target="b")
    after = engine()
    after.restore("slo", before.dump("slo"), [])
    after.tick(T + 2 * DAY)
    feed(after, T + 2 * DAY + 10, {OK: 4.0}, target="b")
    said = total(after, T + 2 * DAY + 10)
    assert [(s.target, s.increase) for s in said.series] == [("b", 3.0)]
    assert said.others == 0
