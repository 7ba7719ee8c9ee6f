"""A server whose every path answers in another hostile way: targets, a Prometheus, receivers.

    python -m tests.faults.hostile_peers PORT

It says what is plainly wrong or far too much, never what looks for a fault of a library.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import sys
from collections.abc import AsyncIterator, Callable

_PART = 64 * 1024
_TEXT = "text/plain; version=0.0.4"
_BOMB = gzip.compress(b"# " + b"a" * 60_000_000)
_round = itertools.count()
_connections: set[asyncio.Task[None]] = set()

Answer = Callable[[], AsyncIterator[bytes]]


def _head(kind: str, *more: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"Content-Type: {kind}", "Connection: close", *more]
    return "\r\n".join([*lines, "", ""]).encode()


async def _endless() -> AsyncIterator[bytes]:
    yield _head(_TEXT)
    while True:
        yield b"#" * _PART


async def _headers() -> AsyncIterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        yield b"X-More: of it\r\n" * 4096


async def _bomb() -> AsyncIterator[bytes]:
    yield _head(_TEXT, "Content-Encoding: gzip") + _BOMB


async def _drip() -> AsyncIterator[bytes]:
    yield _head(_TEXT)
    while True:
        yield b"x"
        await asyncio.sleep(0.2)


async def _silence() -> AsyncIterator[bytes]:
    await asyncio.Event().wait()
    yield b""


async def _series() -> AsyncIterator[bytes]:
    """90,000 wanted series on a page, others each time."""
    round_ = next(_round)
    yield _head(_TEXT)
    for low in range(0, 90_000, 1000):
        yield "".join(
            f'all_total{{slo="x",id="{round_}-{n}",path="/api/v1/of/some/length"}} {n}\n'
            f'bad_total{{slo="x",id="{round_}-{n}"}} 0\n'
            for n in range(low // 2, low // 2 + 500)
        ).encode()


async def _groups() -> AsyncIterator[bytes]:
    """500 groups, others each time."""
    round_ = next(_round)
    yield _head(_TEXT)
    yield "".join(
        f'all_total{{slo="g",route="{round_}-{n}"}} {n}\n'
        f'bad_total{{slo="g",route="{round_}-{n}"}} 1\n'
        for n in range(500)
    ).encode()


async def _line() -> AsyncIterator[bytes]:
    """One label of 12 MB."""
    yield _head(_TEXT) + b'all_total{slo="x",id="'
    for _ in range(190):
        yield b"a" * _PART
    yield b'"} 1\n'


async def _matrix() -> AsyncIterator[bytes]:
    """A Prometheus that has 500,000 samples of what it is asked for, 16 MB."""
    yield (
        _head("application/json") + b'{"status":"success","data":{"resultType":"matrix","result":['
    )
    for n in range(500):
        labels = {"__name__": "all_total", "id": str(n), "round": str(next(_round))}
        values = ",".join(f'[{1_700_000_000 + 15 * k},"{n}.{k}"]' for k in range(1000))
        comma = "," if n else ""
        yield f'{comma}{{"metric":{json.dumps(labels)},"values":[{values}]}}'.encode()
    yield b"]}}"


async def _many() -> AsyncIterator[bytes]:
    """A Prometheus with 100,000 series of one sample each."""
    yield (
        _head("application/json") + b'{"status":"success","data":{"resultType":"matrix","result":['
    )
    round_ = next(_round)
    for low in range(0, 100_000, 500):
        rows = (
            f'{{"metric":{{"__name__":"all_total","id":"{round_}-{n}"}},"values":[[1700000000,"{n}"]]}}'
            for n in range(low, low + 500)
        )
        yield (("," if low else "") + ",".join(rows)).encode()
    yield b"]}}"


async def _list() -> AsyncIterator[bytes]:
    """A list of 200,000 targets, others each time; nobody listens at any of them."""
    round_ = next(_round) % 1000
    yield _head("application/json") + b'[{"targets":['
    for low in range(0, 200_000, 1000):
        yield (
            ("," if low else "")
            + ",".join(f'"127.0.0.1:1/{round_}/{n}"' for n in range(low, low + 1000))
        ).encode()
    yield b"]}]"


ANSWERS: dict[str, Answer] = {
    "endless": _endless,
    "headers": _headers,
    "bomb": _bomb,
    "drip": _drip,
    "silence": _silence,
    "series": _series,
    "groups": _groups,
    "line": _line,
    "matrix": _matrix,
    "many": _many,
    "list": _list,
}
"""By the first part of a path."""


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    # The loop holds on to no task by itself.
    task = asyncio.current_task()
    assert task is not None
    _connections.add(task)
    task.add_done_callback(_connections.discard)
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode()
        parts = ANSWERS[path.split("/")[1]]()
        async for part in parts:
            writer.write(part)
            await writer.drain()
    writer.close()


async def serve(port: int) -> None:
    """Answer until killed."""
    server = await asyncio.start_server(_serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
