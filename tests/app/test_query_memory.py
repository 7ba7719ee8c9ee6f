"""The budget of bytes that all queries share."""

from __future__ import annotations

import pytest

from exporter.app.query_memory import DEFAULT, QueryMemory
from exporter.promql.errors import Busy, TooMuch

MB = 2**20


def nothing() -> None:
    pass


def budget(size: int | None, left: int | None = None) -> QueryMemory:
    return QueryMemory(lambda: size, lambda: left)


def test_one_query_that_needs_more_than_there_is_fails() -> None:
    memory = budget(10 * MB)
    meter = memory.meter(nothing)
    meter.take(10 * MB)
    with pytest.raises(TooMuch, match="a query may take 10 MiB"):
        meter.take(1)
    assert memory.held == meter.held == 10 * MB
    meter.close()
    assert memory.held == 0


def test_a_query_that_would_fit_alone_is_told_to_ask_again() -> None:
    memory = budget(10 * MB)
    first, second = memory.meter(nothing), memory.meter(nothing)
    first.take(6 * MB)
    with pytest.raises(Busy, match="ask again"):
        second.take(6 * MB)
    first.close()
    second.take(6 * MB)
    second.close()
    assert memory.held == 0


@pytest.mark.parametrize(
    ("size", "left", "limit"),
    [
        (None, None, DEFAULT),
        (None, 1024 * MB, DEFAULT),
        (None, 100 * MB, 25 * MB),
        (None, 0, 0),
        (300 * MB, 100 * MB, 300 * MB),
        (MB, None, MB),
    ],
)
def test_without_a_size_it_is_a_quarter_of_what_the_control_group_leaves(
    size: int | None, left: int | None, limit: int
) -> None:
    memory = budget(size, left)
    memory.meter(nothing)
    assert memory.limit == limit


def test_memory_that_queries_hold_is_not_taken_for_used_by_others() -> None:
    left = [100 * MB]
    memory = QueryMemory(lambda: None, lambda: left[0])
    meter = memory.meter(nothing)
    meter.take(20 * MB)
    left[0] -= 20 * MB
    memory.meter(nothing)
    assert memory.limit == 25 * MB


def test_answers_that_wait_for_their_readers_leave_half_for_others() -> None:
    memory = budget(10 * MB)
    ends = []
    for _ in range(5):
        meter = memory.meter(nothing)
        meter.take(MB)
        ends.append(memory.answering(meter))
    late = memory.meter(nothing)
    late.take(MB)
    with pytest.raises(Busy):
        memory.answering(late)
    ends[0]()
    memory.answering(late)()
    large = memory.meter(nothing)
    large.take(6 * MB)
    with pytest.raises(TooMuch, match="an answer may take 5 MiB"):
        memory.answering(large)
    large.close()
    for end in ends[1:]:
        end()
    assert memory.held == 0
