"""Every fault of a peer, in sources, all at once: each shows in a metric with its reason, nobody
else is touched, nothing is lost when it goes well again, and nothing leaks.

`SEEN` is what each fault looks like; docs/faults.md is checked against it.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from exporter.app.daemon import Daemon
from exporter.clock import SystemClock
from exporter.config.load import load
from tests.faults.network import FAULTS, Peer

SEEN: dict[str, str] = {
    "never answers": "timeout",
    "slow drip": "timeout",
    "cut short": "cut_short",
    "cut chunk": "cut_short",
    "reset in the middle": "cut_short",
    "length too long": "timeout",
    "status 429": "http_status",
    "status 500": "http_status",
    "redirect loop": "redirect",
    "redirect elsewhere": "redirect",
    "endless body": "too_large",
    "endless headers": "bad_http",
    "gzip bomb": "too_large",
    "gzip noise": "bad_encoding",
    "gzip by half": "bad_encoding",
    "packed otherwise": "bad_encoding",
    "no HTTP": "bad_http",
    "closed at once": "reset",
    "refused": "refused",
}
"""The `reason` that a fault is counted under."""
BY_PROMETHEUS = {**SEEN, "status 429": "rate_limited"}
NO_TLS, NO_NAME = "plain instead of TLS", "name unknown"
DOCS = Path(__file__).parents[2] / "docs/faults.md"
WELL = "well"
STARTED = 1_600_000_000.0
Metrics = Callable[[], Awaitable[dict[str, float]]]


class Service:
    """Counts up unless it is frozen; answers as a page and as a Prometheus. It goes on whatever its
    network does, and its page says so: what answers after a refused connection began anew else."""

    def __init__(self) -> None:
        self.samples: list[tuple[float, int]] = []
        self.frozen = True

    def page(self, path: str, body: bytes) -> tuple[str, bytes]:
        count = self._count()
        page = f"process_start_time_seconds {STARTED}\nbad_total 0\nall_total {count}\n"
        return "text/plain", f"# padding {'x' * 400}\n{page}".encode()

    def api(self, path: str, body: bytes) -> tuple[str, bytes]:
        self._count()
        rows = [[at, str(value)] for at, value in self.samples]
        bad = [[at, "0"] for at, _ in self.samples]
        asked = body.decode()
        values = bad if "bad_total" in asked else rows if "all_total" in asked else []
        name = "bad_total" if "bad_total" in asked else "all_total"
        metric = {"__name__": name, "job": "j", "instance": "i"}
        result = [{"metric": metric, "values": values}] if values else []
        answer = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        return "application/json", json.dumps(answer).encode()

    def _count(self) -> int:
        if not self.frozen or not self.samples:
            last = self.samples[-1][0] if self.samples else 0.0
            at = max(round(time.time(), 3), last + 0.001)
            self.samples.append((at, len(self.samples) * 10))
        return self.samples[-1][1]


def config(folder: Path, peers: dict[str, Peer], kind: str) -> str:
    """One source and one SLO for each peer; only those whose fault takes all of a source's patience
    have little."""
    text = f'[server]\nlisten = "127.0.0.1:0"\n[state]\npath = "{folder}/slod.db"\n'
    for name, peer in peers.items():
        key = name.replace(" ", "-")
        scheme = "https" if name == NO_TLS else "http"
        host = "nothing.invalid" if name == NO_NAME else "127.0.0.1"
        url = f"{scheme}://{host}:{peer.port}"
        where = f'targets = ["{url}/metrics"]' if kind == "scrape" else f'url = "{url}"'
        slow = SEEN.get(name) == "timeout"
        interval, timeout = ("200ms", "400ms") if slow else ("500ms", "5s")
        text += (
            f'[source.{key}]\ntype = "{kind}"\n{where}\ninterval = "{interval}"\n'
            f'timeout = "{timeout}"\n'
            "max_body_bytes = 1000000\n"
            f'[slo.{key}]\nobjective = 99\nsource = "{key}"\n'
            "sli = { bad = 'bad_total', total = 'all_total' }\n"
        )
    return text


@asynccontextmanager
async def daemon(text: str, folder: Path) -> AsyncIterator[Metrics]:
    """A running daemon; what it yields fetches its metrics."""
    file = folder / "slod.toml"
    file.write_text(text)
    running, stop = Daemon(load(file), SystemClock()), asyncio.Event()
    task = asyncio.create_task(running.run(stop))
    await running.started.wait()
    try:
        async with aiohttp.ClientSession() as session:

            async def metrics() -> dict[str, float]:
                async with session.get(f"http://127.0.0.1:{running.port}/metrics") as answer:
                    found = re.findall(r"^(\S+) (\S+)$", await answer.text(), re.MULTILINE)
                return {series: float(value) for series, value in found}

            yield metrics
    finally:
        stop.set()
        await task


def open_files() -> dict[int, str]:
    """What is open, by its number: a path, or `socket:[1234]`."""
    found: dict[int, str] = {}
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # such as the folder that is read here
            found[int(link.name)] = str(link.readlink())
    return found


async def given_back(tasks: set[asyncio.Task[Any]], files: dict[int, str]) -> None:
    """Return once no task and no file is left but these: a socket is closed some turns of the loop
    after its connection."""

    async def held() -> list[object]:
        more = [path for number, path in open_files().items() if files.get(number) != path]
        return [*(asyncio.all_tasks() - tasks), *more]

    await until(held, "tasks and files given back")


async def until(look: Callable[[], Awaitable[object]], what: str) -> None:
    """Return once `look` gives nothing that is still missing."""
    missing: object = None
    try:
        async with asyncio.timeout(40):
            while missing := await look():
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"{what}: still missing {missing}", pytrace=False)


def key(name: str) -> str:
    return name.replace(" ", "-")


def good_events(found: dict[str, float], name: str) -> float:
    return found.get(
        f'slo_events_total{{slo="{key(name)}",service="{key(name)}",result="good"}}', 0
    )


def errors(found: dict[str, float], name: str, reason: str) -> float:
    return found.get(f'slod_poll_errors_total{{source="{key(name)}",reason="{reason}"}}', 0)


def failing(found: dict[str, float], names: dict[str, str]) -> list[str]:
    """Which faults were not counted under their reason yet, with what they were counted under."""
    other = {
        name: [s for s in found if s.startswith(f'slod_poll_errors_total{{source="{key(name)}"')]
        for name, reason in names.items()
        if errors(found, name, reason) < 2
    }
    return [f"{name}: {seen}" for name, seen in other.items()]


async def until_all_are_seen(metrics: Metrics, names: dict[str, str]) -> None:
    async def unseen() -> list[str]:
        return failing(await metrics(), names)

    await until(unseen, "faults under their reason")
    up = {s: v for s, v in (await metrics()).items() if s.startswith("slod_source_up")}
    assert {s.split('"')[1] for s, v in up.items() if v == 1} == {WELL}


@pytest.mark.parametrize("kind", ["scrape", "prometheus"])
async def test_a_source_shows_its_fault_spares_the_others_and_loses_nothing(
    kind: str, tmp_path: Path
) -> None:
    tasks, files = asyncio.all_tasks(), open_files()
    services = {name: Service() for name in (*SEEN, NO_TLS, NO_NAME, WELL)}
    peers = {
        name: Peer(service.page if kind == "scrape" else service.api)
        for name, service in services.items()
    }
    for peer in peers.values():
        await peer.start()
    await peers[NO_TLS].set(NO_TLS)
    async with daemon(config(tmp_path, peers, kind), tmp_path) as metrics:

        async def unpolled() -> list[str]:
            up = {s: v for s, v in (await metrics()).items() if s.startswith("slod_source_up")}
            down = [s for s, v in up.items() if v == 0]
            # Two never work.
            return down[2:] if len(up) == len(peers) else ["some"]

        await until(unpolled, "every source's first poll")
        for service in services.values():
            service.frozen = False

        async def uncounted() -> list[str]:
            found = await metrics()
            return [name for name in (*SEEN, WELL) if good_events(found, name) < 20]

        await until(uncounted, "events of healthy sources")
        for name in SEEN:
            await peers[name].set(name)
        before = good_events(await metrics(), WELL)
        seen = SEEN if kind == "scrape" else BY_PROMETHEUS
        await until_all_are_seen(metrics, {**seen, NO_TLS: "tls", NO_NAME: "dns"})
        assert good_events(await metrics(), WELL) > before, "the healthy source was held up"
        for name in SEEN:
            await peers[name].set(None)

        await until(unpolled, "sources up again")
        for service in services.values():
            service.frozen = True

        async def inexact() -> dict[str, tuple[float, float]]:
            found = await metrics()
            pairs = {
                name: (good_events(found, name), float(services[name].samples[-1][1]))
                for name in (*SEEN, WELL)
            }
            return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

        await until(inexact, "exact counts, counted and true")
    for peer in peers.values():
        await peer.stop()
    await given_back(tasks, files)


def test_the_documentation_says_what_is_seen() -> None:
    rows = re.findall(r"^\| ([^|]+) \| `(\w+)` \|", DOCS.read_text("utf-8"), re.MULTILINE)
    written = dict(rows[: len(SEEN) + 2])
    assert written == {**SEEN, NO_TLS: "tls", NO_NAME: "dns"}
    assert SEEN.keys() == FAULTS.keys()
