"""Gauges and queries: each of their samples stands for itself, and nothing is a difference."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import NamedTuple

from exporter.core import events
from exporter.core.events import Gain, Group, Term
from exporter.core.memory import Memory
from exporter.core.query_sli import QuerySLI
from exporter.core.sample import Batch, NativeHistogram, Reading, Value
from exporter.core.series import MOST_AHEAD
from exporter.core.slo import GaugeSLI
from exporter.core.taken import Taken
from exporter.core.wrong_kind import ratio_over_one


class Stood(NamedTuple):
    """What the new samples of one series of a group stand for: `times`: when there was data."""

    reading: Reading
    group: Group
    gains: list[Gain]
    times: list[float]


class Values:
    """Takes the samples of gauges and queries; `longest`: seconds that a gauge's sample stands for
    at most."""

    def __init__(self, memory: Memory, longest: float) -> None:
        self._memory = memory
        self._longest = longest
        self._terms = events.terms(memory.slo.sli)

    def take(self, batch: Batch, taken: Taken) -> Iterator[Stood]:
        """What is new in a batch, oldest first."""
        found = [
            (index, term, reading)
            for index, term in enumerate(self._terms)
            for reading in batch.readings.get(term.want, ())
            if reading.samples
        ]
        for index, term, reading in sorted(found, key=lambda one: one[2].samples[0][0]):
            samples = self._new(index, reading, batch, taken)
            if samples:
                yield self._stand(index, term, reading._replace(samples=samples), batch, taken)

    def _new(
        self, index: int, reading: Reading, batch: Batch, taken: Taken
    ) -> list[tuple[float, Value]]:
        state = self._memory.targets.get(reading.series.target)
        last = state.series[index].get(reading.series.key) if state else None
        out = []
        for sample in reading.samples:
            if last is not None and sample[0] <= last.time:
                continue
            if not sample[0] <= batch.at + MOST_AHEAD:
                taken.refuse("too_far_ahead")
            elif sample[0] < batch.at - self._memory.reach:
                taken.refuse("too_old")
            else:
                out.append(sample)
        return out

    def _stand(self, index: int, term: Term, reading: Reading, batch: Batch, taken: Taken) -> Stood:
        memory, series, samples = self._memory, reading.series, reading.samples
        sli = memory.slo.sli
        group = memory.slo.group_of(series.labels)
        state = memory.targets.get(series.target)
        last = state.series[index].get(series.key) if state else None
        # A remembered value of 0: that sample was NaN, and stands before no other.
        since = last.time if last and last.value else None
        if isinstance(sli, GaugeSLI):
            gains, since = events.gauge_gains(sli, reading, group, since, self._longest)
            times = [time for time, value in samples if _is_number(value)]
        else:
            width = batch.widths.get(term.want, memory.slo.interval)
            gains, since = events.query_gains(term, reading, group, since, width)
            times = [time for time, value in samples if events.is_answer(term.role, value)]
            for _, value in samples:
                if reason := events.query_refusal(term.role, value):
                    taken.refuse(reason)
            self._judge_ratio(term, samples[-1][1], taken)
        taken.samples += len(samples)
        known = 0.0 if since is None else 1.0
        memory.do("series", series.target, index, series.key, samples[-1][0], known, 0.0, None)
        return Stood(reading, group, gains, times)

    def _judge_ratio(self, term: Term, value: Value, taken: Taken) -> None:
        sli = self._memory.slo.sli
        if isinstance(sli, QuerySLI) and sli.error_ratio is not None:
            if events.query_refusal(term.role, value) == "ratio_over_1":
                assert isinstance(value, float)  # or it would be refused for that
                taken.fault = ratio_over_one(self._memory.slo.name, value)


def _is_number(value: Value) -> bool:
    return isfinite(value.count if isinstance(value, NativeHistogram) else value)
