"""Clients of slod's port that flood it, are slow, ask for too much, or say what is no HTTP.

They come from other addresses of this machine than the run's own questions, as strangers would.
What they send to be changed is refused: they say that a proxy passed it on.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable

_QUERIES = (
    "slo_events_total",
    "count_values(%22v%22,slo_events_total)",
    "label_replace(slo_events_total,%22a%22,%22$1%22,%22slo%22,%22(.*)%22)",
    "sum_over_time(slo_events_total[1h:1s])",
    "slo_events_total{slo=~%22.*a.*b.*c.*d.*%22}",
    "rate(slo_events_total[5m])*on(slo)group_left()slo_objective_ratio",
    "(" * 400 + "1" + ")" * 400,
    "1%2B" * 3000 + "1",
    "slo_events_total{" + ",".join("a!~%22x%22" for _ in range(500)) + "}",
    "%00%ff%fe",
)
_PATHS = (
    *(
        "/configuration",
        "/",
        "/metrics",
        "/-/healthy",
        "/-/ready",
        "/api/slo/v1/slos",
        "/api/slo/v1/alerts",
    ),
    *("/api/slo/v1/openapi.json", "/api/slo/v1/slos/shop-0/explain", "/api/v1/labels", "/alerts"),
    *(
        "/api/slo/v1/events?start=-1e300&end=1e300",
        "/api/slo/v1/slos/%ff%00",
        "/sources",
        "/configuration",
    ),
    *("/api/slo/v1/slos/shop-0/history?window=1s&start=-1h&end=now&step=1s", "/" + "a/" * 2000),
    *("/api/slo/v1/exclusions", "/api/slo/v1/gate/shop", "/../../etc/passwd", "/slo/shop-0", "*"),
)
_HEADS = (
    *("Accept: */*;q=nan", "Accept-Encoding: gzip;q=1e999, *;q=-1", "Cookie: " + "a=b; " * 500),
    *("Authorization: Basic \xff\xff", "Host: [", "Host: a\r\nHost: b", "Content-Length: -1"),
    *("Transfer-Encoding: chunked\r\nContent-Length: 5", "If-None-Match: *", "Range: bytes=0-0"),
    *(
        "Origin: null",
        "Expect: 200-maybe",
        "Connection: upgrade\r\nUpgrade: h2c",
        "X: " + "x" * 9000,
    ),
)
_BODIES = (
    *(b"", b"{", b"[" * 50_000, b'{"until":1e300}', b'{"slos":"{a=~\\"(\\"}"}', b"\xff" * 1000),
    *(b'{"start":NaN,"end":1e999,"slos":"{}","reason":"\\u0000","by":"x"}', b"x" * 3_000_000),
)


class Client:
    """One stranger. `port`: slod's."""

    def __init__(self, port: int, rng: random.Random) -> None:
        self._port = port
        self._rng = rng

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        address = f"127.0.{self._rng.randrange(1, 4)}.{self._rng.randrange(2, 9)}"
        return await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0))

    async def ask(self, text: str, body: bytes = b"", read: int = 2**20) -> None:
        """Send a request as it stands, and read some of what comes."""
        reader, writer = await self._open()
        try:
            writer.write(text.encode("latin-1") + body)
            await writer.drain()
            async with asyncio.timeout(5):
                left = read
                while left > 0 and (part := await reader.read(2**16)):
                    left -= len(part)
        finally:
            writer.transport.abort()

    async def hold(self, text: str, seconds: float) -> None:
        """Send this, slowly, and hold the connection without reading."""
        reader, writer = await self._open()
        del reader
        try:
            async with asyncio.timeout(seconds):
                for character in text:
                    writer.write(character.encode("latin-1"))
                    await asyncio.sleep(0.05 if len(text) < 200 else 0)
                await asyncio.sleep(seconds)
        except TimeoutError:
            pass
        finally:
            writer.transport.abort()


def _get(path: str, *more: str) -> str:
    lines = (f"GET {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *more, "", "")
    return "\r\n".join(lines)


def _post(path: str, length: int, method: str = "POST") -> str:
    more = (
        "Content-Type: application/json",
        f"Content-Length: {length}",
        "X-Forwarded-For: 1.2.3.4",
    )
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *more, "", ""))


async def _together(rng: random.Random, count: int, one: Callable[[], Awaitable[None]]) -> None:
    async def alone() -> None:
        with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
            await one()

    await asyncio.gather(*(alone() for _ in range(count)))


async def _flood(port: int, rng: random.Random, seconds: float) -> None:
    client = Client(port, rng)
    await _together(rng, 60, lambda: client.ask(_get(rng.choice(_PATHS))))


async def _squat(port: int, rng: random.Random, seconds: float) -> None:
    client = Client(port, rng)
    await _together(rng, 150, lambda: client.hold("GET /metr", seconds))


async def _slow_readers(port: int, rng: random.Random, seconds: float) -> None:
    client = Client(port, rng)
    pages = ("/metrics", "/", "/api/v1/query?query=slo_events_total", "/events")
    await _together(rng, 20, lambda: client.hold(_get(rng.choice(pages)), seconds))


async def _query(port: int, rng: random.Random, seconds: float) -> None:
    client = Client(port, rng)

    async def one() -> None:
        query = rng.choice(_QUERIES)
        path = rng.choice(("query?", "query_range?start=0&end=9e9&step=1&", "series?match[]="))
        path += "" if path.endswith("=") else "query="
        if rng.random() < 0.5:
            path = "query_range?start=1790000000&end=1790100000&step=15&query="
        await client.ask(_get(f"/api/v1/{path}{query}"))

    await _together(rng, 12, one)


async def _odd_heads(port: int, rng: random.Random, seconds: float) -> None:
    client = Client(port, rng)
    await _together(
        rng, 25, lambda: client.ask(_get(rng.choice(_PATHS), *rng.sample(_HEADS, rng.randrange(4))))
    )


async def _odd_posts(port: int, rng: random.Random, seconds: float) -> None:
    client = Client(port, rng)
    paths = ("exclusions", "events", "gate/shop/override", "report/last", "removed/shop-0", "x")

    async def one() -> None:
        body, method = rng.choice(_BODIES), rng.choice(("POST", "PUT", "DELETE", "PATCH"))
        path = rng.choice(("/-/reload?allow_empty=1", *(f"/api/slo/v1/{p}" for p in paths)))
        await client.ask(_post(path, rng.choice((len(body), len(body) + 9)), method), body)

    await _together(rng, 15, one)


async def _noise(port: int, rng: random.Random, seconds: float) -> None:
    client = Client(port, rng)
    await _together(rng, 15, lambda: client.ask("", rng.randbytes(rng.randrange(1, 100_000))))


_DOES = {
    "flood": _flood,
    "squatters": _squat,
    "slow readers": _slow_readers,
    "queries": _query,
    "odd heads": _odd_heads,
    "odd posts": _odd_posts,
    "noise": _noise,
}
CLIENTS = tuple(_DOES)


async def come(what: str, port: int, seed: int, seconds: float) -> None:
    """Some of them come, and go after `seconds` at the latest."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds + 5):
            await _DOES[what](port, random.Random(seed), seconds)
