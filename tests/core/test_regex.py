"""Regular expressions from outside: RE2's answers, whichever engine gives them; what is refused.

No expression here takes a backtracking engine long over the texts beside it.
"""

from __future__ import annotations

import copy
import pickle
import re
import sys

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from exporter.core import regex
from exporter.core.linear import Literals, proven
from exporter.core.regex import BadPattern, NeedsRE2, compiled
from exporter.core.selector import Matcher, parse_matchers

LISTS = {
    "": {""},
    "a": {"a"},
    "a|b|": {"a", "b", ""},
    "(GET|POST)": {"GET", "POST"},
    "(?:GET|POST)": {"GET", "POST"},
    r"10\.0\.0\.1:80": {"10.0.0.1:80"},
    r"a\|b|\\": {"a|b", "\\"},
    "αβ|\U0001f600": {"αβ", "\U0001f600"},
}
LINEAR = [
    *("5..", "5..|429", ".*", ".+", "foo.*", ".*foo", ".*foo.*", "[^/]+/x", "[a-f0-9]+", "^5..$"),
    *("^a.|b.$", "(5..|4..)", "(a.)", "([^:]+):.*", "([^:]+)(:.*)", "(GET|POST) /api/.*", "[a-]"),
    *(
        r"\d+",
        r"\W",
        "[a.b]",
        r"[\d_]x?",
        "a.|",
        "^$",
        "(?:a.*)",
        "v[0-9].[0-9]",
        ".*.+",
    ),
]
NOT_PROVEN = [
    *(
        "(a+)+b",
        "(a|b)*",
        "a*b*",
        "(a|b).*c",
        "(a|b)(c|d)",
        "(.*|b)",
        "a{2}",
        "a??",
        "a*?",
        "((a))",
    ),
    *(
        "(?i)a",
        r"\s",
        r"\bx",
        "a^b",
        "(^a)",
        "a$b",
        "^^a",
        "[a&&b]",
        "[[:alpha:]]",
        "[z-a]",
        "[]a]",
    ),
    *(r"\p{Greek}", r"\Qa.b\E", "[!--]", "(a)+", "(?P<n>a.)", "a|(b", "a)", "[a", "a++", "[+--]"),
    "a" * 270 + ".*" + "b" * 270,
    "a." * 3000,
]


@pytest.mark.parametrize(("text", "texts"), LISTS.items())
def test_a_list_of_plain_texts_needs_no_engine(text: str, texts: set[str]) -> None:
    found = proven(text)
    assert isinstance(found, Literals)
    assert found.texts == texts
    pattern = compiled(text)
    assert all(pattern.matches(one) for one in texts)
    assert not pattern.matches("something else")
    assert pattern.captures("something else") is None


@pytest.mark.parametrize("text", LINEAR)
def test_what_the_grammar_has_is_run_by_pythons_engine(text: str) -> None:
    assert isinstance(proven(text), re.Pattern)


@pytest.mark.parametrize("text", NOT_PROVEN)
def test_anything_else_is_not(text: str) -> None:
    assert proven(text) is None


PIECES = st.sampled_from(
    [
        *(
            "a",
            "b",
            "é",
            r"\.",
            ".",
            r"\d",
            r"\w",
            r"\W",
            "[ab]",
            "[^a]",
            "[a-c0-9]",
            r"[\d-]",
            " ",
        ),
        *(
            "a*",
            ".+",
            "[ab]?",
            r"\d*",
            ".*",
            "(a)",
            "(a.)",
            "(a|b)",
            "(?:a|)",
            "(a*)",
            "(.*)",
            "(b+x)",
        ),
        *("|", "^", "$", "\n", r"\-", r"\ "),
    ]
)
TEXTS = st.text(st.sampled_from("aabbc0é.-\n x"), max_size=8)


@given(st.lists(PIECES, max_size=6).map("".join), st.lists(TEXTS, min_size=1, max_size=8))
def test_both_engines_give_the_same(text: str, values: list[str]) -> None:
    pattern = compiled(text)
    options = re2.Options()
    options.dot_nl = True
    other = re2.compile(f"^(?s:{text})$", options)
    for value in values:
        match = other.search(value)
        assert pattern.matches(value) is (match is not None)
        captures = pattern.captures(value)
        if match is None:
            assert captures is None
        else:
            wanted = (match.group(), *match.groups(default=""))
            assert captures == {str(i): found for i, found in enumerate(wanted)}


@pytest.mark.parametrize(
    ("text", "takes", "refuses"),
    [
        ("(a+)+b", ["aab"], ["aa", ""]),
        ("(x|x)*y", ["xxy", "y"], ["xx"]),
        (r"\p{Greek}+", ["αβγ"], ["abc", ""]),
        (r"\d{3}", ["503"], ["٥٠٣", "50"]),
        (r"\s", [" ", "\t"], ["\v", "\u00a0"]),
        ("a.{1}b", ["a\nb", "aéb"], ["ab"]),
        ("(?-s:a.b)", ["axb"], ["a\nb"]),
        ("(?i)get", ["GET", "Get"], ["GETS"]),
        ("(?i)k", ["K", "\u212a"], ["x"]),
        ("[[:digit:]]+", ["42"], ["x"]),
        (r"\Qa.b\E", ["a.b"], ["axb"]),
        (r"\Qa.b\E+", ["a.bb"], ["axb"]),
        ("x{,5}", ["x{,5}"], ["x", ""]),
        ("a{2}$", ["aa"], ["aa\n", "a"]),
        ("a.$", ["ab"], ["ab\n"]),
        ("(?U)a{1,}", ["aaa"], [""]),
        ("(?:)", [""], ["a"]),
        ("(?:a{0,2}|b)", ["", "a", "aa", "b"], ["ab"]),
        ("(?:.{1})", ["\ufffd", "\udcff", "\U0001f600"], ["", "ab"]),
        ("(?:x.)*", ["", "xy" * 200, "x\ud800"], ["x", "x" * 301]),
    ],
)
def test_the_dialect_is_that_of_prometheus(text: str, takes: list[str], refuses: list[str]) -> None:
    matcher, other = Matcher("a", "=~", text), Matcher("a", "!~", text)
    for _ in range(2):  # The second answer is a remembered one.
        for value in takes:
            assert matcher.matches(value), value
            assert not other.matches(value)
        for value in refuses:
            assert not matcher.matches(value), value
            assert other.matches(value)


