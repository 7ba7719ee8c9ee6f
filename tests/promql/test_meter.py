"""Bytes and time of queries: counted while columns are made, and no less than what Python takes."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.promql.column import Sparse, Windows
from exporter.promql.errors import Failed, QueryError, TimedOut, TooMuch
from exporter.promql.meter import Meter
from exporter.promql.over_time import extrapolated
from exporter.promql.query import Matrix, Query
from tests.promql.kit import Store, load
from tests.real.promql_queries import RANGE
from tests.real.promql_random import Maker
from tests.real.promql_series import START, made
from tests.support import instructions

STORE = Store(made())
SPAN = START + 5, START + 7205, 40.0
QUERIES = [*RANGE[::6], *(Maker(seed).query() for seed in range(25))]
LIMIT = 2_000_000
SLACK = 1.3
"""Bytes that Python takes, of those that are counted: prices are of the usual case."""


def series(many: int) -> Store:
    """Series of three metrics: as many as groups of each, buckets, and plain ones."""
    lines = []
    for k in range(many):
        lines += [f'a{{x="{k}",g="{k % 7}"}} {k} {k}', f'b{{x="{k}"}} {k} {k}']
        lines.append(f'h_bucket{{le="{k}"}} {k} {k}')
    return load("\n".join(lines))


def bounded(limit: int = LIMIT) -> Meter:
    def reserve(size: int, own: int) -> None:
        if size > 0 and own > limit:
            raise TooMuch("more than the test allows")

    return Meter(reserve)


def taken(work: Callable[[], object]) -> int:
    """Most bytes that Python takes at a time for some work."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("text", QUERIES)
def test_a_query_takes_no_more_bytes_than_are_counted(text: str) -> None:
    meter = Meter()
    query = Query(text, *SPAN, meter=meter)
    columns = [STORE.columns(need) for need in query.needs]
    before = meter.held

    def answer() -> None:
        # That a query fails does not matter, it takes memory until then.
        with suppress(Failed):
            query.answer(columns)

    size = taken(answer)
    assert size < SLACK * (meter.peak - before) + 20_000


def tree(leaf: str, op: str, many: int, first: int = 0) -> str:
    """Many leaves joined by an operator, without going deep."""
    if many == 1:
        return leaf.replace("#", str(first))
    half = many // 2
    return f"({tree(leaf, op, half, first)} {op} {tree(leaf, op, many - half, first + half)})"


TIME = "vector(time())"
REPLACED = tree('label_replace(vector(time()),"a","#","","")', "or", 40)
LARGE = {
    "values": 'count_values("v", max_over_time(a[9000s:1s]) + time())',
    "each-value": f'count_values("v", {TIME})',
    "value-labels": f'max_over_time(count_values("v", {TIME})[9000s:1s])',
    "columns": REPLACED,
    "constants": tree("vector(1)", "+", 100),
    "moments": tree("max_over_time(vector(1)[9000s:1s])", "+", 20),
    "needs": tree("max_over_time(a[900#s:1s])", "+", 20),
    "texts": f'label_join({TIME},"x","{"-" * 500}","y","y")',
    "grouped": f"topk(5, {REPLACED})",
    "matched": f"{REPLACED} * on() group_left {TIME}",
    "sorted": f'sort(count_values("v", {TIME}))',
    "replaced": f'label_replace(count_values("v", {TIME}),"w","$1","v","(.*)")',
}


@pytest.mark.parametrize("name", LARGE)
def test_a_query_that_takes_too_much_is_refused_before_it_has_taken_it(name: str) -> None:
    meter = bounded()
    store = series(3)
    refused: list[TooMuch] = []

    def ask() -> None:
        try:
            store.ask(LARGE[name], 0, 9000, 1, meter)
        except TooMuch as error:
            refused.append(error)

    size = taken(ask)
    assert refused or meter.peak <= LIMIT
    assert size < SLACK * LIMIT + 500_000


def test_most_of_those_are_refused() -> None:
    refused = 0
    for text in LARGE.values():
        try:
            series(3).ask(text, 0, 9000, 1, bounded())
        except QueryError:
            refused += 1
    assert refused > len(LARGE) / 2


def test_a_value_of_its_own_at_each_of_many_moments_is_answered() -> None:
    meter = bounded(20_000_000)
    answer = load("a 1").ask(f'count_values("v", {TIME})', 0, 10_999, 1, meter)
    assert isinstance(answer, Matrix) and len(answer.series) == 11_000
    assert {own["v"]: [*times] for own, times, _ in answer.series}["77"] == [77.0]


@given(st.integers(0, 10_000), st.integers(10_000, 300_000))
def test_within_any_bound_a_query_is_answered_as_without_one_or_refused(
    seed: int, limit: int
) -> None:
    text = Maker(seed).query()
    try:
        plain = STORE.said(text, *SPAN)
    except QueryError:
        return
    meter = bounded(limit)
    try:
        answer = STORE.ask(text, *SPAN, meter)
    except TooMuch:
        return
    assert meter.peak <= limit
    if isinstance(answer, Matrix):
        assert repr(plain) == repr(STORE.said(text, *SPAN))


