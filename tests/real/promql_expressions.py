r"""Regular expressions beside a real Prometheus: which texts each matches, with which groups.

None has a `.` beside a newline, which releases before 3 do not match. Backtracking engines have
only short texts to work on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

_SLOS = [
    *("check.*", "(c|s).*", "(?:(?:c+|h)*)*eckout", "check(?:out)?", "(?i)LOGIN", "(?i:s)earch"),
    *(
        "log[[:alpha:]]n",
        r"\w{5}",
        r"\pL+",
        r"\p{Greek}+",
        r"[^\pN]{5,6}",
        r"\Qlogin\E|x",
        "lo(g)+in",
    ),
    *("^login$", r"\Alogin\z", r"\blogin\b", "l.*?n", "login|", "(?U)l.+n", "x{0}login", "a{,5}"),
    *(
        "[a-ln-z]+",
        r"[^\d]*",
        "(?s).+",
        "(?-s)l.gin",
        "(?P<n>.).*",
        "(l|lo)(o|g)?(gin|in)",
        "logi[n]",
    ),
]
_TEXTS = {
    "abcd": ["(a|ab)(c|bcd)(d*)", "(a+)(b+)?.*", "(?:(a)|(ab))(.*)", "((a)(b))(c)d", "(.*?)(c.*)"],
    "aaa": ["(a*)(a*)", "(a*?)(a*)", "(a+)+", "(?:a|aa)(a*)", "(a|aa)+", "(?U)(a+)(a*)"],
    "αβγ": [
        r"(\p{Greek})(.*)",
        r"(\pL+)",
        "(.)(.)(.)",
        r"(?i)(\x{391}\x{392})(.)",
        r"([\x{3b1}-β]+)(.)",
        r"(\w*).*",
    ],
    "10.0.0.1:80": [r"([^:]+):(\d+)", r"(\d+)(?:\.\d+){3}.*", "(.*):(?:80|443)", "(.+)[.](.+)"],
    "٣": [r"\d", r"\pN", r"\w", r"\D"],
    "K": [r"(?i)\x{212a}", "(?i)[k]", r"\x4b", r"\113", "[[:upper:]]", r"[\pL\d]", "[^[:lower:]]"],
    "a b-c_d": [r"(\S+)\s(.*)", r"a\ b\-c\_d", r"([\w-]+) ?([\w-]+)", r"(\W|\w)*", "[ -_a-d]+"],
}
_WRONG = [
    *(
        "(?=a)b",
        "(?!a)b",
        "(?<=a)b",
        r"(a)\1",
        "(?P=n)",
        "(?>a)",
        "a++",
        "a**",
        "a{1001}",
        "(a{2}){999}",
    ),
    *(r"\Z", r"\C", r"\h", r"\Qa", "(?#a)", "(?x)a", "[[:no:]]", "[z-a]", r"\p{No such}", "+"),
]


def same() -> Iterator[str]:
    """Queries that all answer."""
    for expression in _SLOS:
        for op in ("=~", "!~"):
            yield f"slo_objective_ratio{{slo{op}{json.dumps(expression, ensure_ascii=False)}}}"
    for value, expressions in _TEXTS.items():
        text = f'label_replace(vector(1), "v", "{value}", "", "")'
        for expression in expressions:
            regex = json.dumps(expression, ensure_ascii=False)
            yield f'label_replace({text}, "hit", "$0|$1|$2|$3", "v", {regex})'


def wrong() -> Iterator[tuple[str, str]]:
    """Queries that are refused, and how Prometheus calls that."""
    for expression in _WRONG:
        regex = json.dumps(expression)
        yield f"slo_objective_ratio{{slo=~{regex}}}", "bad_data"
        yield f'label_replace(slo_objective_ratio, "a", "", "slo", {regex})', "execution"
