"""What every reading of a page must keep to, in whatever format it comes."""

from __future__ import annotations

from collections.abc import Sequence

from exporter.core.sample import Series
from exporter.core.selector import parse_selector
from exporter.errors import SourceError
from exporter.sources.exposition import PageReader

AT = 1_700_000_000.0
WANTS = tuple(
    map(
        parse_selector,
        (
            'x_total{a!="1"}',
            'x_total{b=""}',
            "x_created",
            'h_bucket{le="0.5"}',
            "h_count",
            "h",
            'u{job="app"}',
            's{quantile="0.5"}',
            's_sum{exported_a!="2"}',
            '{"http.requests"}',
            'prometheus_http_requests_total{code="200"}',
            'prometheus_http_request_duration_seconds_bucket{le="0.1"}',
            "vm_promscrape_targets",
        ),
    )
)


def fresh() -> PageReader:
    return PageReader(WANTS, "t", {"job": "app", "a": "target"}, max_series=300)


def outcome(reader: PageReader, body: bytes, kind: str) -> tuple[object, ...]:
    """All that a page says, in a form that can be compared; nothing else may be raised."""
    try:
        page = reader.read(body, kind, AT)
    except SourceError as error:
        assert error.reason.isidentifier() and "\n" not in str(error)
        return (error.reason, str(error))
    facts = [
        (str(want), r.series.key, _labels(r.series), repr(r.samples), r.created)
        for want, readings in page.readings.items()
        for r in readings
    ]
    assert page.samples <= 300
    return (facts, repr(page.started), page.refused, page.samples)


def _labels(series: Series) -> list[tuple[str, str]]:
    """But for bounds, which the key has: a series keeps the spelling in which it came first."""
    return sorted((k, v) for k, v in series.labels.items() if k not in ("le", "quantile"))


class Readers:
    """A reader that has seen every page so far must say what one says that never saw any."""

    def __init__(self, kind: str, seeds: Sequence[bytes]) -> None:
        self._kind = kind
        self._seeds = seeds
        self._warm = fresh()
        self._count = 0

    def check(self, body: bytes) -> None:
        expected = outcome(fresh(), body, self._kind)
        self._count += 1
        # A page that is known, the spoilt one twice, and the next time upon that.
        seed = self._seeds[self._count % len(self._seeds)]
        for page in (seed, body, body) if self._count % 2 else (body,):
            found = outcome(self._warm, page, self._kind)
            assert page is seed or found == expected
        if self._count % 1000 == 0:
            self._warm = fresh()
