"""A server whose connections go wrong in a way that the test names, and go well again.

It speaks HTTP by hand, byte by byte, since no library would send what a broken peer sends. What a
good answer is, the test says.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import socket
import struct
from collections.abc import Awaitable, Callable

Good = Callable[[str, bytes], tuple[str, bytes]]
"""From path and body of a request to content type and body of the answer."""
Fault = Callable[["Peer", asyncio.StreamReader, asyncio.StreamWriter, str, bytes], Awaitable[None]]


class Peer:
    """One server on a port of its own. `fault`: the name of what is wrong with it now, or none."""

    def __init__(self, good: Good) -> None:
        self.fault: str | None = None
        self.port = 0
        self._good = good
        self._held = socket.socket()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Take a port, which is kept until `stop`, and listen."""
        # Bound and not listening, it refuses connections, and nobody else is given the port.
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port = self._held.getsockname()[1]
        await self._listen()

    async def stop(self) -> None:
        """Let go of the port and of every connection."""
        await self._hang_up()
        self._held.close()

    async def set(self, fault: str | None) -> None:
        """From now on this is wrong with it; connections there are end."""
        await self._hang_up()
        self.fault = fault
        if fault != "refused":
            await self._listen()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _hang_up(self) -> None:
        if self._server is not None:
            # asyncio loses the socket of a connection whose server is closed while it is accepted:
            # first no more of them, then a turn of the loop for the last ones.
            for listening in self._server.sockets:
                asyncio.get_running_loop().remove_reader(listening)
            await asyncio.sleep(0)
            self._server.close()
            self._server = None
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self.fault == "closed at once":
            return False
        if self.fault == "plain instead of TLS":
            await reader.read(2**16)
            writer.write(_head(400, "text/plain", 0))
            return False
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1].decode()
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1])) if length else b""
        kind, answer = self._good(path, body)
        if self.fault is None:
            writer.write(_head(200, kind, len(answer)) + answer)
            await writer.drain()
            return True
        await FAULTS[self.fault](self, reader, writer, kind, answer)
        await writer.drain()
        return False


def _head(status: int, kind: str, length: int | None, *more: str) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", *more]
    if status != 200:
        lines.append("Connection: close")
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return "\r\n".join([*lines, "", ""]).encode()


async def _silence(*_: object) -> None:
    await asyncio.Event().wait()


def _bytes(make: Callable[[str, bytes], bytes], then_silence: bool = False) -> Fault:
    """A fault that is some bytes, after which the connection ends, or hangs."""

    async def fault(
        peer: Peer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        kind: str,
        body: bytes,
    ) -> None:
        writer.write(make(kind, body))
        if then_silence:
            await writer.drain()
            await _silence()

    return fault


def _endless(begin: Callable[[str], bytes], part: bytes, pause: float = 0.0) -> Fault:
    async def fault(
        peer: Peer,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        kind: str,
        body: bytes,
    ) -> None:
        writer.write(begin(kind))
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)

    return fault


async def _reset(
    peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: str, body: bytes
) -> None:
    writer.write(_head(200, kind, len(body)) + body[: len(body) // 2])
    await writer.drain()
    # Closing with a linger time of zero sends RST, not FIN.
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def _loop(
    peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: str, body: bytes
) -> None:
    writer.write(_head(302, kind, 0, f"Location: http://127.0.0.1:{peer.port}/again"))


def _packed(kind: str, body: bytes, encoding: str = "gzip") -> bytes:
    return _head(200, kind, len(body), f"Content-Encoding: {encoding}") + body


_BOMB = gzip.compress(b"a" * 50_000_000)
_CHUNKED = "Transfer-Encoding: chunked"

FAULTS: dict[str, Fault] = {
    "never answers": _silence,
    "slow drip": _endless(lambda k: _head(200, k, 10**6), b"x", 0.02),
    "cut short": _bytes(lambda k, b: _head(200, k, len(b)) + b[: len(b) // 2]),
    "cut chunk": _bytes(
        lambda k, b: _head(200, k, None, _CHUNKED) + b"%x\r\n" % len(b) + b[: len(b) // 2]
    ),
    "reset in the middle": _reset,
    "length too long": _bytes(lambda k, b: _head(200, k, len(b) + 9) + b, then_silence=True),
    "status 429": _bytes(lambda k, b: _head(429, k, 2, "Retry-After: 1") + b"no"),
    "status 500": _bytes(lambda k, b: _head(500, k, 2) + b"no"),
    "redirect loop": _loop,
    "redirect elsewhere": _bytes(lambda k, b: _head(301, k, 0, "Location: http://127.0.0.2:1/")),
    "endless body": _endless(lambda k: _head(200, k, None, "Connection: close"), b"#" * 65536),
    "endless headers": _endless(lambda k: b"HTTP/1.1 200 X\r\n", b"X-More: of it\r\n" * 4096),
    "gzip bomb": _bytes(lambda k, b: _packed(k, _BOMB)),
    "gzip noise": _bytes(lambda k, b: _packed(k, b"\x1f" * 20)),
    "gzip by half": _bytes(lambda k, b: _packed(k, gzip.compress(b)[:-9])),
    "packed otherwise": _bytes(lambda k, b: _packed(k, b, "br")),
    "no HTTP": _bytes(lambda k, b: b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n"),
    "closed at once": _silence,
    "refused": _silence,
}
"""What is wrong, by name; the last two never come as far as a request."""