REFUSED = {
    "(?=a)b": "look-around is not supported; use a second matcher",
    "(?!a)b": "look-around is not supported; use a second matcher",
    "(?<=a)b": "look-around is not supported; use a second matcher",
    "(?<!a)b": "look-around is not supported; use a second matcher",
    r"(a)\1": "back references are not supported; write the alternatives out",
    "(?P<x>a)(?P=x)": "back references are not supported; write the alternatives out",
    "a++": "write the plain repeat",
    "(?>a)b": "write the plain repeat",
    "a**": "bad repetition operator: **",
    "a{1001}": "a repeat count above 1000",
    "(": "missing ): (",
    "(\n": "missing ) ",
    "[" + "a" * 300: "missing ] ",
    r"\Z": r"invalid escape sequence: \Z",
    r"\C+": r"invalid escape sequence: \C",
    r"\Qa+": r"missing \E",
    r"\p{L}{900}": "too large; use smaller repeat counts",
    "(?:a+b)" * 2000: "more than 8,192 characters",
    r"\pL|" * 100: "more than 8,192 characters",
    "(?:\ud800+)+": "not UTF-8",
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_is_said_in_one_line_with_the_way_out(text: str) -> None:
    with pytest.raises(BadPattern) as refused:
        compiled(text)
    said = str(refused.value)
    assert said.startswith("bad regular expression '")
    assert REFUSED[text] in said
    assert said.endswith("(the dialect is RE2, as in Prometheus)")
    assert said.isprintable()
    assert len(said) < 500


def test_nothing_is_written_to_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    for text in REFUSED:
        with pytest.raises(BadPattern):
            compiled(text)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("text", "value", "groups"),
    [
        ("(a|b)", "b", {"0": "b", "1": "b"}),
        ("a|b", "b", {"0": "b"}),
        ("([^:]+):.*", "host:80", {"0": "host:80", "1": "host"}),
        ("(?P<host>.+):(?P<port>[0-9]+)", "h:80", {"1": "h", "2": "80", "host": "h", "port": "80"}),
        # Early alternatives before long ones, as in Go.
        ("(a|ab)(c|bcd)(d*)", "abcd", {"1": "a", "2": "bcd", "3": ""}),
        ("(é+)(x)?", "éé", {"1": "éé", "2": ""}),
    ],
)
def test_groups_are_those_of_go(text: str, value: str, groups: dict[str, str]) -> None:
    captures = compiled(text).captures(value)
    assert captures is not None
    assert captures.items() >= groups.items()
    assert captures["0"] == value
    assert compiled(text).captures("\n") is None


def test_equal_expressions_are_one_while_somebody_uses_it() -> None:
    one = compiled("(z+)+")
    assert compiled("(z+)+") is one
    assert copy.deepcopy(one) is one
    assert pickle.loads(pickle.dumps(one)) is one
    assert repr(one) == "Pattern('(z+)+')"
    matcher = pickle.loads(pickle.dumps(Matcher("a", "=~", "(z+)+")))
    assert matcher.matches("zz")


def test_remembered_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(regex, "_answers", answers := {})
    monkeypatch.setattr(regex, "_REMEMBERED", 10)
    pattern = compiled("(x+)+y?")
    for n in range(1, 400):
        assert pattern.matches("x" * n)
        assert len(answers) <= 10
        assert all(len(value) <= 256 for _, value in answers)
    assert answers


def test_expressions_of_one_request_have_a_total() -> None:
    few = ",".join(f'a=~"(x{i}+)+"' for i in range(50))
    assert len(parse_matchers(few)) == 50
    # Plain ones are not counted.
    assert len(parse_matchers(",".join(f'a=~"x{i}.*|y"' for i in range(500)))) == 500
    for many in (
        few + ',a=~"(y+)+"',
        ",".join(f'a=~"(?:x|y{i})*{"z" * 900}"' for i in range(10)),
        ",".join([r'a=~"\\p{L}{20}"', r'a=~"\\p{L}{21}"', r'a=~"\\p{L}{22}"']),
    ):
        with pytest.raises(ValueError, match="together with those before it"):
            parse_matchers(many)


def test_without_re2_what_is_proven_is_run_and_the_rest_names_the_package(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert regex.is_complete()
    engine = regex._engine  # noqa: SLF001 - it is looked up once a process
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "re2", None)
        engine.cache_clear()
        assert not regex.is_complete()
        assert Matcher("code", "=~", "5..|429").matches("503")
        assert Matcher("code", "=~", "GET|POST").matches("GET")
        with pytest.raises(NeedsRE2) as refused:
            compiled("(only+re2)+")
    engine.cache_clear()
    said = str(refused.value)
    assert said.startswith("the regular expression '(only+re2)+' needs google-re2")
    assert "pip install google-re2" in said
    assert "\n" not in said
    assert compiled("(only+re2)+").matches("onlyre2")
