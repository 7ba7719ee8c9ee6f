"""Which regular expressions of a query are run: those that cannot take long.

Prometheus' take time by the length of the text. Python's may take for ever, nothing can stop one,
and meanwhile nothing is counted: a repeat inside of a repeat, or many in a row, is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from exporter.promql.errors import Unsupported

IN_A_ROW = 3
"""Repeats one after the other: with n of them it takes time by the n-th power of the length."""
_REPEATS = "*+?{"


@dataclass(slots=True)
class _Group:
    """What stands between parentheses so far: repeats in this alternative, and the most in one."""

    row: int = 0
    most: int = 0
    alternatives: bool = False


def check(pattern: str) -> None:
    """`Unsupported` where it might take long; whether it is a regular expression is not looked at."""
    groups = [_Group()]
    at = 0
    while at < len(pattern):
        closed = None
        match pattern[at]:
            case "\\":
                at += 1
            case "[":
                at = _end_of_set(pattern, at)
            case "(":
                groups.append(_Group())
                # What follows says which kind of group it is, and repeats nothing.
                at += 2 if pattern.startswith("?", at + 1) else 1
                continue
            case "|":
                groups[-1].most = max(groups[-1].most, groups[-1].row)
                groups[-1].row, groups[-1].alternatives = 0, True
                at += 1
                continue
            case ")" if len(groups) > 1:
                closed = groups.pop()
        at += 1
        inside = 0 if closed is None else max(closed.most, closed.row)
        if at < len(pattern) and pattern[at] in _REPEATS:
            if closed is not None and (inside or closed.alternatives) and pattern[at] != "?":
                raise Unsupported(
                    f"slod runs no regular expression with nested repeats: {pattern!r}"
                )
            inside += 1
            at = _end_of_repeat(pattern, at)
        groups[-1].row += inside
        if groups[-1].row > IN_A_ROW:
            raise Unsupported(
                f"slod runs no regular expression with more than {IN_A_ROW} repeats in a row: "
                f"{pattern!r}"
            )


def _end_of_set(pattern: str, at: int) -> int:
    """Where the last character of `[...]` stands; one that comes first is no end."""
    at += 2 if pattern.startswith("^", at + 1) else 1
    first = at
    while at < len(pattern) and (pattern[at] != "]" or at == first):
        at += 2 if pattern[at] == "\\" else 1
    return at


def _end_of_repeat(pattern: str, at: int) -> int:
    """Where what comes after `*`, `+?`, `{2,3}` and such stands."""
    if pattern[at] == "{":
        at = max(at, pattern.find("}", at))
    at += 1
    return at + 1 if at < len(pattern) and pattern[at] in "?+" else at
