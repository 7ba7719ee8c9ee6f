"""Regular expressions of queries: RE2's, whatever the library that parses queries makes of them."""

from __future__ import annotations

import json

import pytest

from exporter import promql_text
from exporter.promql.errors import BadData, Failed, TooMuch
from exporter.promql.parse import format_query, selectors
from tests.promql.kit import load

STORE = load('a{b="shop"} 1\na{b="x\u03b1"} 1\na{b="host:80"} 1')


def chosen(expression: str, op: str = "=~") -> str:
    return f"a{{b{op}{json.dumps(expression, ensure_ascii=False)}}}"


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        *((r"\Qshop\E", 1), (r"sho\w", 1), (r"x\w", 0), (r"x\W", 1), ("s(?i)HOP", 1), ("", 0)),
        *(
            ("(?:sho|p){2}", 1),
            ("hidden_73", 0),
            (r"\p{L}+", 2),
            (r"[^\pN]+", 2),
            ("(a+)+b|.*p", 1),
        ),
        *(("(x|x)*\u03b1", 1), ("host:[[:digit:]]+", 1), (".*", 3), ("(?:.*)*", 3), ("shop|", 1)),
    ],
)
def test_the_dialect_is_not_that_of_the_parser(expression: str, found: int) -> None:
    query = chosen(expression)
    assert len(STORE.said(query, 0)) == found
    assert len(STORE.said(chosen(expression, "!~"), 0)) == 3 - found
    assert format_query(query) == query
    ((_, matcher),) = selectors([query])
    assert matcher.value == expression


@pytest.mark.parametrize(
    ("query", "expression"),
    [
        ("a{b=~ # a remark\n 'x'}", "x"),
        ("a{b=~`\\d`}", r"\d"),
        ('a{b=~"\\x78"}', "x"),
        ("a{b=~'=~\"y\"'}", '=~"y"'),
    ],
)
def test_strings_are_read_in_every_way_to_write_them(query: str, expression: str) -> None:
    ((_, matcher),) = selectors([query])
    assert matcher.value == expression


def test_what_only_looks_like_one_is_left_alone() -> None:
    query = 'label_replace(a{b="=~\\"x\\""},"c","hidden_78 =~\\"hidden_78\\"","b",".*")'
    assert format_query(query).replace(" ", "") == query.replace(" ", "")


@pytest.mark.parametrize("query", ['{b=~".*"}', '{b=~"(?:a+)*"}', '{b!~"(?:a+)+"}'])
def test_a_selector_of_everything_is_refused(query: str) -> None:
    with pytest.raises(BadData, match="at least one non-empty"):
        STORE.ask(query, 0)


@pytest.mark.parametrize("query", [chosen("(?=a)b"), chosen(r"(a)\1", "!~")])
def test_what_re2_does_not_know_is_bad_data(query: str) -> None:
    with pytest.raises(BadData, match="not supported"):
        STORE.ask(query, 0)


def test_of_label_replace_it_fails_as_in_prometheus() -> None:
    with pytest.raises(Failed, match="look-around is not supported"):
        STORE.ask('label_replace(a, "c", "", "b", "(?=a)b")', 0)


@pytest.mark.parametrize(
    ("by", "expression", "made"),
    [
        ("$1", "([^:]+):.*", "host"),
        ("${port}/$host", "(?P<host>.+):(?P<port>[0-9]+)", "80/host"),
        ("$2$1$3", "(h|ho)(s|ost)?(.*)", "osth:80"),
        ("$$1-$01-$x", "(host).+0", "$1--"),
    ],
)
def test_label_replace_has_the_groups_of_go(by: str, expression: str, made: str) -> None:
    query = f'label_replace(a{{b="host:80"}}, "c", "{by}", "b", "{expression}")'
    ((labels, _),) = STORE.said(query, 0)
    assert dict(labels)["c"] == made


@pytest.mark.parametrize(
    "longer",
    ['label_join({}, "b", "", "b", "b")', 'label_replace({}, "b", "$1$1", "b", "(.*)")'],
)
def test_a_label_does_not_grow_without_end(longer: str) -> None:
    query = "a"
    for _ in range(40):
        query = longer.format(query)
    with pytest.raises(TooMuch, match="label"):
        STORE.ask(query, 0)


def test_errors_of_the_parser_show_the_query_as_it_was_written() -> None:
    with pytest.raises(ValueError, match="cannot read the query") as refused:
        promql_text.read('sum by (a{b=~"xyz"}')
    assert "hidden" not in str(refused.value)
