"""Room for what is made of what peers send: prices are bounds, and something is always left."""

from __future__ import annotations

import gc
import json
import tracemalloc

import pytest

from exporter.core.selector import parse_selector
from exporter.errors import SourceError
from exporter.http import Response
from exporter.room import (
    ANSWERS,
    SERIES_BYTES,
    AnswerRoom,
    NoRoom,
    Room,
    SeriesRoom,
    json_price,
    require_reading,
)
from exporter.sources.discovery.bounds import most_targets
from exporter.sources.exposition.catalogue import Catalogue
from exporter.sources.exposition.page import Page
from exporter.sources.exposition.reader import PageReader
from exporter.sources.promapi import Names, read, rows

MIB = 2**20
T = 1_700_000_000.0


def matrix(series: int, samples: int, labels: int = 3) -> bytes:
    metric = {f"label_{n}": f"a value of {n}" for n in range(labels)}
    values = [[T + 15 * n, f"{n}.5"] for n in range(samples)]
    result = [{"metric": {**metric, "id": str(n)}, "values": values} for n in range(series)]
    text = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})
    return text.encode()


@pytest.mark.parametrize(
    ("series", "samples", "labels"), [(5000, 1, 3), (20, 2000, 3), (500, 8, 30), (2000, 1, 0)]
)
def test_an_answer_never_takes_more_than_its_price(series: int, samples: int, labels: int) -> None:
    body = matrix(series, samples, labels)
    answer = Response(200, {}, body)
    tracemalloc.start()
    try:
        found = rows(read(answer))
        readings = Names().readings(found, T, lambda _: "t")
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(readings) == series
    price = json_price(body)
    assert taken <= price <= 8 * taken


def test_the_bytes_of_an_answer_are_held_as_long_as_its_rows_live() -> None:
    gc.collect()
    before = ANSWERS.held
    found = rows(read(Response(200, {}, matrix(3, 3))))
    assert ANSWERS.held == before + found.price > before
    del found
    assert ANSWERS.held == before


def test_what_a_purpose_holds_is_no_longer_left_and_yet_its_own() -> None:
    room = Room(64 * MIB, 4, left=lambda: 100 * MIB)
    assert room.free == 25 * MIB
    room.held = 20 * MIB
    assert room.free == 10 * MIB
    assert Room(64 * MIB, 4, left=lambda: None).free == 64 * MIB
    assert Room(None, 4, left=lambda: None).free is None
    assert Room(None, 4, left=lambda: -5).free == 0


def test_an_answer_may_take_half_of_what_is_free() -> None:
    body = matrix(20, 2000)
    price = json_price(body)
    assert AnswerRoom(2 * price, 4, lambda: None).check(body) == price
    with pytest.raises(NoRoom):
        AnswerRoom(2 * price - 2, 4, lambda: None).check(body)
    # A small one is always decoded.
    assert AnswerRoom(0, 4, lambda: None).check(b"[]") > 0


def test_series_count_as_new_for_a_day() -> None:
    room = SeriesRoom(lambda: 20 * SERIES_BYTES)
    assert room.most(T) == 10
    room.add(8, T)
    assert room.most(T + 3600) == 6
    assert room.most(T + 26 * 3600) == 10


def test_a_page_with_more_new_series_than_there_is_memory_for_is_refused_and_nothing_kept() -> None:
    left = 2 * 8 * SERIES_BYTES
    room = SeriesRoom(lambda: left)
    reader = PageReader([parse_selector("x_total")], "t", {}, max_series=1000)
    catalogue: Catalogue = reader._catalogue  # noqa: SLF001
    catalogue._room = room  # noqa: SLF001

    def page(low: int, high: int) -> Page:
        lines = "".join(f'x_total{{id="{n}"}} 1\n' for n in range(low, high))
        return reader.read(lines.encode(), "text/plain", T)

    assert page(0, 5).samples == 5
    held = room.held
    for _ in range(3):
        with pytest.raises(SourceError) as refused:
            page(0, 500)
        assert refused.value.reason == "too_many_series"
        assert room.held == held
    # What was known goes on, and what there is room for is taken.
    assert page(0, 5).samples == 5
    assert page(0, 7).samples == 7


def test_a_page_that_takes_more_than_half_of_what_is_left_to_read_is_not_read() -> None:
    body = b'x_total{a="b"} 1\n' * 100_000
    require_reading(body, lambda: None)
    require_reading(body, lambda: 64 * MIB)
    require_reading(body[:1000], lambda: 0)
    with pytest.raises(NoRoom):
        require_reading(body, lambda: 20 * MIB)


def test_lists_of_targets_follow_the_memory_that_is_left() -> None:
    assert most_targets(lambda: None) == 50_000
    assert most_targets(lambda: 80 * MIB) == 1024


def test_a_line_whose_labels_are_endless_is_refused_and_the_others_stand() -> None:
    reader = PageReader([parse_selector("x_total")], "t", {}, max_series=10)
    body = b'x_total{id="' + b"a" * 70_000 + b'"} 1\nx_total{id="b"} 2\n'
    page = reader.read(body, "text/plain", T)
    assert (page.samples, page.refused) == (1, {"too_long": 1})
