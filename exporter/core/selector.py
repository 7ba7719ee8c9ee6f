"""What an SLO asks a source for: PromQL vector selectors, and whole queries.

Source: Prometheus documentation, "Querying basics", time series selectors. Regular expressions are
those of `exporter.core.regex`, and a label that is absent counts as the empty string, as there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from exporter.core.regex import Pattern, Total, compiled

NAME = "__name__"

# Possessive (*+) throughout: what cannot be read is refused at once, however long it is.
_IDENT = r"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*+"
METRIC_NAME, LABEL_NAME = re.compile(_IDENT), re.compile(_LABEL)
"""Names that stand without quotes."""
_STRING = r"\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'|`[^`]*+`"
_SELECTOR = re.compile(rf"\s*+(?P<name>{_IDENT})?+\s*+(?:\{{(?P<body>.*)\}})?+\s*+", re.DOTALL)
_MATCHER = re.compile(
    rf"\s*+(?:(?P<label>{_IDENT}|{_STRING})\s*+(?P<op>=~|!~|!=|=)\s*+(?P<value>{_STRING})"
    rf"|(?P<quoted_name>{_STRING}))\s*+(?P<end>,|$)",
    re.DOTALL,
)
_ESCAPES = dict(zip(b"ntrabfv\\\"'", b"\n\t\r\a\b\f\v\\\"'", strict=True))
_ESCAPE = re.compile(
    rb"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|[^\x80-\xff]|[\x80-\xff]+)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label: `op` is `=`, `!=`, `=~` or `!~`."""

    label: str
    op: str
    value: str
    _regex: Pattern | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.op in ("=~", "!~"):
            object.__setattr__(self, "_regex", compiled(self.value))

    def matches(self, value: str) -> bool:
        """Whether a label of this value (empty when absent) meets the condition."""
        if self._regex is not None:
            return self._regex.matches(value) is (self.op == "=~")
        return (value == self.value) is (self.op == "=")

    def __str__(self) -> str:
        return f"{label_text(self.label)}{self.op}{quote(self.value)}"


@dataclass(frozen=True, slots=True)
class Selector:
    """The series of one metric that meet every matcher, e.g. `up{job="api"}`."""

    name: str
    matchers: tuple[Matcher, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether a series of this metric with these labels is meant; the name is not looked at."""
        return all(m.matches(labels.get(m.label, "")) for m in self.matchers)

    def where(self, *more: Matcher) -> Selector:
        """The same selector with more conditions."""
        return Selector(self.name, (*self.matchers, *more))

    def renamed(self, name: str) -> Selector:
        """The same conditions on another metric."""
        return Selector(name, self.matchers)

    def __str__(self) -> str:
        plain = METRIC_NAME.fullmatch(self.name) is not None
        inside = [] if plain else [quote(self.name)]
        inside += [str(m) for m in self.matchers]
        return (self.name if plain else "") + ("{" + ",".join(inside) + "}" if inside else "")


@dataclass(frozen=True, slots=True)
class Query:
    """A whole PromQL expression, with `{{.window}}` where the poll interval belongs."""

    expr: str

    def __str__(self) -> str:
        return self.expr


Want = Selector | Query
"""One thing a source is asked for; a `Batch` answers by want."""


def parse_selector(text: str) -> Selector:
    """Read a vector selector; `ValueError` says in one line what is wrong with it."""
    whole = _SELECTOR.fullmatch(text)
    if whole is None or not text.strip():
        raise ValueError(f'not a selector: {text!r}; write it like metric_name{{label="value"}}')
    name, matchers = whole["name"] or "", []
    for matcher in parse_matchers(whole["body"] or "", allow_name=True):
        if matcher.label == NAME and matcher.op == "=" and not name:
            name = matcher.value
        else:
            matchers.append(matcher)
    if not name or any(m.label == NAME for m in matchers):
        raise ValueError(f"the selector {text!r} must name one metric")
    return Selector(name, tuple(matchers))


def parse_matchers(text: str, *, allow_name: bool = False) -> tuple[Matcher, ...]:
    """Read `a="b",c!~"d.*"`, the inside of a selector's braces; `ValueError` as above."""
    out: list[Matcher] = []
    total = Total()
    at = 0
    while at < len(text) and text[at:].strip():
        found = _MATCHER.match(text, at)
        if found is None or (found["quoted_name"] and not allow_name):
            raise ValueError(f"cannot read the label matchers from {text[at:]!r}")
        if found["quoted_name"]:
            out.append(Matcher(NAME, "=", unquote(found["quoted_name"])))
        else:
            label = found["label"]
            label = unquote(label) if label[0] in "\"'`" else label
            value = unquote(found["value"])
            if "~" in found["op"]:
                total.add(value)
            out.append(Matcher(label, found["op"], value))
        at = found.end()
    return tuple(out)


def label_text(name: str) -> str:
    """A label's name as PromQL writes it; quoted only where it must be: Prometheus 2 knows no
    quoted names."""
    return name if LABEL_NAME.fullmatch(name) else quote(name)


def quote(value: str) -> str:
    """A PromQL string literal."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def unquote(literal: str) -> str:
    """Read a PromQL string literal with its quotes; `ValueError` says what is wrong with it."""
    if literal[0] == "`":
        return literal[1:-1]
    try:
        return _ESCAPE.sub(_unescape, literal[1:-1].encode()).decode()
    except UnicodeError:
        raise ValueError(f"the string {literal!r} is not UTF-8") from None


def _unescape(found: re.Match[bytes]) -> bytes:
    # As in Go: \u is a character, \x and octal digits are a byte of one.
    code = found[1]
    if code[0] in b"uU" and len(code) > 1 and int(code[1:], 16) < 0x110000:
        return chr(int(code[1:], 16)).encode()
    if code[0] in b"x" and len(code) > 1:
        return bytes([int(code[1:], 16)])
    if len(code) == 3 and code < b"400":
        return bytes([int(code, 8)])
    if len(code) == 1 and code[0] in _ESCAPES:
        return bytes([_ESCAPES[code[0]]])
    shown = ascii(code.decode("utf-8", "replace"))[1:-1]
    raise ValueError(f"unknown escape \\{shown}; a backslash in a string is written \\\\")
