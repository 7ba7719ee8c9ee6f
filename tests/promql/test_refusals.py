"""What is refused, by whose fault it is, in one line."""

from __future__ import annotations

import pytest

from exporter.promql.errors import BadData, Failed, QueryError, TimedOut, TooMuch, Unsupported
from exporter.promql.meter import Meter
from exporter.promql.parse import format_query, selector
from exporter.promql.query import Query
from tests.promql.kit import load

STORE = load("a 1 2 3")


@pytest.mark.parametrize(
    "query",
    [
        *("", "  ", "a{", "1 +", "sum(", "a b", "a[5m", "a[x]", "a offset", '"', "a @ b"),
        *("{}", '{a=""}', '{a=~".*"}', '{a!="x"}', 'a{b=~"("}', "sum by (a"),
        *("rate(a)", "sum(a[5m])", "a[5m] + 1", "a[5m][5m:1m]", "(1)[5m:1m]", '-"a"', '"a" + "b"'),
        *("nobody(a)", "abs()", "abs(1)", "abs(a, a)", "topk(a)", 'topk("1", a)', "vector(a)"),
        *("1 == 2", "1 and 2", "a and 1", "a + bool a", "a and on(b) group_left a"),
        *("a * on(b) group_left(b) a", "a offset 5m offset 5m", "sum(a) offset 5m", "a[0s]"),
        *("(" * 500 + "1" + ")" * 500, "a + " * 10_000 + "a", "-" * 5_000 + "a", "a\x00"),
        # The parser would take half a minute for this one.
        *("a*" * 8_000 + "a", "a or " * 101 + "a", "abs(" * 101 + "a" + ")" * 101),
        *("a # '\n" + "* a" * 5_000 + "#'", "(" * 101 + "a" + ")" * 101),
        *("a[5m:0s]", "a offset 1000000y", "a[1000000y]", "a[5m:1000000y]"),
        # The parser takes these for a fault of its own.
        *("a @ 1e300", "a @ NaN", "a @ -1e300", "a @ -4", "a offset Inf", "a offset 1e400"),
    ],
)
def test_what_is_no_promql_is_bad_data(query: str) -> None:
    with pytest.raises(BadData) as refused:
        Query(query, 0, 0)
    assert str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 1000


@pytest.mark.parametrize(
    "query",
    [
        *("a or " * 95 + "a", "clamp(" * 95 + "a" + ",0,9)" * 95, "-(" * 45 + "a" + ")" * 45),
        f'a{{b!~"{"x-y|" * 100}z"}} # "{"-" * 400}',
    ],
)
def test_what_is_long_and_not_deep_is_answered(query: str) -> None:
    assert STORE.said(query, 60)


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("histogram_sum(a)", "histogram_sum"),
        ("mad_over_time(a[5m])", "mad_over_time"),
        ("limitk(1, a)", "limitk"),
        ('a{b="1" or c="2"}', "or"),
    ],
)
def test_promql_that_is_not_answered_is_said_before_anything_is_read(query: str, what: str) -> None:
    with pytest.raises(Unsupported) as refused:
        Query(query, 0, 0)
    assert what in str(refused.value)


@pytest.mark.parametrize(
    ("query", "kind"), [("a[5m]", "range vector"), ("a[5m:1m]", "range vector"), ('"a"', "string")]
)
def test_only_scalars_and_vectors_can_be_asked_at_many_moments(query: str, kind: str) -> None:
    Query(query, 0, 0)
    with pytest.raises(BadData, match=f'invalid expression type "{kind}" for range query'):
        Query(query, 0, 60, 60)


@pytest.mark.parametrize(
    "query",
    [
        *("topk(NaN, a)", "topk(Inf, a)", "bottomk(-Inf, a)", "topk(1e300, a)"),
        *('count_values("", a)', 'label_replace(a, "", "", "b", "")'),
        *('label_replace(a, "b", "", "c", "(")', 'label_join(a, "", "", "b")'),
    ],
)
def test_what_cannot_be_computed_fails(query: str) -> None:
    with pytest.raises(Failed):
        STORE.ask(query, 60)


@pytest.mark.parametrize("subquery", ["a[1y:1s]", "a[290y:1ms]", "a[50001s:1s]"])
def test_a_subquery_has_not_too_many_steps(subquery: str) -> None:
    with pytest.raises(TooMuch, match="steps"):
        STORE.ask(f"max_over_time({subquery})", 1e9)


def test_whoever_asks_can_stop_it() -> None:
    def late() -> None:
        raise TimedOut("the query took longer than 30 s")

    with pytest.raises(TimedOut):
        STORE.ask("sum(a)", 0, meter=Meter(check=late))


def test_a_query_is_laid_out() -> None:
    assert format_query("sum   by(x)(rate(a [5m] ))") == "sum by (x) (rate(a[5m]))"
    with pytest.raises(BadData):
        format_query("sum(")


def test_a_selector_alone_is_a_matcher_of_series() -> None:
    assert [str(m) for m in selector('a{b!~"c"}')] == ['__name__="a"', 'b!~"c"']
    for text in ("sum(a)", "a[5m]", "a offset 1m", "1", "a + a", ""):
        with pytest.raises(QueryError):
            selector(text)
