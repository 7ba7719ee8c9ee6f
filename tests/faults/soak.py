"""A soak in real time: a daemon with 20 SLOs, a scrape every second, for as long as is wanted.

`python -m tests.faults.soak --minutes 30`. The service fails now and then, the configuration is
reloaded, the page is fetched in every form, the receiver refuses at times. At the end memory must
be within 2 MiB of what it was after five minutes, no file may be open that was not, and the counts
must be the service's own. Exit code 1 where one of these is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.faults.hook import Hook, hook
from tests.real.servers import free_port
from tests.sources.kit import serving

SLOS = 20
SETTLED = 300.0
"""Seconds after which memory is what it will stay."""
SLACK = 2 * 1024
"""KiB."""
ACCEPT = (
    {},
    {"Accept-Encoding": "gzip"},
    {"Accept": "application/openmetrics-text; version=1.0.0", "Accept-Encoding": "gzip"},
)


@dataclass(frozen=True)
class Look:
    """What the daemon holds at a moment; memory in KiB."""

    at: float
    rss: int
    files: int
    threads: int


class Service:
    """Counts up by the second for each SLO; fails for half a minute now and then."""

    def __init__(self, rng: random.Random) -> None:
        self.good, self.bad = [0] * SLOS, [0] * SLOS
        self.frozen = False
        self._met = False
        self._rng = rng
        self._fails = [0] * SLOS

    async def page(self, request: web.Request) -> web.Response:
        # The first page is a baseline: what it has is not counted.
        if self._met and not self.frozen:
            self._go_on()
        self._met = True
        lines = [f'bad_total{{slo="{n}"}} {self.bad[n]}' for n in range(SLOS)]
        lines += [f'all_total{{slo="{n}"}} {self.good[n] + self.bad[n]}' for n in range(SLOS)]
        return web.Response(text="\n".join(lines) + "\n")

    def _go_on(self) -> None:
        for n in range(SLOS):
            if self._rng.random() < 0.002:
                self._fails[n] = 30
            failing = self._fails[n] > 0
            self._fails[n] -= failing
            self.good[n] += self._rng.randrange(5 if failing else 100)
            self.bad[n] += self._rng.randrange(50) if failing else self._rng.random() < 0.01


def config(port: int, folder: Path, page: str, hook_url: str) -> str:
    text = (
        f'[server]\nlisten = "127.0.0.1:{port}"\n[state]\npath = "{folder}/slod.db"\n'
        f'[source.s]\ntype = "scrape"\ntargets = ["{page}/metrics"]\ninterval = "1s"\n'
        f'[receiver.hook]\ntype = "webhook"\nurl = "{hook_url}"\n'
        "[alert_policy.quick]\nrules = ["
        '{ severity = "page", burn_rate = 10, long = "1m", short = "10s" },'
        '{ severity = "page", burn_rate = 6, long = "6h", short = "5m" },'
        '{ severity = "ticket", burn_rate = 1, long = "3d", short = "1h" }]\n'
    )
    for n in range(SLOS):
        text += (
            f'[slo.s{n}]\nobjective = 99\nalert_policy = "quick"\n'
            f"sli = {{ bad = 'bad_total{{slo=\"{n}\"}}', total = 'all_total{{slo=\"{n}\"}}' }}\n"
        )
    return text


async def soak(minutes: float, seed: int = 1) -> int:
    """0 when all is well at the end."""
    service = Service(random.Random(seed))
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        async with serving(service.page) as page, hook(0.2, seed) as receiver:
            file = folder / "slod.toml"
            file.write_text(config(port, folder, page, receiver.url))
            command = [sys.executable, "-m", "exporter", "run", "-c", str(file)]
            with (folder / "log").open("wb") as log:
                child = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                looks = await watch(child.pid, port, minutes * 60)
                service.frozen = True
                exact = await agrees(service, port)
            finally:
                child.terminate()
                code = await asyncio.to_thread(child.wait, 20)
    return judged(looks, exact, code, receiver)


async def watch(pid: int, port: int, seconds: float) -> list[Look]:
    """Look every ten seconds; fetch pages, and reload now and then, meanwhile."""
    begun, looks, round_ = time.monotonic(), list[Look](), 0
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        while (at := time.monotonic() - begun) < seconds:
            await asyncio.sleep(5)
            round_ += 1
            headers = ACCEPT[round_ % len(ACCEPT)]
            try:
                url = f"http://127.0.0.1:{port}/metrics"
                async with session.get(url, headers=headers) as answer:
                    await answer.read()
            except aiohttp.ClientError:
                if at > 60:
                    raise
            if round_ % 12 == 0:
                subprocess.run(["kill", "-HUP", str(pid)], check=True)
            if round_ % 2 == 0:
                looks.append(look(pid, at))
    return looks


def look(pid: int, at: float) -> Look:
    found = Path(f"/proc/{pid}/status").read_text()
    rss, threads = (
        int(re.findall(rf"^{k}:\s+(\d+)", found, re.M)[0]) for k in ("VmRSS", "Threads")
    )
    return Look(at, rss, len(list(Path(f"/proc/{pid}/fd").iterdir())), threads)


async def agrees(service: Service, port: int) -> bool:
    """Whether the daemon's counts become the service's own."""
    expected = {f"s{n}": (service.good[n], service.bad[n]) for n in range(SLOS)}
    async with aiohttp.ClientSession() as session:
        for _ in range(100):
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                page = await answer.text()
            values = {
                (slo, result): float(value)
                for slo, result, value in re.findall(
                    r'^slo_events_total\{slo="(\w+)".*result="(\w+)"\} (\S+)$', page, re.M
                )
            }
            found = {n: (values.get((n, "good")), values.get((n, "bad"))) for n in expected}
            if all(good is not None for good, _ in found.values()) and found == expected:
                return True
            await asyncio.sleep(0.1)
    print(f"counts differ: {found} are not {expected}")
    return False


def judged(looks: list[Look], exact: bool, code: int, receiver: Hook) -> int:
    """Print what was seen; the exit code."""
    for one in looks[:: max(1, len(looks) // 20)]:
        print(
            f"{one.at:6.0f} s  {one.rss / 1024:6.2f} MiB  {one.files} files  {one.threads} threads"
        )
    firing = {h.key for h in receiver.heard if h.alert["status"] == "firing"}
    print(f"{len(firing)} alerts heard; counts exact: {exact}; exit code {code}")
    settled = [one for one in looks if one.at >= SETTLED]
    if not settled:
        print("too short to judge memory")
        return 0 if exact and code == 0 else 1
    first, last = settled[0], settled[-1]
    print(
        f"RSS {first.rss / 1024:.2f} MiB after {first.at:.0f} s, {last.rss / 1024:.2f} at the end"
    )
    flat = last.rss <= first.rss + SLACK and last.files <= first.files
    return 0 if flat and exact and code == 0 else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    return asyncio.run(soak(parser.parse_args().minutes))


if __name__ == "__main__":
    sys.exit(main())
