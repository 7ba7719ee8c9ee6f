"""What the numbers mean: rules, confidence, the budget, selectors, samples refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import policy
from exporter.core.burn import Condition, chance_of_at_least, judge
from exporter.core.ledger import Counts
from exporter.core.linear import proven
from exporter.core.numerals import spellings
from exporter.core.sample import NativeHistogram
from exporter.core.selector import Matcher, Query, Selector, parse_matchers, parse_selector
from exporter.core.series import under_threshold
from exporter.core.slo import (
    DAY,
    BudgetStep,
    Calendar,
    HistogramSLI,
    Rule,
    Window,
    burn_rate_of_share,
)

HOUR, FIVE = Window("1h", 3600), Window("5m", 300)
ABOVE, BELOW, NOTHING = Counts(50, 50), Counts(100, 0), Counts(0, 0)


@pytest.mark.parametrize(
    ("long", "short", "expected"),
    [
        (ABOVE, ABOVE, Condition.ABOVE),
        (ABOVE, BELOW, Condition.BELOW),
        (BELOW, ABOVE, Condition.BELOW),
        (BELOW, NOTHING, Condition.BELOW),
        (NOTHING, BELOW, Condition.BELOW),
        (ABOVE, NOTHING, Condition.UNKNOWN),
        (NOTHING, ABOVE, Condition.UNKNOWN),
        (NOTHING, NOTHING, Condition.UNKNOWN),
    ],
)
def test_a_window_without_events_decides_nothing(
    long: Counts, short: Counts, expected: Condition
) -> None:
    assert judge(Rule("page", HOUR, FIVE, 14.4), 0.999, long, short) is expected


def test_too_few_events_in_the_long_window_are_below_and_none_at_all_are_unknown() -> None:
    rule = Rule("page", HOUR, FIVE, 14.4, min_events=200)
    assert judge(rule, 0.999, ABOVE, ABOVE) is Condition.BELOW
    assert judge(rule, 0.999, NOTHING, NOTHING) is Condition.UNKNOWN
    rule = Rule("page", HOUR, FIVE, 14.4, min_bad_events=51)
    assert judge(rule, 0.999, ABOVE, ABOVE) is Condition.BELOW


def test_a_burn_rate_of_exactly_the_rate_does_not_fire() -> None:
    rule = Rule("page", HOUR, FIVE, 10.0)
    assert judge(rule, 0.5, Counts(0, 1), Counts(0, 1)) is Condition.BELOW


def test_with_confidence_one_error_of_ten_does_not_fire_and_many_do() -> None:
    rule = Rule("page", HOUR, FIVE, 14.4, confidence=0.95)
    one, many = Counts(9, 1), Counts(900, 100)
    assert judge(rule, 0.999, one, one) is Condition.BELOW
    assert judge(rule, 0.999, many, many) is Condition.ABOVE


@pytest.mark.parametrize("ratio", [0.0001, 0.0144, 0.3, 0.97])
@pytest.mark.parametrize("total", [1, 7, 60, 900])
def test_the_chance_agrees_with_the_sum_of_binomial_terms(total: int, ratio: float) -> None:
    for bad in {1, total // 3 + 1, total // 2 + 1, total}:
        exact = math.fsum(
            math.comb(total, k) * ratio**k * (1 - ratio) ** (total - k)
            for k in range(bad, total + 1)
        )
        assert chance_of_at_least(bad, total, ratio) == pytest.approx(exact, rel=1e-6, abs=1e-12)


def test_the_chance_at_the_ends_is_certain() -> None:
    assert chance_of_at_least(0, 10, 0.5) == 1.0
    assert chance_of_at_least(3, 10, 1.0) == 1.0
    assert chance_of_at_least(3, 10, 0.0) == 0.0


def test_a_chance_over_very_many_events_ends_and_is_a_chance() -> None:
    assert 0.0 <= chance_of_at_least(5e11, 1e12, 0.5) <= 1.0


@pytest.mark.parametrize("deviations", [-3.0, -0.5, 0.0, 1.0, 3.0])
def test_the_chance_does_not_jump_where_the_normal_distribution_takes_over(
    deviations: float,
) -> None:
    # A variance just under and just over 1e7.
    under, over = (
        chance_of_at_least(total * 0.5 + deviations * math.sqrt(total) / 2, total, 0.5)
        for total in (3.99e7, 4.01e7)
    )
    assert under == pytest.approx(over, rel=1e-3)


def test_2_percent_of_30d_in_1h_is_14_4_and_of_28d_is_13_44() -> None:
    assert burn_rate_of_share(0.02, Window("30d", 30 * DAY), HOUR) == pytest.approx(14.4)
    assert burn_rate_of_share(0.02, Window("28d", 28 * DAY), HOUR) == pytest.approx(13.44)
    assert burn_rate_of_share(0.02, Calendar("month", "UTC"), HOUR) == pytest.approx(14.4)


def test_at_14_4_a_full_30d_budget_lasts_50_hours() -> None:
    assert policy.exhaustion(1.0, 14.4, 30 * DAY) == pytest.approx(50 * 3600)
    assert policy.exhaustion(1.0, 0.0, 30 * DAY) == math.inf
    assert policy.exhaustion(-0.1, 1.0, 30 * DAY) == 0.0
    assert policy.exhaustion(None, 1.0, 30 * DAY) is None
    assert policy.remaining_events(NOTHING, 0.9) is None
    assert policy.remaining_events(Counts(90, 10), 0.8) == pytest.approx(10)


def test_the_lowest_step_that_the_budget_is_below_holds() -> None:
    steps = (BudgetStep(0.5, "warning"), BudgetStep(0.25, "freeze"), BudgetStep(0.0, "out", False))
    lefts = (0.6, 0.5, 0.49, 0.1, 0.0, -0.1, None)
    found = [policy.current_step(steps, left, None, 0.01) for left in lefts]
    assert [s.state if s else None for s in found] == [
        None, None, "warning", "freeze", "freeze", "out", None,
    ]  # fmt: skip


def test_a_step_is_left_for_a_better_one_only_well_above_its_limit() -> None:
    steps = (BudgetStep(0.25, "freeze"), BudgetStep(0.5, "warning"))
    freeze, warning = steps
    after = [
        policy.current_step(steps, left, before, 0.02)
        for left, before in (
            (0.249, warning), (0.26, freeze), (0.27, freeze), (0.51, warning), (0.52, warning),
            (0.6, freeze), (None, warning),
        )
    ]  # fmt: skip
    assert [s.state if s else None for s in after] == [
        "freeze", "freeze", "warning", "warning", None, None, "warning",
    ]  # fmt: skip


# --- selectors ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ('m{code=~"5.."}', {"code": "503"}, True),
        ('m{code=~"5.."}', {"code": "5030"}, False),
        ('m{code!~"5.."}', {"code": "200"}, True),
        ('m{code!=""}', {}, False),
        ('m{code=""}', {}, True),
        ("m{a='x',b=`y\\z`,}", {"a": "x", "b": "y\\z"}, True),
        ('m{a="q\\"\\n\\u00e9\\x41\\101"}', {"a": 'q"\néAA'}, True),
        ("m", {"anything": "goes"}, True),
    ],
)
def test_a_selector_matches_as_in_promql(text: str, labels: dict[str, str], expected: bool) -> None:
    assert parse_selector(text).matches(labels) is expected


@pytest.mark.parametrize(
    "text", ["", "  ", "m{", "m{a}", 'm{a="b" c="d"}', '{a="b"}', 'm{__name__="x"}', "m + n"]
)
def test_what_is_no_selector_of_one_metric_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"selector|matchers"):
        parse_selector(text)


def test_a_regular_expression_that_cannot_be_read_is_refused_in_one_line() -> None:
    for text in ('m{a=~"("}', 'm{a=~"(?=x)y"}'):
        with pytest.raises(ValueError, match="bad regular expression"):
            parse_selector(text)


def test_a_string_whose_escapes_are_no_utf_8_is_refused() -> None:
    with pytest.raises(ValueError, match="is not UTF-8"):
        parse_selector('m{a="\\xff"}')


def test_an_escape_that_prometheus_does_not_know_is_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"unknown escape \\d; .* is written"):
        parse_selector('m{code=~"\\d+"}')


def test_matchers_stand_without_a_name() -> None:
    assert parse_matchers('code!~"5..", a="b"') == (
        Matcher("code", "!~", "5.."),
        Matcher("a", "=", "b"),
    )
    with pytest.raises(ValueError, match="label matchers"):
        parse_matchers('"quoted"')


def test_a_metrics_name_may_stand_in_the_braces() -> None:
    for text in ('{"m.n",code="500"}', '{__name__="m.n", code="500"}'):
        assert parse_selector(text) == Selector("m.n", (Matcher("code", "=", "500"),))


@given(st.text(min_size=1), st.dictionaries(st.text(min_size=1), st.text()))
def test_a_selector_reads_as_it_was_written(name: str, labels: dict[str, str]) -> None:
    labels.pop("__name__", None)
    selector = Selector(name, tuple(Matcher(k, "=", v) for k, v in labels.items()))
    assert parse_selector(str(selector)) == selector
    assert str(Query("up")) == "up"


@given(st.floats(1e-9, 1e12))
def test_a_bound_is_found_however_it_is_spelled_and_no_other_is(bound: float) -> None:
    sli = HistogramSLI(parse_selector("latency"), bound)
    asked = Matcher("le", "=~", spellings(bound))
    assert proven(asked.value), "a histogram would need RE2"
    for text in (repr(bound), f"{bound:.17g}", f"{bound:.16e}", f"{bound:.60f}", f"0{bound!r}"):
        assert asked.matches(text) and sli.is_bucket({"le": text})
    for text in (repr(math.nextafter(bound, math.inf)), f"1{bound!r}", "", "+Inf", "fast"):
        assert not sli.is_bucket({"le": text})


@pytest.mark.parametrize(
    "text",
    [
        *("1.0E-5", "5.0E-5", "2.5E-4", "1.0E10", "1e-05", "0.00001", "00.500", "1.048576e+06"),
        *("0.000000013223167948486259599705622519005138171266366953204852", "5000.0", "12."),
        *("0.10000000000000001", "0.29999999999999999", "0.500000", ".5", "+0.5", "-1.0", "5e-1"),
    ],
)
def test_a_bound_is_found_as_any_program_writes_it(text: str) -> None:
    assert Matcher("le", "=~", spellings(float(text))).matches(text)


# --- native histograms --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        (-3.0, 0.0),
        (-2.0, 1.0),  # half of the bucket from -4 to -1, on a logarithmic scale
        (-0.5, 2.0),
        (0.0, 2.5),  # half of the zero bucket, linearly
        (2.0, 5.0),
        (8.0, 7.0),
        (math.inf, 8.0),
    ],
)
def test_a_native_histogram_is_interpolated_inside_its_bucket(
    threshold: float, expected: float
) -> None:
    histogram = NativeHistogram(
        8,
        (
            (-4.0, -1.0, 2.0),
            (-0.5, 0.5, 1.0),
            (1.0, 4.0, 4.0),
            (4.0, 16.0, 0.0),
            (16.0, math.inf, 1.0),
        ),
    )
    if threshold == -3.0:
        threshold = -4.0
    found = under_threshold(histogram, threshold)
    assert found == pytest.approx(expected if threshold != 8.0 else 7.0)


def test_an_infinite_bucket_holds_nothing_under_a_finite_threshold() -> None:
    assert under_threshold(NativeHistogram(1, ((1.0, math.inf, 1.0),)), 5.0) == 0.0


# --- periods ------------------------------------------------------------------------------------


@given(
    st.sampled_from(["day", "week", "month", "quarter", "year"]),
    st.sampled_from(
        ["UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Beirut"]
    ),
    st.floats(1e9, 2e9),
)
def test_now_always_lies_in_the_calendar_period(unit: str, zone: str, now: float) -> None:
    period = Calendar(unit, zone)
    start = period.start(now)
    assert start <= now < start + period.length(now)
    assert period.start(start) == start


@pytest.mark.parametrize(
    ("moment", "hours"), [(1_711_875_600.0, 23), (1_730_020_000.0, 25), (1_711_600_000.0, 24)]
)
def test_a_day_of_a_dst_change_has_23_or_25_hours(moment: float, hours: int) -> None:
    assert Calendar("day", "Europe/Berlin").length(moment) == hours * 3600
