"""Regular expressions of queries: none of them may take long, and usual ones are run."""

from __future__ import annotations

import pytest

from exporter.promql.errors import TooMuch, Unsupported
from exporter.promql.patterns import check
from tests.promql.kit import load

STORE = load(f'a{{b="{"x" * 40}"}} 1')


@pytest.mark.parametrize(
    "pattern",
    [
        *("", "a", "a|b|c", ".*", ".+", "check.*", "(a|b)-.*", "(?:a|b)?", "(a.*|b.*)", "5.."),
        *(".*a.*b.*", "a.*|b.*|c.*|d.*|e.*", "[a-z]+://[^/]+/.*", "(?i:prod).*", "(?P<n>.+)h"),
        *(
            r"\(a+\)",
            r"[*+?]{1,3}",
            "[]+*]*",
            "[^]*]*",
            "(?i)a.*",
            "(?i-s:a)*",
            r"[\]*]*",
            "https?://.*",
            ".*?a",
            "(ab)+",
        ),
        *("(", "[", "a{", ")", "x{2}", r"10\.0\.0\.[0-9]+:(80|443)", "*", "(a)(b)(c)(d)*", "\\"),
    ],
)
def test_a_usual_one_is_run(pattern: str) -> None:
    check(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        *(
            "(a+)+",
            "(a*)*",
            "(.*a){5}",
            "((a+)b)*",
            "(a|b)*",
            "(a|a)+",
            "(?:x|(y+))+",
            "(a?){30}",
            "a{(x+)+}",
        ),
        *(".*.*.*.*", "a?a?a?a?", "(.*)(.*)(.*)(.*)", "x*(y*z*)w*", "(a.*b.*|c)d.*e.*", "(.+|b)+?"),
    ],
)
def test_one_that_might_take_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(Unsupported, match="repeats"):
        check(pattern)


@pytest.mark.parametrize("pattern", ["(a+)(?#()+", "(?x:(a+) +)", "(?=a)a", "(?!a)", "(a)(?P=n)"])
def test_groups_that_only_python_has_are_refused(pattern: str) -> None:
    with pytest.raises(Unsupported, match="RE2"):
        check(pattern)


@pytest.mark.parametrize(
    "query", ['a{b=~"(x+)+y"}', 'a{b!~"(x|x)*y"}', 'label_replace(a, "c", "", "b", "(x+)+y")']
)
def test_a_query_that_has_one_is_refused(query: str) -> None:
    with pytest.raises(Unsupported):
        STORE.ask(query, 0)


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
