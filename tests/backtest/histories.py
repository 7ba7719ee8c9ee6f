"""Histories to replay: samples of counters by target, cut into batches as a source would."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from math import ceil, inf

from exporter.backtest.variant import Variant
from exporter.core.sample import Batch, Reading, Series, Target, Value
from exporter.core.slo import SLO, CounterSLI
from tests.core.builders import T, slo, workbook

INTERVAL = 30.0
Samples = list[tuple[float, Value]]


def plain(**more: object) -> SLO:
    """An SLO of bad and total, with the workbook's rules."""
    return slo(**{"rules": workbook(), "interval": INTERVAL, **more})  # type: ignore[arg-type]


def configured(of: SLO) -> Variant:
    """What an SLO says itself."""
    return Variant(of.objective, "configured", of.rules)


def whole(of: SLO, pages: Mapping[str, tuple[Samples, Samples]], at: float | None = None) -> Batch:
    """All of history in one batch; by target the samples of bad and of total."""
    sli = of.sli
    assert isinstance(sli, CounterSLI)
    assert sli.bad
    assert sli.total
    readings: dict[object, list[Reading]] = {sli.bad: [], sli.total: []}
    for target, (bad, total) in pages.items():
        readings[sli.bad].append(Reading(Series("bad", target, {}), bad))
        readings[sli.total].append(Reading(Series("total", target, {}), total))
    newest = max(s[-1][0] for both in pages.values() for s in both if s)
    return Batch(
        of.source,
        newest if at is None else at,
        own_clock=False,
        readings=readings,  # type: ignore[arg-type]
        targets={target: Target() for target in pages},
    )


def cut(batch: Batch, moments: Sequence[float]) -> Iterator[Batch]:
    """The same in many batches, one for each moment and one for the rest."""
    begin = -inf
    for end in [*(m for m in moments if m < batch.at), batch.at]:
        readings = {
            want: [r._replace(samples=[s for s in r.samples if begin < s[0] <= end]) for r in some]
            for want, some in batch.readings.items()
        }
        yield replace(batch, at=end, readings=readings)
        begin = end


def first(batch: Batch) -> float:
    """The time of the first sample."""
    return min(r.samples[0][0] for some in batch.readings.values() for r in some if r.samples)


def polls(batch: Batch, interval: float = INTERVAL) -> list[float]:
    """Moments half an interval after each sample that comes by the clock."""
    begin = first(batch) + interval / 2
    return [begin + k * interval for k in range(ceil((batch.at - begin) / interval))]


def days(batch: Batch) -> list[Batch]:
    """One batch a day."""
    return list(cut(batch, [first(batch) + 86_400.0 * k + 7.0 for k in range(1, 400)]))


def errors(
    seconds: float,
    ratios: Sequence[tuple[float, float, float]],
    rate: float = 100.0,
    interval: float = INTERVAL,
) -> tuple[Samples, Samples]:
    """So many events a second for so long; `ratios`: errors' share from a moment to another one,
    in seconds since the beginning."""
    bad, total = 0.0, 0.0
    bads: Samples = [(T, 0.0)]
    totals: Samples = [(T, 0.0)]
    for k in range(1, round(seconds / interval) + 1):
        end = k * interval
        share = sum(ratio for a, b, ratio in ratios if a < end <= b)
        total += rate * interval
        bad += rate * interval * share
        bads.append((T + end, bad))
        totals.append((T + end, total))
    return bads, totals
