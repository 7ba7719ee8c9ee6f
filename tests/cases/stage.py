"""A stage: the daemon in this process, on a clock and a network that the test moves.

Everything that slod requests goes to `Network`, which answers by host. What slod serves is read
over its own port. Nothing here waits for the clock on the wall: after each move of the clock the
event loop runs until nobody has anything left to do.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import aiohttp
from multidict import CIMultiDict

from exporter.app.daemon import Daemon
from exporter.clock import Clock
from exporter.config.load import load, parse
from exporter.errors import ConfigError
from exporter.http import Response, TransportError
from tests.support import ManualClock

T = 1_700_000_000.0
_HEAD = """
[server]
listen = "127.0.0.1:0"
[state]
path = "{folder}/slod.db"
"""


@dataclass(frozen=True)
class Request:
    """What slod requested. `form`: the parameters of the URL and of a posted form."""

    method: str
    url: str
    path: str
    headers: Mapping[str, str]
    form: Mapping[str, str]
    body: bytes


Handler = Callable[[Request], Response]


def answer(body: bytes | str, content: str = "text/plain", status: int = 200) -> Response:
    """A whole answer."""
    raw = body.encode() if isinstance(body, str) else body
    headers = CIMultiDict({"Content-Type": content, "Content-Length": str(len(raw))})
    return Response(status, headers, raw)


def refuse(request: Request) -> Response:
    """Nobody listens at this address."""
    raise TransportError("refused", f"{request.url}: connection refused")


class Network:
    """Answers by host and port."""

    def __init__(self) -> None:
        self.hosts: dict[str, Handler] = {}

    async def request(
        self,
        client: Any,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        **_: Any,
    ) -> Response:
        """Take the place of `Client.request`."""
        parts = urlsplit(url)
        form = dict(parse_qsl(parts.query, keep_blank_values=True)) | dict(params or {})
        sent = CIMultiDict(headers or {})
        if "urlencoded" in sent.get("Content-Type", ""):
            form |= dict(parse_qsl((body or b"").decode(), keep_blank_values=True))
        found = self.hosts.get(parts.netloc, refuse)
        await asyncio.sleep(0)
        return found(Request(method, url, parts.path, sent, form, body or b""))


class Metrics:
    """A metrics page, read."""

    _LINE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
    _LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text: str) -> None:
        self.samples: list[tuple[str, dict[str, str], float]] = []
        for line in text.splitlines():
            found = self._LINE.match(line)
            if found and not line.startswith("#"):
                labels = dict(self._LABEL.findall(found[2] or ""))
                self.samples.append((found[1], labels, float(found[3])))

    def select(self, name: str, **labels: str) -> list[float]:
        """The values of all series of a name that have these labels."""
        return [
            value
            for own, have, value in self.samples
            if own == name and labels.items() <= have.items()
        ]

    def sum(self, name: str, **labels: str) -> float:
        """The sum of them; 0 where there are none."""
        return sum(self.select(name, **labels))

    def get(self, name: str, **labels: str) -> float | None:
        """The value of the only one; None where there is none."""
        found = self.select(name, **labels)
        assert len(found) <= 1, (name, labels, found)
        return found[0] if found else None

    def events(self, slo: str = "case", **labels: str) -> tuple[float, float]:
        """Good and bad events ever counted."""
        return (
            self.sum("slo_events_total", slo=slo, result="good", **labels),
            self.sum("slo_events_total", slo=slo, result="bad", **labels),
        )


@dataclass
class Hook:
    """A webhook receiver that keeps the alerts it got."""

    alerts: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, request: Request) -> Response:
        """Take a delivery."""
        self.alerts += json.loads(request.body)["alerts"]
        return answer(b"")

    def named(self, name: str = "ErrorBudgetBurn", status: str = "firing") -> list[dict[str, Any]]:
        """The alerts of a name that came with a status."""
        return [
            a for a in self.alerts if a["labels"]["alertname"] == name and a["status"] == status
        ]


class Stage:
    """One slod with its state file, its clock and its network; `log` holds its log lines."""

    def __init__(
        self, folder: Path, network: Network, log: Sequence[MutableMapping[str, Any]]
    ) -> None:
        self.clock = ManualClock(T)
        self.network = network
        self.log = log
        self._folder = folder
        self._stages = 0
        self.file = folder / "slod.toml"
        self._head = _HEAD.format(folder=folder)
        self._task: asyncio.Task[None] | None = None
        self._shutdown = asyncio.Event()
        self.daemon: Daemon

    def write(self, config: str) -> None:
        """Write the configuration, everything but `[server]` and `[state]`."""
        self.file.write_text(self._head + config)

    def accepts(self, config: str) -> bool:
        """Whether slod takes a configuration."""
        try:
            parse(self._head + config, "slod.toml")
        except ConfigError:
            return False
        return True

    async def clear(self) -> None:
        """Begin anew: another state file, another clock, an empty network."""
        with contextlib.suppress(Exception):
            await self.stop()
        self._stages += 1
        folder = self._folder / str(self._stages)
        folder.mkdir()
        self._head = _HEAD.format(folder=folder)
        self.clock = ManualClock(T)
        self.network.hosts.clear()

    @property
    def now(self) -> float:
        """The time on the stage's clock, in unix seconds."""
        return self.clock.now()

    async def start(self, config: str | None = None) -> None:
        """Start slod; its first round of polls is over when this returns."""
        if config is not None:
            self.write(config)
        clock: Clock = self.clock
        self._shutdown = asyncio.Event()
        self.daemon = Daemon(load(self.file), clock)
        self._task = asyncio.create_task(self.daemon.run(self._shutdown))
        await settle()
        if self._task.done():
            self._task.result()
        assert self.daemon.started.is_set()

    async def stop(self) -> None:
        """Stop slod, as SIGTERM does."""
        task, self._task = self._task, None
        if task is not None:
            self._shutdown.set()
            await task

    async def kill(self) -> None:
        """Stop slod, as `kill -9` does: the state file stays as it was."""
        files = [path for path in self._folder.rglob("slod.db*") if path.suffix != ".lock"]
        written = [(path, path.read_bytes()) for path in files]
        await self.stop()
        for path, data in written:
            path.write_bytes(data)

    async def restart(self) -> None:
        """Stop and start again upon the same state file."""
        await self.stop()
        await self.start()

    async def advance(self, seconds: float) -> None:
        """Move time on and let everything happen that was due."""
        await self.clock.advance(seconds)
        await settle()
        self.alive()

    def alive(self) -> None:
        """Raise what ended the daemon, if it ended."""
        if self._task is not None and self._task.done():
            self._task.result()
            raise AssertionError("the daemon ended")

    # --- what slod serves -----------------------------------------------------------------------

    async def fetch(self, path: str, method: str = "GET") -> tuple[int, str]:
        """The status and text of an answer of slod's port."""
        url = f"http://127.0.0.1:{self.daemon.port}{path}"
        headers = {"X-Requested-With": "test"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.request(method, url) as found:
                return found.status, await found.text()

    async def metrics(self) -> Metrics:
        """The metrics page."""
        status, text = await self.fetch("/metrics")
        assert status == 200, text
        return Metrics(text)

    async def api(self, path: str, **params: Any) -> Any:
        """An answer of slod's own API."""
        query = "?" + urlencode(params) if params else ""
        status, text = await self.fetch(f"/api/slo/v1/{path}{query}")
        assert status == 200, text
        return json.loads(text)

    async def slos(self, name: str = "case") -> list[dict[str, Any]]:
        """The instances of an SLO, as the API shows them."""
        return [one for one in (await self.api("slos"))["slos"] if one["slo"] == name]

    async def slo(self, name: str = "case") -> dict[str, Any]:
        """The only instance of an SLO."""
        (only,) = await self.slos(name)
        return only

    async def window(self, label: str, name: str = "case") -> dict[str, Any]:
        """One window of the only instance of an SLO."""
        found = (await self.slo(name))["windows"]
        return next(w for w in found if w["window"] == label)

    async def in_last(self, window: str, name: str = "case") -> tuple[float, float]:
        """Good and bad events of a window that ends now, by the history API."""
        found = await self.api(
            f"slos/{name}/history", window=window, start=self.now, end=self.now, step=1
        )
        points = [one["points"][-1] for one in found["instances"] if one["points"]]
        return sum(p[1] for p in points), sum(p[2] for p in points)

    async def query(self, text: str) -> list[dict[str, Any]]:
        """Slod's own PromQL answer."""
        status, found = await self.fetch(f"/api/v1/query?{urlencode({'query': text})}")
        assert status == 200, found
        result: list[dict[str, Any]] = json.loads(found)["data"]["result"]
        return result

    async def fetch_alerts(self) -> list[dict[str, Any]]:
        """The alerts of Prometheus' API."""
        status, found = await self.fetch("/api/v1/alerts")
        assert status == 200, found
        alerts: list[dict[str, Any]] = json.loads(found)["data"]["alerts"]
        return alerts

    def warned(self, *words: str) -> list[str]:
        """Log lines of level warning or error that have one of these words, if any are given."""
        return list(_lines(self.log, words))


def _lines(log: Sequence[MutableMapping[str, Any]], words: Sequence[str]) -> Iterator[str]:
    for line in log:
        text = " ".join(f"{k}={v}" for k, v in line.items())
        if line["log_level"] in ("warning", "error"):
            if not words or any(word in text.lower() for word in words):
                yield text


async def settle() -> None:
    """Run the event loop until nobody is ready to go on."""
    ready = getattr(asyncio.get_running_loop(), "_ready", ())
    quiet = 0
    while quiet < 5:
        await asyncio.sleep(0)
        quiet = 0 if ready else quiet + 1


def inline(
    loop: asyncio.AbstractEventLoop,
) -> Callable[..., asyncio.Future[Any]]:
    """In place of `run_in_executor`: the work is done at once, so that nothing has to be waited
    for."""

    def run(_: Any, work: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = loop.create_future()
        try:
            done.set_result(work(*args))
        except BaseException as error:  # noqa: BLE001 - as an executor does
            done.set_exception(error)
        return done

    return run
