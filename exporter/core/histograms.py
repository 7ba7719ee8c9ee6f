"""Which series of a histogram count: each count with its bucket, or the native form of both.

A threshold's bucket is found by number, on each target and at each look anew: pods of two versions
may have other buckets. A count without its bucket tells nothing of what was fast, so its events are
not known; they are never all bad.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from exporter.core.counters import Wanted
from exporter.core.events import Term
from exporter.core.sample import NativeHistogram
from exporter.core.slo import HistogramSLI

Child = tuple[str, frozenset[tuple[str, str]]]
"""The target, and the labels but for `le`: one histogram of a family."""


@dataclass(slots=True)
class Paired:
    """The readings that matter. `followed`: target and key of those that do not count now and may
    later; `without`: targets that have a histogram without the threshold's bucket; `found`: whether
    any target has that bucket."""

    wanted: list[Wanted] = field(default_factory=list)
    followed: set[tuple[str, str]] = field(default_factory=set)
    without: set[str] = field(default_factory=set)
    found: bool = False


def pair(sli: HistogramSLI, terms: tuple[Term, ...], readings: Iterable[Wanted]) -> Paired:
    """Choose what counts: the classic form where a target has the bucket, else the native one; a
    count without its bucket only where `good_if` calls all of it bad."""
    out = Paired()
    by_role: dict[str, list[tuple[Wanted, Child]]] = {"good": [], "total": [], "native": []}
    for one in readings:
        series = one.reading.series
        labels = frozenset(pair for pair in series.labels.items() if pair[0] != "le")
        by_role[terms[one.term].role].append((one, (series.target, labels)))
    buckets = {
        child: one for one, child in by_role["good"] if sli.is_bucket(one.reading.series.labels)
    }
    native = {
        child: one
        for one, child in by_role["native"]
        if isinstance(one.reading.samples[-1][1], NativeHistogram)
    }
    out.found = bool(buckets)
    for child, one in buckets.items():
        out.wanted.append(one._replace(twin=child[1]))
    # One form counts for all of a target, or what both show would count twice.
    classic = {target for target, _ in buckets}
    natively = {target for target, _ in native} - classic
    for child, one in native.items():
        out.wanted.append(one)
        if child[0] in classic:
            out.followed.add((child[0], one.reading.series.key))
    for one, child in by_role["total"]:
        target = child[0]
        if child in buckets:
            out.wanted.append(one._replace(twin=child[1]))
            continue
        out.wanted.append(one)
        known = one.reading.series.labels
        bad_anyway = not all(m.matches(known.get(m.label, "")) for m in sli.good_if)
        if target in natively or not bad_anyway:
            out.followed.add((target, one.reading.series.key))
        if target not in natively and not bad_anyway:
            out.without.add(target)
    return out
