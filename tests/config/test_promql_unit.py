"""Units of queries, by what is written in them."""

from __future__ import annotations

import re

import pytest

from exporter.config.promql_unit import meaning


@pytest.mark.parametrize(
    ("query", "unit", "over", "sure"),
    [
        # Functions over a range.
        ("sum(increase(x[{{.window}}]))", "events", 0, True),
        ('sum (increase (x{a="}"} [ {{ .window }} ]))', "events", 0, True),
        ("sum(increase(x[5m])) by (a)", "events", 300, True),
        ("increase((x[1h30m] offset 5m))", "events", 5400, True),
        ("sum(count_over_time(x[{{.window}}])) * 10", "events", 0, True),
        ("count_over_time((a / b > 0.1)[{{.window}}:1m])", "events", 0, True),
        ("sum_over_time(x[5m])", "events", 300, False),
        ("sum(sum_over_time((x > bool 0.5)[5m:30s]))", "events", 300, False),
        ("delta(x[5m])", "events", 300, False),
        ("changes(x[1h])", "events", 3600, True),
        ("resets(x[1h])", "events", 3600, True),
        ("sum(rate(x[5m]))", "rate", 300, True),
        ("irate(x[{{.window}}])", "rate", 0, True),
        ("deriv(x[5m])", "rate", 300, False),
        ("histogram_count(rate(h[5m]))", "rate", 300, True),
        ("histogram_fraction(0, 0.5, rate(h[5m]))", "ratio", 0, True),
        # What leaves a unit as it is.
        ("topk(3, rate(x[5m]))", "rate", 300, True),
        ("quantile(0.9, rate(x[5m]))", "rate", 300, True),
        ("clamp_min(increase(x[5m]), 0)", "events", 300, True),
        ('label_replace(rate(x[5m]), "a", "$1", "b", "(.*)")', "rate", 300, True),
        ("max_over_time(sum(increase(x[1m]))[1h:])", "events", 60, True),
        ("quantile_over_time(0.9, rate(x[5m])[1h:])", "rate", 300, True),
        ("sum(rate(x[5m])) or vector(0)", "rate", 300, True),
        ("rate(x[5m]) or rate(y[5m])", "rate", 300, True),
        ("rate(x[5m]) and on () y", "rate", 300, True),
        ("rate(x[5m]) unless y", "rate", 300, True),
        ("rate(x[5m]) > 0", "rate", 300, True),
        ("0 < rate(x[5m])", "rate", 300, True),
        ("-(rate(x[5m]))", "rate", 300, True),
        ("rate(x[5m]) + 0", "rate", 300, True),
        ("2 * rate(x[5m])", "rate", 300, True),
        ("rate(x[5m]) / 2", "rate", 300, True),
        ("increase(x[5m]) / 1", "events", 300, True),
        ("rate(a[5m]) - rate(b[5m])", "rate", 300, True),
        ("increase(a[5m]) + increase(b[5m])", "events", 300, True),
        ("rate(x[5m]) * on (i) group_left (v) build_info", "rate", 300, True),
        ("rate(x[5m]) * (rate(a[5m]) / rate(b[5m]))", "rate", 300, True),
        # What makes another of it.
        ("increase(x[5m]) / 300", "rate", 300, True),
        ("increase(x[5m]) / (5 * 60)", "rate", 300, True),
        ("increase(x[5m]) * (1 / 300)", "rate", 300, True),
        ("rate(x[5m]) * 300", "events", 300, True),
        ("rate(x[5m]) * {{.window}}", "events", 0, True),
        ("increase(x[{{.window}}]) / {{.window}}", "rate", 0, True),
        ("rate(a[5m]) / rate(b[1m])", "ratio", 0, True),
        ("1 - sum(increase(a[5m])) / sum(increase(b[5m]))", "ratio", 0, True),
        ("(rate(a[5m]) / rate(b[5m])) / (rate(c[5m]) / rate(d[5m]))", "ratio", 0, False),
        ("max(rate(a[5m]) / rate(b[5m]))", "ratio", 0, True),
        ("errors / all", "ratio", 0, False),
        # Names of recorded series.
        ("sum(x:increase5m)", "events", 300, False),
        ("http_requests:increase4w", "events", 2_419_200, False),
        ("job:errors:rate5m", "rate", 300, False),
        ('{__name__="job:errors:rate5m"}', "rate", 300, False),
        ("job:errors:rate:5m", "rate", 300, False),
        ("job:errors:sum_rate1h30m", "rate", 5400, False),
        ("a:b:sum_irate", "rate", 0, False),
        ("slo:sli_error:ratio_rate5m", "ratio", 0, False),
        ("namespace:http_errors:ratio", "ratio", 0, False),
        # What has none.
        ("1 + 2 * 3 / 2 - 1", "number", 0, True),
        ("vector(1)", "number", 0, True),
        ("x", "metric", 0, True),
        ("sum(x_total)", "metric", 0, True),
        ("a + b", "metric", 0, True),
        ("1 - up", "metric", 0, True),
        ("avg(up == bool 0)", "metric", 0, True),
        ("last_over_time(x[5m])", "metric", 0, True),
        ("job:error_rate", "metric", 0, True),
        ("job:rate_limited", "metric", 0, True),
        ("pyrra_requests:rate5m", "metric", 0, True),
    ],
)
def test_the_unit_of_a_query(query: str, unit: str, over: float, sure: bool) -> None:
    found = meaning(query)
    assert (found.unit, found.over, found.sure) == (unit, over, sure)


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("increase(x[5m]) / 60", "events of 5m are divided by 60"),
        ("increase(x[{{.window}}]) / 0", "events of {{.window}} are divided by 0"),
        ("rate(x[5m]) * 60", "a rate times 60 may be the events of so many seconds"),
        ("increase(a[5m]) / increase(b[1h])", "events of 5m are divided by those of 1h"),
        ("increase(a[5m]) - increase(b[10m])", "events of 5m and of 10m are added up"),
        ("rate(a[5m]) + increase(b[5m])", "what is added up is not of one unit"),
        ("rate(a[5m]) / increase(b[5m])", "what is divided is not of one unit"),
        ("1 / rate(a[5m])", "what is divided is not of one unit"),
        ("rate(a[5m]) * rate(b[5m])", "two things that are counted are multiplied"),
        ("rate(a[5m]) * idelta(b[5m])", "idelta() gives no count"),
        ("idelta(a[5m]) * rate(b[5m])", "idelta() gives no count"),
        ("ln(x) - rate(a[5m])", "ln() gives no count"),
        ("rate(a[5m]) / ln(x)", "ln() gives no count"),
        ("rate(a[5m]) or increase(b[5m])", "the two sides of `or` differ"),
        ("rate(a[5m]) % 2", "of the operator %"),
        ("count(up == 0)", "count() counts series, not events"),
        ("stddev(rate(x[5m]))", "stddev() gives no count"),
        ("sum(rate(a[5m]) / rate(b[5m]))", "a sum of ratios is none"),
        ("rate(x:rate5m[5m])", "rate() is of something that is no plain metric"),
        ("sum_over_time(x:increase1m[5m])", "sum_over_time() is of something that is no plain"),
        ("histogram_quantile(0.9, rate(h[5m]))", "histogram_quantile() gives no count"),
        ("time()", "time() gives no count"),
        (f"{'abs(' * 101}x{')' * 101}", "it is too deep"),
    ],
)
def test_what_cannot_be_told_says_why(query: str, why: str) -> None:
    found = meaning(query)
    assert found.unit == "" and found.why.startswith(why)


