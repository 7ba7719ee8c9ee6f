"""Label sets of a page's lines: read once for each series, written in one canonical way."""

from __future__ import annotations

import re
from collections.abc import Mapping

_STRING = rb'"((?:[^"\\\n]|\\.)*)"'
_PAIR = re.compile(
    rb"[ \t]*(?:([a-zA-Z_:][a-zA-Z0-9_:]*)|" + _STRING + rb")[ \t]*=[ \t]*" + _STRING
    + rb"[ \t]*(,|$)"
)  # fmt: skip
_NAME = re.compile(rb"[ \t]*" + _STRING + rb"[ \t]*(,|$)")
_ESCAPE = re.compile(rb"\\(.)")
_ESCAPES = {b"n": b"\n"}


def parse_labels(inside: bytes, *, quoted_name: bool) -> dict[str, str] | None:
    """The inside of a line's braces; None when it is malformed. With `quoted_name` the metric's
    name stands first, as a string of its own (UTF-8 names)."""
    at = 0
    if quoted_name:
        name = _NAME.match(inside)
        if name is None:
            return None
        at = name.end()
    out: dict[str, str] = {}
    try:
        while at < len(inside) and inside[at:].strip():
            found = _PAIR.match(inside, at)
            if found is None:
                return None
            plain, quoted, value, _ = found.groups()
            label = plain if plain is not None else _unescape(quoted)
            if (key := label.decode()) in out:
                return None
            out[key] = _unescape(value).decode()
            at = found.end()
    except UnicodeDecodeError:
        return None
    return out


def canonical(name: str, labels: Mapping[str, str]) -> str:
    """`name{a="b",c="d"}` with sorted labels: the same for the same series in every format."""
    if not labels:
        return name
    return name + "{" + ",".join(f'{k}="{labels[k]}"' for k in sorted(labels)) + "}"


def _unescape(raw: bytes) -> bytes:
    if b"\\" not in raw:
        return raw
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), raw)
