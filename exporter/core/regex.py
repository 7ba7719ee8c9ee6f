"""Regular expressions from outside: Prometheus' dialect, in time linear in the text.

Source: RE2's syntax page, and Go's regexp/syntax, which Prometheus uses. An expression always
matches the whole text, and `.` takes a newline too.

RE2 runs every expression, but a match through its Python wrapper costs several times what one of
`re` does, and there is no wheel for musl. So RE2's answers are remembered by value, and expressions
that `exporter.core.linear` proves to be linear under `re` are given to `re`. Everything else is
refused where RE2 is missing: Python's own engine takes exponential time for some expressions, and
nothing can stop it.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import re
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from exporter.core.linear import Literals, proven

HEAVIEST = 8192
"""Maximum weight of an expression for RE2, and of those of one request together: what RE2 compiles
within a quarter of a second. In characters; a Unicode class such as `\\p{L}` counts for 80."""
_CLASS_WEIGHT = 80
_MEMORY = 1 << 20
"""Bytes that RE2 may use for one expression, program and automaton together. Unicode classes with
repeat counts need most: `\\p{L}{50}` fits."""
_REMEMBERED = 16_384
"""Answers of RE2 that are kept, of all expressions together: 7 MB at most."""
_LONGEST_REMEMBERED = 256
"""Characters of a text whose answer is kept."""
_LONGEST_SHOWN, _LONGEST_PART = 200, 40
WAY_OUT = "pip install google-re2 (Alpine: apk add g++ re2-dev py3-pybind11-dev, then the same)"

_SURROGATE = re.compile("[\ud800-\udfff]")
_UNICODE_CLASS = re.compile(r"\\[pP]")
_BYTE = re.compile(r"(?<!\\)(?:\\\\)*\\C")
_REASONS = (
    (
        re.compile(r"invalid (?:perl operator|named capture group): \(\?<?[=!]"),
        "look-around is not supported; use a second matcher on the same label, =~ or !~",
    ),
    (
        re.compile(r"invalid escape sequence: \\[1-9]|invalid perl operator: \(\?P"),
        "back references are not supported; write the alternatives out",
    ),
    (
        re.compile(r"bad repetition operator: .*\+\Z|invalid perl operator: \(\?>"),
        "possessive and atomic forms are not supported, nor needed: write the plain repeat",
    ),
    (
        re.compile(r"pattern too large"),
        "too large; use smaller repeat counts, or fewer alternatives",
    ),
    (re.compile(r"invalid repetition size"), "a repeat count above 1000"),
)
"""What RE2 says, and what to do about it."""
_SUFFIX = " (the dialect is RE2, as in Prometheus)"

_answers: dict[tuple[int, str], bool] = {}
_serials = itertools.count()


class BadPattern(ValueError):
    """An expression that is refused; the message is one line."""


class NeedsRE2(BadPattern):
    """An expression that may be valid, and that only RE2 could run, which is not installed."""


class Pattern:
    """A compiled expression. `size`: instructions of RE2's program; 0 where `re` is used."""

    __slots__ = ("__weakref__", "_capturing", "_linear", "_re2", "_serial", "size", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self.size = 0
        self._re2: Any = None
        self._capturing: Any = None
        self._serial = next(_serials)
        self._linear = proven(text)
        if self._linear is None:
            self._re2 = _compile(text)
            self.size = self._re2.programsize
            if r"\Q" in text and not _is_closed(text):
                raise _refused(text, r"missing \E")

    def __reduce__(self) -> tuple[Any, ...]:
        return compiled, (self.text,)

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"

    def matches(self, value: str) -> bool:
        """Return True if the whole value matches."""
        linear = self._linear
        if linear is not None:
            if isinstance(linear, Literals):
                return value in linear.texts
            return linear.fullmatch(value) is not None
        key = self._serial, value
        answer = _answers.get(key)
        if answer is None:
            answer = self._re2.fullmatch(_encoded(value)) is not None
            if len(value) <= _LONGEST_REMEMBERED:
                if len(_answers) >= _REMEMBERED:
                    # Dropping all at once is cheaper than an order of use at every answer, and a
                    # flood of new values empties any cache.
                    forget()
                _answers[key] = answer
        return answer

    def captures(self, value: str) -> Mapping[str, str] | None:
        """Return the text of each group under its number and its name, the whole under "0"; None
        if the value does not match. A group that took no part is empty, as in Go."""
        linear = self._linear
        if isinstance(linear, Literals):
            if value not in linear.texts:
                return None
            return {"0": value, "1": value} if linear.grouped else {"0": value}
        if linear is not None:
            match = linear.fullmatch(value)
            texts = None if match is None else (match[0], *match.groups())
            names: Mapping[str, int] = {}
        else:
            if self._capturing is None:
                # RE2's own full match prefers long groups to early alternatives; an anchored
                # search has the groups of Go.
                self._capturing = _compile(f"^(?s:{self.text})$", capturing=True)
            match = self._capturing.search(_encoded(value))
            texts = None if match is None else (match.group(), *match.groups())
            texts = None if texts is None else tuple(t and t.decode() for t in texts)
            names = {k.decode(): n for k, n in self._capturing.groupindex.items()}
        if texts is None:
            return None
        found = {str(i): text or "" for i, text in enumerate(texts)}
        return {**found, **{name: found[str(i)] for name, i in names.items()}}


_alive: WeakValueDictionary[str, Pattern] = WeakValueDictionary()
"""Equal expressions are one, for as long as somebody uses it: thousands of SLOs ask for the same
codes."""


def compiled(text: str) -> Pattern:
    """Compile an expression. Raises `BadPattern` if it is not RE2's, too large, or needs RE2 where
    that is not installed."""
    pattern = _alive.get(text)
    if pattern is None:
        pattern = _alive[text] = Pattern(text)
    return pattern


class Total:
    """Limits the expressions of one request, which a stranger may have written: the time to compile
    them, and the memory of their automata (50 MiB). It keeps what it compiled alive."""

    MOST = 50
    LARGEST = 65_536

    def __init__(self) -> None:
        self._patterns: list[Pattern] = []
        self._weight = self._size = 0

    def add(self, text: str) -> None:
        """Compile one more. Raises `BadPattern`."""
        pattern = compiled(text)
        if pattern.size:
            self._patterns.append(pattern)
            self._weight += _weight(text)
            self._size += pattern.size
            if (
                len(self._patterns) > self.MOST
                or self._weight > HEAVIEST
                or self._size > self.LARGEST
            ):
                raise _refused(text, "too much together with those before it; use fewer or simpler")


def forget() -> None:
    """Drop the remembered answers, as if no text had been matched yet."""
    _answers.clear()


def is_complete() -> bool:
    """Return True if RE2 is installed, so that every expression can be run."""
    return importlib.util.find_spec("re2") is not None


def _compile(text: str, *, capturing: bool = False) -> Any:
    engine = _engine()
    if _weight(text) > HEAVIEST:
        raise _refused(
            text,
            f"more than {HEAVIEST:,} characters, each \\p counting for {_CLASS_WEIGHT}; only lists "
            "of plain alternatives may be longer",
        )
    if engine is None:
        raise NeedsRE2(
            f"the regular expression {_shown(text)} needs google-re2, which is not installed: "
            f"{WAY_OUT}; without it slod runs plain text, alternatives, character classes, and one "
            "repeat of a single character in each alternative"
        )
    options = engine.Options()
    options.log_errors = False
    options.dot_nl = not capturing
    options.max_mem = _MEMORY
    # Without groups RE2 answers from its automaton alone.
    options.never_capture = not capturing
    if _BYTE.search(text) is not None:
        raise _refused(text, "invalid escape sequence: \\C")
    try:
        encoded = text.encode()
    except UnicodeEncodeError:
        raise _refused(text, "not UTF-8") from None
    try:
        # Not `engine.compile`, whose cache would keep 128 expressions of strangers.
        return engine._Regexp(encoded, options)  # noqa: SLF001 - the class behind `compile`
    except engine.error as error:
        raise _refused(text, _reason(error.args[0].decode("utf-8", "replace"))) from None


def _weight(text: str) -> int:
    return len(text) + _CLASS_WEIGHT * len(_UNICODE_CLASS.findall(text))


def _is_closed(text: str) -> bool:
    """Check a quotation, which could take in what is put behind an expression, as in Go."""
    try:
        return bool(_compile(f"(?:{text})"))
    except BadPattern:
        return False


@functools.cache
def _engine() -> Any:
    # Imported when the first expression needs it: 21 ms and 3 MB.
    try:
        import re2
    except ImportError:
        return None
    return re2


def _encoded(value: str) -> bytes:
    try:
        return value.encode()
    except UnicodeEncodeError:
        # What is no UTF-8 counts as U+FFFD, as in Go.
        return _SURROGATE.sub("\ufffd", value).encode()


def _reason(said: str) -> str:
    reason = next((reason for of, reason in _REASONS if of.match(said)), "")
    if reason:
        return reason
    # After the colon is the part that is wrong, which may be all of it.
    kind, _, part = said.partition(": ")
    return f"{kind}: {part}" if part.isprintable() and len(part) <= _LONGEST_PART else kind


def _refused(text: str, reason: str) -> BadPattern:
    return BadPattern(f"bad regular expression {_shown(text)}: {reason}{_SUFFIX}")


def _shown(text: str) -> str:
    return repr(text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…")
