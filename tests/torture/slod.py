"""The slod that is tortured: started, killed, suspended, started again on what a disk may hold."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from tests.real.servers import free_port
from tests.torture.control import Control
from tests.torture.journal import KEPT, NAME, Journal
from tests.torture.verdict import Verdict

STARTS_WITHIN = 60.0
"""Seconds; a slow machine that is busy needs a few."""
STOPS_WITHIN = 30.0
_ROOT = Path(__file__).parents[2]


class Slod:
    """One process at a time, on one port and one state file. `up`: it answers."""

    def __init__(self, folder: Path, verdict: Verdict) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.config = folder / "slod.toml"
        self.state = folder / "state"
        self.state.mkdir()
        self.log = folder / "slod.log"
        self.control = Control(folder, make=True)
        self.journal = Journal(folder / "disk")
        self.up = False
        self.restarts = 0
        self.peak = 0
        """Largest RSS seen, in bytes."""
        self.busy = asyncio.Lock()
        """Held by whoever stops or starts it."""
        self._verdict = verdict
        self._child: subprocess.Popen[bytes] | None = None
        self._logged = 0
        self._held = 0

    @property
    def path(self) -> Path:
        """The state file."""
        return self.state / NAME

    @property
    def pid(self) -> int | None:
        """Its process, while there is one."""
        return self._child.pid if self._child is not None else None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self.journal.begin(self.state)
        command = [sys.executable, "-m", "tests.torture.launch", str(self.folder), str(self.config)]
        with self.log.open("ab") as out:
            self._child = subprocess.Popen(command, stdout=out, stderr=out, cwd=_ROOT)
        begun = time.monotonic()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
            while self._child is not None:
                if self._child.poll() is not None:
                    self._ended()
                    return
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(f"{self.url}/-/healthy") as answer:
                        if answer.status == 200:
                            self.up = True
                            return
                if time.monotonic() - begun > STARTS_WITHIN:
                    self._verdict.wrong("start", f"no answer within {STARTS_WITHIN:g} s")
                    return
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """`kill -9`."""
        self.up = False
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            await asyncio.to_thread(child.wait)
            self.restarts += 1
        self.read_log()

    async def stop(self) -> None:
        """SIGTERM; it must end by itself, and well."""
        self.up = False
        child, self._child = self._child, None
        if child is None:
            return
        self.restarts += 1
        child.terminate()
        try:
            code = await asyncio.to_thread(child.wait, STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
            self._verdict.wrong("stop", f"did not stop within {STOPS_WITHIN:g} s")
        else:
            if code != 0:
                self._verdict.wrong("stop", f"exit code {code}: {self.tail()}")
        self.read_log()

    async def cut_power(self, rng: random.Random) -> None:
        """`kill -9`, and of the state file remains what a disk may have had."""
        await self.kill()
        files = self.journal.cut(rng)
        shutil.rmtree(self.state)
        self.state.mkdir()
        for name in KEPT:
            if name in files:
                (self.state / name).write_bytes(files[name])

    def signal(self, number: int) -> None:
        """Send a signal, if it runs."""
        if self._child is not None:
            self._child.send_signal(number)

    def look(self) -> None:
        """Note its memory and whether it is still there."""
        child = self._child
        if child is None:
            return
        if child.poll() is not None:
            self._ended()
            return
        with contextlib.suppress(OSError, IndexError):
            pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1])
            self.peak = max(self.peak, pages * os.sysconf("SC_PAGE_SIZE"))
        self.journal.read()
        self.read_log()

    def tail(self) -> str:
        """Of the end of its log what is no entry: why it did not start, or what Python said."""
        lines = self.log.read_text("utf-8", "replace").splitlines()[-100:]
        return "\n".join(line for line in lines if not line.startswith("{"))[-3000:]

    def read_log(self) -> None:
        """Judge what it logged since: nothing unforeseen may happen."""
        with self.log.open("rb") as file:
            file.seek(self._logged)
            data = file.read()
        whole = data.rpartition(b"\n")[0]
        self._logged += len(whole) + (1 if whole else 0)
        for line in whole.decode("utf-8", "replace").splitlines():
            if why := unforeseen(line):
                self._verdict.wrong("unforeseen", why)

    def holds(self) -> list[dict[str, Any]]:
        """Holds of its event loop since the last call: seconds and stacks."""
        file = self.folder / "held.jsonl"
        if not file.exists():
            return []
        data = file.read_bytes()[self._held :]
        whole = data.rpartition(b"\n")[0]
        self._held += len(whole) + (1 if whole else 0)
        return [json.loads(line) for line in whole.splitlines()]

    def _ended(self) -> None:
        child, self._child, self.up = self._child, None, False
        assert child is not None
        self._verdict.wrong("ended", f"exit code {child.returncode}: {self.tail()}")

    async def end(self) -> None:
        """Leave nothing behind."""
        if self._child is not None:
            self.signal(signal.SIGCONT)
            self._child.kill()
            await asyncio.to_thread(self._child.wait)
            self._child = None


def unforeseen(line: str) -> str:
    """What a line of slod's log says of an error that nobody foresaw; empty for all others."""
    try:
        entry = json.loads(line)
    except ValueError:
        # Not slod's own line: of Python, or of a library.
        return line if "Error" in line or "Traceback" in line or "Warning" in line else ""
    if "exception" in entry or entry.get("event") in ("part.failed", "slod.internal_error"):
        return str(entry.get("exception") or entry)[-3000:]
    return ""
