"""Slod in little memory, among peers and clients that want all of it: never killed, never silent.

    python -m tests.faults.memory --slos 20 --limit 160 --minutes 5
    python -m tests.faults.memory --slos 5000 --limit 768 --minutes 5

The SLOs have a month behind them. Beside their honest service there is a source for each way to be
hostile, and receivers of the same kind; clients ask for all that there is. Meanwhile an outage has
to be told, counts have to stay exact, and somebody who only looks at `/metrics` has to be answered.
The process runs in a control group with that limit. Where none can be made its resident memory is
sampled in its place, which is said.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from bench import history
from tests.faults.cgroup import Group, limited
from tests.faults.hook import Hook, hook
from tests.faults.hostile_clients import KINDS
from tests.real.servers import free_port
from tests.sources.kit import serving

MIB = 2**20
_SILENT = 60.0
"""Seconds without an answer or a poll that count as silence, on a machine that others share."""
_ENDS_WITHIN = 120
"""Seconds after SIGTERM; on a busy machine with thousands of SLOs the last save takes its time."""
_LOOKER = ("127.0.0.9", 0)
"""The address that looks at slod: slod's bound for one address is not used up there."""
PEERS = (
    *("scrape-endless", "scrape-headers", "scrape-bomb", "scrape-drip", "scrape-silence"),
    *("scrape-series", "scrape-groups", "scrape-line", "discovery-list"),
    *("prometheus-endless", "prometheus-bomb", "prometheus-matrix", "prometheus-many"),
    *("webhook-endless", "webhook-bomb", "webhook-silence"),
)
"""What slod is connected with, and how that misbehaves (`hostile_peers.ANSWERS`)."""


@dataclass
class Outcome:
    """What was seen; bytes and seconds.

    `peak`: most memory at a time. `unanswered`: longest time for which nobody who looked was
    answered. `unpolled`: longest time for which the honest service was not asked.
    """

    limit: int
    resting: int = 0
    peak: int = 0
    in_a_group: bool = False
    kills: int = 0
    code: int | None = None
    unanswered: float = 0.0
    unpolled: float = 0.0
    expected: tuple[float, float] = (0.0, 0.0)
    counted: tuple[float, float] = (-1.0, -1.0)
    alerts: set[str] = field(default_factory=set)

    @property
    def exact(self) -> bool:
        """Whether no event was lost or counted twice."""
        return self.counted == self.expected

    def lines(self) -> Iterator[str]:
        """Lines that tell all of it."""
        if not self.in_a_group:
            yield "NOT IN A CONTROL GROUP: none can be made here; only RSS was sampled"
        yield (
            f"resting {self.resting / MIB:.1f} MiB, peak {self.peak / MIB:.1f} MiB of "
            f"{self.limit / MIB:.0f} MiB; killed {self.kills} times; exit code {self.code}"
        )
        yield (
            f"longest without an answer {self.unanswered:.1f} s, without a poll "
            f"{self.unpolled:.1f} s"
        )
        yield f"events {self.counted}, expected {self.expected}; alerts {sorted(self.alerts)}"


class Service:
    """The honest service: its counters follow the clock, but for an outage of `s0`."""

    def __init__(self, slos: int) -> None:
        self._slos = slos
        self._begun: float | None = None
        self._frozen: float | None = None
        self.outage = 0
        self.asked: list[float] = []

    def begin(self) -> None:
        """Count from now on."""
        self._begun = time.monotonic()

    def freeze(self) -> None:
        """Count no more."""
        self._frozen = self.seconds

    @property
    def seconds(self) -> float:
        """For how long it has counted."""
        if self._frozen is not None:
            return self._frozen
        return time.monotonic() - self._begun if self._begun is not None else 0.0

    @property
    def counts(self) -> tuple[float, float]:
        """Good and bad events of `s0` since its beginning."""
        ((total, bad),) = history.counts(range(1), self.seconds)
        return total - bad, bad + self.outage

    async def page(self, request: web.Request) -> web.Response:
        self.asked.append(time.monotonic())
        text = history.page(self._slos, self.seconds).decode()
        good, bad = self.counts
        text = re.sub(
            r'^requests_total\{slo="0"\} .*$',
            f'requests_total{{slo="0"}} {good + bad}',
            text,
            flags=re.M,
        )
        text = re.sub(
            r'^errors_total\{slo="0"\} .*$', f'errors_total{{slo="0"}} {bad}', text, flags=re.M
        )
        return web.Response(text=text)


