"""A slod of its own process that a test may kill, and start again on the same state."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.real.servers import eventually, fetch, free_port
from tests.real.shop import Shop
from tests.real.test_end_to_end import events

CONFIG = """
[server]
listen = "127.0.0.1:{port}"
[state]
path = "{state}"
[source.pages]
type = "scrape"
interval = "150ms"
labels = {{ job = "shop" }}
discover = {{ file = "{folder}/targets.json", refresh = "200ms" }}
[slo.shop]
objective = 99
window = "1h"
sli.bad = 'http_requests_total{{code=~"5.."}}'
sli.total = 'http_requests_total'
alert_policy = "fast"
[alert_policy.fast]
rules = [{{ severity = "page", burn_rate = 10, long = "4s", short = "1s" }}]
"""
HOOK = '[receiver.hook]\ntype = "webhook"\nurl = "{url}"\n'


class Slod:
    """A slod that can be killed and started again."""

    def __init__(
        self, folder: Path, name: str, more: str = "", *, state: Path | None = None
    ) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.state = state or folder / f"{name}.db"
        self.log = folder / f"{name}.log"
        self._file = folder / f"{name}.toml"
        self._file.write_text(CONFIG.format(port=port, folder=folder, state=self.state) + more)
        self._child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "exporter", "run", "-c", str(self._file)]
        with self.log.open("ab") as out:
            self._child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)

    async def exits(self) -> int:
        """Its exit code, when it ends by itself."""
        child, self._child = self._child, None
        assert child is not None
        return await asyncio.to_thread(child.wait, 20)

    async def stop(self, *, kill: bool = False) -> int:
        child, self._child = self._child, None
        if child is None:
            return 0
        assert child.poll() is None, self.log.read_text()[-2000:]
        (child.kill if kill else child.terminate)()
        return await asyncio.to_thread(child.wait, 20)

    async def value(self, series: str) -> float | None:
        _, page = await fetch(f"{self.url}/metrics")
        found = re.search(rf"^{re.escape(series)} (\S+)$", page.decode(), re.MULTILINE)
        return float(found[1]) if found else None

    async def ready(self) -> bool:
        return (await fetch(f"{self.url}/-/ready"))[0] == 200

    async def has_told_all(self) -> bool:
        return await self.value('slod_notification_queue_length{receiver="hook"}') == 0

    async def agrees(self, shop: Shop) -> None:
        """Its counts are the service's own."""

        async def look() -> bool:
            return await events(self.url, "shop") == shop.served

        with contextlib.suppress(pytest.fail.Exception):
            await eventually(look, "the counts agree")
        found = await events(self.url, "shop")
        assert found == shop.served, f"{found} are not {shop.served}"

    async def saves(self) -> None:
        """What it knows now is on disk: two more saves were made."""

        def saved() -> int:
            with contextlib.closing(sqlite3.connect(f"file:{self.state}?mode=ro", uri=True)) as db:
                return int(db.execute("SELECT max(seq) FROM sqlite_sequence").fetchone()[0])

        enough = saved() + 2

        async def look() -> bool:
            return saved() >= enough

        await eventually(look, "two saves")

    def waiting(self, scratch: Path) -> set[str]:
        """The keys of what waits on disk; of a copy, since looking would repair the original."""
        scratch.mkdir()
        for suffix in ("", "-wal"):
            if Path(f"{self.state}{suffix}").exists():
                shutil.copy(f"{self.state}{suffix}", scratch / f"s.db{suffix}")
        with contextlib.closing(sqlite3.connect(scratch / "s.db")) as db:
            rows = db.execute("SELECT id FROM outbox").fetchall()
        shutil.rmtree(scratch)
        return {row[0].rpartition(" ")[2] for row in rows}
