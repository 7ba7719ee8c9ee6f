"""What others would have said from the same samples: Prometheus' `increase()`, and Sloth's rules.

`increase()` takes the samples inside a window, adds what was lost to resets, and stretches the
result towards the window's edges: all the way where the next sample could not be far, else by half
the usual spacing, and never below a counter's zero. A series needs two samples to say anything, and
the first value of one that was born in the window is not an increase to it.

Sloth records `rate(bad[5m]) / rate(total[5m])` at every evaluation and averages those ratios over
the period: `sum_over_time(ratio[w]) / count_over_time(ratio[w])`.

Sources: Prometheus documentation, `increase()`, `rate()`, as of 3.0 (windows are open to the left);
Sloth's generated recording rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan

from exporter.core.events import Group
from exporter.core.sample import Reading

RATE_OVER = 300.0
"""What Sloth's shortest ratio is taken over, in seconds."""
EVALUATED_EVERY = 30.0
"""How often, in seconds, its rules are evaluated, unless told otherwise."""
_MOST_MOMENTS = 10_000
_NEAR = 1.1


def extrapolated(
    times: tuple[float, float], first: float, gained: float, spaces: int, edges: tuple[float, float]
) -> float:
    """`increase()` of one counter between `edges`, from its samples between `times`.

    `first` is the value at the first of them, `gained` what was gained from there to the last one
    (resets bridged), `spaces` how many spaces there are between samples, at least one.
    """
    sampled = times[1] - times[0]
    usual = sampled / spaces
    before, after = times[0] - edges[0], edges[1] - times[1]
    if before >= _NEAR * usual:
        before = usual / 2
    if gained > 0 and first >= 0:
        before = min(before, sampled * first / gained)
    if after >= _NEAR * usual:
        after = usual / 2
    return gained * (sampled + before + after) / sampled


def bad_and_total(sums: Mapping[str, float]) -> tuple[float, float] | None:
    """Bad and all events from two of `good`, `bad`, `total`; None where one of them is absent."""
    if len(sums) < 2:
        return None
    total = sums["total"] if "total" in sums else sums["good"] + sums["bad"]
    return (sums["bad"] if "bad" in sums else total - sums["good"]), total


@dataclass(slots=True)
class Heard:
    """What the others say about one group.

    `increase`, `sampled`: by role, the sum of `increase()`, and the same without what it stretches;
    a role without any series that has two samples is absent. `late`: series that were not there
    when the window began, `late_events` their first values by role. `alone`: series with a single
    sample in the window. `moments`: how often Sloth's rule had a ratio, `ratios` their sum; in
    `quiet` moments it was NaN, since nothing happened, and in `absent` ones there was none.
    """

    increase: dict[str, float]
    sampled: dict[str, float]
    late_events: dict[str, float]
    late: int = 0
    alone: int = 0
    moments: int = 0
    ratios: float = 0.0
    quiet: int = 0
    absent: int = 0

    @property
    def error_ratio(self) -> float | None:
        """Bad of all events by `increase()`; None where it says nothing."""
        found = bad_and_total(self.increase)
        return found[0] / found[1] if found and found[1] > 0 else None

    @property
    def averaged(self) -> float | None:
        """Sloth's error ratio, with NaN left out; with it the whole average would be NaN."""
        return self.ratios / self.moments if self.moments else None


