"""An SLI in words: what counts, what is good, and how exactly it can be counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from exporter.core.numerals import number_text
from exporter.core.query_sli import QuerySLI
from exporter.core.selector import Matcher
from exporter.core.slo import (
    SLI,
    CompositeSLI,
    CounterSLI,
    GaugeSLI,
    HistogramSLI,
)
from exporter.core.words import Show


@dataclass(frozen=True, slots=True)
class Indicator:
    """`exactness` is `exact`, `time_weighted` or `inexact`; `why` says what that means."""

    form: str
    text: str
    exactness: str
    why: str


_COUNTED = (
    "Every increase between two samples that were really taken counts once; "
    "nothing is estimated. Only where a window's edge lies between two samples are the events "
    "between them taken to be spread evenly."
)
_NATIVE = (
    " A native histogram has no bucket that ends at the threshold for sure: within the one that "
    "holds it observations are interpolated, so good events are off by at most that bucket's."
)
_LONGER = " (two scrapes of the upstream, where that is longer)"


def describe(sli: SLI, interval: float, show: Show) -> Indicator:
    """`interval`: how often the source is asked, in seconds; a query is asked once a window, which
    is longer where two scrapes of its series take longer than that."""
    if isinstance(sli, CounterSLI):
        return Indicator("counters", _counters(sli), "exact", _COUNTED)
    if isinstance(sli, HistogramSLI):
        good = f"an observation at or under {number_text(sli.threshold)}"
        if sli.good_if:
            good += f" whose series also has {_matchers(sli.good_if)}"
        text = f"Events are the observations of {sli.histogram}; good is {good}."
        return Indicator("histogram", text, "exact", _COUNTED + _NATIVE)
    if isinstance(sli, GaugeSLI):
        return Indicator(
            "gauge",
            f"Each second counts; good are those in which {sli.gauge} {sli.op} {sli.bound:g}.",
            "time_weighted",
            "Each sample stands for the time since the one before it. What happened between two "
            f"samples is not seen: an excursion shorter than {show(interval)} may be missed, or "
            "count as that long.",
        )
    if isinstance(sli, CompositeSLI):
        return Indicator(
            "composite",
            f"Events are those of {_parts(sli)}.",
            "exact",
            "Every event of its SLOs counts, as often as its SLO weighs. Of the time before this "
            "one was made, their ledgers say when events were to within five minutes.",
        )
    return _query(sli, interval, show)


def _parts(sli: CompositeSLI) -> str:
    named = [name if weight == 1 else f"{name} ({weight:g} times)" for name, weight in sli.parts]
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def _counters(sli: CounterSLI) -> str:
    if sli.total is None:
        return f"Good events are {sli.good}, bad ones {sli.bad}; all events are both together."
    if sli.bad is not None:
        return f"Bad events are {sli.bad}, of all events {sli.total}."
    return f"Good events are {sli.good}, of all events {sli.total}; the rest is bad."


def _query(sli: QuerySLI, interval: float, show: Show) -> Indicator:
    step = show(interval)
    if sli.error_ratio is not None:
        return Indicator(
            "error_ratio_query",
            f"The error ratio is {sli.error_ratio}, asked once a window of {step}{_LONGER}.",
            "inexact",
            "Each answer weighs as much as its window, however many events there were, so quiet "
            "times weigh as much as busy ones. How far that is off depends on how much traffic and "
            "error ratio vary together, and has no bound.",
        )
    said = [
        f"{role} {query}{_unit(sli, role, show)}"
        for role in ("good", "bad", "total")
        if (query := getattr(sli, role)) is not None
    ]
    return Indicator(
        "queries",
        f"Events are what these say, asked once a window of {step}{_LONGER}: {'; '.join(said)}.",
        "inexact",
        "increase() and rate() over a window stretch what n samples show to the window's edges, by "
        "a factor of at most 1 + 2.2 / (n - 1), which is 3.2 for two samples; with fewer than two "
        "they say nothing at all. The first value of a series that was born in between is lost. "
        "With counters written as selectors none of this happens.",
    )


def _unit(sli: QuerySLI, role: str, show: Show) -> str:
    """In brackets, how a query's values count."""
    scale = sli.scales.get(role)
    if scale is None:
        return ""
    if scale.unit == "events":
        return f" (events in {show(scale.reach)})" if scale.reach else " (events)"
    return " (events per second)" if scale.unit == "rate" else " (a ratio, by time)"


def _matchers(matchers: Iterable[Matcher]) -> str:
    return ",".join(str(m) for m in matchers)