def config(
    slos: int, honest: str, hostile: str, receiver: str, interval: float, peers: Collection[str]
) -> str:
    """The honest service's SLOs, and one for each hostile source."""
    text = history.config(slos, honest.removeprefix("http://"), interval)
    text = text.replace("[slo.s0]\n", '[slo.s0]\nalert_policy = "quick"\n')
    text += (
        '[alert_policy.quick]\nrules = [{ severity = "page", burn_rate = 10, long = "1m", '
        'short = "10s" }]\n'
        f'[receiver.hook]\ntype = "webhook"\nurl = "{receiver}"\n'
    )
    return text + "".join(_peer(*peer.split("-"), hostile) for peer in peers)


def _peer(kind: str, name: str, hostile: str) -> str:
    url = f"{hostile}/{name}"
    if kind == "webhook":
        return f'[receiver.{name}]\ntype = "webhook"\nurl = "{url}"\ntimeout = "5s"\n'
    source = {
        "scrape": f'type = "scrape"\ntargets = ["{url}"]\ninterval = "2s"\n',
        "prometheus": f'type = "prometheus"\nurl = "{url}"\ninterval = "2s"\nbackfill = "2h"\n',
        "discovery": 'type = "scrape"\ninterval = "5s"\n'
        f'discover = {{ http = "{url}", refresh = "5s" }}\n',
    }
    return f"[source.{kind}-{name}]\n{source[kind]}{_slo(f'{kind}-{name}', name)}"


def _slo(source: str, name: str) -> str:
    group = 'group_by = ["route"]\n' if name == "groups" else ""
    return (
        f'[slo.of-{source}]\nobjective = 99\nservice = "hostile"\nsource = "{source}"\n{group}'
        "sli = { bad = 'bad_total', total = 'all_total' }\n"
    )


async def run(
    slos: int,
    limit: int,
    seconds: float,
    interval: float = 1.0,
    peers: Collection[str] = PEERS,
    clients: Collection[str] = tuple(KINDS),
) -> Outcome:
    """One attack of so many seconds on a slod with a limit in bytes."""
    outcome = Outcome(limit)
    service = Service(slos)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        group = stack.enter_context(limited(limit))
        outcome.in_a_group = group is not None
        # In a thread, as it runs an event loop of its own.
        await asyncio.to_thread(_save_month, slos, f"{folder}/slod.db")
        hostile = free_port()
        stack.enter_context(_child("hostile_peers", str(hostile)))
        async with serving(service.page) as honest, hook() as receiver:
            port, file = free_port(), folder / "slod.toml"
            head = f'[server]\nlisten = "127.0.0.1:{port}"\n[state]\npath = "{folder}/slod.db"\n'
            address = f"http://127.0.0.1:{hostile}"
            text = config(slos, honest, address, receiver.url, interval, peers)
            file.write_text(head + text)
            process = stack.enter_context(_slod(file, folder / "log", group))
            try:
                await _attacked(process, port, service, seconds, outcome, receiver, group, clients)
            finally:
                outcome.code = await _ended(process)
                if group is not None:
                    outcome.kills = group.kills
    return outcome


def _save_month(slos: int, path: str) -> None:
    history.save(history.engine(slos), path, lambda: None, 0)


