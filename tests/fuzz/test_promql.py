"""Queries: each one is answered or refused in one line, within its bytes and its time."""

from __future__ import annotations

from time import monotonic

from exporter.promql.errors import QueryError, TimedOut, TooMuch
from exporter.promql.meter import Meter
from exporter.promql.parse import format_query
from tests.fuzz.kit import fuzz
from tests.promql.kit import load

STORE = load(
    """
    up{job="app",instance="a"} 1 1 0 1 _ 1
    x_total{job="app",code="200",path="/é"} 1 5 9 14 _ 21
    x_total{job="app",code="500"} 0 0 1 1 _ 0
    h_bucket{le="0.5"} 1 2 3 4 5 6
    h_bucket{le="+Inf"} 2 4 6 8 10 12
    """
)
_MOST = 8 * 2**20


def check(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    for end, step in ((300.0, 0.0), (600.0, 60.0)):
        until = monotonic() + 2.0

        def limits(until: float = until) -> None:
            if monotonic() > until:
                raise TimedOut("too long")

        def reserve(_: int, own: int) -> None:
            if own > _MOST:
                raise TooMuch("too much")

        try:
            STORE.ask(text, 300.0, end, step, Meter(reserve, limits))
        except QueryError as error:
            assert "\n" not in str(error)
    try:
        same = format_query(text)
    except QueryError:
        return
    assert format_query(same) == same


def test_queries() -> None:
    fuzz("promql", check, 1500)