@pytest.mark.parametrize(
    ("query", "percent"),
    [
        ("100 * sum(rate(a[5m])) / sum(rate(b[5m]))", True),
        ("sum(rate(a[5m])) / sum(rate(b[5m])) * 100", True),
        ("100 - 100 * (rate(a[5m]) / rate(b[5m]))", True),
        ("(100 - 100 * rate(a[5m]) / rate(b[5m])) / 100", False),
        ("100 * errors:ratio_rate5m", True),
        ("100 * rate(a[5m])", False),
        ("rate(a[5m]) / (0 * rate(b[5m]))", False),
    ],
)
def test_a_ratio_times_a_hundred_is_percent(query: str, percent: bool) -> None:
    assert meaning(query).is_percent is percent


@pytest.mark.parametrize(
    ("query", "counter"),
    [
        ("sum(x_total)", True),
        ("a_total / b_total", True),
        ("a + b_total", True),
        ("a_total + b", True),
        ("a / b_count", True),
        ("1 - x_total", True),
        ("up", False),
        ("job:errors_total:rate5m", False),
        ("increase(x_total[5m])", False),
    ],
)
def test_a_counter_without_a_function_is_known_by_its_name(query: str, counter: bool) -> None:
    assert meaning(query).is_counter is counter


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("sum(rate(x[{{.window}}])", "cannot read the query: unclosed left parenthesis"),
        ("rate(x)", "cannot read the query: expected type matrix"),
        ("raet(x[5m])", "cannot read the query: unknown function"),
        ("rate(x[5q])", "cannot read the query: "),
        ("x[5m]", "gives a range of samples; write it like increase(x[{{.window}}])"),
        ("(rate(x[5m])[1h:])", "gives a range of samples"),
        ('"x"', "gives a text, no number"),
        ("", "the query is empty"),
        ("x" * 20_000, "a query of more than 16,384 characters"),
        ("(" * 5_000, "a query of more than 300 operators"),
    ],
)
def test_what_is_no_query_is_one_line(query: str, why: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(why)}[^\n]*$"):
        meaning(query)
