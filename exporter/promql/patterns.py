"""Which regular expressions of a query are run: those that cannot take long.

Prometheus' take time by the length of the text. Python's may take for ever, nothing can stop one,
and meanwhile nothing is counted: a repeat inside of a repeat, or many in a row, is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from exporter.promql.errors import Unsupported

IN_A_ROW = 3
"""Repeats one after the other: with n of them it takes time by the n-th power of the length."""

_TOKEN = re.compile(
    r"(?P<opens>\((?:\?P<\w+>|\?[ims-]*:|(?!\?)))"
    r"|(?P<flags>\(\?[ims]+\))"
    r"|(?P<odd>\(\?)"
    r"|(?P<closes>\))"
    r"|(?P<or>\|)"
    r"|(?P<repeat>(?:[*+?]|\{\d*,?\d*\})[?+]?)"
    r"|(?P<atom>\\.|\[\^?\]?(?:[^\]\\]|\\.)*\]?|.)",
    re.DOTALL,
)


@dataclass(slots=True)
class _Group:
    """What stands between parentheses so far: repeats in this alternative, and the most in one."""

    row: int = 0
    most: int = 0
    alternatives: bool = False

    def ends(self) -> None:
        """The alternative is over."""
        self.most, self.row = max(self.most, self.row), 0


def check(pattern: str) -> None:
    """`Unsupported` where it might take long; whether it is one at all is not looked at."""
    groups = [_Group()]
    # What a repeat that comes now would repeat, where that is more than a character.
    last: _Group | None = None
    for token in _TOKEN.finditer(pattern):
        before, last = last, None
        match token.lastgroup:
            case "opens":
                groups.append(_Group())
            case "odd":
                # Comments, looks ahead and such could hide what is repeated.
                raise _refused("a (?...) that RE2 does not know", pattern)
            case "closes" if len(groups) > 1:
                last = groups.pop()
                last.ends()
                groups[-1].row += last.most
            case "or":
                groups[-1].ends()
                groups[-1].alternatives = True
            case "repeat":
                if before is not None and _often(before, token[0]):
                    raise _refused("nested repeats", pattern)
                groups[-1].row += 1
        if groups[-1].row > IN_A_ROW:
            raise _refused(f"more than {IN_A_ROW} repeats in a row", pattern)


def _often(group: _Group, repeat: str) -> bool:
    return repeat[0] != "?" and (group.most > 0 or group.alternatives)


def _refused(what: str, pattern: str) -> Unsupported:
    return Unsupported(f"slod runs no regular expression with {what}: {pattern!r}")
