"""Reads the pages of one target: only the wanted series, and each series' labels only once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from exporter.core.sample import Reading, Series, Value
from exporter.core.selector import Selector
from exporter.errors import SourceError
from exporter.sources.exposition import protobuf, text
from exporter.sources.exposition.labels import canonical

STARTED = "process_start_time_seconds"
_SPARE = 1024
"""Unused cache entries that are kept; series come and go, and most come back."""


@dataclass(slots=True)
class Page:
    """What a page held of what is wanted.

    `started`: its process start in unix seconds. `refused`: wanted lines that could not be used, by
    reason. `samples`: how many wanted samples there were.
    """

    readings: dict[Selector, list[Reading]]
    started: float | None = None
    refused: dict[str, int] = field(default_factory=dict)
    samples: int = 0

    def refuse(self, reason: str) -> None:
        """One wanted line could not be used."""
        self.refused[reason] = self.refused.get(reason, 0) + 1


@dataclass(slots=True)
class _Known:
    """A series seen before: its identity, its page labels, and who wants it (perhaps nobody)."""

    name: str
    page_labels: Mapping[str, str]
    series: Series
    wanted_by: tuple[Selector, ...]


class PageReader:
    """Reads page after page of one target; keeps what it learnt of the earlier ones."""

    def __init__(
        self,
        wants: Sequence[Selector],
        target: str,
        target_labels: Mapping[str, str],
        *,
        max_series: int,
        honor_timestamps: bool = True,
    ) -> None:
        self._target = target
        self._target_labels = dict(target_labels)
        self._max_series = max_series
        self._honor_timestamps = honor_timestamps
        self._wants: dict[str, list[Selector]] = {}
        for want in wants:
            self._wants.setdefault(want.name, []).append(want)
        self._scanners = [text.Scanner(name) for name in self._wants]
        self._known: dict[tuple[str, bytes], _Known] = {}

    def relabel(self, target_labels: Mapping[str, str]) -> None:
        """The target has other labels now; its series stay the same ones."""
        self._target_labels = dict(target_labels)
        self._known.clear()

    def read(self, body: bytes, content_type: str, at: float) -> Page:
        """The wanted samples of a page that was read at `at`; `SourceError` when it is no page."""
        page = Page({want: [] for wants in self._wants.values() for want in wants})
        kind = content_type.partition(";")[0].strip().lower()
        if kind == "application/vnd.google.protobuf":
            self._read_protobuf(page, body, at)
        elif kind == "text/html":
            raise SourceError("unsupported_format", "an HTML page, not metrics; check the path")
        else:
            self._read_text(page, body, at, openmetrics=kind == "application/openmetrics-text")
        return page

    # --- text -----------------------------------------------------------------------------------

    def _read_text(self, page: Page, body: bytes, at: float, *, openmetrics: bool) -> None:
        body = text.normalised(body, openmetrics=openmetrics)
        per_second = 1.0 if openmetrics else 1000.0
        page.started = text.single(body, STARTED)
        seen: dict[tuple[str, bytes], _Known] = {}
        for scanner in self._scanners:
            created = text.created(body, scanner.name)
            for raw, value, timestamp in scanner.scan(body, page.refuse):
                key = (scanner.name, raw)
                known = self._known.get(key)
                if known is None:
                    labels = scanner.labels(raw)
                    if labels is None:
                        page.refuse("malformed")
                        continue
                    known = self._known[key] = self._learn(scanner.name, labels)
                if key in seen:
                    page.refuse("duplicate_on_page")
                    continue
                seen[key] = known
                if not known.wanted_by:
                    continue
                time = at
                if timestamp is not None and self._honor_timestamps:
                    time = timestamp / per_second
                since = created.get(text.created_key(known.page_labels)) if created else None
                self._add(page, known, [(time, value)], since)
        self._forget(seen)

    def _forget(self, seen: Mapping[tuple[str, bytes], _Known]) -> None:
        if len(self._known) > 2 * len(seen) + _SPARE:
            self._known = dict(seen)

    # --- protobuf -------------------------------------------------------------------------------

    def _read_protobuf(self, page: Page, body: bytes, at: float) -> None:
        wanted = protobuf.Wanted(frozenset(self._wants), STARTED)
        seen: dict[tuple[str, bytes], _Known] = {}
        for sample in protobuf.samples(body, wanted):
            if sample.name == STARTED:
                if isinstance(sample.value, float):
                    page.started = sample.value
                continue
            key = (sample.name, canonical("", sample.labels).encode())
            known = self._known.get(key)
            if known is None:
                known = self._known[key] = self._learn(sample.name, sample.labels)
            if key in seen:
                page.refuse("duplicate_on_page")
                continue
            seen[key] = known
            if not known.wanted_by:
                continue
            time = at
            if sample.timestamp is not None and self._honor_timestamps:
                time = sample.timestamp
            self._add(page, known, [(time, sample.value)], sample.created)
        self._forget(seen)

    # --- both -----------------------------------------------------------------------------------

    def _learn(self, name: str, page_labels: Mapping[str, str]) -> _Known:
        labels = {k: v for k, v in page_labels.items() if v}
        # As Prometheus without honor_labels: the target's labels win, the page's are kept aside.
        merged = {
            (f"exported_{k}" if k in self._target_labels else k): v for k, v in labels.items()
        }
        merged.update(self._target_labels)
        series = Series(canonical(name, labels), self._target, merged)
        wanted_by = tuple(w for w in self._wants[name] if w.matches(merged))
        return _Known(name, page_labels, series, wanted_by)

    def _add(
        self, page: Page, known: _Known, samples: list[tuple[float, Value]], created: float | None
    ) -> None:
        reading = Reading(known.series, samples, created)
        for want in known.wanted_by:
            page.readings[want].append(reading)
        page.samples += 1
        if page.samples > self._max_series:
            raise SourceError(
                "too_many_series",
                f"over max_series = {self._max_series} wanted series on one page; narrow the "
                "selectors or raise max_series",
            )
