"""Drivers of real servers, which count what they do so that slod's counts can be compared."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from tests.real.servers import environment, need

_THREADS = 2


async def wrk(url: str, answers: int, *, rate: float, bad_every: int = 0) -> Counter[str]:
    """Load a server with wrk until it has given so many answers.

    Args:
        url: The server, without a path.
        answers: Number of answers in all; an even one.
        rate: Answers a second in all, as far as the server keeps up.
        bad_every: Each so many-th request of a connection asks for /bad; 0 for none.

    Returns:
        The answers that wrk counted: `bad` are those with a status over 399, `good` the others.
    """
    pause = 1000 * _THREADS / rate
    command = [need("wrk"), f"-t{_THREADS}", f"-c{_THREADS}", "-d120s"]
    command += ["-s", str(Path(__file__).with_name("wrk.lua")), url, "--"]
    command += [f"{answers // _THREADS}", f"{pause:.0f}", f"{bad_every}"]
    child = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, env=environment()
    )
    assert child.stdout is not None
    output = b""
    try:
        async with asyncio.timeout(60):
            while output.count(b"rests\n") < _THREADS:
                line = await child.stdout.readline()
                assert line, output
                output += line
            # wrk sleeps until its time is over, unless it is interrupted.
            child.send_signal(signal.SIGINT)
            output += await child.stdout.read()
            await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    summary = re.search(rb"answers (\d+) bad (\d+)", output)
    assert summary is not None, output
    requests, bad = int(summary[1]), int(summary[2])
    assert requests == answers, output
    return Counter(good=requests - bad, bad=bad)


async def get(url: str, times: int) -> Counter[str]:
    """Ask for a URL so many times, one after the other; answers by status, as `wrk` counts them."""
    answers: Counter[str] = Counter()
    async with aiohttp.ClientSession() as session:
        for _ in range(times):
            async with session.get(url) as answer:
                await answer.read()
                answers["bad" if answer.status > 399 else "good"] += 1
    return answers


class Stomp:
    """A publisher of RabbitMQ over STOMP: a connection with one channel."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    @contextlib.asynccontextmanager
    async def connected(cls, port: int) -> AsyncIterator[Stomp]:
        """A publisher whose channel closes when the block is left."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        publisher = cls(reader, writer)
        try:
            writer.write(_frame("CONNECT", "accept-version:1.2", "host:/", *_GUEST))
            assert await publisher._answer() == b"CONNECTED"
            yield publisher
            writer.write(_frame("DISCONNECT", "receipt:end"))
            assert await publisher._answer() == b"RECEIPT"
        finally:
            writer.close()
            await writer.wait_closed()

    async def publish(self, destination: str, times: int) -> int:
        """Publish so many messages; returns how many the broker confirmed."""
        for number in range(times):
            headers = (f"destination:{destination}", f"receipt:{number}")
            self._writer.write(_frame("SEND", *headers))
        return sum([await self._answer() == b"RECEIPT" for _ in range(times)])

    async def _answer(self) -> bytes:
        """The command of the next frame."""
        frame = await self._reader.readuntil(b"\0")
        return frame.lstrip(b"\n").partition(b"\n")[0]


_GUEST = ("login:guest", "passcode:guest", "heart-beat:0,0")


def _frame(command: str, *headers: str) -> bytes:
    return "\n".join([command, *headers, "", "\0"]).encode()


class Imap:
    """A session with Dovecot's `imap` over its standard input and output, logged in already."""

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdin is not None and child.stdout is not None
        self._child, self._in, self._out = child, child.stdin, child.stdout

    @classmethod
    @contextlib.asynccontextmanager
    async def session(cls, command: list[str], env: dict[str, str]) -> AsyncIterator[Imap]:
        """A session that is logged out when the block is left."""
        pipe, null = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        child = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=null, env=env
        )
        session = cls(child)
        try:
            assert (await session._line()).startswith(b"* PREAUTH")
            yield session
            assert await session.command("LOGOUT") == "OK"
            await child.wait()
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()

    async def command(self, text: str) -> str:
        """Send a command and wait for its end; returns the state it was answered with."""
        self._in.write(f"t {text}\r\n".encode())
        return await self._ended()

    async def idle(self, seconds: float) -> str:
        """Let an IDLE command last so long; returns the state it was answered with."""
        self._in.write(b"t IDLE\r\n")
        assert (await self._line()).startswith(b"+")
        # No wait for something to happen: the time is the command's duration, which is measured.
        await asyncio.sleep(seconds)
        self._in.write(b"DONE\r\n")
        return await self._ended()

    async def _ended(self) -> str:
        while not (line := await self._line()).startswith(b"t "):
            assert line
        return line.split()[1].decode()

    async def _line(self) -> bytes:
        async with asyncio.timeout(20):
            return await self._out.readline()
