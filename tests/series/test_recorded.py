"""What no ledger knows is remembered for a while, in bounded memory."""

from __future__ import annotations

from exporter.series import recorded
from exporter.series.readable import Remembered
from exporter.series.recorded import Recorded, labels_of

T = 1_700_000_000.0
UP = 'up{target="a\\"b"}'


def filled(many: int) -> Recorded:
    ring = Recorded()
    for k in range(many):
        ring.add(T + 15 * k, [(UP, float(k)), *([("late", 1.0)] if k >= 3 else [])])
    return ring


def series(ring: Recorded, line: str, now: float = T + 1000) -> Remembered:
    return Remembered(labels_of(line)[1], line, ring, now, {UP: 99.0}.get)


def test_the_newest_look_tells_until_it_is_too_old() -> None:
    ring = filled(5)
    values, times = series(ring, UP).instant([T - 1, T, T + 16, T + 359, T + 360], 300.0)
    assert values == [None, 0.0, 1.0, 4.0, None]
    assert times == [None, T, T + 15, T + 60, None]
    # A line that came later was not there before.
    assert series(ring, "late").instant([T + 30, T + 45], 300.0)[0] == [None, 1.0]


def test_of_now_the_page_itself_is_asked() -> None:
    values, times = series(filled(5), UP, now=T + 70).instant([T + 60, T + 70, T + 80], 300.0)
    assert (values, times) == ([4.0, 99.0, 99.0], [T + 60, T + 70, T + 70])


def test_a_window_has_the_looks_in_it() -> None:
    one = series(filled(5), UP)
    assert one.within([T + 30], 30.0) == ([T + 15, T + 30], [1.0, 2.0])
    assert one.within([], 30.0) == ([], [])
    assert one.labels == {"target": 'a"b'}


def test_an_hour_is_kept_and_less_where_there_are_very_many() -> None:
    ring = filled(300)
    assert len(ring.looks(0.0, T + 1e6)) == recorded.LONGEST
    assert ring.lines() == [UP, "late"]
    large = Recorded()
    for k in range(4):
        large.add(T + k, ((f"s{n}", 1.0) for n in range(recorded.MOST // 2)))
    assert len(large.looks(0.0, T + 10)) == 2


def test_a_clock_that_was_set_back_begins_anew() -> None:
    ring = filled(5)
    ring.add(T - 40, [(UP, 7.0)])
    assert [look.at for look in ring.looks(0.0, T + 100)] == [T - 40]


def test_a_second_look_at_the_same_moment_replaces_the_first_one() -> None:
    ring = filled(5)
    ring.add(T + 60, [(UP, 7.0)])
    assert series(ring, UP).within([T + 60], 30.0) == ([T + 45, T + 60], [3.0, 7.0])
