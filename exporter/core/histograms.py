"""Which series of a histogram count: each count with its bucket, or the native form of both.

A threshold's bucket is found by number, on each target and at each look anew: pods of two versions
may have other buckets. A count without its bucket tells nothing of what was fast, so its events are
not known; they are never all bad.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.core.counters import Wanted
from exporter.core.events import Term
from exporter.core.sample import NativeHistogram
from exporter.core.series import Last
from exporter.core.slo import HistogramSLI
from exporter.core.verdicts import pairs

_GOOD, _TOTAL, _NATIVE = range(3)
"""The terms of a histogram, as in its `wants`."""

Child = tuple[str, frozenset[tuple[str, str]]]
"""The target, and the labels but for `le`: one histogram of a family."""


@dataclass(slots=True)
class Paired:
    """The readings that matter. `without`: targets that have a histogram without the threshold's
    bucket; `found`: whether any target has that bucket."""

    wanted: list[Wanted] = field(default_factory=list)
    without: set[str] = field(default_factory=set)
    found: bool = False


def pair(sli: HistogramSLI, terms: tuple[Term, ...], readings: Iterable[Wanted]) -> Paired:
    """Choose what counts: the classic form where a target has the bucket, else the native one; a
    count without its bucket only where `good_if` calls all of it bad."""
    out = Paired()
    by_role: dict[str, list[tuple[Wanted, Child]]] = {"good": [], "total": [], "native": []}
    natives, classics = (_NATIVE,), (_GOOD,)
    # Of errors, which are bad without a bucket, the count alone is a form.
    bare = (_GOOD, _TOTAL)
    for one in readings:
        series = one.reading.series
        labels = frozenset(pair for pair in series.labels.items() if pair[0] != "le")
        by_role[terms[one.term].role].append((one, (series.target, labels)))
    buckets: dict[Child, list[Wanted]] = {}
    for one, child in by_role["good"]:
        if sli.is_bucket(one.reading.series.labels):
            buckets[child] = [*_before_or_after(one, buckets.get(child, ())), one]
    native = {
        child: one
        for one, child in by_role["native"]
        if isinstance(one.reading.samples[-1][1], NativeHistogram)
    }
    out.found = bool(buckets)
    for child, spelled in buckets.items():
        out.wanted += [one._replace(twin=child[1], others=natives) for one in spelled]
    # One form counts for all of a target, or what both show would count twice.
    classic = {target for target, _ in buckets}
    natively = {target for target, _ in native} - classic
    for child, one in native.items():
        others = classics if sli.may_be_good(one.reading.series.labels) else bare
        out.wanted.append(one._replace(others=others, followed=child[0] in classic))
    for one, child in by_role["total"]:
        target = child[0]
        if child in buckets:
            out.wanted.append(one._replace(twin=child[1], others=natives))
            continue
        bad_anyway = not sli.may_be_good(one.reading.series.labels)
        followed = target in natively or not bad_anyway
        out.wanted.append(one._replace(others=natives, followed=followed))
        if target not in natively and not bad_anyway:
            out.without.add(target)
    return out


def _before_or_after(bucket: Wanted, others: Iterable[Wanted]) -> list[Wanted]:
    """Those that are the same bucket in other spellings: shown at other times, never beside it."""
    times = {time for time, _ in bucket.reading.samples}
    return [one for one in others if times.isdisjoint(time for time, _ in one.reading.samples)]


def same_child(key: str) -> frozenset[str]:
    """What the series of one histogram have in common in their keys, in both forms: the labels but
    for `le`."""
    return frozenset(pair for pair in pairs(key) if pair and not pair.startswith('le="'))


def other_form(term: int) -> tuple[int, ...]:
    """The terms of the form of a histogram that a term is not of."""
    return (_GOOD, _TOTAL) if term == _NATIVE else (_NATIVE,)


class Continued(NamedTuple):
    """A series of a histogram that goes on from the other form: `mark` is that one's newest sample
    as one of this series, `total` what the histogram has counted, `gained` how much since then.
    `exact`: the two forms agree; not so where the threshold is inside a native bucket."""

    mark: Last
    total: float
    gained: float
    exact: bool


def continued(
    shown: Mapping[int, tuple[float, float]], marks: Mapping[int, Last], term: int
) -> Continued | None:
    """How a term of a histogram goes on from the histogram's other form.

    `shown`: by term, what a look shows of this form, and the part at or under the threshold;
    `marks`: the newest samples of the other form. None where one of the two has no count.
    """
    natively = term == _NATIVE
    last = marks.get(_TOTAL if natively else _NATIVE)
    if last is None or (_NATIVE if natively else _TOTAL) not in shown:
        return None
    total, under = shown[_NATIVE if natively else _TOTAL]
    gained, fast, exact = total - last.value, 0.0, True
    # Errors are bad without a bucket.
    if _GOOD in (marks if natively else shown):
        fast = marks[_GOOD].value if natively else last.under
        under = under if natively else shown[_GOOD][0]
        # A part of a bucket is no whole number, or hardly ever.
        whole = (under if natively else fast).is_integer()
        exact = whole and 0.0 <= under - fast <= gained
    value = fast if term == _GOOD else last.value
    return Continued(last._replace(value=value, under=fast), total, gained, exact)