class Peers:
    """Fed with samples chunk by chunk, it keeps no more than five minutes of them.

    `roles`: for each want of the SLI, by its index. The window is from `start` to `end`, in unix
    seconds; samples from before it tell which series were there already.
    """

    def __init__(
        self,
        start: float,
        end: float,
        group_of: Callable[[Reading], Group],
        every: float = EVALUATED_EVERY,
    ) -> None:
        self.edges = (start, end)
        self.every = max(every, (end - start) / _MOST_MOMENTS)
        """Seconds from one of Sloth's evaluations to the next."""
        self._group_of = group_of
        count = int((end - start) / self.every)
        self._moments = [end - self.every * k for k in range(count - 1, -1, -1)]
        self._next = 0
        self._series: dict[tuple[str, str, str], _Series] = {}
        self._heard: dict[Group, Heard] = {}

    def feed(self, role: str, readings: Iterable[Reading]) -> None:
        """Samples of the series that play a role, newer than those before."""
        for reading in readings:
            key = (role, reading.series.target, reading.series.key)
            series = self._series.get(key)
            if series is None:
                group = self._group_of(reading)
                series = self._series[key] = _Series(role, group, self.edges)
            for time, value in reading.samples:
                if isinstance(value, float) and not isnan(value):
                    series.add(time, value)

    def advance(self, upto: float) -> None:
        """All samples up to a moment were fed."""
        begin = self._next
        while self._next < len(self._moments) and self._moments[self._next] <= upto:
            self._next += 1
        moments = self._moments[begin : self._next]
        found: dict[Group, list[dict[str, float]]] = {}
        for series in self._series.values():
            rows = found.setdefault(series.group, [{} for _ in moments])
            for row, gained in zip(rows, series.increases(moments), strict=True):
                if gained is not None:
                    row[series.role] = row.get(series.role, 0.0) + gained
        for group, rows in found.items():
            heard = self._heard.setdefault(group, Heard({}, {}, {}))
            for row in rows:
                _average(heard, row)

    def said(self) -> dict[Group, Heard]:
        """All they say, by group."""
        self.advance(self.edges[1])
        late, alone = set(), set()
        for (_, *name), series in self._series.items():
            heard = self._heard.setdefault(series.group, Heard({}, {}, {}))
            if series.count and not series.there_before:
                late.add((series.group, *name))
                role = series.role
                heard.late_events[role] = heard.late_events.get(role, 0.0) + series.first
            if series.count == 1:
                alone.add((series.group, *name))
            if series.count > 1:
                role, gained = series.role, series.lasting - series.lasting_first
                stretched = extrapolated(
                    (series.first_time, series.time),
                    series.first,
                    gained,
                    series.count - 1,
                    self.edges,
                )
                heard.sampled[role] = heard.sampled.get(role, 0.0) + gained
                heard.increase[role] = heard.increase.get(role, 0.0) + stretched
        for group, heard in self._heard.items():
            heard.late = sum(one[0] == group for one in late)
            heard.alone = sum(one[0] == group for one in alone)
        return self._heard


def _average(heard: Heard, row: Mapping[str, float]) -> None:
    found = bad_and_total(row)
    if found is None:
        heard.absent += 1
    elif found[1] == 0:
        heard.quiet += 1
    else:
        heard.moments += 1
        heard.ratios += found[0] / found[1]


class _Series:
    """One counter; `lasting` is its value as if it had never been reset."""

    __slots__ = (
        "count", "edges", "first", "first_time", "group", "lasting", "lasting_first", "role",
        "samples", "there_before", "time", "value",
    )  # fmt: skip

    def __init__(self, role: str, group: Group, edges: tuple[float, float]) -> None:
        self.role, self.group, self.edges = role, group, edges
        self.there_before = False
        self.count = 0
        self.first = self.first_time = self.lasting_first = nan
        self.time = self.value = self.lasting = nan
        self.samples: list[tuple[float, float, float]] = []

    def add(self, time: float, value: float) -> None:
        """One more sample; what is not newer is one that came twice."""
        if time <= self.time or time > self.edges[1]:
            return
        if isnan(self.value):
            self.lasting = value
        else:
            self.lasting += value - self.value if value >= self.value else value
        self.time, self.value = time, value
        self.samples.append((time, value, self.lasting))
        if time <= self.edges[0]:
            self.there_before = True
        else:
            if not self.count:
                self.first, self.first_time, self.lasting_first = value, time, self.lasting
            self.count += 1

    def increases(self, moments: Sequence[float]) -> list[float | None]:
        """`increase()` over the five minutes before each moment; then forgets what is older."""
        out: list[float | None] = []
        samples, low, high = self.samples, 0, 0
        for moment in moments:
            begin = moment - RATE_OVER
            while high < len(samples) and samples[high][0] <= moment:
                high += 1
            while low < high and samples[low][0] <= begin:
                low += 1
            if high - low < 2:
                out.append(None)
                continue
            (t0, first, base), (t1, _, lasting) = samples[low], samples[high - 1]
            spaces = high - low - 1
            out.append(extrapolated((t0, t1), first, lasting - base, spaces, (begin, moment)))
        del samples[:low]
        return out
