"""A server that says what nobody should, byte by byte; good answers too."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.faults.network import FAULTS

_MOST_HEAD = 2**20


@dataclass(frozen=True)
class Answer:
    """An answer to be sent as it stands. `head`: header lines without line ends, Content-Length
    among them unless it shall be absent; `pause`: seconds before it comes."""

    body: bytes = b""
    status: int = 200
    head: tuple[str, ...] = ()
    pause: float = 0.0
    closes: bool = False
    sized: bool = True


@dataclass(frozen=True)
class Asked:
    """A request: the line's target, the head as text, the body."""

    path: str
    head: str
    body: bytes


Handler = Callable[[Asked], Awaitable[Answer]]


class Wire:
    """`fault`: the name of one of `tests.faults.network.FAULTS`; None for the handler's answers."""

    def __init__(self, handler: Handler) -> None:
        self.port = 0
        self.fault: str | None = None
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._held = socket.socket()
        self._setting = asyncio.Lock()

    async def start(self) -> None:
        """Take a port and listen."""
        # Bound and not listening, it refuses connections, and nobody else is given the port.
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port = self._held.getsockname()[1]
        await self._listen()

    async def set(self, fault: str | None) -> None:
        """From now on this is wrong with it; connections there are end."""
        async with self._setting:
            await self._hang_up()
            self.fault = fault
            if fault != "refused":
                await self._listen()

    async def stop(self) -> None:
        """Let go of everything."""
        await self._hang_up()
        self._held.close()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=_MOST_HEAD
        )

    async def _hang_up(self) -> None:
        if self._server is not None:
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
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        if self.fault == "closed at once":
            return False
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"content-length: *(\d+)", head, re.IGNORECASE)
        body = await reader.readexactly(int(length[1])) if length else b""
        path = head.split(" ", 2)[1]
        fault = self.fault
        answer = await self._handler(Asked(path, head, body))
        if fault is not None and fault in FAULTS:
            await FAULTS[fault](self, reader, writer, "text/plain", answer.body)  # type: ignore[arg-type]
            await writer.drain()
            return False
        await asyncio.sleep(answer.pause)
        lines = [f"HTTP/1.1 {answer.status} X", *answer.head]
        if answer.sized:
            lines.append(f"Content-Length: {len(answer.body)}")
        if answer.closes or not answer.sized:
            lines.append("Connection: close")
        # Header values are bytes that a test writes as characters below 256.
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + answer.body)
        await writer.drain()
        return answer.sized and not answer.closes
