"""A month that was never lived: samples as a Prometheus would have stored them, and what happened.

A shop of three replicas with daily rhythm: each pod is replaced once a day, some restart in place,
errors are series of their own that are born with the first one, there are hours without traffic,
outages, a quarter of an hour in which nothing was scraped, and a service beside it that is hardly
asked at all. The made-up service counts its own events, so what is true is known.
"""

from __future__ import annotations

import math
import random
from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

DAY = 86_400.0
Labels = tuple[tuple[str, str], ...]
BOUNDS = ("0.1", "0.5", "+Inf")


@dataclass(slots=True)
class Column:
    """One series' samples."""

    times: array[float] = field(default_factory=lambda: array("d"))
    values: array[float] = field(default_factory=lambda: array("d"))


class Events:
    """Good and bad events of one SLO, step by step; step k ends at `start + k * step`."""

    def __init__(self, start: float, step: float) -> None:
        self._start, self._step = start, step
        self._good, self._bad = [0], [0]

    def add(self, good: int, bad: int) -> None:
        """Those of the next step."""
        self._good.append(self._good[-1] + good)
        self._bad.append(self._bad[-1] + bad)

    def between(self, start: float, end: float) -> tuple[float, float]:
        """Good and bad ones of a stretch of time, spread evenly within a step."""
        return self._at(self._good, end) - self._at(self._good, start), self._at(
            self._bad, end
        ) - self._at(self._bad, start)

    def _at(self, sums: list[int], when: float) -> float:
        k = min(max((when - self._start) / self._step, 0.0), len(sums) - 1.0)
        low = int(k)
        high = min(low + 1, len(sums) - 1)
        return sums[low] + (sums[high] - sums[low]) * (k - low)


class Pod:
    """One process; `counts` are its counters since it began."""

    def __init__(self, job: str, instance: str, started: float) -> None:
        self.labels: Labels = (("instance", instance), ("job", job))
        self.started = started
        self.counts: dict[tuple[str, Labels], int] = defaultdict(int)

    def restart(self, at: float) -> None:
        """The same pod, a new process."""
        self.started = at
        self.counts = defaultdict(int)


