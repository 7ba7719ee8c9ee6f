"""One page in each of the three formats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from exporter.core.selector import parse_selector
from exporter.sources.exposition import Page, PageReader
from tests.wire import double, family, label, message, whole

TEXT = "text/plain; version=0.0.4"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
PROTOBUF = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
FORMATS = (TEXT, OPENMETRICS, PROTOBUF)
NOW = 1_700_000_000.0
_KINDS = {"counter": (0, 3), "gauge": (1, 2), "untyped": (3, 5)}
"""By type: its number in protobuf, and the field of a metric that has its value."""


class Row(NamedTuple):
    """One sample; `at` and `created` in unix seconds."""

    name: str
    value: float
    labels: Mapping[str, str] = {}
    type: str = "gauge"
    at: float | None = None
    created: float | None = None


def body(kind: str, rows: Sequence[Row]) -> bytes:
    """The page as a client writes it in that format."""
    if kind == PROTOBUF:
        names = dict.fromkeys(row.name for row in rows)
        return b"".join(_family([row for row in rows if row.name == name]) for name in names)
    lines: list[str] = []
    for row in rows:
        typed = f"# TYPE {_type_name(row, kind)} {_type(row, kind)}"
        if typed not in lines:
            lines.append(typed)
        inside = ",".join(f"{k}={_quoted(v)}" for k, v in row.labels.items())
        stamp = "" if row.at is None else f" {row.at if kind == OPENMETRICS else row.at * 1000:.0f}"
        lines.append(f"{row.name}{{{inside}}} {row.value!r}{stamp}")
    return "".join(f"{line}\n" for line in lines).encode() + b"# EOF\n" * (kind == OPENMETRICS)


def reader(*wants: str, labels: Mapping[str, str] | None = None, **more: object) -> PageReader:
    """A reader of the target `http://t`."""
    selectors = [parse_selector(want) for want in wants]
    return PageReader(selectors, "http://t", labels or {}, max_series=1000, **more)  # type: ignore[arg-type]


def read(
    rows: Sequence[Row], *wants: str, kind: str = TEXT, labels: Mapping[str, str] | None = None
) -> Page:
    """What a new reader says of a page whose processes have instance and job."""
    new = reader(*wants, labels=labels, process_labels=("instance", "job"))
    return new.read(body(kind, rows), kind, NOW)


def _family(rows: Sequence[Row]) -> bytes:
    kind, _ = _KINDS[rows[0].type]
    return family(rows[0].name, kind, *map(_metric, rows))


def _metric(row: Row) -> bytes:
    created = b"" if row.created is None else message(3, whole(1, int(row.created)))
    value = message(_KINDS[row.type][1], double(1, row.value), created)
    time = b"" if row.at is None else whole(6, int(row.at * 1000))
    return b"".join(label(k, v) for k, v in row.labels.items()) + value + time


def _type_name(row: Row, kind: str) -> str:
    counter = kind == OPENMETRICS and row.type == "counter"
    return row.name.removesuffix("_total") if counter else row.name


def _type(row: Row, kind: str) -> str:
    return "unknown" if kind == OPENMETRICS and row.type == "untyped" else row.type


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
