from __future__ import annotations

from exporter.core.sample import Reading
from exporter.errors import SourceError
from exporter.http import Response
from exporter.sources.promapi import Names, read
from tests.fuzz.kit import fuzz


def check(body: bytes) -> None:
    names = Names()
    for status in (200, 422, 503):
        try:
            readings = names.readings(read(Response(status, {}, body)), 1.7e9)
        except SourceError as error:
            assert error.reason.isidentifier() and "\n" not in str(error)
        else:
            for reading in readings:
                assert isinstance(reading, Reading)
                assert all(isinstance(time, float) for time, _ in reading.samples)


def test_answers_of_prometheus_api() -> None:
    fuzz("promapi", check, 20_000)