async def _attacked(
    process: subprocess.Popen[bytes],
    port: int,
    service: Service,
    seconds: float,
    outcome: Outcome,
    receiver: Hook,
    group: Group | None,
    clients: Collection[str],
) -> None:
    url = f"http://127.0.0.1:{port}/metrics"
    connector = aiohttp.TCPConnector(local_addr=_LOOKER, force_close=True)
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        before = await _until_polled(session, url, process, service)
        outcome.resting = _resident(process.pid)
        service.begin()
        begun, answered = time.monotonic(), time.monotonic()
        with _child("hostile_clients", str(port), *clients):
            while (now := time.monotonic()) - begun < seconds and process.poll() is None:
                if now - begun > seconds / 3 and not service.outage:
                    service.outage = 500
                is_answered = await _page(session, url) is not None
                outcome.unanswered = max(outcome.unanswered, time.monotonic() - answered)
                if is_answered:
                    answered = time.monotonic()
                outcome.peak = max(outcome.peak, _resident(process.pid))
                await asyncio.sleep(0.2)
        service.freeze()
        polls = service.asked
        gaps = (b - a for a, b in itertools.pairwise(polls))
        outcome.unpolled = max(gaps, default=seconds)
        outcome.expected = service.counts
        for _ in range(100):
            if (page := await _page(session, url)) is not None:
                good, bad = _events(page)
                outcome.counted = (good - before[0], bad - before[1])
            if outcome.exact or process.poll() is not None:
                break
            await asyncio.sleep(0.2)
    outcome.alerts = {h.alert["labels"]["slo"] for h in receiver.heard}
    if group is not None:
        outcome.peak = group.peak


async def _until_polled(
    session: aiohttp.ClientSession,
    url: str,
    process: subprocess.Popen[bytes],
    service: Service,
) -> tuple[float, float]:
    """Wait for the first polls; the events that were counted before them."""
    for _ in range(600):
        page = await _page(session, url)
        if page is not None and len(service.asked) >= 3:
            return _events(page)
        assert process.poll() is None, f"slod ended: {process.returncode}"
        await asyncio.sleep(0.2)
    raise TimeoutError("slod has not polled its service")


async def _page(session: aiohttp.ClientSession, url: str) -> str | None:
    try:
        async with session.get(url) as answer:
            return await answer.text() if answer.status == 200 else None
    except (aiohttp.ClientError, OSError, TimeoutError):
        return None


def _events(page: str) -> tuple[float, float]:
    found = dict(
        re.findall(r'^slo_events_total\{slo="s0",.*result="(\w+)"\} (\S+)$', page, re.MULTILINE)
    )
    return float(found.get("good", "nan")), float(found.get("bad", "nan"))


def _resident(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextlib.contextmanager
def _child(module: str, *arguments: str) -> Iterator[None]:
    command = [sys.executable, "-m", f"tests.faults.{module}", *arguments]
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _slod(file: Path, log: Path, group: Group | None) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "exporter", "run", "-c", str(file)]
    with log.open("wb") as out:
        # In the group from its first instruction on: what it loads counts too.
        joined = None if group is None else group.join
        process = subprocess.Popen(command, stdout=out, stderr=out, preexec_fn=joined)  # noqa: PLW1509
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if "SLOD_TEST_LOG" in os.environ:
            Path(os.environ["SLOD_TEST_LOG"]).write_bytes(log.read_bytes())


async def _ended(process: subprocess.Popen[bytes]) -> int:
    """The exit code after SIGTERM; of one that had ended, that."""
    if process.poll() is None:
        process.terminate()
    return await asyncio.to_thread(process.wait, _ENDS_WITHIN)


def main() -> int:
    """Exit code 0 where slod held."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slos", type=int, default=20)
    parser.add_argument("--limit", type=int, default=160, help="MiB")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--interval", type=float, default=1.0)
    parser.add_argument("--peers", nargs="*", default=PEERS, choices=PEERS)
    parser.add_argument("--clients", nargs="*", default=tuple(KINDS), choices=KINDS)
    given = parser.parse_args()
    limit, seconds = given.limit * MIB, given.minutes * 60
    found = run(given.slos, limit, seconds, given.interval, given.peers, given.clients)
    outcome = asyncio.run(found)
    print("\n".join(outcome.lines()))
    held = outcome.code == 0 and not outcome.kills and outcome.exact and "s0" in outcome.alerts
    held = held and max(outcome.unanswered, outcome.unpolled) < _SILENT
    return 0 if held and outcome.peak <= given.limit * MIB else 1


if __name__ == "__main__":
    sys.exit(main())
