"""The forms of `sli = {...}`: counters, a histogram, a gauge, queries; exactly one of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal

import msgspec

from exporter.config.composite import read_composite
from exporter.config.duration import parse_millis
from exporter.config.findings import Findings
from exporter.config.lines import Path
from exporter.config.queries import read_queries
from exporter.core.selector import Matcher, Selector, parse_matchers, parse_selector
from exporter.core.slo import COMPARISONS, SLI, SLO, CounterSLI, GaugeSLI, HistogramSLI


class SLITable(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Every key that an `sli` table can have; `good` is a comparison when there is a `gauge`."""

    good: str | None = None
    bad: str | None = None
    total: str | None = None
    histogram: str | None = None
    threshold: str | int | float | None = None
    good_if: str | None = None
    gauge: str | None = None
    good_query: str | None = None
    bad_query: str | None = None
    total_query: str | None = None
    error_ratio_query: str | None = None
    unit: Literal["events", "rate", "ratio"] | None = None
    all: tuple[str, ...] | None = None
    weights: dict[str, float] | None = None


_HISTOGRAM = ("histogram", "threshold", "good_if")
_GAUGE = ("gauge", "good")
_QUERY = ("good_query", "bad_query", "total_query", "error_ratio_query", "unit")
_COUNTER = ("good", "bad", "total")
_COMPOSITE = ("all", "weights")
_COMPARISON = re.compile(
    r"\s*(?P<op>" + "|".join(sorted(COMPARISONS, key=len, reverse=True)) + r")\s*"
    r"(?P<bound>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*"
)
_FORMS = "good or bad with total; histogram with threshold; gauge with good; queries; or all"
# A duration becomes a number in the unit that the metric's name ends with; seconds by default.
_PER_MILLI = {
    "_milliseconds": (1, 1),
    "_ms": (1, 1),
    "_microseconds": (1000, 1),
    "_us": (1000, 1),
    "_nanoseconds": (1_000_000, 1),
    "_ns": (1_000_000, 1),
}
_SECONDS = (1, 1000)


def read_sli(
    table: SLITable,
    path: Path,
    findings: Findings,
    *,
    queries: bool,
    others: Mapping[str, SLO | None],
) -> SLI | None:
    """The indicator; None when there is an error in it. `queries`: its source can answer PromQL.
    `others`: the SLOs it may be made of."""
    keys = tuple(k for k in table.__struct_fields__ if getattr(table, k) is not None)
    # A unit makes no query of what is none.
    given = set(keys) - {"unit"}
    for mark, form in (
        ("all", _COMPOSITE),
        ("histogram", _HISTOGRAM),
        ("gauge", _GAUGE),
        ("", _QUERY),
        ("", _COUNTER),
    ):
        if mark in given or (not mark and given & set(form)):
            break
    else:
        message = "needs its 'histogram'" if given else f"is empty; give {_FORMS}"
        if keys == ("unit",):
            message = "needs the queries that 'unit' is of"
        findings.error(path, message)
        return None
    if strange := [k for k in keys if k not in form]:
        first = next(k for k in keys if k in form)
        findings.error(
            (*path, strange[0]), f"{strange[0]!r} cannot stand beside {first!r}; give {_FORMS}"
        )
        return None
    if form is _COMPOSITE:
        return read_composite(table.all or (), table.weights or {}, others, path, findings)
    if form is _HISTOGRAM:
        return _histogram(table, path, findings)
    if form is _GAUGE:
        return _gauge(table, path, findings)
    if form is _QUERY:
        return _query(table, path, findings, queries)
    return _counter(table, path, findings)


def _counter(table: SLITable, path: Path, findings: Findings) -> SLI | None:
    parts = {k: text for k in _COUNTER if (text := getattr(table, k)) is not None}
    if len(parts) == 3:
        findings.error(path, "good, bad and total are all given; two of them say it, leave one out")
        return None
    if len(parts) == 1:
        (one,) = parts
        other = "'good' or 'bad'" if one == "total" else "'total'"
        findings.error(path, f"{one!r} alone does not make a ratio; give {other} too")
        return None
    read = {k: _selector(text, (*path, k), findings) for k, text in parts.items()}
    return None if None in read.values() else CounterSLI(**read)


