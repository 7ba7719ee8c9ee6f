"""Pages that were cut, where neither a length nor chunks tell."""

from __future__ import annotations

import pytest

from exporter.core.selector import Selector
from exporter.errors import SourceError
from exporter.sources.exposition import PageReader
from tests.sources.pages import NOW, OPENMETRICS, PROTOBUF, TEXT, Row, body, reader

ROWS = [Row("m", 12345, {"n": str(i)}) for i in range(9)]
WHOLE = "".join(f'm{{n="{i}"}} 12345\n' for i in range(9)).encode()


def taken(one: PageReader, page: bytes, kind: str = TEXT, *, delimited: bool = False) -> int | None:
    """The number of series that were read; None for a page that was refused as cut."""
    try:
        found = one.read(page, kind, NOW, delimited=delimited)
    except SourceError as error:
        assert error.reason == "truncated"
        return None
    values = [r.samples[0][1] for r in found.readings[Selector("m")]]
    assert set(values) <= {12345.0}
    return len(values)


def test_an_open_page_that_stops_inside_a_line_is_no_look() -> None:
    one = reader("m")
    assert taken(one, WHOLE[:-3]) is None
    assert taken(one, WHOLE) == 9
    assert [taken(one, WHOLE[:cut]) for cut in (40, 77, 0)] == [None, None, 0]


@pytest.mark.parametrize("lines", range(9))
def test_an_open_page_that_stops_behind_a_line_is_no_look(lines: int) -> None:
    one = reader("m")
    assert taken(one, WHOLE) == 9
    assert taken(one, b"".join(WHOLE.splitlines(keepends=True)[:lines])) is None
    assert taken(one, WHOLE) == 9


def test_a_cut_in_the_last_value_leaves_nothing_out_but_that() -> None:
    one = reader("m")
    assert [taken(one, page) for page in (WHOLE, WHOLE[:-3], WHOLE[:-1])] == [9, 8, 8]


def test_an_exporter_that_never_ends_its_last_line_is_refused_once() -> None:
    one = reader("m")
    assert [taken(one, WHOLE[:-1]) for _ in range(3)] == [None, 8, 8]


def test_a_page_that_became_shorter_is_believed_the_second_time_and_any_at_the_third() -> None:
    one, lines = reader("m"), WHOLE.splitlines(keepends=True)
    first = [taken(one, b"".join(lines[:n])) for n in (9, 5, 5, 4, 3, 2, 2)]
    assert first == [9, None, 5, None, None, 2, 2]


def test_series_may_leave_the_middle_and_join_the_end_of_an_open_page() -> None:
    one, lines = reader("m"), WHOLE.splitlines(keepends=True)
    assert taken(one, b"".join(lines[:8])) == 8
    assert taken(one, b"".join(lines)) == 9
    assert taken(one, b"".join(lines[:3] + lines[6:])) == 6


def test_an_empty_answer_without_a_length_is_no_page_at_first() -> None:
    one = reader("m")
    assert [taken(one, b""), taken(one, b"")] == [None, 0]
    assert taken(reader("m"), b"", delimited=True) == 0


def test_a_delimited_page_is_a_look_without_its_last_line() -> None:
    assert [taken(reader("m"), WHOLE[:cut], delimited=True) for cut in (-1, -3, 40)] == [8, 8, 2]


@pytest.mark.parametrize("delimited", [False, True])
def test_openmetrics_has_an_end_mark(*, delimited: bool) -> None:
    page = body(OPENMETRICS, ROWS)
    assert taken(reader("m"), page, OPENMETRICS, delimited=delimited) == 9
    assert taken(reader("m"), page[:-6], OPENMETRICS, delimited=delimited) is None


def test_an_open_page_in_protobuf_that_lacks_its_last_families() -> None:
    rows = [*ROWS, Row("a", 1), Row("b", 1)]
    page, shorter = body(PROTOBUF, rows), body(PROTOBUF, rows[:-1])
    one = reader("m")
    pages = (page, shorter, page, page[:-1], b"", page)
    assert [taken(one, some, PROTOBUF) for some in pages] == [9, None, 9, None, None, 9]
    assert taken(reader("m"), b"", PROTOBUF) is None
