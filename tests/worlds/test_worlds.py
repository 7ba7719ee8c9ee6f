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

EXACT = {
    "created": 0.98,
    "no start": 0.92,
    "own start": 0.94,
    "exporters": 0.85,
    "sums": 0.8,
    "collectors": 0.9,
    "relabelled": 0.85,
    "replicas": 0.88,
    "expiring": 0.9,
    "relays": 0.88,
    "clocks": 0.88,
    "timestamps": 0.5,
    "bad looks": 0.92,
    "pods": 0.9,
    "shared": 0.88,
    "turns": 0.0,
    "layouts": 0.8,
    "bursts": 0.9,
    "mixed": 0.82,
}
"""Share of the worlds that can be known which slod has to count exactly, by kind."""
DIFFERENT = {"polled otherwise": 0.12, "history": 0.3}
"""Share of worlds whose numbers may be others when an upstream's history is cut elsewhere."""


@pytest.fixture(scope="module")
def checked() -> list[Checked]:
    """All worlds, made and counted once."""
    kinds = [list(KINDS)[k % len(KINDS)] for k in range(WORLDS)]
    numbers = [FIRST + k // len(KINDS) for k in range(WORLDS)]
    jobs = min(4, os.cpu_count() or 1)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        return list(pool.map(check, kinds, numbers, chunksize=20))


@pytest.mark.parametrize("reader", ["slod", "upstream"])
@pytest.mark.parametrize("kind", list(KINDS))
def test_what_can_be_known_is_counted_exactly(
    checked: list[Checked], kind: str, reader: str
) -> None:
    worlds = [one for one in checked if one.kind == kind and not one.ambiguous[reader]]
    wrong = [one.name for one in worlds if not one.verdicts[reader].exact]
    assert len(wrong) <= (1 - EXACT[kind]) * len(worlds), wrong[:10]


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
