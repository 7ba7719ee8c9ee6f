"""Bounds of Prometheus' API of a daemon: bytes, time, and clients that leave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest

from exporter.app.series import Series
from exporter.promql.meter import Meter
from tests.app import test_prom
from tests.app.test_daemon import until
from tests.app.test_prom import World, watching

LISTS = ["series", "labels", "label/slo/values"]


@pytest.fixture
async def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A daemon whose queries have little memory."""
    config = test_prom.CONFIG + '[api]\nquery_memory = "64KiB"\n'
    monkeypatch.setattr(test_prom, "CONFIG", config)
    async with watching(tmp_path, {"200": 5, "500": 1}) as made:
        await made.live(2, 10, 1)
        yield made


@pytest.fixture
async def quiet(tmp_path: Path) -> AsyncIterator[World]:
    async with watching(tmp_path, {"200": 5, "500": 1}) as made:
        await made.live(2, 10, 1)
        yield made


def everything(path: str, **more: Any) -> tuple[str, dict[str, Any]]:
    return path, {"match[]": '{__name__!=""}', **more}


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("query", {"query": 'count_values("v", vector(time()))[9000s:1s]'}),
        ("query", {"query": '{__name__!=""}'}),
        ("query_range", {"query": "slo_burn_rate", "start": 0, "end": 9000, "step": 1}),
        ("query_range", {"query": "vector(time())", "start": 0, "end": 9000, "step": 1}),
        everything("series"),
    ],
)
async def test_what_takes_too_much_memory_fails_by_itself(
    small: World, path: str, params: dict[str, Any]
) -> None:
    status, answer = await small.answer(path, params)
    assert (status, answer["errorType"]) == (422, "execution"), answer
    assert "query_memory in [api]" in answer["error"]
    assert await small.vector("vector(1)")
    assert await small.ask("label/slo/values", **{"match[]": "slo_objective_ratio"}) == [
        "routes",
        "shop",
    ]


@pytest.mark.parametrize("path", LISTS)
async def test_lists_have_a_timeout_too(quiet: World, path: str) -> None:
    status, answer = await quiet.answer(*everything(path, timeout="0"))
    assert (status, answer["errorType"]) == (503, "timeout")


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_ends_when_its_client_leaves(
    quiet: World, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def labels(
        self: Series, fits: Callable[[str], bool], meter: Meter
    ) -> AsyncIterator[list[Mapping[str, str]]]:
        begun.set()
        try:
            while True:
                await asyncio.sleep(0.001)
                meter.check()
                yield []
        finally:
            ended.set()

    monkeypatch.setattr(Series, "labels", labels)
    _, params = everything(path)
    _, writer = await asyncio.open_connection("127.0.0.1", quiet.daemon.port)
    writer.write(f"GET /api/v1/{path}?{urlencode(params)} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await begun.wait()
    writer.close()

    async def is_over() -> bool:
        await asyncio.sleep(0)
        return ended.is_set()

    await until(is_over)


async def test_of_many_selectors_a_series_has_to_meet_one(quiet: World) -> None:
    texts = ["slo_objective_ratio", 'slo_burn_rate{slo="shop"}', "nothing", "slo_objective_ratio"]
    many = [("match[]", text) for text in texts]
    each = [await quiet.ask("series", **{"match[]": text}) for text in texts[:3]]

    def keys(found: list[dict[str, str]]) -> list[list[tuple[str, str]]]:
        return sorted(sorted(labels.items()) for labels in found)

    together = (await quiet.answer("series", many))[1]["data"]
    assert keys(together) == keys([labels for part in each for labels in part])
    assert (await quiet.answer("series", many * 200, "POST"))[1]["data"] == together
    assert len(await quiet.ask("series", **{"match[]": "slo_burn_rate", "limit": 2})) == 2
    assert len(await quiet.ask("labels", limit=3)) == 3
    assert await quiet.ask("label/slo/values", limit=1) == ["routes"]


async def test_an_allocation_that_fails_is_the_failure_of_its_query(
    quiet: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    from exporter.promql.query import Query

    def fail(*_: Any) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(Query, "answer", fail)
        status, answer = await quiet.answer("query", {"query": "1"})
    assert (status, answer["errorType"]) == (503, "unavailable")
    assert quiet.daemon.supervisor.pausing("request:/api/v1/query")
    assert await quiet.vector("vector(1)")


@pytest.mark.parametrize(
    ("form", "charset", "status", "said"),
    [
        (b"query=" + b"1" * 300_000, "utf-8", 413, "longer than"),
        (b"match[]=a&" * 20_000, "utf-8", 413, "too many fields"),
        (b"query=1", "nothing", 400, "charset"),
        (b"query=\xff", "utf-8", 400, "charset"),
    ],
)
async def test_a_form_that_cannot_be_read_is_refused_in_prometheus_own_way(
    quiet: World, form: bytes, charset: str, status: int, said: str
) -> None:
    url = f"http://127.0.0.1:{quiet.daemon.port}/api/v1/query"
    headers = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=form, headers=headers) as answer,
    ):
        found = await answer.json()
    assert (answer.status, found["status"], found["errorType"]) == (status, "error", "bad_data")
    assert said in found["error"]
