r"""The text of PromQL queries, read by `promql-parser` within bounds that the parser lacks.

Imported late by whoever has a query to read: the parser is a library of 3 MB.

The parser compiles regular expressions itself, by an engine of another dialect (no `\Q`, and `\w`
of all alphabets), which takes up to 50 ms and 10 MB for one of a dozen characters. So it never sees
them: it reads a harmless text in the place of each, and `value` gets the original back.
"""

from __future__ import annotations

import contextlib
import re
from typing import Any

import promql_parser as promql

from exporter.core.regex import NeedsRE2, Total, compiled
from exporter.core.selector import quote, unquote

LONGEST = 16_384
"""Characters of a query."""
MOST_NESTED = 300
"""Operators and nested brackets, before it is parsed."""
_STRING = r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'|`[^`]*+`"
_QUOTED = re.compile(rf"#[^\n]*+|{_STRING}", re.DOTALL)
_EXPRESSION = re.compile(
    rf"(?P<op>[=!]~(?:\s++|#[^\n]*+)*+)(?P<expression>{_STRING})|#[^\n]*+|{_STRING}", re.DOTALL
)
_HIDDEN = "hidden_"
_HIDDEN_QUOTED = re.compile(rf"(?<=~)\"{_HIDDEN}([0-9a-f]*)\|?\"")
_OPERATOR = re.compile(r"[-+*/%^]|[=!<>]=?|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_CLOSES = {")": "(", "]": "[", "}": "{"}


def read(text: str, total: Total | None = None) -> promql.Expr:
    """Parse a query. Raises `ValueError` with one line when it is no PromQL, or too long. `total`:
    that of the request whose queries these are.

    The values of matchers are to be read by `value`. Regular expressions are checked here, but for
    one that needs RE2 where that is missing: the query may be for somebody else to run."""
    if len(text) > LONGEST:
        raise ValueError(f"a query of more than {LONGEST:,} characters")
    if not text.strip():
        raise ValueError("the query is empty")
    if _nested(text) > MOST_NESTED:
        raise ValueError(f"a query of more than {MOST_NESTED} operators, or brackets in each other")
    total = total or Total()

    def hidden(found: re.Match[str]) -> str:
        if found["expression"] is None:
            return found[0]
        pattern = unquote(found["expression"])
        or_empty = ""
        with contextlib.suppress(NeedsRE2):
            total.add(pattern)
            # The parser wants to know: a selector must have a matcher that refuses the empty text.
            or_empty = "|" if compiled(pattern).matches("") else ""
        return f'{found["op"]}"{_HIDDEN}{pattern.encode("utf-8", "surrogatepass").hex()}{or_empty}"'

    masked = _EXPRESSION.sub(hidden, text)
    try:
        return promql.parse(masked)
    except BaseException as error:
        if not is_from_parser(error):
            raise
        said = _shown(" ".join(str(error).split()))
        raise ValueError(f"cannot read the query: {said}") from None


def value(matcher: Any) -> str:
    """Return the value of a matcher of the parser's, a regular expression as it was written."""
    if str(matcher.op).rpartition(".")[2] not in ("Re", "NotRe"):
        return str(matcher.value)
    return _original(matcher.value.removeprefix(_HIDDEN).removesuffix("|"))


def laid_out(expr: promql.Expr) -> str:
    """Return the text of a query in the parser's layout."""
    return _shown(expr.prettify())


def _shown(text: str) -> str:
    return _HIDDEN_QUOTED.sub(lambda found: quote(_original(found[1])), text)


def _original(hidden: str) -> str:
    return bytes.fromhex(hidden).decode("utf-8", "surrogatepass")


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
