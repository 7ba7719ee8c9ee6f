"""What was said to receivers, put together again: alerts from firing to end, states, notices."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from exporter.core.burn_alerts import BURN
from exporter.core.exclusion import merged, without
from exporter.core.notification import Notification, Reason
from exporter.core.slo import BudgetStep
from exporter.core.steps import POLICY
from exporter.report.data import Passed, Told

REVIEW = "ReliabilityReview"
"""The notification that carries a review; it is no part of the next one."""


@dataclass(frozen=True, slots=True)
class Span:
    """One alert from firing to end (None: it fires), with what was said of it first."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    start: float
    end: float | None


def spans(said: Iterable[Notification]) -> list[Span]:
    """By the order in which they began; an end that nobody heard the beginning of counts too."""
    found: dict[tuple[str, float], Span] = {}
    for n in said:
        key = (n.fingerprint, n.starts_at)
        if n.reason is Reason.FIRING:
            found.setdefault(key, Span(n.labels, n.annotations, n.starts_at, None))
        elif n.reason is Reason.RESOLVED:
            words = found[key].annotations if key in found else n.annotations
            found[key] = Span(n.labels, words, n.starts_at, n.ends_at)
    return sorted(found.values(), key=lambda span: span.start)


def of_instance(
    all_: Iterable[Span], slo: str, group: Mapping[str, str], start: float, end: float
) -> list[Span]:
    """Those of one SLO instance that went on at some time from `start` to `end`."""
    wanted = {"slo": slo, **group}
    return [
        span
        for span in all_
        if all(span.labels.get(label) == value for label, value in wanted.items())
        and span.start < end
        and (span.end is None or span.end > start)
    ]


def burns(own: Iterable[Span]) -> list[Span]:
    """Alerts on a burn rate."""
    return [span for span in own if span.labels.get("alertname") == BURN]


def states(own: Iterable[Span], steps: Sequence[BudgetStep]) -> tuple[Passed, ...]:
    """States of the budget policy, one at a time: the alert of a state goes on in worse ones.

    `steps`: those of the policy, the worst first.
    """
    spans: dict[str, list[tuple[float, float]]] = {}
    for span in own:
        if span.labels.get("alertname") == POLICY:
            end = inf if span.end is None else span.end
            spans.setdefault(span.labels.get("state", ""), []).append((span.start, end))
    worse: tuple[tuple[float, float], ...] = ()
    for step in steps:
        if step.below is not None and step.state in spans:
            whole = merged(spans[step.state])
            spans[step.state] = list(without(whole, worse))
            worse = merged((*worse, *whole))
    found = ((start, end, state) for state, parts in spans.items() for start, end in parts)
    return tuple(
        Passed(state, start, None if end == inf else end) for start, end, state in sorted(found)
    )


def told(
    all_: Iterable[Span],
    slo: str,
    service: str,
    group: Mapping[str, str],
    start: float,
    end: float,
) -> tuple[Told, ...]:
    """Everything else that names the SLO or its service: overrides, deploys, missing data."""
    out: list[Told] = []
    for span in all_:
        name = span.labels.get("alertname", "")
        if name in (BURN, POLICY, REVIEW) or not _meant(span.labels, slo, service, group):
            continue
        if span.start < end and (span.end is None or span.end > start):
            out.append(Told(name, _line(span.annotations.get("summary", "")), span.start, span.end))
    return tuple(out)


def _meant(labels: Mapping[str, str], slo: str, service: str, group: Mapping[str, str]) -> bool:
    names: Sequence[str | None] = [labels.get(key) for key in ("slo", "service", "scope")]
    if labels.get("slo") not in (None, slo):
        return False
    if any(labels.get(label, value) != value for label, value in group.items()):
        return False
    return slo in names or service in names


def _line(text: str) -> str:
    return " ".join(text.split())
