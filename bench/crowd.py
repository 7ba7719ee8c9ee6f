"""A thousand small services in one process: every address of 127.0.0.0/8 answers on one port.

    python -m bench.crowd PORT SAMPLES

Its counters grow with every answer. Plain sockets, so that it keeps up with whoever asks.
"""

from __future__ import annotations

import asyncio
import sys

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: "


class _Service(asyncio.Protocol):
    """One connection."""

    def __init__(self, samples: int) -> None:
        self._others = "".join(
            f'go_something_{n % 10}{{path="/api/{n}",code="200"}} {n * 1.5}\n'
            for n in range(samples - 2)
        )
        self._asked = 0
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *requests, self._rest = (self._rest + data).split(b"\r\n\r\n")
        for _ in requests:
            self._asked += 1
            counters = f'requests_total{{slo="0"}} {self._asked * 100}\nerrors_total{{slo="0"}} 7\n'
            body = (self._others + counters).encode()
            assert isinstance(self._transport, asyncio.WriteTransport)
            self._transport.write(b"%b%d\r\n\r\n%b" % (_HEAD, len(body), body))


async def serve(port: int, samples: int) -> None:
    """Answer until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Service(samples), "0.0.0.0", port, backlog=4096)
    await server.serve_forever()


def addresses(count: int, port: int) -> list[str]:
    """So many services, each with an address of its own: `host:port`."""
    return [f"127.0.{1 + n // 250}.{1 + n % 250}:{port}" for n in range(count)]


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2])))