def _histogram(table: SLITable, path: Path, findings: Findings) -> SLI | None:
    where = (*path, "histogram")
    selector = _selector(table.histogram or "", where, findings)
    threshold, good_if = None, _matchers(table.good_if, (*path, "good_if"), findings)
    if table.threshold is None:
        findings.error(path, "'histogram' needs its 'threshold', e.g. threshold = \"500ms\"")
    elif selector is not None:
        threshold = _threshold(table.threshold, selector.name, (*path, "threshold"), findings)
    if selector is None:
        return None
    for suffix in ("_bucket", "_count", "_sum"):
        if selector.name.endswith(suffix):
            base = selector.name.removesuffix(suffix)
            findings.error(where, f"give the histogram's own name, {base!r}, without {suffix!r}")
            return None
    if any(m.label == "le" for m in selector.matchers):
        findings.error(where, "the label 'le' is chosen by 'threshold'; leave it out")
        return None
    if threshold is None or good_if is None:
        return None
    return HistogramSLI(selector, threshold, good_if)


def _gauge(table: SLITable, path: Path, findings: Findings) -> SLI | None:
    selector = _selector(table.gauge or "", (*path, "gauge"), findings)
    if table.good is None:
        findings.error(path, "'gauge' needs its 'good', a comparison like good = \">= 1\"")
        return None
    found = _COMPARISON.fullmatch(table.good)
    if found is None:
        findings.error(
            (*path, "good"),
            f'not a comparison: {table.good!r}; beside a gauge write it like ">= 1", '
            f"with one of {' '.join(COMPARISONS)} and a number",
        )
        return None
    return None if selector is None else GaugeSLI(selector, found["op"], float(found["bound"]))


def _query(table: SLITable, path: Path, findings: Findings, queries: bool) -> SLI | None:
    given = {k: getattr(table, k) for k in _QUERY if k != "unit"}
    parts: dict[str, str] = {k: text for k, text in given.items() if text is not None}
    ok = True
    for key, text in parts.items():
        if not text.strip():
            findings.error((*path, key), "is empty")
            ok = False
    if not queries:
        findings.error(
            (*path, next(iter(parts))),
            "a scrape source cannot answer queries; use selectors, or a prometheus source",
        )
        ok = False
    pairs = ({"error_ratio_query"}, {"good_query", "total_query"}, {"bad_query", "total_query"})
    if set(parts) not in pairs:
        findings.error(
            path,
            "give bad_query with total_query, good_query with total_query, "
            "or error_ratio_query alone",
        )
        ok = False
    if not ok:
        return None
    texts = {key.removesuffix("_query"): text for key, text in parts.items()}
    return read_queries(texts, table.unit, path, findings)


def _selector(text: str, path: Path, findings: Findings) -> Selector | None:
    try:
        return parse_selector(text)
    except ValueError as error:
        hint = ""
        if re.match(r"\s*\w+\s*\(", text) or re.search(r"\[[^\]]*\]\s*\)*\s*$", text):
            hint = "; give the plain counter, without function and range: slod makes the increases"
        findings.error(path, f"{error}{hint}")
        return None


def _matchers(text: str | None, path: Path, findings: Findings) -> tuple[Matcher, ...] | None:
    if text is None:
        return ()
    try:
        found = parse_matchers(text)
    except ValueError as error:
        findings.error(path, f"{error}; write it like 'code!~\"5..\"'")
        return None
    if not found:
        findings.error(path, "is empty; leave it out")
        return None
    return found


def _threshold(value: str | float, name: str, path: Path, findings: Findings) -> float | None:
    if not isinstance(value, str):
        if math.isfinite(value):
            return float(value)
        findings.error(path, f"must be a finite number, not {value}")
        return None
    times, per = next((f for end, f in _PER_MILLI.items() if name.endswith(end)), _SECONDS)
    try:
        return parse_millis(value) * times / per
    except ValueError as error:
        findings.error(path, f"{error}; or a plain number in the metric's unit")
        return None
