"""Queries beside a real Prometheus: over the same samples it and slod's evaluator say the same.

Ranges and lookback are open on the left since Prometheus 3, and closed before: the moments here are
such that no window begins on a sample or on a subquery's step, and then all releases agree.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import re
from array import array
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.remote_write import HEADERS, RECEIVES, series, snappy
from exporter.core.selector import NAME
from exporter.promql.errors import BadData, QueryError
from tests.promql.kit import Key, Samples, Store, key
from tests.real import servers
from tests.real.promql_queries import INSTANT, RANGE, WRONG
from tests.real.promql_random import Maker
from tests.real.promql_series import START, made

pytestmark = pytest.mark.real

MOMENTS = (START + 6005, START + 3605, START + 6965)
SPANS = ((START + 3605, START + 7205, 60.0), (START - 595, START + 9005, 345.0))
RANDOM = int(os.environ.get("SLOD_PROMQL_RANDOM", "400"))
"""How many queries made at random are compared."""
SORTED = re.compile(r"^(sort|sort_desc|topk|bottomk)\b(?!.* by| without)")

Said = float | str | list[tuple[Key, Samples]]


class Peer:
    """A Prometheus, asked the way a client asks."""

    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._url, self._session = url, session

    async def load(self, store: Store) -> None:
        """All samples."""
        body = bytearray()
        for s in store.series:
            own = tuple((k, v) for k, v in s.labels.items() if k != NAME)
            body += series(s.labels[NAME], own, array("d", s.times), array("d", s.values))
        answer = await self._session.post(
            f"{self._url}/api/v1/write", data=snappy(bytes(body)), headers=HEADERS
        )
        assert answer.status in (200, 204), await answer.text()

    async def ask(
        self, text: str, start: float, end: float | None = None, step: float = 0.0
    ) -> dict[str, Any]:
        """Its answer as it is."""
        if end is None:
            path, times = "query", {"time": f"{start:.3f}"}
        else:
            path = "query_range"
            times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:g}"}
        form = {"query": text, **times}
        async with self._session.post(f"{self._url}/api/v1/{path}", data=form) as answer:
            said: dict[str, Any] = json.loads(await answer.read())
            return said

    async def said(
        self, text: str, start: float, end: float | None = None, step: float = 0.0
    ) -> Said:
        """The same in plain words, as `Store.said`."""
        answer = await self.ask(text, start, end, step)
        assert answer["status"] == "success", answer
        kind, result = answer["data"]["resultType"], answer["data"]["result"]
        if kind in ("scalar", "string"):
            return float(result[1]) if kind == "scalar" else str(result[1])
        return [
            (
                key(row["metric"]),
                {float(at): float(v) for at, v in row.get("values") or [row["value"]]},
            )
            for row in result
        ]


@pytest.fixture(scope="module")
def store() -> Store:
    return Store(made())


@pytest.fixture
async def peer(tmp_path: Path, store: Store) -> AsyncIterator[Peer]:
    async with servers.prometheus(tmp_path, "global: {}\n", RECEIVES) as url:
        async with aiohttp.ClientSession() as session:
            peer = Peer(url, session)
            await peer.load(store)
            yield peer


async def test_they_say_the_same_of_every_query(peer: Peer, store: Store) -> None:
    asked: list[tuple[Any, ...]] = [(text, at) for text in INSTANT for at in MOMENTS]
    asked += [(text, *span) for text in RANGE for span in SPANS]
    different = []
    for question in asked:
        theirs = await peer.said(*question)
        await asyncio.sleep(0)
        if why := difference(ours(store, question), theirs, ordered=_is_sorted(question)):
            different.append(f"{question}: {why}")
    print(f"{len(asked)} answers compared")
    assert not different, "\n".join(different)


async def test_they_say_the_same_of_queries_made_at_random(peer: Peer, store: Store) -> None:
    different, refused = [], 0
    for seed in range(RANDOM):
        text = Maker(seed).query()
        span: tuple[float, ...] = MOMENTS[:1] if seed % 3 else SPANS[seed % 2]
        theirs = (await peer.ask(text, *span)).get("errorType", "")
        mine = refusal(store, text, *span)
        refused += bool(theirs)
        if mine != theirs:
            different.append(f"{seed}: {text}: {mine or 'answered'}, {theirs or 'answered'} there")
        elif not mine:
            if why := difference(store.said(text, *span), await peer.said(text, *span)):
                different.append(f"{seed}: {text}: {why}")
    print(f"{RANDOM} random queries compared, {refused} of them refused")
    assert not different, "\n".join(different)


@pytest.mark.parametrize("many", [False, True], ids=["at one moment", "at many"])
async def test_they_refuse_the_same(peer: Peer, store: Store, many: bool) -> None:
    span: tuple[float, ...] = SPANS[0] if many else MOMENTS[:1]
    different = []
    for text, kind in WRONG.items():
        answer = await peer.ask(text, *span)
        theirs = answer.get("errorType", "")
        mine = refusal(store, text, *span)
        if not mine == theirs == kind:
            different.append(
                f"{text}: {mine or 'answered'}, {theirs or 'answered'} there: {answer}"
            )
    assert not different, "\n".join(different)


def refusal(store: Store, text: str, *span: float) -> str:
    """How Prometheus would call what is wrong with a query; empty where nothing is."""
    try:
        store.ask(text, *span)
    except BadData:
        return "bad_data"
    except QueryError:
        return "execution"
    return ""


def ours(store: Store, question: tuple[Any, ...]) -> Said:
    """What slod says; a refusal is said too."""
    try:
        said: Said = store.said(*question)
    except QueryError as error:
        return f"refused: {error}"
    return said


def _is_sorted(question: Sequence[Any]) -> bool:
    return len(question) == 2 and SORTED.match(question[0]) is not None


def difference(mine: Said, theirs: Said, *, ordered: bool = False) -> str | None:
    """The first in which two answers differ."""
    if not isinstance(mine, list) or not isinstance(theirs, list):
        same = mine == theirs or (
            isinstance(mine, float) and isinstance(theirs, float) and _same(mine, theirs)
        )
        return None if same else f"{mine} is not {theirs}"
    if not ordered:
        mine, theirs = sorted(mine, key=_labels), sorted(theirs, key=_labels)
    if [own for own, _ in mine] != [own for own, _ in theirs]:
        return f"series {[own for own, _ in mine]} are not {[own for own, _ in theirs]}"
    for (own, samples), (_, others) in zip(mine, theirs, strict=True):
        if samples.keys() != others.keys():
            return f"{own} has samples at {sorted(samples)}, not at {sorted(others)}"
        for at, value in samples.items():
            if not _same(value, others[at]):
                return f"{own} at {at} is {value}, not {others[at]}"
    return None


def _labels(row: tuple[Key, Samples]) -> Key:
    return row[0]


def _same(a: float, b: float) -> bool:
    return (math.isnan(a) and math.isnan(b)) or math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
