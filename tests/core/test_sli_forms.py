"""Every form of SLI through the engine's front door."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from math import inf, nan
from typing import Any

import pytest

from exporter.core.dumps import identity
from exporter.core.engine import Engine
from exporter.core.query_sli import QuerySLI, Scale
from exporter.core.sample import NativeHistogram, Value
from exporter.core.selector import Query, parse_selector
from exporter.core.slo import CounterSLI, GaugeSLI
from exporter.core.taken import Taken
from tests.core.builders import T, batch, counted, engine, feed, histogram, in_window, slo

GOOD, BAD, TOTAL = (parse_selector(name) for name in ("good", "bad", "total"))


@pytest.mark.parametrize(
    ("sli", "page"),
    [
        (CounterSLI(good=GOOD, total=TOTAL), {"good": 7.0, "total": 10.0}),
        (CounterSLI(bad=BAD, total=TOTAL), {"bad": 3.0, "total": 10.0}),
        (CounterSLI(good=GOOD, bad=BAD), {"good": 7.0, "bad": 3.0}),
    ],
)
def test_two_of_good_bad_and_total_give_the_third(sli: CounterSLI, page: dict[str, float]) -> None:
    e = engine(slo(sli=sli))
    feed(e, T, dict.fromkeys(page, 0.0))
    feed(e, T + 10, page)
    assert counted(e) == (7, 3)


def test_good_may_run_ahead_of_total_for_a_moment_and_in_the_long_run_all_is_exact() -> None:
    e = engine(slo(sli=CounterSLI(good=GOOD, total=TOTAL)))
    feed(e, T, {"good": 0.0, "total": 0.0})
    feed(e, T + 10, {"good": 12.0, "total": 10.0})
    assert counted(e) == (12, 0)
    feed(e, T + 20, {"good": 20.0, "total": 25.0})
    assert counted(e) == (20, 5)


def test_a_good_series_born_in_a_gap_makes_no_bad_events() -> None:
    e = engine(slo(sli=CounterSLI(good=GOOD, total=TOTAL)))
    feed(e, T, {"total": 0.0})
    feed(e, T + 60, {"total": 10.0, "good": 10.0})
    assert counted(e) == (10, 0)


# --- histograms ---------------------------------------------------------------------------------


def classic(fast: float, all_: float, code: str = "200", le: str = "0.5") -> dict[str, float]:
    return {
        f'latency_bucket{{code="{code}",le="{le}"}}': fast,
        f'latency_bucket{{code="{code}",le="+Inf"}}': all_,
        f'latency_count{{code="{code}"}}': all_,
    }


def native(fast: float, slow: float, middle: float = 0.0) -> NativeHistogram:
    return NativeHistogram(
        fast + slow + middle,
        ((0.0, 0.1, fast), (0.25, 1.0, middle), (1.0, 2.0, slow)),
    )


@pytest.mark.parametrize(
    ("threshold", "le"), [(0.5, "0.5"), (1.0, "1"), (1.0, "1.0"), (5e-05, "5e-05"), (1e6, "1e+06")]
)
def test_at_or_under_the_threshold_is_good_however_the_bound_is_spelled(
    threshold: float, le: str
) -> None:
    e = engine(slo(sli=histogram(threshold)))
    feed(e, T, classic(0, 0, le=le))
    feed(e, T + 10, classic(8, 10, le=le))
    assert counted(e) == (8, 2)


def test_good_if_narrows_what_is_good_and_not_what_is_valid() -> None:
    e = engine(slo(sli=histogram(0.5, 'code!~"5.."')))
    feed(e, T, {**classic(0, 0), **classic(0, 0, "500")})
    feed(e, T + 10, {**classic(8, 10), **classic(3, 4, "500")})
    assert counted(e) == (8, 6)


def test_a_threshold_that_is_no_bound_counts_nothing_and_the_fault_lists_the_bounds() -> None:
    e = engine(slo(sli=histogram(0.4)))
    for i in range(3):
        assert feed(e, T + 10 * i, classic(i, i)).bucket_missing
    assert counted(e) == (0, 0)
    e.bounds("slo", [0.1, 0.5, 1.0, inf])
    fault = e.accounts["slo"].fault
    assert fault is not None and "0.4" in fault and "0.1, 0.5, 1, inf" in fault
    e.bounds("nobody", [0.1])
    assert e.accounts["slo"].fault == fault
    e.bounds("slo", [])
    fault = e.accounts["slo"].fault
    assert fault is not None and fault.startswith("latency has no buckets, only latency_count")


def test_a_bound_that_exists_and_has_no_good_series_yet_means_all_is_bad() -> None:
    e = engine(slo(sli=histogram(0.5, 'code!~"5.."')))
    assert not feed(e, T, classic(0, 0, "500")).bucket_missing
    assert not feed(e, T + 10, classic(0, 0, "500")).bucket_missing
    feed(e, T + 20, classic(4, 4, "500"))
    assert counted(e) == (0, 4) and e.accounts["slo"].fault is None
    feed(e, T + 30, {**classic(4, 4, "500"), **classic(5, 6)})
    assert counted(e) == (5, 5)


def test_bounds_of_an_slo_without_a_histogram_mean_nothing() -> None:
    e = engine()
    e.bounds("slo", [0.5])
    assert e.accounts["slo"].fault is None


def test_a_native_histogram_is_interpolated_on_a_logarithmic_scale() -> None:
    e = engine(slo(sli=histogram(0.5)))
    feed(e, T, {"latency": native(0, 0)})
    feed(e, T + 10, {"latency": native(6, 2, middle=4)})
    assert counted(e) == pytest.approx((8, 4))  # 0.5 is half way from 0.25 to 1


def test_a_native_histogram_that_falls_was_reset() -> None:
    e = engine(slo(sli=histogram(0.5)))
    feed(e, T, {"latency": native(100, 10)})
    feed(e, T + 10, {"latency": native(3, 1)})
    feed(e, T + 20, {"latency": NativeHistogram(nan, ())})
    assert counted(e) == (3, 1)


def test_good_if_holds_for_native_histograms_too() -> None:
    e = engine(slo(sli=histogram(0.5, 'code!~"5.."')))
    ok, error = 'latency{code="200"}', 'latency{code="500"}'
    feed(e, T, {ok: native(0, 0), error: native(0, 0)})
    feed(e, T + 10, {ok: native(3, 1), error: native(5, 0)})
    assert counted(e) == (3, 6)


def test_where_both_are_exposed_the_classic_histogram_counts_and_once() -> None:
    e = engine(slo(sli=histogram(0.5)))
    for i in range(4):
        feed(e, T + 10 * i, {**classic(8 * i, 10 * i), "latency": native(8 * i, 2 * i)})
    assert counted(e) == (24, 6)


def test_a_native_histogram_serves_where_the_classic_one_lacks_the_bucket() -> None:
    e = engine(slo(sli=histogram(0.4)))
    for i in range(4):
        taken = feed(e, T + 10 * i, {**classic(8 * i, 10 * i), "latency": native(8 * i, 2 * i)})
        assert not taken.bucket_missing
    assert counted(e) == (24, 6)


def test_when_the_bucket_appears_later_the_past_is_not_counted_again() -> None:
    """With good_if the bucket is only there from the first good request on."""
    e = engine(slo(sli=histogram(0.5, 'code!~"5.."')))
    for i in range(4):
        feed(e, T + 10 * i, {**classic(i, i, "500"), 'latency{code="500"}': native(i, 0)})
    assert counted(e) == (0, 3)
    page = {**classic(4, 4, "500"), 'latency{code="500"}': native(4, 0)}
    feed(e, T + 40, {**page, **classic(1, 2), 'latency{code="200"}': native(1, 1)})
    assert counted(e) == (1, 3 + 2)


def test_pods_with_classic_and_pods_with_native_histograms_add_up() -> None:
    e = engine(slo(sli=histogram(0.5)))
    for i in range(2):
        pages: dict[str, dict[str, Any]] = {
            "old": classic(8 * i, 10 * i),
            "new": {"latency": native(3 * i, i)},
        }
        e.ingest(batch(e, T + 10 * i, pages))
    assert counted(e) == (11, 3)


# --- gauges -------------------------------------------------------------------------------------

UP = slo(sli=GaugeSLI(parse_selector("up"), ">=", 1.0), period="1h")


def test_each_sample_of_a_gauge_weighs_the_seconds_it_stands_for() -> None:
    e = engine(UP)
    for at, value in ((0, 1.0), (10, 1.0), (25, 0.0), (30, 1.0)):
        feed(e, T + at, {"up": value})
    assert counted(e) == (15, 15)


def test_a_gauges_sample_after_a_gap_stands_for_five_minutes_at_most() -> None:
    e = engine(UP)
    feed(e, T, {"up": 1.0})
    feed(e, T + 3000, {"up": 0.0})
    assert counted(e) == (0, 300)


def test_a_gauges_samples_of_the_future_and_of_long_ago_are_refused() -> None:
    e = engine(UP)
    feed(e, T, {"up": 1.0})
    later = T + 400 * 86_400
    samples = [(T + 1, 1.0), (later, 1.0), (later + 601, 1.0)]
    assert feed(e, later, {"up": samples}).refused == {"too_old": 1, "too_far_ahead": 1}


def test_a_gauges_groups_have_a_cap_too() -> None:
    e = engine(replace(UP, group_by=("instance",), max_groups=1))
    for at in (0, 10):
        taken = e.ingest(batch(e, T + at, {name: {"up": 1.0} for name in "ab"}))["slo"]
    assert taken.over_cap == {("b",)} and counted(e) == (10, 0)


def test_nan_stands_for_nothing_and_the_sample_after_it_has_none_before_it() -> None:
    e = engine(UP)
    for at, value in ((0, 1.0), (10, nan), (20, 0.0), (30, 1.0)):
        feed(e, T + at, {"up": value})
    assert counted(e) == (10, 0)


def test_gauge_samples_brought_twice_weigh_once_though_a_nan_ends_them() -> None:
    e = engine(UP)
    samples = [(T, 1.0), (T + 10, 1.0), (T + 20, 1.0), (T + 30, nan)]
    for _ in range(3):
        feed(e, T + 30, {"up": samples}, own_clock=False)
    assert counted(e) == (20, 0)


# --- queries ------------------------------------------------------------------------------------


def query_slo(unit: str = "events", reach: float = 0.0, **exprs: str) -> QuerySLI:
    scales = {role: Scale(unit, reach) for role in exprs}
    return QuerySLI(**{role: Query(expr) for role, expr in exprs.items()}, scales=scales)


def answer(e: Engine, at: float, values: Mapping[str, Value]) -> Taken:
    """The instant values of queries, by their text."""
    one = batch(e, at, {}, own_clock=False)
    donor = batch(engine(slo(sli=CounterSLI(GOOD, TOTAL))), at, {"q": {"good": 0.0}})
    reading = donor.readings[GOOD][0]
    for want, readings in one.readings.items():
        if str(want) in values:
            readings.append(reading._replace(samples=[(at, values[str(want)])]))
    taken = e.ingest(one)
    return next(iter(taken.values()))


def fault(e: Engine, name: str = "slo") -> str:
    return e.accounts[name].fault or ""


@pytest.mark.parametrize(
    ("unit", "reach", "good", "bad"),
    [
        ("events", 0.0, 16, 4),  # of the window, which is 10 s
        ("events", 10.0, 16, 4),
        ("events", 300.0, 16 / 30, 4 / 30),  # each answer is 10 of 300 s
        ("rate", 0.0, 160, 40),
        ("rate", 300.0, 160, 40),
        ("ratio", 0.0, 160, 40),  # seconds
    ],
)
def test_a_value_of_a_query_counts_by_its_unit(
    unit: str, reach: float, good: float, bad: float
) -> None:
    e = engine(slo(sli=query_slo(unit, reach, bad="bad", total="all")))
    for at in (T, T + 10, T + 10):
        answer(e, at, {"bad": 2.0, "all": 10.0})
    assert counted(e) == pytest.approx((good, bad))


def test_queries_of_two_units_are_counted_each_by_its_own() -> None:
    scales = {"good": Scale("rate", 60.0), "total": Scale("events", 20.0)}
    sli = QuerySLI(good=Query("good"), total=Query("all"), scales=scales)
    e = engine(slo(sli=sli))
    answer(e, T, {"good": 3.0, "all": 80.0})
    assert counted(e) == (30, 10)


def test_the_unit_of_a_query_is_no_reason_for_a_new_ledger() -> None:
    one, other = (slo(sli=query_slo(unit, bad="bad", total="all")) for unit in ("rate", "events"))
    assert identity(one) == identity(other)
    assert "scales" not in identity(one)


def test_an_error_ratio_weighs_as_much_as_the_time_it_covers() -> None:
    e = engine(slo(sli=query_slo("ratio", error_ratio="errors / all"), period="1h"))
    answer(e, T, {"errors / all": 0.25})
    answer(e, T + 10, {"errors / all": nan})
    answer(e, T + 20, {"errors / all": 1.0 + 1e-12})
    answer(e, T + 30, {"errors / all": -1e-12})
    assert counted(e) == (17.5, 12.5)
    # Without traffic the ratio is NaN: an answer all the same.
    assert in_window(e, T + 30, "1h").coverage == pytest.approx(30 / 3600)


@pytest.mark.parametrize("value", [1.5, 5.0, inf])
def test_an_error_ratio_over_one_is_refused_and_said(value: float) -> None:
    e = engine(slo(sli=query_slo("ratio", error_ratio="errors / all"), period="1h"))
    answer(e, T, {"errors / all": 0.25})
    taken = answer(e, T + 10, {"errors / all": value})
    assert counted(e) == (7.5, 2.5)
    assert taken.refused == {"ratio_over_1": 1}
    assert f"error_ratio_query gives {value:g}, and a ratio is 0 to 1" in fault(e)
    assert in_window(e, T + 10, "1h").coverage == 0
    answer(e, T + 20, {"errors / all": 0.25})
    assert fault(e) == "" and counted(e) == (15, 5)


@pytest.mark.parametrize(
    ("role", "value", "reason", "covered"),
    [
        ("error_ratio", -0.5, "negative", 10),
        ("bad", -0.5, "negative", 10),
        ("bad", inf, "not_a_number", 0),
        ("bad", NativeHistogram(3.0, ()), "native_histogram", 0),
        ("error_ratio", NativeHistogram(3.0, ()), "native_histogram", 0),
    ],
)
def test_what_is_no_count_is_refused_by_reason(
    role: str, value: Value, reason: str, covered: float
) -> None:
    texts = {role: "q"} if role == "error_ratio" else {role: "q", "total": "all"}
    e = engine(slo(sli=query_slo("rate", **texts), period="1h"))
    answer(e, T, {"q": 0.0})
    taken = answer(e, T + 10, {"q": value})
    assert taken.refused == {reason: 1} and fault(e) == ""
    assert in_window(e, T + 10, "1h").coverage == pytest.approx(covered / 3600)


def test_an_slo_that_is_faulty_as_it_is_configured_counts_nothing_and_asks_for_nothing() -> None:
    faulty = replace(slo("q", query_slo(bad="bad", total="all")), fault="slo.q: cannot be read")
    e = engine(faulty, slo("sound", CounterSLI(GOOD, TOTAL)))
    answer(e, T, {"bad": 1.0, "all": 10.0})
    assert counted(e, "q") == (0, 0) and fault(e, "q") == "slo.q: cannot be read"
    assert [ask.slo for ask in e.asks("app")] == ["sound"]
    e.configure([replace(faulty, fault="")], ())
    assert fault(e, "q") == ""
    answer(e, T + 10, {"bad": 1.0, "all": 10.0})
    assert counted(e, "q") == (9, 1)
    e.configure([faulty], ())
    assert fault(e, "q") == "slo.q: cannot be read"


def test_errors_that_never_happened_have_no_series_and_count_as_none() -> None:
    e = engine(slo(sli=query_slo(bad="increase(bad)", total="increase(all)")))
    answer(e, T, {"increase(all)": 10.0})
    assert counted(e) == (10, 0)


@pytest.mark.parametrize(
    ("bounds", "listed"),
    [
        ([0.1, 0.1 + 0.2, 1024.0**2], "0.1, 0.30000000000000004, 1048576"),
        ([1e-5, 2.5e-7, 1.0, 2.0**53, 1e300], "1e-05, 2.5e-07, 1, 9007199254740992, 1e+300"),
    ],
)
def test_the_bounds_there_are_can_be_copied_into_the_configuration(
    bounds: list[float], listed: str
) -> None:
    e = engine(slo(sli=histogram(0.3)))
    e.bounds("slo", bounds)
    fault = e.accounts["slo"].fault
    assert fault == f"slo.slo: threshold 0.3 is not a bucket bound of latency; there are {listed}"
    written = tomllib.loads(f"bounds = [{listed}]")["bounds"]
    assert [float(bound) for bound in written] == bounds
