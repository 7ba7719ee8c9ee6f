"""Indicators that can be read and probably count something else than is meant."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from exporter.config.findings import Findings
from exporter.config.settings import ScrapeSource, Source
from exporter.core.linear import Literals, proven
from exporter.core.query_sli import QuerySLI
from exporter.core.selector import Matcher, Selector
from exporter.core.slo import SLO, CounterSLI, GaugeSLI, HistogramSLI

_WINDOW = "{{.window}}"
_PLACEHOLDER = re.compile(r"\{\{\s*\.window\s*\}\}")


def lint_sli(slo: SLO, source: Source, findings: Findings) -> None:
    """Warnings about one SLO's indicator and its grouping."""
    sli, path = slo.sli, ("slo", slo.name, "sli")
    selectors: dict[str, Selector | None] = {}
    if isinstance(sli, CounterSLI):
        selectors = {"good": sli.good, "bad": sli.bad, "total": sli.total}
        _lint_parts(sli, path, findings)
    elif isinstance(sli, HistogramSLI):
        selectors = {"histogram": sli.histogram.where(*sli.good_if)}
    elif isinstance(sli, GaugeSLI):
        selectors = {"gauge": sli.gauge}
    elif isinstance(sli, QuerySLI) and not slo.fault:
        _lint_queries(sli, path, findings)
    for key, selector in selectors.items():
        if selector is None:
            continue
        if isinstance(source, ScrapeSource):
            _lint_reach(selector, source, (*path, key), findings)
        for i, label in enumerate(slo.group_by):
            if any(m.label == label and m.op == "=" for m in selector.matchers):
                findings.warning(
                    ("slo", slo.name, "group_by", i),
                    f"{label!r} has one value only, {key!r} asks for it with '='",
                )


def _lint_parts(sli: CounterSLI, path: tuple[str, ...], findings: Findings) -> None:
    if sli.total is None:
        if sli.good == sli.bad:
            findings.warning(path, "good and bad are the same selector")
        return
    key, part = ("good", sli.good) if sli.good is not None else ("bad", sli.bad)
    assert part is not None
    where = (*path, key)
    if part == sli.total:
        findings.warning(where, f"{key} and total are the same selector: all events are {key}")
    elif part.name != sli.total.name:
        findings.warning(
            where,
            f"counts {part.name!r}, but total counts {sli.total.name!r}; "
            f"make sure that every {key} event is in total too",
        )
    elif missing := [m for m in sli.total.matchers if not _implied(m, part)]:
        said = ",".join(map(str, missing))
        findings.warning(
            where, f"not a subset of total, which asks for {said} too; add that to {key!r}"
        )


def _implied(matcher: Matcher, part: Selector) -> bool:
    """Whether every series of the part meets the matcher, as far as can be told."""
    own = [m for m in part.matchers if m.label == matcher.label]
    if matcher.op == "!=" and not all(m.matches(matcher.value) for m in own):
        return True
    return matcher in own or any(
        all(map(matcher.matches, values)) for m in own if (values := _values(m))
    )


def _values(matcher: Matcher) -> Collection[str]:
    """The only values that meet a matcher; empty where they cannot be listed."""
    if matcher.op == "=":
        return (matcher.value,)
    listed = proven(matcher.value) if matcher.op == "=~" else None
    return listed.texts if isinstance(listed, Literals) else ()


def _lint_queries(sli: QuerySLI, path: tuple[str, ...], findings: Findings) -> None:
    findings.warning(
        path, "queries are less exact than selectors: events between two answers can be lost"
    )
    for part in ("good", "bad", "total", "error_ratio"):
        query = getattr(sli, part)
        # Of a recorded series its rule has chosen the range.
        if query is not None and "[" in query.expr and not _PLACEHOLDER.search(query.expr):
            findings.warning(
                (*path, f"{part}_query"),
                f"has no {_WINDOW}; write it as the range, e.g. increase(x[{_WINDOW}])",
            )


def _instances(targets: tuple[str, ...]) -> set[str]:
    found: set[str] = set()
    for target in targets:
        parts = urlsplit(target)
        address = parts.netloc.rpartition("@")[2]
        default = 443 if parts.scheme == "https" else 80
        found.add(address if parts.port else f"{address}:{default}")
    return found


def _lint_reach(
    selector: Selector, source: ScrapeSource, path: tuple[str, ...], findings: Findings
) -> None:
    """Labels that slod itself puts on scraped series decide whether the selector can match."""
    known: dict[str, set[str]] = {label: {value} for label, value in source.labels.items()}
    if source.discover is None:
        # Discovery may bring labels of its own. A page may have a job of its own too.
        known.setdefault("instance", _instances(source.targets))
    for matcher in selector.matchers:
        values = known.get(matcher.label)
        if not values or any(matcher.matches(value) for value in values):
            continue
        there = " or ".join(f"{matcher.label}={value!r}" for value in sorted(values))
        findings.warning(path, f"{matcher} can never match: source {source.name!r} gives {there}")
