"""Metrics of another kind than an SLI takes them for, each as one line with the way out.

| SLI | metric | what is wrong |
| --- | --- | --- |
| histogram | a summary | it has quantiles and no buckets |
| histogram | only `_count` and `_sum` | the client was given no buckets |
| histogram | buckets by `vmrange` | their bounds are each series' own |
| histogram | a gauge, a counter | it is one number |
| counter | a gauge | each fall would count as a reset |
| counter | a summary or histogram by its own name | its events are in `_count` |
| gauge | a counter | it only grows |
| error_ratio_query | values over 1 | it is a percentage, or a count |
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from exporter.core.numerals import number_text
from exporter.core.sample import NativeHistogram, Reading, Value
from exporter.core.selector import Selector, Want
from exporter.core.slo import SLI, CounterSLI, GaugeSLI, HistogramSLI

_ENDINGS = {
    "_total": ("counter",),
    "_bucket": ("histogram", "gaugehistogram"),
    "_count": ("histogram", "summary"),
    "_sum": ("histogram", "summary"),
}
"""Names of samples that differ from their family's, by the types of it that have them."""
_OTHER = ("gauge", "counter", "info", "stateset", "gaugehistogram")
_FAST = "a counter of fast requests (good with total)"


@dataclass(frozen=True, slots=True)
class Shape:
    """Series that one target has of a histogram's name: `buckets` with `le`, `ranges` with
    `vmrange`, native ones, `_count`, plain numbers under the name itself, `quantiles` among them.
    """

    buckets: bool = False
    ranges: bool = False
    native: bool = False
    count: bool = False
    plain: bool = False
    quantiles: bool = False


def shape_of(
    sli: HistogramSLI, readings: Mapping[Want, Iterable[Reading]], target: str | None = None
) -> Shape:
    """Read the shape of a histogram off a batch's readings.

    Args:
        target: only series of this target; None for all of them.
    """
    bucket, count, plain = (
        [r for r in readings.get(want, ()) if target in (None, r.series.target)]
        for want in sli.wants()
    )
    values = [r.samples[-1][1] if r.samples else 0.0 for r in plain]
    numbers = [r for r, v in zip(plain, values, strict=True) if not isinstance(v, NativeHistogram)]
    return Shape(
        buckets=any("le" in r.series.labels for r in bucket),
        ranges=any("vmrange" in r.series.labels for r in bucket),
        native=len(numbers) < len(plain),
        count=bool(count),
        plain=bool(numbers),
        quantiles=any("quantile" in r.series.labels for r in numbers),
    )


def wrong_histogram(
    sli: HistogramSLI,
    types: Mapping[str, str],
    shape: Shape,
    where: str,
    bounds: Collection[float] = (),
) -> str | None:
    """Say why a target's metric is no histogram; None when it is one, or is not there at all.

    Args:
        bounds: its bucket bounds, as asked for where the threshold's bucket was not there; an SLI
            wants no other bucket, so that its readings do not tell.
        types: the type of each family as the target names it (`vmrange` for such buckets); empty
            where it names none.
        where: the target as it is shown; empty to leave it out.
    """
    name, on = sli.histogram.name, f" on {where}" if where else ""
    kind = types.get(name, "")
    ranges = shape.ranges or kind == "vmrange"
    if shape.buckets or shape.native or not (ranges or shape.count or shape.plain):
        return None
    if bounds and kind != "summary":
        return None
    if ranges:
        return (
            f"{name} has buckets by vmrange{on}, whose bounds are each series' own; use a "
            f"histogram with le (PrometheusHistogram of that library), or {_FAST}"
        )
    if kind == "summary" or shape.quantiles:
        return f"{name} is a summary{on}: it has no buckets; use a histogram, or {_FAST}"
    if kind in _OTHER or not shape.count:
        noun = kind if kind in _OTHER else "plain number"
        return (
            f"{name} is a {noun}{on}, no histogram; use one, "
            f'or sli = {{ gauge = "{name}", good = "<= {number_text(sli.threshold)}" }}'
        )
    return (
        f"{name} has no buckets{on}, only {name}_count; give its client buckets (Micrometer: "
        f"percentiles-histogram or slo), or use {_FAST}"
    )


def wrong_kind(sli: SLI, types: Mapping[str, str], where: str) -> dict[str, str]:
    """Say, by role, which metrics of counters and gauges are of another type than is meant.

    Args:
        types: the type of each family as the target names it.
        where: the target as it is shown; empty to leave it out.
    """
    on = f" on {where}" if where else ""
    found: dict[str, str] = {}
    if isinstance(sli, CounterSLI):
        for role in ("good", "bad", "total"):
            selector: Selector | None = getattr(sli, role)
            if selector is not None and (said := _wrong_counter(selector.name, types, on)):
                found[role] = said
    if isinstance(sli, GaugeSLI) and type_of(sli.gauge.name, types) == "counter":
        found["gauge"] = (
            f"{sli.gauge.name} is a counter{on}: it only grows; use good or bad with total"
        )
    return found


def _wrong_counter(name: str, types: Mapping[str, str], on: str) -> str:
    kind = type_of(name, types)
    if kind in ("gauge", "stateset", "info"):
        return (
            f"{name} is a {kind}{on}: each of its falls counts as a reset and all of it again; "
            'use a counter, or sli = { gauge = "…", good = "…" }'
        )
    if kind in ("summary", "histogram", "gaugehistogram"):
        base = name.removesuffix("_sum")
        if base != name:
            return f"{name} adds up what was observed{on}, not events; use {base}_count"
        if not name.endswith(("_count", "_bucket")):
            return f"{name} is a {kind}{on}, whose events are counted by {name}_count; use that"
    return ""


def families_of(name: str) -> list[str]:
    """Names that the family of a sample may have beside the sample's own."""
    return [name.removesuffix(ending) for ending in _ENDINGS if name.endswith(ending)]


def type_of(name: str, types: Mapping[str, str]) -> str:
    """Find the type of a sample's family (`counter`, `gauge`, ...); empty where it is not known."""
    if name in types:
        return types[name]
    for family in families_of(name):
        kind = types.get(family, "")
        if kind in _ENDINGS[name.removeprefix(family)]:
            return kind
    return ""


def ratio_over_one(slo: str, value: Value) -> str:
    """Say that an error ratio's value is none."""
    shown = f"{value:.6g}" if isinstance(value, float) else "a histogram"
    return (
        f"slo.{slo}: error_ratio_query gives {shown}, and a ratio is 0 to 1; divide percent by "
        "100, and a count of errors by that of all events"
    )
