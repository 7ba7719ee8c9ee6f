"""The times for which alerts fired, as series: `ALERTS` and `ALERTS_FOR_STATE` as Prometheus keeps
them, and whether one with certain labels fired.

Source: Prometheus documentation, "Alerting rules", inspecting alerts during runtime.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from exporter.core.exclusion import Span, merged
from exporter.core.history import History
from exporter.series.row import Read, Values

_Labels = tuple[str, ...]
"""Names of labels in order, or their values."""


class Firing:
    """One alert, each time that it fired; a span that goes on ends at infinity."""

    def __init__(self, labels: Mapping[str, str], spans: Sequence[Span]) -> None:
        self.labels = labels
        self.spans = merged(spans)

    def at(self, moments: Sequence[float]) -> list[Span | None]:
        """The span that each moment lies in."""
        starts = [start for start, _ in self.spans]
        found: list[Span | None] = []
        for when in moments:
            k = bisect_right(starts, when) - 1
            found.append(self.spans[k] if k >= 0 and when < self.spans[k][1] else None)
        return found

    def ones(self, moments: Sequence[float]) -> Values:
        """1 while it fires."""
        return [None if span is None else 1.0 for span in self.at(moments)]

    def since(self, moments: Sequence[float]) -> Values:
        """Since when it fires, in unix seconds."""
        return [None if span is None else span[0] for span in self.at(moments)]


class Fired:
    """The alerts there were; takes others from time to time, and what was made of it follows."""

    def __init__(self) -> None:
        self.alerts: Sequence[Firing] = ()
        self._by_labels: dict[_Labels, dict[_Labels, list[Firing]]] = {}

    def take(self, alerts: Iterable[Firing]) -> None:
        """These, in place of those before."""
        self.alerts = list(alerts)
        self._by_labels = {}

    def of(self, slo: str) -> Sequence[Firing]:
        """An SLO's alerts."""
        return self._labelled(("slo",)).get((slo,), ())

    def where(self, slo: str, labels: Mapping[str, str]) -> Read:
        """1 while one of an SLO's alerts with these labels fires, else 0."""
        names, values = zip(*sorted({**labels, "slo": slo}.items()), strict=True)

        def read(_: History, at: Sequence[float]) -> Values:
            alerts = self._labelled(names).get(values, ())
            if not alerts:
                return [0.0] * len(at)
            return [float(any(spans)) for spans in zip(*(a.at(at) for a in alerts), strict=True)]

        return read

    def _labelled(self, names: _Labels) -> Mapping[_Labels, Sequence[Firing]]:
        """All alerts by their values of these labels: every group of an SLO asks for its own."""
        found = self._by_labels.get(names)
        if found is None:
            found = self._by_labels[names] = {}
            for alert in self.alerts:
                values = tuple(alert.labels.get(name, "") for name in names)
                found.setdefault(values, []).append(alert)
        return found

    def rows(self) -> Iterator[tuple[str, Mapping[str, str], Callable[[Sequence[float]], Values]]]:
        """Name, labels and values by moment, as Prometheus keeps them: there is a sample only while
        it fires."""
        for alert in self.alerts:
            yield "ALERTS", {**alert.labels, "alertstate": "firing"}, alert.ones
            yield "ALERTS_FOR_STATE", alert.labels, alert.since
