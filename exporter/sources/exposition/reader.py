"""Reads the pages of one target: only the wanted series, and each series' labels only once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from exporter.core.amounts import MOST_TEXT
from exporter.core.sample import Reading
from exporter.core.selector import Selector
from exporter.errors import SourceError
from exporter.room import NoRoom, require_reading
from exporter.sources.exposition import protobuf
from exporter.sources.exposition.catalogue import Catalogue, Known
from exporter.sources.exposition.ending import OpenPages, last_line
from exporter.sources.exposition.lines import Clock
from exporter.sources.exposition.page import Page, too_many
from exporter.sources.exposition.starts import StartLines, Starts, is_start, process_of
from exporter.sources.exposition.text import families
from exporter.sources.exposition.types import types_of
from exporter.sources.exposition.wire import Malformed

_PROTOBUF = "application/vnd.google.protobuf"
_OPENMETRICS = "application/openmetrics-text"
_FAMILY = "io.prometheus.client.metricfamily"
_SPARE = 1024
"""Series that are gone and still remembered; they come and go, and most come back."""


class PageReader:
    """Reads page after page of one target; keeps what it learnt of the earlier ones.

    `wants`: what is read, the rest is skipped. `max_series`: how many wanted samples a page may
    have. `process_labels`: labels that say on a page that passes others on whose a series is.
    `honor_timestamps`: whether a sample's own time stands, or that of the scrape.
    """

    def __init__(
        self,
        wants: Sequence[Selector],
        target: str,
        target_labels: Mapping[str, str],
        *,
        max_series: int,
        process_labels: Sequence[str] = (),
        honor_timestamps: bool = True,
    ) -> None:
        self._catalogue = Catalogue(wants, target, target_labels, process_labels)
        self._max_series = max_series
        self._honor = honor_timestamps
        self._families = families(self._catalogue)
        self._open = OpenPages()
        self._start_lines = StartLines(self._catalogue)
        self._messages = protobuf.Families(frozenset(self._catalogue.wants), self._keeps)
        self._names: dict[protobuf.Name, Known] = {}
        self._met: list[protobuf.Name] = []

    def relabel(self, target_labels: Mapping[str, str]) -> None:
        """The target has other labels now: the same keys, and every series made anew."""
        self._catalogue.relabel(target_labels)
        self._names.clear()
        self._messages.forget()
        for family in self._families:
            family.forget()

    def read(self, body: bytes, content_type: str, at: float, *, delimited: bool = True) -> Page:
        """The wanted samples of a page that was read at `at` (unix seconds).

        `delimited`: a length or chunks said where the page ends, not the end of the connection.
        `SourceError`: `unsupported_format`, `truncated`, `malformed` (protobuf only),
        `too_many_series` or `too_large`. A single line that is wrong is refused and counted, the
        others stand.
        """
        try:
            require_reading(body)
        except NoRoom as error:
            raise SourceError("too_large", str(error)) from None
        self._catalogue.begin(at)
        try:
            return self._read(body, content_type, at, delimited=delimited)
        finally:
            self._catalogue.end(at)

    def _read(self, body: bytes, content_type: str, at: float, *, delimited: bool) -> Page:
        page = Page(at, {want: [] for wants in self._catalogue.wants.values() for want in wants})
        kind = content_type.partition(";")[0].strip().lower()
        if kind == _PROTOBUF:
            _require_delimited(content_type)
            self._read_protobuf(page, body, at)
            page.protobuf = True
            if not delimited:
                self._open.check(*protobuf.outline(body), ended=bool(body))
        elif kind == "text/html":
            raise SourceError("unsupported_format", "an HTML page, not metrics; check the path")
        else:
            openmetrics = kind == _OPENMETRICS
            body = self._whole(page, body, delimited=delimited, openmetrics=openmetrics)
            self._read_text(page, body, at, openmetrics=openmetrics)
        return page

    def _whole(self, page: Page, body: bytes, *, delimited: bool, openmetrics: bool) -> bytes:
        """The lines of a text page that came whole; `SourceError` when it was cut.

        A page that was cut in the middle of a number says 123 of 12345, which would pass for a
        reset of the counter. The next whole page bridges.
        """
        if openmetrics:
            if (b"\n" + body[-80:]).rstrip()[-6:] != b"\n# EOF":
                raise SourceError("truncated", "the OpenMetrics page does not end in # EOF")
            return body
        ended = body.endswith(b"\n")
        if not delimited:
            self._open.check(body.count(b"\n"), last_line(body), ended=ended)
        if ended or not body:
            return body
        # Handwritten exporters leave the last line feed out. But a length can be wrong too: counted
        # in characters, not bytes, or by a proxy of what it got.
        page.refuse("no_newline_at_end")
        return body[: body.rfind(b"\n") + 1]

    def _read_text(self, page: Page, body: bytes, at: float, *, openmetrics: bool) -> None:
        clock = Clock(at, 1.0 if openmetrics else 1000.0, self._honor)
        for family in self._families:
            family.read(page, body, clock, self._max_series)
        _date(page, self._start_lines.read(body, clock))

    def _read_protobuf(self, page: Page, body: bytes, at: float) -> None:
        starts = Starts()
        declared: dict[str, str] = {}
        seen: dict[Known, protobuf.Name] = {}
        self._met.clear()
        try:
            for sample in self._messages.samples(body, page.refuse, declared):
                time = at if sample.time is None or not self._honor else sample.time
                if is_start(sample.name.metric) and isinstance(sample.value, float):
                    self._start(page, starts, sample.name, time, sample.value)
                if sample.name.metric in self._catalogue.wants:
                    self._take(page, sample, time, seen)
        except SourceError:
            # What was refused is not kept either, or it would be there at the next page.
            for name in self._met:
                del self._names[name]
            self._catalogue.new = 0
            raise
        finally:
            if len(self._names) > 16 * (len(seen) + _SPARE):
                self._names = {name: known for known, name in seen.items()}
        for family in self._families:
            page.types.update(types_of(family.base, family.names, declared))
        _date(page, starts)

    def _take(
        self, page: Page, sample: protobuf.Sample, time: float, seen: dict[Known, protobuf.Name]
    ) -> None:
        """Put a sample into the page for whoever wants it."""
        known = self._know(page, sample.name)
        if known is None or not known.wanted_by:
            return
        if known in seen:
            page.refuse("duplicate_on_page")
            return
        seen[known] = sample.name
        reading = Reading(known.series, [(time, sample.value)], sample.created)
        for want in known.wanted_by:
            if not sample.bare or not self._is_native(want):
                page.readings[want].append(reading)
        page.samples += 1
        if page.samples > self._max_series:
            raise too_many(self._max_series)

    def _start(
        self, page: Page, starts: Starts, name: protobuf.Name, time: float, value: float
    ) -> None:
        try:
            process = process_of(self._catalogue, name.labels())
        except Malformed:
            # A wanted one is refused where its series is looked up.
            if name.metric not in self._catalogue.wants:
                page.refuse("malformed")
            return
        starts.add(name.metric, process, time, value)

    def _is_native(self, want: Selector) -> bool:
        """Whether the histogram of a wanted count is wanted in its native form too."""
        base, _, _ = want.name.rpartition("_")
        return want.renamed(base) in self._catalogue.wants.get(base, ())

    def _keeps(self, name: protobuf.Name) -> bool:
        """Whether a sample that was read is of use; of one that is not known, to be safe."""
        known = self._names.get(name)
        return known is None or bool(known.wanted_by) or is_start(name.metric)

    def _know(self, page: Page, name: protobuf.Name) -> Known | None:
        known = self._names.get(name)
        if known is None:
            if sum(map(len, name.pairs)) > MOST_TEXT:
                page.refuse("too_long")
                return None
            try:
                labels = name.labels()
            except Malformed:
                page.refuse("malformed")
                return None
            known = self._names[name] = self._catalogue.known(name.metric, labels)
            self._met.append(name)
        return known


def _date(page: Page, starts: Starts) -> None:
    """Put the start times of a page's processes into it, once its samples are read."""
    page.started = starts.own(page.readings)
    page.relayed = starts.relayed()


def _require_delimited(content_type: str) -> None:
    parameters = {
        key.strip(): value.strip(' "')
        for key, _, value in (p.partition("=") for p in content_type.lower().split(";")[1:])
    }
    proto, encoding = parameters.get("proto", _FAMILY), parameters.get("encoding", "delimited")
    if (proto, encoding) != (_FAMILY, "delimited"):
        raise SourceError(
            "unsupported_format", f"protobuf of another kind: proto={proto}; encoding={encoding}"
        )
