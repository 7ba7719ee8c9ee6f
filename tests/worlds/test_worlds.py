"""A thousand random worlds, counted through both front doors beside a truth that knows them.

`python -m tests.worlds --worlds 100000 --jobs 2` tries as many as one likes.
"""

from __future__ import annotations

import os
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from tests.worlds.kinds import KINDS
from tests.worlds.table import Checked, check

WORLDS = 1000
FIRST = 1_000_000

OVERALL = {"slod": 0.985, "upstream": 0.975}
"""Share of all worlds that can be known which slod has to count exactly, by door."""
EXACT = {"exporters": 0.9, "timestamps": 0.85, "turns": 0.0}
"""The same of one kind, where it is not `LEAST`: nobody can count processes that answer in turn."""
LEAST = 0.92
SILENT = 0.01
"""Share of worlds that may be wrong by over 1% without a word."""
DIFFERENT = {"polled otherwise": 0.04, "history": 0.12}
"""Share of worlds whose numbers may be others when an upstream's history is cut elsewhere."""


@pytest.fixture(scope="module")
def checked() -> list[Checked]:
    """All worlds, made and counted once."""
    kinds = [list(KINDS)[k % len(KINDS)] for k in range(WORLDS)]
    numbers = [FIRST + k // len(KINDS) for k in range(WORLDS)]
    jobs = min(4, os.cpu_count() or 1)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        return list(pool.map(check, kinds, numbers, chunksize=20))


def judged(checked: list[Checked], reader: str) -> list[Checked]:
    """The worlds that can be known; of those that fit two readings, what is neither."""
    return [o for o in checked if not o.ambiguous[reader] or not o.verdicts[reader].exact]


@pytest.mark.parametrize("reader", list(OVERALL))
@pytest.mark.parametrize("kind", list(KINDS))
def test_what_can_be_known_is_counted_exactly(
    checked: list[Checked], kind: str, reader: str
) -> None:
    worlds = judged([one for one in checked if one.kind == kind], reader)
    wrong = [one.name for one in worlds if not one.verdicts[reader].exact]
    assert len(wrong) <= (1 - EXACT.get(kind, LEAST)) * len(worlds), wrong


@pytest.mark.parametrize("reader", list(OVERALL))
def test_over_all_kinds_it_is_exact_but_for_a_few_and_hardly_ever_wrong_in_silence(
    checked: list[Checked], reader: str
) -> None:
    worlds = judged([one for one in checked if one.knowable], reader)
    wrong = [one.name for one in worlds if not one.verdicts[reader].exact]
    assert len(wrong) <= (1 - OVERALL[reader]) * len(worlds), wrong
    silent = [one.name for one in worlds if one.verdicts[reader].silent]
    assert len(silent) <= SILENT * len(worlds), silent


def test_the_numbers_do_not_depend_on_cuts_or_restarts(checked: list[Checked]) -> None:
    tried: dict[str, list[str]] = defaultdict(list)
    other: dict[str, list[str]] = defaultdict(list)
    for one in checked:
        for way, same in one.same.items():
            tried[way].append(one.name)
            if not same:
                other[way].append(one.name)
    assert set(tried) >= {"scrapes, restarted", "upstream, restarted", *DIFFERENT}
    for way, names in other.items():
        assert len(names) <= DIFFERENT.get(way, 0.0) * len(tried[way]), (way, names[:10])


def test_few_worlds_are_ambiguous(checked: list[Checked]) -> None:
    assert sum(one.ambiguous["slod"] for one in checked) < 0.1 * len(checked)
