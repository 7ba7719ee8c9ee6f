"""A terminal for tests: a command in a pseudo-terminal of a size that the test may change."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import AsyncIterator, Callable

SLOD = (sys.executable, "-m", "exporter")
_CONTROL = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|.)")


class Terminal:
    """What a command has written, and its keyboard. `end`: waits for the exit code."""

    def __init__(self, master: int, child: asyncio.subprocess.Process) -> None:
        self.written = bytearray()
        self.child = child
        self._master = master

    def read(self) -> None:
        with contextlib.suppress(OSError):  # The other side is closed.
            data = os.read(self._master, 65536)
            self.written += data
            if data:
                return
        asyncio.get_running_loop().remove_reader(self._master)

    def type(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def resize(self, columns: int, rows: int) -> None:
        """As if its window was pulled."""
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.child.send_signal(signal.SIGWINCH)

    def frame(self) -> list[str]:
        """The lines of the last picture that was drawn whole, from the home position."""
        frames = self.written.decode("utf-8", "replace").split("\x1b[H")
        return plain(frames[-1]).split("\r\n")

    async def shows(self, is_so: Callable[[list[str]], bool]) -> list[str]:
        """The picture once it is so; the test's own time limit is the only clock."""
        async with asyncio.timeout(20):
            while not is_so(self.frame()):
                assert self.child.returncode is None, self.written.decode()
                await asyncio.sleep(0.01)
        return self.frame()

    async def end(self) -> int:
        async with asyncio.timeout(20):
            code = await self.child.wait()
        while True:  # What it wrote last may still be in the pipe.
            try:
                data = os.read(self._master, 65536)
            except OSError:
                return code
            if not data:
                return code
            self.written += data


@contextlib.asynccontextmanager
async def terminal(
    *args: str, columns: int = 100, rows: int = 24, env: dict[str, str] | None = None
) -> AsyncIterator[Terminal]:
    """Run a command of slod on it."""
    master, slave = pty.openpty()
    known = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}

    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    child = await asyncio.create_subprocess_exec(
        *SLOD,
        *args,
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**known, "TERM": "xterm-256color", **(env or {})},
        start_new_session=True,
    )
    os.close(slave)
    shown = Terminal(master, child)
    loop = asyncio.get_running_loop()
    loop.add_reader(master, shown.read)
    try:
        yield shown
    finally:
        loop.remove_reader(master)
        if child.returncode is None:
            child.kill()
            await child.wait()
        os.close(master)


def plain(text: str) -> str:
    """Without the terminal's control sequences."""
    return _CONTROL.sub("", text)
