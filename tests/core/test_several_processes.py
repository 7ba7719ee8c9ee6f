"""Several processes that answer at one address in turn: nothing of it counts, and that is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.builders import ERROR, LONG_AGO, OK, Reader, T, told
from tests.core.conftest import Begin

SHARED = {("refused", "several_processes")}
OTHER = LONG_AGO - 36_000


def one(k: int) -> dict[str, float]:
    return {OK: 1000.0 + 100 * k, ERROR: 50.0 + 5 * k}


def other(k: int) -> dict[str, float]:
    return {OK: 9000.0 + k, ERROR: 300.0 + k}


def alternate(begin: Begin, looks: int, *, starts: bool) -> tuple[Reader, list[Any]]:
    """Eight looks at one process, then it and another one in turn; what came of the latter."""
    r, out = begin(), []
    for k in range(8 + looks):
        second = k >= 8 and k % 2 == 0
        started = {"started": {"a": OTHER if second else LONG_AGO}} if starts else {}
        taken = r.poll(10.0 * k, other(k) if second else one(k), **started)
        if k >= 8:
            out.append(taken)
    return r, out


@pytest.mark.parametrize("starts", [True, False])
def test_what_alternates_is_not_counted_for_long(begin: Begin, starts: bool) -> None:
    _, looks = alternate(begin, 20, starts=starts)
    shared = [k for k, taken in enumerate(looks) if told(taken) == SHARED]
    assert shared == list(range(shared[0], 20)) and shared[0] <= 5
    assert "several processes answer at this address" in looks[-1].notes["a"]


def test_once_one_process_alone_answers_again_it_counts_again(begin: Begin) -> None:
    r, _ = alternate(begin, 8, starts=True)
    before = r.counted
    for k in range(16, 32):
        taken = r.poll(10.0 * k, one(k), started={"a": LONG_AGO})
    assert told(taken) == {("increase", "difference")} and not taken.notes
    good, bad = r.counted
    assert good - before[0] >= 700 and (bad - before[1]) * 20 == good - before[0]


def test_a_look_at_another_process_counts_nothing(begin: Begin) -> None:
    """Its start is older than the last look, and its values fit its age."""
    r = begin()
    for k in range(8):
        r.poll(10.0 * k, {OK: 1000.0 + 100 * k}, started={"a": T - 100})
    taken = r.poll(80.0, {OK: 50_100.0}, started={"a": T - 5000})
    assert told(taken) == {("refused", "another_process")} and r.counted == (700, 0)


def test_what_another_process_does_not_show_is_not_gone(begin: Begin) -> None:
    r = begin()
    for k in range(8):
        r.poll(10.0 * k, one(k), started={"a": T - 100})
    taken = r.poll(80.0, {OK: 51_700.0}, started={"a": T - 5100})
    assert told(taken) == {("refused", "another_process")} and r.counted == (700, 35)


def test_a_start_time_that_wobbles_is_no_second_process(begin: Begin) -> None:
    r = begin()
    for k in range(40):
        taken = r.poll(10.0 * k, one(k), started={"a": LONG_AGO + 5 * (k % 2)})
        assert not taken.notes
    assert r.counted == (3900, 195)


def test_a_process_that_crashes_again_and_again_on_a_host_whose_clock_is_slow_counts(
    begin: Begin,
) -> None:
    r = begin()
    for k in range(40):
        # A new one every 20 seconds; its host is a minute behind.
        taken = r.poll(10.0 * k, {OK: 100.0 + 100 * (k % 2)}, started={"a": T + 20 * (k // 2) - 61})
        assert not taken.notes
    assert r.counted == (20 * 200 - 100, 0)


def test_trouble_of_long_ago_is_forgotten(begin: Begin) -> None:
    r = begin()
    for k in range(60):
        # The sum over workers loses a part at every 15th look.
        taken = r.poll(10.0 * k, {OK: 1e6 + 100 * k - 3e5 * (k // 15)})
        assert not taken.notes
    assert r.counted == (5900 - 3 * 100, 0)


def test_behind_a_prometheus_every_look_of_a_troubled_target_is_explained() -> None:
    counts = []
    for length in (1, 7, 40):
        r = Reader("")
        found = [(T + 10.0 * k, (other(k) if k % 2 and k > 8 else one(k))[OK]) for k in range(40)]
        for k in range(0, 40, length):
            some = found[k : k + length]
            r.poll(some[-1][0] - T, {OK: some}, own_clock=False)
        counts.append(r.counted)
    assert counts[0] == counts[1] == counts[2]


def workers(begin: Begin, starts: tuple[float, ...]) -> tuple[Reader, list[Any]]:
    """Three workers in turn, without any traffic; `starts`: in seconds after the first one's."""
    r, out, shown = begin(), [], [(30_000, 30), (33_000, 2), (37_000, 4)]
    for k in range(9):
        ok, failed = shown[k % 3]
        started = {"a": LONG_AGO + starts[k % 3]}
        out.append(r.poll(10.0 * k, {OK: ok, ERROR: failed}, started=started))
    return r, out


def test_workers_that_were_forked_in_one_moment_are_told_apart(begin: Begin) -> None:
    r, looks = workers(begin, (0.0, 0.13, 0.27))
    assert all(told(taken) == SHARED for taken in looks[6:])
    assert "several processes answer at this address" in looks[-1].notes["a"]
    assert sum(r.counted) < 90_000


@pytest.mark.parametrize("starts", [(0.0, 0.0, 0.0), (0.0, 0.01, 0.015), (0.0, 1.0, 2.0)])
def test_a_start_that_is_computed_anew_is_no_other_worker(
    begin: Begin, starts: tuple[float, ...]
) -> None:
    """It is the same, nearly the same, or differs by whole seconds."""
    _, looks = workers(begin, starts)
    assert not any(told(taken) == SHARED for taken in looks[:7])
