"""Clients that ask slod for as much as they can, all at once, until they are killed.

    python -m tests.faults.hostile_clients PORT KIND...

Every kind has its own address, so that slod's bound of connections for one address keeps none of
them from the others, nor whoever looks on.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote

_ZEROS = gzip.compress(b"0" * 30_000_000)
_PATHS = (
    *("/metrics", "/", "/alerts", "/sources", "/configuration", "/slo/s1", "/events"),
    *("/api/slo/v1/slos", "/api/slo/v1/alerts", "/api/slo/v1/openapi.json", "/api/v1/rules"),
    "/api/slo/v1/slos/s1/explain",
    "/api/slo/v1/slos/s1/history?window=30d&step=1m",
    "/api/slo/v1/report?period=30d",
)
_QUERIES = (
    "slo_burn_rate",
    "slo_sli_ratio * on (slo) group_right slo_burn_rate",
    'label_replace({__name__=~"slo.*"}, "x", "$1", "slo", "(.*)")',
    'count_values("x", {__name__=~"slo.*"})',
    "sort(sum by (slo, window) (rate(slo_events_total[30d])))",
    "quantile_over_time(0.9, slo_burn_rate[30d:1m])",
    "max_over_time(rate(slo_events_total[5m])[30d:30s])",
    '{__name__=~".+"}',
)
_LONG = "a" * 200_000
_JSON = "Content-Type: application/json\r\n"


class Client:
    """Sends bytes from an address of its own and reads what comes."""

    def __init__(self, port: int, kind: int) -> None:
        self._port = port
        self._address = f"127.0.1.{kind + 1}"

    async def ask(
        self,
        head: str,
        fields: str = "",
        body: bytes = b"",
        *,
        read: int = 1 << 20,
        pause: float = 0.0,
    ) -> None:
        """One request; the answer is read in pieces with a pause after each."""
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._port, local_addr=(self._address, 0)
        )
        try:
            text = f"{head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}"
            if body:
                text += f"Content-Length: {len(body)}\r\n"
            writer.write(text.encode() + b"\r\n" + body)
            async with asyncio.timeout(40):
                while await reader.read(read):
                    await asyncio.sleep(pause)
        finally:
            writer.close()

    async def hold(self) -> None:
        """A head that never ends."""
        _, writer = await asyncio.open_connection(
            "127.0.0.1", self._port, local_addr=(self._address, 0)
        )
        try:
            writer.write(b"GET / HTTP/1.1\r\n")
            for _ in range(20):
                await asyncio.sleep(1)
                writer.write(b"X-More: of it\r\n")
                await writer.drain()
        finally:
            writer.close()


def _range(query: str) -> str:
    now = time.time()
    form = f"query={quote(query)}&start={now - 30 * 86_400:.0f}&end={now:.0f}&step=300"
    return f"GET /api/v1/query_range?{form}"


_turn = itertools.count()


async def _query(client: Client) -> None:
    await client.ask(_range(_QUERIES[next(_turn) % len(_QUERIES)]))


async def _slow_query(client: Client) -> None:
    await client.ask(_range(_QUERIES[next(_turn) % len(_QUERIES)]), read=512, pause=0.05)


async def _labels(client: Client) -> None:
    paths = ("series?match[]={__name__=~%22.*%22}", "labels", "label/slo/values")
    await client.ask(f"GET /api/v1/{paths[next(_turn) % len(paths)]}")


async def _pages(client: Client) -> None:
    await client.ask(f"GET {_PATHS[next(_turn) % len(_PATHS)]}")


async def _slow_page(client: Client) -> None:
    await client.ask("GET /metrics", read=512, pause=0.5)


async def _body(client: Client) -> None:
    bodies = (
        b'{"slo": "' + b"a" * 8_000_000,
        b"[" * 60_000,
        f'{{"query": "{_LONG}"}}'.encode(),
        b"query=" + _LONG.encode(),
    )
    path = ("/api/slo/v1/exclusions", "/api/v1/query", "/-/reload")[next(_turn) % 3]
    await client.ask(f"POST {path}", _JSON, bodies[next(_turn) % 4])


async def _packed_body(client: Client) -> None:
    fields = f"{_JSON}Content-Encoding: gzip\r\n"
    await client.ask("POST /api/slo/v1/exclusions", fields, _ZEROS)


async def _stream(client: Client) -> None:
    await client.ask("GET /events", read=64, pause=1.0)


KINDS: dict[str, tuple[Callable[[Client], Awaitable[None]], int]] = {
    "query": (_query, 12),
    "slow-query": (_slow_query, 30),
    "labels": (_labels, 6),
    "page": (_pages, 8),
    "slow-page": (_slow_page, 60),
    "body": (_body, 10),
    "packed-body": (_packed_body, 4),
    "stream": (_stream, 60),
    "hold": (Client.hold, 200),
}
"""What they do, and how many at a time."""


async def _again(work: Callable[[Client], Awaitable[None]], client: Client) -> None:
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await work(client)
        await asyncio.sleep(0.05)


async def attack(port: int, kinds: Sequence[str]) -> None:
    """These kinds at once, until killed."""
    async with asyncio.TaskGroup() as group:
        for kind in kinds:
            work, many = KINDS[kind]
            client = Client(port, list(KINDS).index(kind))
            for _ in range(many):
                group.create_task(_again(work, client))


if __name__ == "__main__":
    asyncio.run(attack(int(sys.argv[1]), sys.argv[2:]))
