"""Large batches are counted beside the event loop: it goes on, and nobody changes the engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from exporter.app.counting import LARGE, Counting
from exporter.core.counters import Counters
from exporter.core.engine import Engine
from exporter.core.sample import Batch
from exporter.core.selector import parse_selector
from exporter.core.slo import SLO, CounterSLI
from tests.core.builders import T, batch, counted, engine, slo

MANY = LARGE + 1


class Held:
    """Keeps every counting of counters where it is, until `go` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.began, self.go = threading.Event(), threading.Event()
        self.threads: list[str] = []
        process = Counters.process

        def held(counters: Counters, target: str, wanted: list) -> list:
            self.threads.append(threading.current_thread().name)
            self.began.set()
            assert self.go.wait(30)
            return process(counters, target, wanted)

        monkeypatch.setattr(Counters, "process", held)


@pytest.fixture
async def held(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Held]:
    held = Held(monkeypatch)
    yield held
    held.go.set()


def page(of: Engine, at: float, value: float, series: int = MANY) -> Batch:
    name = 'http_requests_total{{code="200",n="{}"}}'
    return batch(of, at, {"a": {name.format(n): value for n in range(series)}})


async def begun(held: Held) -> None:
    assert await asyncio.to_thread(held.began.wait, 30)


async def test_a_large_batch_holds_up_nobody_and_is_counted_whole(held: Held) -> None:
    of = engine(slo(), slo("other"))
    counting = Counting(of)
    large = asyncio.create_task(counting.ingest(page(of, T, 0.0)))
    await begun(held)
    waiting = asyncio.create_task(counting.idle())
    await asyncio.sleep(0)
    assert not waiting.done() and of.status(T).slos
    held.go.set()
    assert set(await large) == {"slo", "other"}
    await waiting
    await counting.ingest(page(of, T + 10, 3.0))
    assert counted(of) == counted(of, "other") == (3 * MANY, 0)
    assert all(name.startswith("slod-counting") for name in held.threads)


async def test_batches_take_turns(held: Held) -> None:
    of = engine()
    counting = Counting(of)
    tasks = [asyncio.create_task(counting.ingest(page(of, T + 10 * n, n))) for n in range(4)]
    tasks.append(asyncio.create_task(counting.ingest(page(of, T + 50, 5.0, 1))))
    await begun(held)
    assert len(held.threads) == 1
    held.go.set()
    await asyncio.gather(*tasks)
    assert counted(of) == (3 * MANY + 2, 0)


async def test_a_small_batch_is_counted_at_once(held: Held) -> None:
    of = engine()
    held.go.set()
    # The first await would let others go on.
    with pytest.raises(StopIteration):
        Counting(of).ingest(page(of, T, 0.0, 10)).send(None)
    assert held.threads == [threading.current_thread().name]


async def test_what_is_gone_from_a_page_makes_its_batch_large_too(held: Held) -> None:
    of = engine()
    held.go.set()
    counting = Counting(of)
    for at, series in ((T, MANY), (T + 10, 10)):
        await counting.ingest(page(of, at, 0.0, series))
    assert all(name.startswith("slod-counting") for name in held.threads)
    small = batch(of, T + 20, {"b": {'http_requests_total{code="200"}': 1.0}})
    await counting.ingest(small)
    assert held.threads[-1] == threading.current_thread().name


async def test_what_was_begun_is_counted_also_if_its_source_is_stopped(held: Held) -> None:
    of = engine()
    counting = Counting(of)
    held.go.set()
    await counting.ingest(page(of, T, 0.0))
    held.go.clear()
    held.began.clear()
    large = asyncio.create_task(counting.ingest(page(of, T + 10, 2.0)))
    await begun(held)
    large.cancel()
    held.go.set()
    with pytest.raises(asyncio.CancelledError):
        await large
    await counting.idle()
    assert counted(of) == (2 * MANY, 0)


async def test_a_failure_there_is_that_of_its_slo(monkeypatch: pytest.MonkeyPatch) -> None:
    of = engine(slo(), slo("other"))
    process = Counters.process

    def fails(counters: Counters, target: str, wanted: list) -> list:
        if counters.memory.slo.name == "slo":
            raise RuntimeError("nobody foresaw this")
        return process(counters, target, wanted)

    monkeypatch.setattr(Counters, "process", fails)
    counting = Counting(of)
    assert set(await counting.ingest(page(of, T, 0.0))) == {"other"}
    assert of.accounts["slo"].fault == "RuntimeError: nobody foresaw this"
    assert of.accounts["other"].fault is None
    monkeypatch.undo()
    await counting.ingest(page(of, T + 10, 1.0))
    assert of.accounts["slo"].fault is None


def numbered(n: int) -> SLO:
    total, bad = (
        parse_selector(f'http_requests_total{{n="{n}"{code}}}') for code in ("", ',code="500"')
    )
    return slo(f"slo{n}", CounterSLI(bad=bad, total=total))


async def test_many_slos_with_few_series_are_counted_without_a_thread_and_the_loop_goes_on(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.go.set()
    monkeypatch.setattr("exporter.app.counting._SLICE", 0.0)
    of = engine(*map(numbered, range(MANY)))
    counting = Counting(of)
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    turning = asyncio.create_task(turn())
    for n in range(2):
        await counting.ingest(page(of, T + 10 * n, float(n)))
    turning.cancel()
    assert turns > MANY
    assert set(held.threads) == {threading.current_thread().name}
    assert all(counted(of, name) == (1, 0) for name in of.accounts)
