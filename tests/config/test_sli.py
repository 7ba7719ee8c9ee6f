from __future__ import annotations

import pytest

from exporter.config.load import parse
from exporter.core.query_sli import QuerySLI, Scale
from exporter.core.selector import Matcher, Query, Selector
from exporter.core.slo import SLI, CounterSLI, GaugeSLI, HistogramSLI
from exporter.errors import ConfigError

PROMETHEUS = '[source.s]\ntype = "prometheus"\nurl = "http://p:9090"\n'
SCRAPE = '[source.s]\ntype = "scrape"\ntargets = ["http://a/metrics"]\n'
SLO = "[slo.x]\nobjective = 99\n"
A, B = Selector("a"), Selector("b", (Matcher("c", "=~", "5.."),))
B_TEXT = 'b{c=~"5.."}'


def read(sli: str, source: str = PROMETHEUS) -> SLI:
    return parse(f"{source}{SLO}sli = {{ {sli} }}", "c.toml").slos[0].sli


def findings(sli: str, source: str = PROMETHEUS) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(sli, source)
    return [f.removeprefix("c.toml:6: slo.x.") for f in caught.value.findings]


@pytest.mark.parametrize(
    ("text", "sli"),
    [
        (f"bad = '{B_TEXT}', total = 'a'", CounterSLI(bad=B, total=A)),
        ("good = 'a', total = 'a'", CounterSLI(good=A, total=A)),
        (f"good = 'a', bad = '{B_TEXT}'", CounterSLI(good=A, bad=B)),
        ("histogram = 'a', threshold = '500ms'", HistogramSLI(A, 0.5)),
        ("histogram = 'a', threshold = '300ms'", HistogramSLI(A, 0.3)),
        ("histogram = 'a', threshold = 1024", HistogramSLI(A, 1024.0)),
        ("histogram = 'a_ms', threshold = '1s'", HistogramSLI(Selector("a_ms"), 1000.0)),
        (
            "histogram = 'a', threshold = 0.5, good_if = 'c!~\"5..\",d=\"e\"'",
            HistogramSLI(A, 0.5, (Matcher("c", "!~", "5.."), Matcher("d", "=", "e"))),
        ),
        ("gauge = 'a', good = '>= 1'", GaugeSLI(A, ">=", 1.0)),
        ("gauge = 'a', good = '<-5e2'", GaugeSLI(A, "<", -500.0)),
        (
            "error_ratio_query = 'x'",
            QuerySLI(error_ratio=Query("x"), scales={"error_ratio": Scale("ratio")}),
        ),
        (
            "bad_query = 'rate(x[5m])', total_query = 'increase(y[5m])'",
            QuerySLI(
                bad=Query("rate(x[5m])"),
                total=Query("increase(y[5m])"),
                scales={"bad": Scale("rate", 300.0), "total": Scale("events", 300.0)},
            ),
        ),
        (
            "good_query = 'x', total_query = 'y', unit = 'events'",
            QuerySLI(
                good=Query("x"),
                total=Query("y"),
                scales={"good": Scale("events"), "total": Scale("events")},
            ),
        ),
    ],
)
def test_each_form_becomes_its_indicator(text: str, sli: SLI) -> None:
    assert read(text) == sli


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("", "sli: is empty; give good or bad with total"),
        ("good = 'a'", "sli: 'good' alone does not make a ratio; give 'total' too"),
        ("good = 'a', bad = 'b', total = 'c'", "sli: good, bad and total are all given"),
        ("gud = 'a', total = 'b', bad = 'c'", "sli.gud: unknown key 'gud'"),
        ("total = 'a', histogram = 'b'", "sli.total: 'total' cannot stand beside 'histogram'"),
        ("bad = 'a', total_query = 'b'", "sli.bad: 'bad' cannot stand beside 'total_query'"),
        ("threshold = '1s'", "sli: needs its 'histogram'"),
        ("histogram = 'a'", "sli: 'histogram' needs its 'threshold'"),
        ("histogram = 'a', threshold = 'fast'", "sli.threshold: not a duration: 'fast'"),
        ("histogram = 'a', threshold = inf", "sli.threshold: must be a finite number"),
        ("histogram = 'a', threshold = true", "sli.threshold: must be a number or a string"),
        (
            "histogram = 'a_bucket', threshold = '1s'",
            "sli.histogram: give the histogram's own name, 'a', without '_bucket'",
        ),
        ("histogram = 'a{le=\"1\"}', threshold = 1", "sli.histogram: the label 'le' is chosen by"),
        (
            "histogram = 'a', threshold = 1, good_if = 'c'",
            "sli.good_if: cannot read the label matchers from 'c'",
        ),
        ("histogram = 'a', threshold = 1, good_if = ''", "sli.good_if: is empty"),
        ("gauge = 'a'", "sli: 'gauge' needs its 'good', a comparison"),
        ("gauge = 'a', good = 'a'", "sli.good: not a comparison: 'a'"),
        ("gauge = 'a', good = '=> 1'", "sli.good: not a comparison: '=> 1'"),
        ("gauge = 'a', good = '>= nan'", "sli.good: not a comparison"),
        ("bad = '{', total = 'b'", "sli.bad: not a selector: '{'"),
        ("bad = '{a=\"b\"}', total = 'b'", "sli.bad: the selector '{a=\"b\"}' must name one"),
        ("bad = 'a{b=~\"(\"}', total = 'b'", "sli.bad: bad regular expression '('"),
        ("total_query = 'a'", "sli: give bad_query with total_query"),
        ("error_ratio_query = 'a', total_query = 'b'", "sli: give bad_query with total_query"),
        ("error_ratio_query = ' '", "sli.error_ratio_query: is empty"),
        ("unit = 'rate'", "sli: needs the queries that 'unit' is of"),
        ("unit = 'rate', bad = 'a', total = 'b'", "sli.unit: 'unit' cannot stand beside 'bad'"),
        (
            "unit = 'ratios', error_ratio_query = 'a'",
            "sli.unit: unknown value 'ratios'; did you mean 'ratio'?",
        ),
    ],
)
def test_a_faulty_indicator_is_one_clear_finding(text: str, finding: str) -> None:
    (found,) = findings(text)
    assert found.startswith(finding)


@pytest.mark.parametrize("text", ["rate(a[5m])", "sum(a)", "a[5m]"])
def test_a_query_in_place_of_a_counter_says_to_give_the_plain_counter(text: str) -> None:
    (found,) = findings(f"bad = '{text}', total = 'b'")
    assert found.startswith("sli.bad: not a selector")
    assert found.endswith("without function and range: slod makes the increases")


def test_a_scrape_source_cannot_answer_queries() -> None:
    (found,) = findings("error_ratio_query = 'a'", SCRAPE)
    assert found.startswith("sli.error_ratio_query: a scrape source cannot answer queries")


def test_both_faulty_selectors_are_reported() -> None:
    assert len(findings("bad = '{', total = '}'")) == 2
