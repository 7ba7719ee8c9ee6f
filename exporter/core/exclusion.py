"""Time that does not count: maintenance, a game day, another team's outage.

An exclusion is for SLOs by matchers and holds for spans of time, past or to come. It takes nothing
out of a ledger: what lies in a span is left out wherever the ledger is read, so an exclusion can be
made and unmade at any time, also for the past.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from exporter.core.selector import Matcher

Span = tuple[float, float]
"""From when to when, in unix seconds; the end is not part of it."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """`where` looks at the labels `slo`, `service`, those of the SLO and of its group."""

    name: str
    where: tuple[Matcher, ...]
    spans: tuple[Span, ...]

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether an SLO instance with these labels is meant."""
        return all(m.matches(labels.get(m.label, "")) for m in self.where)


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same time without overlaps, in ascending order."""
    out: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return tuple(out)


def without(spans: Iterable[Span], others: tuple[Span, ...]) -> tuple[Span, ...]:
    """The time of some spans that lies in none of the others; both without overlaps, ascending."""
    out: list[Span] = []
    for start, end in spans:
        for begin, until in others:
            if begin >= end:
                break
            if until > start:
                out.append((start, min(begin, end)))
                start = until
        out.append((start, end))
    return tuple((start, end) for start, end in out if start < end)
