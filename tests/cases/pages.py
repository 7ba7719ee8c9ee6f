"""Pages of metrics, written down once and rendered in any of the three formats.

A page maps series, as they are written in a selector, to values. A value may be a `Sample`, which
adds a time of its own or a created timestamp. Times are unix seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from exporter.core.selector import parse_selector
from tests import wire

START = "process_start_time_seconds"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
PROTOBUF = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)


class Sample(NamedTuple):
    """A value with a time of its own and a created timestamp, both in unix seconds."""

    value: float
    time: float | None = None
    created: float | None = None


Page = Mapping[str, float | Sample]


@dataclass(frozen=True)
class Row:
    """One series of a page."""

    name: str
    labels: Mapping[str, str]
    sample: Sample


def rows(page: Page) -> Iterator[Row]:
    """The series of a page, each parsed."""
    for text, value in page.items():
        found = parse_selector(text)
        sample = value if isinstance(value, Sample) else Sample(value)
        yield Row(found.name, {m.label: m.value for m in found.matchers}, sample)


def render(page: Page, content: str, types: Mapping[str, str] | None = None) -> bytes:
    """The page in the format of a Content-Type. `types`: of families, where the name (`_total` for
    a counter, the start time for a gauge) does not tell."""
    known = types or {}
    if content == PROTOBUF:
        return _protobuf(list(rows(page)), known)
    return _text(list(rows(page)), known, openmetrics=content == OPENMETRICS).encode()


def _type(name: str, known: Mapping[str, str]) -> str:
    plain = "counter" if name.endswith("_total") else "gauge" if name.endswith(START) else ""
    return known.get(name, plain)


def _families(found: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by name: the lines of a family stand together."""
    out: dict[str, list[Row]] = {}
    for row in found:
        out.setdefault(row.name, []).append(row)
    return out


# --- text -----------------------------------------------------------------------------------------


_PARTS = ("_bucket", "_count", "_sum")


def _text(found: Sequence[Row], known: Mapping[str, str], *, openmetrics: bool) -> str:
    out: list[str] = []
    for name, family in _families(found).items():
        kind = _type(name, known)
        base = next((name.removesuffix(p) for p in _PARTS if name.endswith(p)), "")
        if known.get(base):
            if (line := f"# TYPE {base} {known[base]}") not in out:
                out.append(line)
        elif kind:
            shown = name.removesuffix("_total") if openmetrics and kind == "counter" else name
            out.append(f"# TYPE {shown} {kind}")
        for row in family:
            out.append(_line(name, row, row.sample.value, openmetrics=openmetrics))
            if openmetrics and row.sample.created is not None:
                created = Row(name, row.labels, Sample(row.sample.created))
                base = name.removesuffix("_total") + "_created"
                out.append(_line(base, created, created.sample.value, openmetrics=True))
    if openmetrics:
        out.append("# EOF")
    return "\n".join(out) + "\n"


def _line(name: str, row: Row, value: float, *, openmetrics: bool) -> str:
    time = row.sample.time
    tail = "" if time is None else f" {time:.3f}" if openmetrics else f" {round(time * 1000)}"
    return f"{_series(name, row.labels)} {number(value)}{tail}"


_PLAIN = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def _series(name: str, labels: Mapping[str, str]) -> str:
    """A series as it is written; names that are not plain stand in quotes inside the braces."""
    plain = _PLAIN.fullmatch(name) is not None
    inside = [] if plain else [f'"{_escaped(name)}"']
    for key, value in labels.items():
        shown = key if _PLAIN.fullmatch(key) else f'"{_escaped(key)}"'
        inside.append(f'{shown}="{_escaped(value)}"')
    return (name if plain else "") + ("{" + ",".join(inside) + "}" if inside else "")


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def number(value: float) -> str:
    """A value as clients write it: whole numbers without a fraction, large ones by exponent."""
    if not isfinite(value):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[str(float(value))]
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    return repr(float(value))


# --- protobuf -------------------------------------------------------------------------------------

_KINDS = {"counter": 0, "gauge": 1, "": 3}
_FIELDS = {"counter": 3, "gauge": 2, "": 5}


def _protobuf(found: Sequence[Row], known: Mapping[str, str]) -> bytes:
    out = b""
    for name, members in _families(found).items():
        kind = _type(name, known)
        out += wire.family(name, _KINDS[kind], *(_metric(row, kind) for row in members))
    return out


def _metric(row: Row, kind: str) -> bytes:
    sample = row.sample
    body = b"".join(wire.label(name, value) for name, value in row.labels.items())
    value = wire.double(1, sample.value)
    if sample.created is not None and kind == "counter":
        whole = int(sample.created)
        nanos = round((sample.created - whole) * 1e9)
        value += wire.message(3, wire.whole(1, whole), wire.whole(2, nanos))
    body += wire.message(_FIELDS[kind], value)
    if sample.time is not None:
        body += wire.whole(6, round(sample.time * 1000))
    return body
