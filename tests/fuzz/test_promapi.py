from __future__ import annotations

import contextlib

from exporter.core.sample import Reading
from exporter.errors import SourceError
from exporter.http import Response
from exporter.sources.processes import Processes
from exporter.sources.promapi import Names, labels, read, rows
from tests.fuzz.kit import fuzz


def check(body: bytes) -> None:
    names, processes = Names(), Processes()
    for status in (200, 422, 503):
        try:
            answer = read(Response(status, {}, body))
            with contextlib.suppress(SourceError):
                assert all(isinstance(found, dict) for found in labels(answer))
            found = rows(answer)
            with contextlib.suppress(ValueError):
                processes.learn(found, 1.7e9, {"x_total"})
            readings = names.readings(found, 1.7e9, processes.target_of)
        except SourceError as error:
            assert error.reason.isidentifier() and "\n" not in str(error)
        else:
            for reading in readings:
                assert isinstance(reading, Reading)
                assert all(isinstance(time, float) for time, _ in reading.samples)


def test_answers_of_prometheus_api() -> None:
    fuzz("promapi", check, 20_000)
