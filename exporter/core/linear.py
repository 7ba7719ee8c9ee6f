r"""Regular expressions that Python's own `re` is proven to run in linear time.

The grammar:

    expression  = alternative {"|" alternative}
    alternative = ["^"] items [choice items] [last] ["$"]
    items       = {atom | "(" {atom} ")"}
    choice      = atom repeat | "(" {atom} atom repeat {atom} ")" | "(" {atom} {"|" {atom}} ")"
    last        = ".*" | ".+" | "(" {atom} ".*" ")" | "(" {atom} ".+" ")"
    atom        = a character | an escaped one | "." | a class such as [a-f0-9] or \d
    repeat      = "*" | "+" | "?"

where "(" may be "(?:" too. So an alternative has one place at most that `re` can go back to, the
choice, with as many ways on from there as the text or the expression is long; each way is a walk
over atoms of one character, and after `last` nothing can fail. A match takes time by the length of
the text times that of the expression, which is what RE2 promises too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONGEST = 4096
"""Maximum characters of an expression; lists of plain alternatives have no limit."""
_LONGEST_CHOICE = 512
"""Maximum characters of one with a choice: the factor that the length of a text is taken by."""

_PLAIN = r"[^\\.+*?()|\[\]{}^$\ud800-\udfff]"
_ESCAPED = r"\\[ -/:-@\[-^`{-~\t\n\r\f\v]"
_LITERAL = rf"(?:{_PLAIN}|{_ESCAPED})*+"
_LITERALS = re.compile(
    rf"(?P<opens>\((?:\?:)?+)?+(?P<all>{_LITERAL}(?:\|{_LITERAL})*+)(?(opens)\))"
)
_PART = re.compile(r"\\.|\||[^\\|]+", re.DOTALL)
# In a class a hyphen stands between two letters of a kind or two digits, or at the end.
_IN_CLASS = (
    r"[0-9]-[0-9]|[a-z]-[a-z]|[A-Z]-[A-Z]|\\[dw]"
    rf"|{_ESCAPED}|[^\\\[\]\-^&~|\ud800-\udfff]"
)
_CLASS = rf"\[\^?+(?:(?:{_IN_CLASS})(?!-[^\]]))++-?+\]"
_ATOM = rf"(?:{_PLAIN}|{_ESCAPED}|\.|\\[dDwW]|{_CLASS})"
_ONCE = r"(?![*+?{])"
_ATOMS = rf"(?:{_ATOM}{_ONCE})*+"
_OPENS, _CLOSES = r"\((?:\?:)?+", rf"\){_ONCE}"
_REPEAT = rf"{_ATOM}[*+?]{_ONCE}"
_ITEMS = rf"(?:{_ATOM}{_ONCE}|{_OPENS}{_ATOMS}{_CLOSES})*+"
_CHOICE = (
    rf"(?:{_REPEAT}|{_OPENS}{_ATOMS}{_REPEAT}{_ATOMS}{_CLOSES}"
    rf"|{_OPENS}{_ATOMS}(?:\|{_ATOMS})++{_CLOSES})"
)
_LAST = rf"(?:\.[*+]|{_OPENS}{_ATOMS}\.[*+]\))(?=\$?+(?:\||\Z))"
_ALTERNATIVE = re.compile(
    rf"\^?+(?P<inside>{_ITEMS}(?:{_LAST}|(?P<choice>{_CHOICE}){_ITEMS}(?:{_LAST})?)?)\$?+",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Literals:
    """A list of plain texts; `grouped` if it stands in a capturing group."""

    texts: frozenset[str]
    grouped: bool


def proven(text: str) -> Literals | re.Pattern[str] | None:
    """Return what runs an expression in linear time, or None where that is not proven."""
    literals = _LITERALS.fullmatch(text)
    if literals is not None:
        return Literals(frozenset(_texts(literals["all"])), literals["opens"] == "(")
    plain = _without_anchors(text) if len(text) <= _LONGEST else None
    try:
        # ASCII: \d and \w are those of RE2.
        return None if plain is None else re.compile(plain, re.DOTALL | re.ASCII)
    except re.error:
        # Such as a range that ends before it begins; RE2 finds the words.
        return None


def _texts(alternatives: str) -> list[str]:
    texts = [""]
    for part in _PART.findall(alternatives):
        if part == "|":
            texts.append("")
        else:
            texts[-1] += part[1:] if part[0] == "\\" else part
    return texts


def _without_anchors(text: str) -> str | None:
    """Return an expression of the grammar without its anchors; None if it is not of the grammar. A
    match of the whole text does not need them, and `$` of `re` allows a newline after it."""
    out: list[str] = []
    at = 0
    while True:
        found = _ALTERNATIVE.match(text, at)
        if found is None or (found["choice"] and len(text) > _LONGEST_CHOICE):
            return None
        out.append(found["inside"])
        at = found.end()
        if at == len(text):
            return "|".join(out)
        if text[at] != "|":
            return None
        at += 1
