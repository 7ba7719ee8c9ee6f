"""The counters of one batch: which sample each series goes on from, where it was born or reset.

What a single sample means is decided in `series`; here is what has to be known of the target and of
its other series for that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from itertools import pairwise
from math import inf
from operator import itemgetter

from exporter.core.away import Away
from exporter.core.memory import LOST, Memory, TargetState
from exporter.core.runs import columns
from exporter.core.sample import Batch, NativeHistogram, Reading, Target, Value
from exporter.core.selector import Want
from exporter.core.series import (
    Facts,
    Increase,
    Known,
    Last,
    created_anew,
    increases,
    is_birth,
    relabelled,
    restarted,
)
from exporter.core.slo import HistogramSLI
from exporter.core.tally import LONG_GAP, evidence


class Counters:
    """Made anew for each batch, since what vanished is judged by the batch as a whole."""

    def __init__(self, memory: Memory, batch: Batch, away: Away) -> None:
        self._memory = memory
        self._batch = batch
        self._away = away
        sli = memory.slo.sli
        self._threshold = sli.threshold if isinstance(sli, HistogramSLI) else 0.0
        self._gap = max(LONG_GAP, 4 * memory.slo.interval)
        self._moved: set[tuple[int, str, str]] = set()
        self._vanished: dict[tuple[int, str, float], dict[str, Last]] = {}
        self._by_target: dict[Want, dict[str, dict[str, float]]] = {}

    def increases(
        self, index: int, want: Want, reading: Reading, last: Last | None, facts: Facts
    ) -> list[Increase]:
        """What a reading adds; `last` is the newest sample of its series, None when unknown."""
        memory, series = self._memory, reading.series
        target = self._batch.targets.get(series.target)
        state = memory.targets.get(series.target)
        # One of its other series made it known, in this very batch: it was not observed before.
        known = Known(state.last, state.started) if state and state.last else None
        born: float | None = None
        before, samples, resets = last, facts.samples, facts.resets
        if last is None:
            if state is not None:
                last = self._go_on(index, want, reading, state, target)
            looked = self._away.looked(reading, memory.polled)
            if last is None and is_birth(reading, known, target, looked, memory.since or 0):
                born = self._birth_begins(reading, known)
        parts = [(reading, False)]
        began = target.started if target is not None and restarted(known, target) else None
        # Not of the new process at all, unless its clock is ahead of everybody's.
        ended = began is not None and reading.samples[-1][0] < began <= self._batch.at
        if began is not None and not ended:
            cut = _first_of_new_process(reading, last, began)
            old, new = reading.samples[:cut], reading.samples[cut:]
            parts = [(reading._replace(samples=old), False), (reading._replace(samples=new), True)]
        out: list[Increase] = []
        newest = last
        for part, anew in parts:
            some, newest = increases(
                part,
                newest,
                born=born,
                restarted=anew,
                threshold=self._threshold,
                facts=facts,
            )
            out += some
        if newest is not None and newest is not last:
            memory.do("series", series.target, index, series.key, *newest)
            if began is not None and not ended:
                self._moved.add((index, series.target, series.key))
        gap = last is not None and reading.samples[0][0] - last.time > self._gap
        resets, samples = facts.resets - resets, facts.samples - samples
        # The usual sample of a series that goes on is none of the tally's business.
        usual = before is not None and samples == _newer(reading, before.time)
        if memory.tally and (not usual or resets or gap):
            why = evidence(reading, known, target) if born is not None else None
            memory.tally.took(
                index, reading, before, newest, out, resets=resets, gap=gap, evidence=why
            )
        return out

    def goes_on(self, reading: Reading) -> bool:
        """Whether its process is the one that was observed last."""
        state = self._memory.targets.get(reading.series.target)
        known = Known(state.last, state.started) if state else None
        return not restarted(known, self._batch.targets.get(reading.series.target))

    def run(
        self, index: int, reading: Reading, last: Last, facts: Facts
    ) -> tuple[list[float], list[float]] | None:
        """The same of many samples at one go: times from the last one on, and what was gained
        between; None where they have to be looked at one by one."""
        memory, series = self._memory, reading.series
        if created_anew(last, last._replace(created=reading.created)):
            return None
        found = columns(reading.samples, last)
        if found is None:
            return None
        times, values, gained, resets = found
        newest = Last(times[-1], values[-1], values[-1], reading.created)
        memory.do("series", series.target, index, series.key, *newest)
        facts.samples += len(values)
        facts.resets += resets
        gap = times[1] - times[0] > self._gap
        if memory.tally and (resets or gap):
            increases = [
                Increase(*pair, amount, amount)
                for pair, amount in zip(pairwise(times), gained, strict=True)
            ]
            memory.tally.took(
                index, reading, last, newest, increases, resets=resets, gap=gap, evidence=None
            )
        return times, gained

    def end_old_processes(self) -> None:
        """What a new process has not shown yet will begin at zero, however high it is then."""
        for name, target in self._batch.targets.items():
            state = self._memory.targets.get(name)
            if state is None or not restarted(Known(state.last, state.started), target):
                continue
            for index, series in enumerate(state.series):
                for key in [k for k in series if (index, name, k) not in self._moved]:
                    self._memory.do("lost", name, index, key)

    def _go_on(
        self, index: int, want: Want, reading: Reading, state: TargetState, target: Target | None
    ) -> Last | None:
        """The newest sample under another name, where the target changed its labels."""
        if reading.created is not None:
            return None
        first = reading.samples[0][0]
        where = (index, reading.series.target, first)
        if where not in self._vanished:
            self._vanished[where] = self._vanish(index, want, reading, state, target)
        gone = self._vanished[where]
        found = relabelled(reading, list(gone.items()), reading.series.key)
        if found is None:
            return None
        del gone[found[0]]
        self._memory.do("lost", reading.series.target, index, found[0])
        return found[1]

    def _vanish(
        self, index: int, want: Want, reading: Reading, state: TargetState, target: Target | None
    ) -> dict[str, Last]:
        """What ended all at once when this reading began, in the same process."""
        first = reading.samples[0][0]
        olds = {key: old for key, old in state.series[index].items() if old.value != LOST}
        if restarted(Known(state.last, state.started), target):
            return {}
        there = self._newest(want).get(reading.series.target, {})
        alive = {key for key, newest in there.items() if newest >= first}
        # One series that goes on says that the others ended: no change of labels.
        if not alive.isdisjoint(olds):
            return {}
        began = target.started if target and state.started is None else None
        return {key: old for key, old in olds.items() if began is None or began <= old.time}

    def _newest(self, want: Want) -> Mapping[str, Mapping[str, float]]:
        """By target, the times of the newest samples of a want's series."""
        if want not in self._by_target:
            found = self._by_target[want] = {}
            for series, samples, _ in self._batch.readings.get(want, ()):
                if samples:
                    there = found.setdefault(series.target, {})
                    there[series.key] = max(samples[-1][0], there.get(series.key, -inf))
        return self._by_target[want]

    def _birth_begins(self, reading: Reading, known: Known | None) -> float:
        """One sample before the first; the series came to be some time after."""
        times = [time for time, _ in reading.samples[:2]]
        spacing = times[1] - times[0] if len(times) > 1 else self._memory.slo.interval
        begin = times[0] - spacing
        return max(begin, known.last) if known and known.last < times[0] else begin


def _newer(reading: Reading, than: float) -> int:
    """How many samples are; those of an overlap come a second time."""
    samples = reading.samples
    if samples[0][0] > than:
        return len(samples)
    return len(samples) - bisect_right(samples, than, key=itemgetter(0))


def _first_of_new_process(reading: Reading, last: Last | None, began: float) -> int:
    """Which sample is the first of a process that began then, so that it counts whole.

    None where a fall tells already: the two clocks may differ, and nothing may count twice.
    """
    none = len(reading.samples)
    fresh = [i for i in range(none) if last is None or reading.samples[i][0] > last.time]
    values = [last.value] if last else []
    values += [_number(reading.samples[i][1]) for i in fresh]
    if not fresh or any(now < then for then, now in pairwise(values)):
        return none
    return next((i for i in fresh if reading.samples[i][0] >= began), fresh[-1] if last else none)


def _number(value: Value) -> float:
    return value.count if isinstance(value, NativeHistogram) else value
