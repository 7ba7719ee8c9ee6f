"""The text of PromQL queries, read by `promql-parser` within bounds that the parser lacks.

Imported late by whoever has a query to read: the parser is a library of 3 MB.
"""

from __future__ import annotations

import re

import promql_parser as promql

LONGEST = 16_384
"""Characters of a query."""
MOST_NESTED = 300
"""Operators and nested brackets, before it is parsed."""
_QUOTED = re.compile(r"#[^\n]*+|\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'|`[^`]*+`", re.DOTALL)
_OPERATOR = re.compile(r"[-+*/%^]|[=!<>]=?|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_CLOSES = {")": "(", "]": "[", "}": "{"}


def read(text: str) -> promql.Expr:
    """Parse a query. Raises `ValueError` with one line when it is no PromQL, or too long."""
    if len(text) > LONGEST:
        raise ValueError(f"a query of more than {LONGEST:,} characters")
    if not text.strip():
        raise ValueError("the query is empty")
    if _nested(text) > MOST_NESTED:
        raise ValueError(f"a query of more than {MOST_NESTED} operators, or brackets in each other")
    try:
        return promql.parse(text)
    except BaseException as error:
        if not is_from_parser(error):
            raise
        raise ValueError(f"cannot read the query: {' '.join(str(error).split())}") from None


def is_from_parser(error: BaseException) -> bool:
    """Tell an error of the parser from any other: a panic of it is no `Exception`, and its class
    is known by its module alone."""
    return isinstance(error, ValueError) or type(error).__module__ == "pyo3_runtime"


def is_balanced(text: str) -> bool:
    """Check that every quote and bracket is closed, which holds in every dialect of PromQL."""
    opened: list[str] = []
    bare = _QUOTED.sub(" ", text)
    for character in bare:
        if character in "\"'`":
            return False
        if character in "([{":
            opened.append(character)
        elif character in ")]}" and (not opened or opened.pop() != _CLOSES[character]):
            return False
    return not opened


def _nested(text: str) -> int:
    """Bound the depth of a query without asking the parser, which takes time by the square of it
    and has no limit of its own."""
    bare = _QUOTED.sub('""', text)
    deepest = depth = 0
    for character in bare:
        depth = max(0, depth + (character in "([{") - (character in ")]}"))
        deepest = max(deepest, depth)
    return deepest + len(_OPERATOR.findall(bare))
