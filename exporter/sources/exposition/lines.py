r"""The grammar of one line: name, labels, value, perhaps a timestamp, perhaps an exemplar.

Text 0.0.4 and OpenMetrics 1.0 alike. This is the careful way; `text.py` takes it for lines that it
has not met before. Source: Prometheus, "Exposition formats"; OpenMetrics 1.0; Prometheus' UTF-8
syntax `{"metric.name",label="value"}`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite
from typing import NamedTuple

import msgspec

from exporter.sources.exposition.labels import STRING, parse_labels, unescape

_PLAIN = rb"[a-zA-Z_:][a-zA-Z0-9_:]*+"
# However a label value looks, with }, # or , in it: strings are taken as a whole.
_BRACES = rb'\{((?:[^"}\n]++|"(?:[^"\\\n]++|\\.)*+")*+)\}'
_KEY = re.compile(rb"(" + _PLAIN + rb")?+[ \t]*+(?:" + _BRACES + rb")?+[ \t]*+")
_NAME = re.compile(rb"(?:(" + _PLAIN + rb")|\{[ \t]*+" + STRING + rb")(?=[ \t,{}]|\Z)")
_REST = re.compile(rb"[ \t]*+([^ \t\r#]++)(?:[ \t]++([^ \t\r#]++))?+[ \t\r]*+(?:#.*)?+", re.DOTALL)

_PYTHONIC = re.compile(rb"[_\x0b\x0c]")
"""Python reads 1_000 and takes form feeds for blanks, the formats do not."""
_EARLIEST, _LATEST = 1e9, 1e10
"""Unix seconds between which a counter can have been created: 2001 and 2286."""
_LONGEST = 64 * 1024
"""Bytes that a line may have up to its value; no honest page has more, and they are kept."""
_json_numbers = msgspec.json.Decoder(list[float]).decode


class Key(NamedTuple):
    """Which series a line is of; `length` is that of all before the value."""

    name: str
    labels: dict[str, str]
    length: int


class Clock(NamedTuple):
    """The time of a page's samples: `at`, or with `honor` what the lines say, in so many units
    `per_second`."""

    at: float
    per_second: float
    honor: bool

    def time(self, stamp: float | None) -> float:
        """The unix time of a sample with this timestamp on the page."""
        return self.at if stamp is None or not self.honor else stamp / self.per_second


def written(name: str) -> bytes:
    """A name as it stands on a page, in quotes where it must."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return escaped.encode("utf-8", "surrogateescape")


def name_of(line: bytes) -> str | None:
    """The metric that a line is of, even where the rest of it cannot be read."""
    found = _NAME.match(line)
    if found is None:
        return None
    raw = found[1] if found[1] is not None else unescape(found[2])
    return raw.decode("utf-8", "replace")


def parse_key(line: bytes) -> Key | None:
    """All of a line but its value; None when it is malformed."""
    found = _KEY.match(line)
    if found is None or found.end() > _LONGEST:
        return None
    plain, inside = found.groups()
    parsed = (None, {}) if inside is None else parse_labels(inside)
    if parsed is None:
        return None
    quoted, labels = parsed
    if (plain is None) is (quoted is None):
        return None
    # Without braces only a blank can end the name.
    if inside is None and not line[: found.end()].endswith((b" ", b"\t")):
        return None
    return Key(plain.decode() if plain is not None else quoted or "", labels, found.end())


def parse_rest(rest: bytes) -> tuple[float, float | None] | None:
    """Value and timestamp, in the unit that the format has; None when they are malformed."""
    found = _REST.fullmatch(rest)
    if found is None:
        return None
    value = number(found[1])
    if value is None or found[2] is None:
        return None if value is None else (value, None)
    time = number(found[2])
    return None if time is None or not isfinite(time) else (value, time)


def number(raw: bytes) -> float | None:
    """A number as the formats have it, `NaN` and `+Inf` included."""
    if _PYTHONIC.search(raw):
        return None
    try:
        return float(raw)
    except ValueError:
        return None


def plain_numbers(rests: Sequence[bytes]) -> list[float] | None:
    """The values, where no line has anything else; None where one has, or is malformed."""
    # Most numbers are JSON's too, of which lists are read many times faster.
    try:
        values = _json_numbers(b"[%b]" % b",".join(rests))
    except msgspec.DecodeError:
        pass
    else:
        return values if len(values) == len(rests) else None
    if _PYTHONIC.search(b"".join(rests)):
        return None
    try:
        return list(map(float, rests))
    except ValueError:
        return None


def plausible(created: float) -> float | None:
    """A time of creation in unix seconds; None where it can be none, such as 0 for unknown."""
    return created if _EARLIEST <= created <= _LATEST else None
