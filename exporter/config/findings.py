"""What is wrong with a file, one line each: `config.toml:12: slo.x.objective: must be ...`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from exporter.config.lines import Path
from exporter.errors import ConfigError
from exporter.printable import printable
from exporter.redaction import readable

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found; `line` counts from 1 and is None where it cannot be told."""

    level: Literal["error", "warning", "note"]
    path: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        where = self.path if self.line is None else f"{self.path}:{self.line}"
        # Values of the file, of a source's labels and of its errors stand in messages.
        text = ": ".join(part for part in (where, self.key, self.message) if part)
        return printable(readable(text))


@dataclass(slots=True)
class Findings:
    """Collects findings on one file, so that all of them are reported at once."""

    path: str
    lines: Mapping[Path, int] = field(default_factory=dict)
    found: list[Finding] = field(default_factory=list)
    faults: list[Finding] = field(default_factory=list)
    """Errors of single SLOs, without which the rest of the file can be used."""

    def error(self, key: Path, message: str) -> None:
        """Something the file cannot be used with."""
        self.found.append(Finding("error", self.path, self._line(key), dotted(key), message))

    def fault(self, key: Path, message: str) -> None:
        """An error of one SLO: `check` refuses it, the daemon runs the others."""
        self.faults.append(Finding("error", self.path, self._line(key), dotted(key), message))

    def warning(self, key: Path, message: str) -> None:
        """Something that works and is probably not meant."""
        self.found.append(Finding("warning", self.path, self._line(key), dotted(key), message))

    def note(self, key: Path, message: str) -> None:
        """Something that is as it should be, most likely."""
        self.found.append(Finding("note", self.path, self._line(key), dotted(key), message))

    @property
    def errors(self) -> list[Finding]:
        """The errors in the order of the file."""
        return in_order(f for f in self.found if f.level == "error")

    @property
    def warnings(self) -> list[Finding]:
        """The warnings in the order of the file."""
        return in_order(f for f in self.found if f.level == "warning")

    def raise_errors(self) -> None:
        """`ConfigError` with every error, if there is one."""
        if self.errors:
            raise ConfigError(*(str(f) for f in self.errors))

    def _line(self, key: Path) -> int | None:
        # A key that is missing has no line; its table has.
        for depth in range(len(key), 0, -1):
            if (line := self.lines.get(key[:depth])) is not None:
                return line
        return None


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Sorted by line, those without one last; the same finding only once."""
    return sorted(dict.fromkeys(findings), key=lambda f: (f.line is None, f.line or 0))


def dotted(key: Path) -> str:
    """The key path as TOML spells it: `slo."my slo".sli`, `alert_policy.fast.rules[0].budget`."""
    out = ""
    for part in key:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            plain = part if _BARE_KEY.fullmatch(part) else '"' + part.replace('"', '\\"') + '"'
            out += f".{plain}" if out else plain
    return out


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'objective'?`, or else the names there are when they are few, or nothing."""
    from difflib import get_close_matches  # only for a file with mistakes

    names = sorted(known)
    close = get_close_matches(word, names, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    if 0 < len(names) <= 8:
        return "; there is " + ", ".join(names)
    return ""
