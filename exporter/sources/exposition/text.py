r"""Prometheus text 0.0.4 and OpenMetrics 1.0: finds the lines of one metric, and what they say.

A page is one bytes object and is searched for `\nname`, which runs at memory speed; the other
49,000 lines are never looked at. Source: Prometheus "Exposition formats"; OpenMetrics 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from exporter.errors import SourceError
from exporter.sources.exposition.labels import canonical, parse_labels

_LOOK_AHEAD = 16 * 1024
_LEADING_BLANKS = re.compile(rb"\n[ \t]+")
_PLAIN = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
# The braces of a line, however its label values look; then value, timestamp, perhaps an exemplar.
_BRACES = rb'\{(?:[^"}\n]|"(?:[^"\\\n]|\\.)*")*\}'
_REST = rb"[ \t]*(?P<value>[^ \t\n#]+)(?:[ \t]+(?P<time>[^ \t\n#]+))?[ \t]*(?:#.*)?"
_LINE = re.compile(rb"(?P<key>[ \t]*" + _BRACES + rb"|[ \t]+)" + _REST)
_CREATED_OF = ("_total", "_count", "_bucket", "_sum")


def normalised(body: bytes, *, openmetrics: bool) -> bytes:
    """The page as the scanners expect it: every line begins after a newline, without blanks.

    An OpenMetrics page must end in `# EOF`, a text page in a newline: `SourceError` for a truncated
    one, since a number that was cut in the middle is a wrong number.
    """
    if openmetrics and not body.rstrip().endswith(b"# EOF"):
        raise SourceError("truncated", "the OpenMetrics page does not end in # EOF")
    if not openmetrics and body and not body.endswith(b"\n"):
        raise SourceError("truncated", "the page does not end in a newline")
    body = b"\n" + body
    if b"\r" in body:
        body = body.replace(b"\r\n", b"\n")
    # Who indents lines at all does so from the start; to search the whole page would cost the most.
    if _LEADING_BLANKS.search(body, 0, _LOOK_AHEAD):
        body = _LEADING_BLANKS.sub(b"\n", body)
    return body


class Scanner:
    """Finds the lines of one metric."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._quoted = _PLAIN.fullmatch(name) is None
        if self._quoted:
            prefix = b'{"' + name.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'
            self._lines = re.compile(rb"\n(" + re.escape(prefix) + rb"[ \t]*[,}][^\n]*)")
        else:
            prefix = name.encode()
            self._lines = re.compile(rb"\n" + re.escape(prefix) + rb"([ \t{][^\n]*)")
        self._begin = b"\n" + prefix

    def scan(
        self, body: bytes, refuse: Callable[[str], None]
    ) -> Iterator[tuple[bytes, float, float | None]]:
        """(key, value, timestamp as written) of each line; the key is all before the value."""
        # Two plain searches find the block of the metric four times faster than the expression.
        first = body.find(self._begin)
        if first < 0:
            return
        last = body.find(b"\n", body.rfind(self._begin) + 1)
        for line in self._lines.findall(body, first, last if last >= 0 else len(body)):
            end = line.rfind(b"}") + 1
            value, time = line[end:], None
            if b"#" in line or b" " in value.strip() or b"\t" in value:
                # An exemplar, a timestamp, or a label value that looks like one.
                found = _LINE.fullmatch(line)
                if found is None:
                    refuse("malformed")
                    continue
                end, value, time = found.end("key"), found["value"], found["time"]
            number = _number(value)
            stamp = None if time is None else _number(time)
            if number is None or (time is not None and stamp is None):
                refuse("malformed")
                continue
            yield line[:end], number, stamp

    def labels(self, key: bytes) -> dict[str, str] | None:
        """The labels that a key says; None when it is malformed."""
        inside = key.strip()
        if not inside:
            return {}
        if not (inside.startswith(b"{") and inside.endswith(b"}")):
            return None
        return parse_labels(inside[1:-1], quoted_name=self._quoted)


def single(body: bytes, name: str) -> float | None:
    """The value of a metric that has no labels."""
    for _, value, _ in Scanner(name).scan(body, lambda _: None):
        return value
    return None


def created(body: bytes, name: str) -> dict[str, float]:
    """By `created_key`, when each series of a counter or histogram was last zero."""
    base = next((name.removesuffix(s) for s in _CREATED_OF if name.endswith(s)), None)
    if base is None or b"\n" + base.encode() + b"_created" not in body:
        return {}
    out: dict[str, float] = {}
    scanner = Scanner(base + "_created")
    for key, value, _ in scanner.scan(body, lambda _: None):
        labels = scanner.labels(key)
        if labels is not None:
            out[created_key(labels)] = value
    return out


def created_key(labels: Mapping[str, str]) -> str:
    """What a series and its created timestamp have in common: all labels but `le`."""
    return canonical("", {k: v for k, v in labels.items() if k != "le"})


def _number(raw: bytes) -> float | None:
    # Python reads 1_000, the formats do not.
    if b"_" in raw:
        return None
    try:
        return float(raw)
    except ValueError:
        return None
