"""The formats that a target's pages are asked for in, by what its answers had in them.

Client libraries give some facts in one format only (docs/sources-scrape.md): created times and
native histograms in protobuf, names with dots where the request says `escaping=allow-utf-8`.
Protobuf costs several times as much to read as text. So it goes first for as long as it says more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from exporter.core.sample import NativeHistogram, Reading
from exporter.core.selector import LABEL_NAME, METRIC_NAME, Selector
from exporter.core.verdicts import start_moved
from exporter.sources.exposition import Page

_PROTOBUF = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited"
)
_OPENMETRICS = "application/openmetrics-text;version=1.0.0"
_TEXT = "text/plain;version=0.0.4"
_TEXT_UTF8 = "text/plain;version=1.0.0"
"""The version with quoted names; clients that have them write them into 0.0.4 too when asked."""
_ESCAPING = ";escaping=allow-utf-8"


class Formats:
    """Decides the Accept header of one target's next request.

    `protobuf`: as the configuration says it, None to find out. `utf8`: ask for names as they are,
    which else come with underscores.
    """

    def __init__(
        self, protobuf: bool | None, selectors: Sequence[Selector], *, utf8: bool = False
    ) -> None:
        names = {selector.name for selector in selectors}
        self._finds_out = protobuf is None
        self._native = any(n + "_bucket" in names and n + "_count" in names for n in names)
        """A histogram may become a native one at any time, and only protobuf says so."""
        self._protobuf = protobuf is not False
        self._utf8 = utf8
        self._started: float | None = None
        self._seen: set[str] | None = None
        """The wanted metrics when protobuf was left; None until a page in text was read."""

    @property
    def accept(self) -> str:
        """The value of the header."""
        kinds = [_OPENMETRICS, *([_TEXT_UTF8] if self._utf8 else []), _TEXT]
        if self._protobuf:
            kinds.insert(0, _PROTOBUF)
        if self._utf8:
            kinds = [kind + _ESCAPING for kind in kinds]
        return ",".join(f"{kind};q={1 - i / 10:g}" for i, kind in enumerate([*kinds, "*/*"]))

    def fall_back(self) -> bool:
        """Leave protobuf after an answer that is of no use; False where that changes nothing."""
        if not (self._finds_out and self._protobuf):
            return False
        self._protobuf, self._seen = False, None
        return True

    def learn(self, page: Page) -> None:
        """Decide by a page whether the next one is asked for in protobuf.

        It is left when a page in it has wanted samples and none of them has what only it can say;
        and asked for again when another process answers or another wanted metric is there.
        """
        # Where there is no protobuf, to ask for it costs nothing.
        if not self._finds_out or (self._protobuf and not page.protobuf):
            return
        seen = {want.name for want, readings in page.readings.items() if readings}
        if self._protobuf:
            if seen and not self._native and not _says_more(page.readings.values()):
                self._protobuf = False
                self._started, self._seen = page.started, seen
        elif self._seen is None:
            self._started, self._seen = page.started, seen
        elif _moved(self._started, page.started) or not seen <= self._seen:
            self._protobuf = True


def needs_utf8(
    selector: Selector, target_labels: Collection[str], process_labels: Iterable[str] = ()
) -> bool:
    """Whether a page has what a selector means only with names as they are.

    A label that the target has of its configuration or discovery is on no page.
    """
    labels = {matcher.label for matcher in selector.matchers} - set(target_labels)
    return METRIC_NAME.fullmatch(selector.name) is None or any(
        LABEL_NAME.fullmatch(label) is None for label in (*labels, *process_labels)
    )


def _says_more(readings: Iterable[Sequence[Reading]]) -> bool:
    return any(
        created is not None or isinstance(samples[0][1], NativeHistogram)
        for some in readings
        for _, samples, created in some
    )


def _moved(before: float | None, now: float | None) -> bool:
    return (before is None) is not (now is None) or start_moved(before, now)
