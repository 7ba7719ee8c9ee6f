"""What it costs to match a label's value by a regular expression, per value.

The peer is Python's `re`, by its own `fullmatch` and nothing around it; it has no bound of time.
"""

from __future__ import annotations

import re

from bench.measure import Row, timed
from exporter.core import regex
from exporter.core.selector import Matcher

_PROVEN = "5..|429"
_RE2 = "(GET|POST) /api/v[0-9]+/.*|(?:/[a-z]+){2}"
_PEER = "Python's re"


def run(values: int = 10_000, times: int = 15) -> list[Row]:
    """Seconds a value."""
    codes = [str(200 + i % 400) for i in range(values)]
    routes = [f"GET /api/v1/items/{i % 500}" for i in range(values)]
    new = [f"GET /api/v1/items/{i}" for i in range(values)]
    return [
        _row("a usual expression, codes of two kinds", _PROVEN, codes, times),
        _row("an expression for RE2, 500 values again and again", _RE2, routes, times),
        _row("an expression for RE2, each value new", _RE2, new, times, forget=True),
    ]


def _row(name: str, expression: str, values: list[str], times: int, *, forget: bool = False) -> Row:
    matches, plain = Matcher("a", "=~", expression).matches, re.compile(expression, re.DOTALL)
    before = regex.forget if forget else lambda: None
    ours = timed(lambda: [matches(value) for value in values], times, before)
    theirs = timed(lambda: [plain.fullmatch(value) for value in values], times)
    assert [matches(v) for v in values] == [plain.fullmatch(v) is not None for v in values]
    return Row(name, ours / len(values), "s", None, _PEER, theirs / len(values))
