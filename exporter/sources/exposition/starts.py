"""Start times of processes on a page: the page's own, and those of processes that it passes on.

`process_start_time_seconds`, or the same under a prefix (`haproxy_process_start_time_seconds`,
prometheus_client's `ProcessCollector(namespace=...)`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import isfinite

from exporter.core.sample import Reading
from exporter.core.selector import Selector
from exporter.sources.exposition.catalogue import Catalogue
from exporter.sources.exposition.lines import Clock, name_of, parse_key, parse_rest

METRIC = "process_start_time_seconds"
_NEEDLE = METRIC.encode()
_SPARE = 1024
"""Lines that are gone and still remembered; each process of a federation has one."""


def is_start(name: str) -> bool:
    """Whether a metric of this name says when a process began."""
    # Not of `subprocess_start_time_seconds`.
    return name.endswith(METRIC) and (name == METRIC or name[-len(METRIC) - 1] in "_:.")


class Starts:
    """The start times of one page; times in unix seconds."""

    def __init__(self) -> None:
        self._found: dict[str | None, dict[str, list[tuple[float, float]]]] = {}

    def add(self, metric: str, process: str | None, time: float, value: float) -> None:
        """One sample of `metric`; `process` is None for the page's own."""
        self._found.setdefault(process, {}).setdefault(metric, []).append((time, value))

    def own(self, readings: Mapping[Selector, Sequence[Reading]]) -> float | None:
        """The start of the process that the page's own readings are of; None if unknown."""
        metrics = self._found.get(None, {})
        read: set[str] = set()
        if any(metric != METRIC for metric in metrics):
            read = {
                want.name
                for want, some in readings.items()
                if any(not reading.series.page for reading in some)
            }
        start = _start(metrics, read)
        return start and start[1]

    def relayed(self) -> dict[str, tuple[float, float]]:
        """(time of the sample, start) of each process that the page passes on."""
        starts = {
            process: _start(metrics, ())
            for process, metrics in self._found.items()
            if process is not None
        }
        return {process: start for process, start in starts.items() if start is not None}


def _start(
    metrics: Mapping[str, Sequence[tuple[float, float]]], read: Collection[str]
) -> tuple[float, float] | None:
    """The sample that says when one process began, of all that its start metrics have.

    An exporter with both says under a prefix when the process began that it measures
    (bind_exporter, haproxy_exporter), and under the plain name when it did itself. So a prefix that
    all the metrics `read` have goes first. Several samples are no process' own: they are of a load
    balancer's workers, or of what a page was pushed.
    """
    prefixed = [
        metric
        for metric, samples in metrics.items()
        if metric != METRIC and len(samples) == 1 and read
        if all(name.startswith(metric.removesuffix(METRIC)) for name in read)
    ]
    if prefixed:
        samples = list(metrics[max(prefixed, key=len)])
    elif METRIC in metrics:
        samples = list(metrics[METRIC])
    else:
        samples = [sample for some in metrics.values() for sample in some]
    # 0 and less is what exporters say that do not know.
    known = len(samples) == 1 and isfinite(samples[0][1]) and samples[0][1] > 0
    return samples[0] if known else None


class StartLines:
    """Finds the start times on text pages; remembers what the beginnings of lines mean."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._lines: dict[bytes, tuple[str, str | None]] = {}

    def read(self, body: bytes, clock: Clock) -> Starts:
        """All start times of a page."""
        starts, end, count = Starts(), len(body), 0
        # Backwards, which is how CPython searches bytes fastest.
        while (at := body.rfind(_NEEDLE, 0, end)) >= 0:
            stop = body.find(b"\n", at)
            end = body.rfind(b"\n", 0, at) + 1
            line = body[end : stop if stop >= 0 else len(body)].lstrip(b" \t")
            length = line.rfind(b"}") + 1
            begin = self._lines.get(line[:length])
            if begin is None:
                length, begin = self._meaning(line)
            if begin is None:
                continue
            parsed = parse_rest(line[length:])
            if parsed is not None:
                starts.add(*begin, clock.time(parsed[1]), parsed[0])
                count += 1
        if len(self._lines) > 2 * count + _SPARE:
            self._lines.clear()
        return starts

    def _meaning(self, line: bytes) -> tuple[int, tuple[str, str | None] | None]:
        """The length of a line's beginning, and the metric and process that it names."""
        name = name_of(line)
        key = parse_key(line) if name is not None and is_start(name) else None
        if key is None:
            return 0, None
        begin = (key.name, process_of(self._catalogue, key.labels))
        if line[: key.length].rstrip(b" \t").endswith(b"}"):
            self._lines[line[: key.length].rstrip(b" \t")] = begin
        return key.length, begin


def process_of(catalogue: Catalogue, labels: Mapping[str, str]) -> str | None:
    """The process that a page passes on under these labels; None for the target itself."""
    process, page = catalogue.process(labels)
    return process if page else None
