"""Starts slod as `slod run` does, with a clock, a disk and names that the run can reach.

`python -m tests.torture.launch FOLDER CONFIG`. Nothing of slod is replaced: around it, `time.time`
is ahead by the offset of `Control`, names below `.torture` resolve as it says, SQLite's writes are
recorded and fail as it says, the cgroup that slod reads is one with 160 MiB, and a
thread notes how long the event loop was held.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import socket
import sys
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from tests.store.recorder import Event, recording
from tests.torture.control import Control
from tests.torture.held import HeldBy

MEMORY = 160 * 2**20
"""Bytes that slod may take: what docs/security.md states for 20 SLOs with hostile peers."""
CHECKPOINT = 50
"""Pages in SQLite's log after which it is brought home, so that power is cut amid that too."""
OWN = ".torture"
"""The end of the names that the run resolves."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


def main(folder: Path, config: str) -> int:
    """Run slod; its exit code."""
    control = Control(folder)
    _set_clock(control)
    from exporter import memory_limit
    from exporter.cli import main as slod
    from exporter.cli import run
    from exporter.store import database

    memory_limit.memory_left.__defaults__ = _cgroup(folder)
    _ask_the_run(folder)
    run_loop, connect = run.run_loop, database.connect

    def often(path: str) -> Any:
        db = connect(path)
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
        return db

    async def inside(work: Coroutine[Any, Any, None]) -> None:
        _resolve(asyncio.get_running_loop(), control)
        HeldBy(folder / "held.jsonl").start()
        await work

    database.connect = often
    run.run_loop = lambda work: run_loop(inside(work))
    with (folder / "disk").open("ab", buffering=0) as disk:

        def tell(event: Event) -> None:
            disk.write(pickle.dumps((event.what, event.name, event.place, event.data)))

        with recording(tell, lambda: control.disk):
            return slod(["run", "-c", config])


def _set_clock(control: Control) -> None:
    """Before anything of slod is imported, since it keeps the function."""
    now = time.time
    time.time = lambda: now() + control.offset


def _cgroup(folder: Path) -> tuple[Path, Path]:
    """A cgroup of version 2 with a limit, whose usage is what this process has."""
    group = folder / "cgroup"
    group.mkdir(exist_ok=True)
    (group / "own").write_text("0::/\n")
    (group / "memory.max").write_text(f"{MEMORY}\n")

    def follow() -> None:
        while True:
            resident = int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE
            temporary = group / "memory.current.tmp"
            temporary.write_text(f"{resident}\n")
            temporary.replace(group / "memory.current")
            time.sleep(0.1)

    threading.Thread(target=follow, daemon=True).start()
    return group, group / "own"


def _ask_the_run(folder: Path) -> None:
    """Send questions about SRV records to the run's own server."""
    from dns.resolver import BaseResolver

    port = int((folder / "nameserver").read_text())

    def configure(resolver: Any, file: Any = None) -> None:
        resolver.nameservers, resolver.port = ["127.0.0.1"], port

    BaseResolver.read_resolv_conf = configure  # type: ignore[method-assign]


def _resolve(loop: asyncio.AbstractEventLoop, control: Control) -> None:
    """Answer for the run's names, and leave the others to the system."""
    system = loop.getaddrinfo

    async def getaddrinfo(host: Any, port: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if not (isinstance(name, str) and name.endswith(OWN)):
            return await system(host, port, **options)
        found = control.resolved(name)
        await asyncio.sleep(found.get("delay", 0.0))
        if not found.get("addresses"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        number = int(port or 0)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, number))
            for address in found["addresses"]
        ]

    loop.getaddrinfo = getaddrinfo  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2]))