class Month:
    """`series` by name and labels; `truth` and `shown` by SLO: what happened, and what the samples
    can show of it (not what was counted before the very first one)."""

    def __init__(self, end: float, step: float, days: float = 30.9, seed: int = 7) -> None:
        self.rng = random.Random(seed)
        self.step = step
        self.steps = int(days * DAY / step)
        self.start = end - self.steps * step
        self.end = end
        self.series: dict[tuple[str, Labels], Column] = defaultdict(Column)
        names = ("shop", "good", "latency", "quiet")
        self.truth = {name: Events(self.start, step) for name in names}
        self.shown: dict[str, list[int]] = {name: [0, 0] for name in names}
        self._outages = self._plan()
        self._run()

    def _plan(self) -> list[tuple[float, float, float]]:
        """From when to when, and which share fails."""
        out = []
        for day, hours, share in (
            (2.3, 0.5, 0.05), (9.6, 2.0, 0.02), (16.1, 0.2, 1.0), (23.8, 6.0, 0.004),
            (29.5, 0.6, 0.08), (30.6, 1.0, 0.03),
        ):  # fmt: skip
            out.append((self.start + day * DAY, self.start + day * DAY + hours * 3600, share))
        return out

    def _run(self) -> None:
        slots = [Pod("shop", f"shop-{n}-0:80", self.start - DAY) for n in range(3)]
        lone = Pod("quiet", "quiet:80", self.start - DAY)
        hole = self.start + 12.4 * DAY
        for k in range(self.steps + 1):
            now = self.start + k * self.step
            sums = {name: [0, 0] for name in self.truth}
            for pod in slots:
                self._serve(pod, now, sums)
            self._ask(lone, sums)
            if k:
                for name, (good, bad) in sums.items():
                    self.truth[name].add(good, bad)
                    # What came before the first sample is a baseline; a hole is bridged.
                    self.shown[name][0] += good
                    self.shown[name][1] += bad
            if self._scraped(now, hole):
                for pod in (*slots, lone):
                    self._scrape(pod, now)
                # Right after they were scraped, so that nothing is lost with them.
                self._replace(slots, k, now)

    def _replace(self, slots: list[Pod], k: int, now: float) -> None:
        """Each once a day, and now and then one restarts in place."""
        for slot, pod in enumerate(slots):
            if k and k % self._daily == slot * self._daily // 3:
                slots[slot] = Pod("shop", f"shop-{slot}-{k}:80", now + 1)
            elif k and self.rng.random() < self.step / (5 * DAY):
                pod.restart(now + 1)

    @property
    def _daily(self) -> int:
        return round(DAY / self.step)

    def _scraped(self, now: float, hole: float) -> bool:
        return not hole <= now < hole + 900

    def _serve(self, pod: Pod, now: float, sums: dict[str, list[int]]) -> None:
        """The traffic of the step that ends now."""
        middle = now - self.step / 2
        hour = ((middle - self.end) / 3600 + 10.5) % 24
        # Nobody comes between two and four.
        rate = 0.0 if 2 <= hour < 4 else 5 * (1 + 0.8 * math.sin((hour - 9) / 24 * math.tau))
        events = round(rate * self.step * self.rng.uniform(0.8, 1.2))
        share = next((s for start, end, s in self._outages if start <= middle < end), 0.0)
        bad = round(events * share) + (self.rng.random() < 0.02 * self.step / 30 and events > 0)
        bad = min(bad, events)
        slow = sum(self.rng.random() < 0.01 for _ in range(min(events, 20)))
        good = events - bad
        counts = pod.counts
        counts["http_requests_total", (("code", "200"),)] += good
        if bad:
            counts["http_requests_total", (("code", "500"),)] += bad
        for bound, many in zip(BOUNDS, ((events - slow) // 2, events - slow, events), strict=True):
            counts["http_request_duration_seconds_bucket", (("le", bound),)] += many
        counts["http_request_duration_seconds_count", ()] += events
        for name, failed in (("shop", bad), ("good", bad), ("latency", slow)):
            sums[name][0] += events - failed
            sums[name][1] += failed

    def _ask(self, pod: Pod, sums: dict[str, list[int]]) -> None:
        events = self.rng.random() < 0.01 * self.step
        bad = events and self.rng.random() < 0.02
        pod.counts["jobs_total", ()] += events
        pod.counts["jobs_failed_total", ()] += bad
        sums["quiet"][0] += events - bad
        sums["quiet"][1] += bad

    def _scrape(self, pod: Pod, now: float) -> None:
        facts = (("up", 1.0), ("process_start_time_seconds", pod.started))
        for name, value in facts:
            self._store(name, pod.labels, now, value)
        for (name, labels), count in pod.counts.items():
            self._store(name, tuple(sorted((*pod.labels, *labels))), now, float(count))

    def _store(self, name: str, labels: Labels, now: float, value: float) -> None:
        column = self.series[name, labels]
        column.times.append(now)
        column.values.append(value)

    @property
    def samples(self) -> int:
        """How many there are."""
        return sum(len(column.times) for column in self.series.values())


SLOS = """
[slo.shop]
objective = 99.5
sli = { bad = 'http_requests_total{job="shop",code=~"5.."}', total = 'http_requests_total{job="shop"}' }
[slo.good]
objective = 99.5
sli = { good = 'http_requests_total{job="shop",code!~"5.."}', total = 'http_requests_total{job="shop"}' }
[slo.latency]
objective = 99
sli = { histogram = 'http_request_duration_seconds{job="shop"}', threshold = "500ms" }
[slo.quiet]
objective = 95
sli = { bad = 'jobs_failed_total', total = 'jobs_total' }
"""  # noqa: E501 - a configuration


def increase(selector: str) -> str:
    """What a recording rule would ask."""
    return f"sum(increase({selector}[30d]))"


def peers(step: float) -> dict[str, str]:
    """The error ratio over 30 days by `increase()`, and as Sloth averages it."""
    bad = 'http_requests_total{job="shop",code=~"5.."}'
    total = 'http_requests_total{job="shop"}'
    short = f"{max(300, round(2 * step))}s"
    ratio = f"sum(rate({bad}[{short}])) / sum(rate({total}[{short}]))"
    return {
        "increase()": f"{increase(bad)} / {increase(total)}",
        "Sloth": f"avg_over_time(({ratio})[30d:{short}])",
    }


def by_day(month: Month) -> Iterable[list[tuple[str, Labels, array[float], array[float]]]]:
    """All samples, a day at a time and in ascending time."""
    for day in range(int((month.end - month.start) / DAY) + 1):
        low, high = month.start + day * DAY, month.start + (day + 1) * DAY
        part = []
        for (name, labels), column in month.series.items():
            chosen = [i for i, t in enumerate(column.times) if low <= t < high]
            if chosen:
                first, last = chosen[0], chosen[-1] + 1
                part.append((name, labels, column.times[first:last], column.values[first:last]))
        yield part
