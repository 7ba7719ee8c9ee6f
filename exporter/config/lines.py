"""On which line of a TOML text a key stands: a scan of the text, not a second parser.

The text has been read by a real parser before, so it is valid TOML and only its skeleton matters:
headers, keys, strings, brackets. Where the scan loses its way it stops; later keys have no line.

Source: TOML 1.0.0, https://toml.io/en/v1.0.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property

Path = tuple[str | int, ...]
"""Where a value stands: keys of tables and indices of lists."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}|' r"'''.*?'{3,5}|" r'"(?:[^"\\\n]|\\.)*"|' r"'[^'\n]*'",
    re.DOTALL,
)
_BARE = re.compile(r"[^,\]}\n#]+")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r"}


class KeyLines(Mapping[Path, int]):
    """`key_lines` of a text, found when first asked for: a file without findings needs none."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _lines(self) -> dict[Path, int]:
        return key_lines(self._text)

    def __getitem__(self, path: Path) -> int:
        return self._lines[path]

    def __iter__(self) -> Iterator[Path]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)


def key_lines(text: str) -> dict[Path, int]:
    """Every key path of a valid TOML text with the line (from 1) where it first stands."""
    scan = _Scan(text)
    line, counted = 1, 0
    try:
        for path, at in scan.document():
            line, counted = line + text.count("\n", counted, at), at
            for depth in range(1, len(path) + 1):
                scan.lines.setdefault(path[:depth], line)
    except (_Lost, RecursionError):
        pass
    return scan.lines


class _Lost(Exception):
    """The text is not what the scan expects."""


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Path, int] = {}
        self._lengths: dict[Path, int] = {}

    def document(self) -> Iterator[tuple[Path, int]]:
        table: Path = ()
        self._skip(_BLANK)
        while self.at < len(self.text):
            start = self.at
            if self._take("[["):
                name = self._resolve(self._keys())
                self._expect("]]")
                index = self._lengths.get(name, 0)
                self._lengths[name] = index + 1
                table = (*name, index)
                yield table, start
            elif self._take("["):
                table = self._resolve(self._keys())
                self._expect("]")
                yield table, start
            else:
                yield from self._pair(table)
            self._skip(_BLANK)

    def _pair(self, table: Path) -> Iterator[tuple[Path, int]]:
        start = self.at
        path = (*table, *self._keys())
        self._expect("=")
        yield path, start
        self._skip(_SPACE)
        yield from self._value(path)

    def _value(self, path: Path) -> Iterator[tuple[Path, int]]:
        if self._take("["):
            self._skip(_BLANK)
            index = 0
            while not self._take("]"):
                yield (*path, index), self.at
                yield from self._value((*path, index))
                index += 1
                self._separator("]")
        elif self._take("{"):
            self._skip(_BLANK)
            while not self._take("}"):
                yield from self._pair(path)
                self._separator("}")
        elif self.text[self.at : self.at + 1] in ('"', "'"):
            self._match(_STRING)
        else:
            self._match(_BARE)

    def _separator(self, closing: str) -> None:
        self._skip(_BLANK)
        if not self._take(","):
            if not self.text.startswith(closing, self.at):
                raise _Lost
            return
        self._skip(_BLANK)

    def _keys(self) -> Path:
        keys: list[str] = []
        while True:
            self._skip(_SPACE)
            keys.append(_plain(self._match(_KEY)))
            self._skip(_SPACE)
            if not self._take("."):
                return tuple(keys)

    def _resolve(self, keys: Path) -> Path:
        """A header below an array of tables means its last element."""
        path: Path = ()
        for i, key in enumerate(keys):
            path = (*path, key)
            if path in self._lengths and i < len(keys) - 1:
                path = (*path, self._lengths[path] - 1)
        return path

    def _take(self, token: str) -> bool:
        if self.text.startswith(token, self.at):
            self.at += len(token)
            return True
        return False

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise _Lost

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _match(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise _Lost
        self.at = found.end()
        return found[0]


def _plain(key: str) -> str:
    if key[0] == "'":
        return key[1:-1]
    if key[0] == '"':
        return _ESCAPE.sub(
            lambda m: chr(int(m[1][1:], 16)) if len(m[1]) > 1 else _ESCAPES.get(m[1], m[1]),
            key[1:-1],
        )
    return key