def test_all_is_given_back_however_a_query_ends() -> None:
    held = [0]

    def reserve(size: int, own: int) -> None:
        held[0] += size
        assert held[0] == own

    for text in ("rate(a[5m])", "sum(a) by (g)", "a * on() b", 'label_replace(a,"","","g","")'):
        meter = Meter(reserve)
        with suppress(QueryError):
            series(5).ask(text, 0, 600, 60, meter)
        meter.close()
        assert held == [0]
    # A generator that is left in the middle ends its blocks when it is collected.
    meter = Meter(reserve)
    blocks = meter.scratch(100)
    blocks.__enter__()
    meter.close()
    blocks.__exit__(None, None, None)
    assert held == [0]


OVER_SERIES = [
    *("a + 1", "-a", "abs(a)", "a > 1", "1 - a", "clamp(a, 0, 1)", "round(a)", "timestamp(a + 0)"),
    *("timestamp(a)", "rate(a[5m])", "sum_over_time(a[5m])", "deriv(a[5m])", "irate(a[5m])"),
    *("predict_linear(a[5m], 9)", "quantile_over_time(0.5, a[5m])", "max_over_time(a[5m:1m])"),
    *("a + on(x) b", "a and on(x) b", "a or b", "a unless on(x) b", "a * on(g) group_left c"),
    *('label_replace(a, "y", "$1", "x", "(.*)")', 'label_join(a, "y", "-", "x", "g")', "sort(a)"),
    *('count_values("v", a)', "topk(3, a)", "quantile(0.5, a)", "sum by (g) (a)", "scalar(a)"),
    *("histogram_quantile(0.9, h_bucket)", "absent(a)", "absent_over_time(a[5m])", "a @ 60"),
]


@pytest.mark.parametrize("text", OVER_SERIES)
def test_the_time_is_looked_at_for_every_series(text: str) -> None:
    looks: list[None] = []
    series(50).ask(text, 60, meter=Meter(check=lambda: looks.append(None)))
    assert len(looks) >= 50


@pytest.mark.parametrize("text", ["sum(a)", "topk(1, a)", 'count_values("v", a)', "rate(a[5m])"])
def test_the_time_is_looked_at_for_every_moment(text: str) -> None:
    left = iter(range(300))

    def check() -> None:
        if next(left, None) is None:
            raise TimedOut("late")

    with pytest.raises(TimedOut):
        load("a 1 2 3").ask(text, 0, 10_000, 1, Meter(check=check))


@pytest.mark.parametrize("text", [*OVER_SERIES, "topk(1000, a)", "(a == 1) * on() group_right a"])
def test_work_grows_with_the_number_of_series_and_no_faster(text: str) -> None:
    def work(many: int) -> int:
        store = series(many)
        query = Query(text, 60, 60)
        columns = [store.columns(need) for need in query.needs]
        return instructions(lambda: query.answer(columns))

    assert work(400) < 2.3 * work(200)


def test_many_series_of_the_one_side_are_matched_in_one_pass() -> None:
    text = 'label_replace(count_values("v", vector(time())), "w", "x", "", "") * on(w) group_left '
    text += 'label_replace(count_values("v", vector(time())), "w", "x", "", "")'

    def work(many: int) -> int:
        return instructions(lambda: load("a 1").ask(text, 0, many - 1, 1))

    # Twice the moments are twice the series: each is looked through for each of its moments.
    assert work(200) < 4.5 * work(100)


# --- resets -------------------------------------------------------------------------------------


def increase(values: list[float], spans: list[tuple[int, int]]) -> list[float | None]:
    times = [1000 * k for k in range(len(values))]
    lows, highs = [low for low, _ in spans], [high for _, high in spans]
    ends = [1000 * (high - 1) for high in highs]
    window = Windows({}, times, values, lows, highs, ends, Meter())
    return extrapolated(window, 1.0, counter=True, rate=False)


@given(
    st.lists(st.sampled_from([0.0, 1.0, 3.0, 7.0, 1e15, 0.25]), min_size=2, max_size=60),
    st.data(),
)
def test_what_resets_lost_is_the_same_as_summed_one_by_one(
    values: list[float], data: st.DataObject
) -> None:
    low = data.draw(st.integers(0, len(values) - 2))
    high = data.draw(st.integers(low + 2, len(values)))
    inside = values[low:high]
    (found,) = increase(values, [(low, high)])
    # Alone, the window has the same samples before its first one: none.
    (alone,) = increase(inside, [(0, len(inside))])
    assert found == pytest.approx(alone, rel=1e-12)


def test_resets_are_summed_once_for_all_windows() -> None:
    def work(many: int) -> int:
        values = [float(k % 2) for k in range(many)]
        spans = [(0, high) for high in range(2, many)]
        return instructions(lambda: increase(values, spans))

    assert work(2000) < 2.5 * work(1000)


# --- values of few moments ----------------------------------------------------------------------


@given(st.lists(st.one_of(st.none(), st.integers(0, 5).map(float)), max_size=20))
def test_values_of_few_moments_read_as_a_list_does(values: list[float | None]) -> None:
    sparse = Sparse(len(values))
    for place, value in enumerate(values):
        if value is not None:
            for _ in range(int(value)):
                sparse.increment(place)
            if value == 0:
                sparse.add(place, 0.0)
    assert [*sparse] == values == sparse[:]
    assert [sparse[k] for k in range(-len(values), len(values))] == values * 2
    with pytest.raises(IndexError):
        sparse[len(values)]
