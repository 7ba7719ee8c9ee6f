"""The configuration: what it is, and how it comes and goes, broken at times, while slod runs.

The SLOs of the honest targets are always in it, so they must count all along. `churned-N` come and
go: what happened while one was away is bridged when it is back. Others are made up, of hostile
series.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp

from tests.torture.honest import CHURNED
from tests.torture.names import NAME, SRV, STATIC
from tests.torture.slod import Slod
from tests.torture.truth import INTERVAL, LONG, SHORT

CHANGES = (
    *("take one away", "take one away", "add one", "edit", "many at once", "storm", "nothing new"),
    *("broken: empty", "broken: half", "broken: noise", "broken: unknown key", "broken: no SLO"),
    *("broken: gone", "broken: a folder", "targets come and go"),
)


@dataclass(frozen=True)
class Ports:
    """Where everybody listens."""

    slod: int
    honest: tuple[int, ...]
    hostile: tuple[int, ...]
    prometheus: int
    hook: int
    odd: tuple[int, ...]


class Configuration:
    """The file, and who changes it. `churned`: which of these SLOs are in it."""

    def __init__(self, slod: Slod, ports: Ports) -> None:
        self.churned = set(range(CHURNED))
        self.reloading = asyncio.Lock()
        """Held while the file is not one that slod could start with."""
        self._slod = slod
        self._ports = ports
        self._edited: dict[str, str] = {}
        self._made_up: list[str] = []
        self._more_targets: list[int] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def write(self) -> None:
        """Write the file as it is to be."""
        temporary = self._slod.config.with_suffix(".tmp")
        temporary.write_text(self.text())
        temporary.replace(self._slod.config)

    def text(self) -> str:
        """The whole of it."""
        parts = [_head(self._slod, self._ports, self._more_targets)]
        parts += [_shop(f"shop-{n}", port) for n, port in enumerate(self._ports.honest)]
        parts += [
            _slo(
                f"churned-{n}",
                "honest",
                f"{{ good = 'churned_total{{n=\"{n}\"}}', total = 'churned_total{{n=\"{n}\"}}' }}",
                self._edited.get(f"churned-{n}", ""),
            )
            for n in sorted(self.churned)
        ]
        return "\n".join([*parts, *self._made_up])

    async def change(self, what: str, seed: int) -> None:
        """Make a change and have it read."""
        rng = random.Random(seed)
        async with self.reloading:
            if what.startswith("broken: "):
                await self._break(what.removeprefix("broken: "), rng)
                self.write()
                return
            self._change(what, rng)
            self.write()
        await self._reload(rng, 30 if what == "storm" else rng.choice((1, 1, 1, 3)))

    def _change(self, what: str, rng: random.Random) -> None:
        churned = rng.randrange(CHURNED)
        if what == "take one away":
            self.churned ^= {churned}
        elif what == "add one":
            self._made_up = [*self._made_up[-5:], _made_up(rng)]
        elif what == "edit":
            # Neither objective nor labels begin a new ledger.
            self._edited[f"churned-{churned}"] = f'labels = {{ edited = "{rng.random()}" }}'
        elif what == "many at once":
            self.churned = {n for n in range(CHURNED) if rng.random() < 0.6}
            self._made_up = [_made_up(rng) for _ in range(rng.randrange(8))]
        elif what == "targets come and go":
            count = rng.randrange(6)
            self._more_targets = [rng.choice(self._ports.hostile) for _ in range(count)]

    async def _break(self, how: str, rng: random.Random) -> None:
        file, text = self._slod.config, self.text()
        broken = {
            "empty": "",
            "half": text[: rng.randrange(len(text))],
            "noise": rng.randbytes(5000).decode("latin-1"),
            "unknown key": text + "\n[slo.x]\nobjektive = 99\n",
            "no SLO": text.partition("[slo.")[0],
        }
        file.unlink()
        if how == "a folder":
            file.mkdir()
        elif how != "gone":
            file.write_bytes(broken[how].encode("latin-1", "replace"))
        await self._reload(rng, 2)
        if how == "a folder":
            file.rmdir()

    async def _reload(self, rng: random.Random, count: int) -> None:
        """By signal or by request, so many times at once; the last of them is waited for."""
        for _ in range(count - 1):
            if rng.random() < 0.5:
                self._slod.signal(signal.SIGHUP)
            else:
                task = asyncio.create_task(self._ask())
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        await self._ask()

    async def _ask(self) -> None:
        with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
            timeout = aiohttp.ClientTimeout(total=30)
            async with aiohttp.ClientSession(timeout=timeout) as session:
                async with session.post(f"{self._slod.url}/-/reload") as answer:
                    await answer.read()


def _head(slod: Slod, ports: Ports, more: Iterable[int]) -> str:
    honest = ", ".join(f'"http://127.0.0.1:{port}/metrics"' for port in ports.honest)
    hostile = [*ports.hostile, *more]
    # An address more than once is a target once, so each of the others has a path of its own.
    bad = ", ".join(f'"http://127.0.0.1:{port}/metrics?{n}"' for n, port in enumerate(hostile))
    return f"""
[server]
listen = "127.0.0.1:{ports.slod}"
[state]
path = "{slod.path}"
[log]
format = "json"
[source.honest]
type = "scrape"
targets = [{honest}]
interval = "{INTERVAL:g}s"
labels = {{ job = "shop" }}
[source.hostile]
type = "scrape"
targets = [{bad}, "http://{STATIC}:{ports.hostile[0]}/metrics"]
interval = "1s"
labels = {{ job = "hostile" }}
max_series = 5000
[source.names]
type = "scrape"
discover = {{ dns = ["{NAME}:{ports.hostile[1]}", "{SRV}"], refresh = "2s" }}
interval = "1s"
timeout = "1s"
[source.prom]
type = "prometheus"
url = "http://127.0.0.1:{ports.prometheus}"
interval = "1s"
timeout = "2s"
[receiver.hook]
type = "webhook"
url = "http://127.0.0.1:{ports.hook}/"
[receiver.odd]
type = "webhook"
url = "http://127.0.0.1:{ports.odd[0]}/"
timeout = "3s"
[receiver.am]
type = "alertmanager"
url = "http://127.0.0.1:{ports.odd[1]}"
timeout = "3s"
[receiver.named]
type = "webhook"
url = "http://{STATIC}:{ports.odd[0]}/named"
timeout = "3s"
[alert_policy.quick]
rules = [{{ severity = "page", burn_rate = 10, long = "{LONG:g}s", short = "{SHORT:g}s" }}]
{_slo("behind-prometheus", "prom", _REQUESTS.format(job="shop"))}
{_slo("lies-behind-prometheus", "prom", _REQUESTS.format(job="lies"))}
{_slo("query", "prom", _QUERY)}
{_slo("hostile", "hostile", _REQUESTS.format(job="hostile"))}
{_slo("hostile-grouped", "hostile", _REQUESTS.format(job="hostile"), _GROUPS)}
{_slo("hostile-latency", "hostile", _LATENCY)}
{_slo("hostile-queue", "hostile", "{ gauge = 'queue_length', good = '< 5' }")}
{_slo("by-name", "names", _REQUESTS.format(job=".*"))}
{_slo("all-of-them", "", "{ all = ['hostile*', 'shop-*'] }")}
"""


_REQUESTS = (
    '{{ bad = \'requests_total{{job=~"{job}|",code=~"5.*"}}\', '
    "total = 'requests_total{{job=~\"{job}|\"}}' }}"
)
_QUERY = (
    "{ bad_query = 'sum(increase(requests_total{code=\"500\"}[{{.window}}]))', "
    "total_query = 'sum(increase(requests_total[{{.window}}]))' }"
)
_LATENCY = "{ histogram = 'latency_seconds', threshold = '500ms' }"
_GROUPS = 'group_by = ["route", "instance"]\nmax_groups = 30'


def _slo(name: str, source: str, sli: str, *more: str) -> str:
    source = f'source = "{source}"' if source else ""
    policy = 'objective = 99\nwindow = "1h"\nalert_policy = "quick"'
    return "\n".join((f"[slo.{name}]", policy, source, f"sli = {sli}", *more))


def _shop(name: str, port: int) -> str:
    only = f'instance="127.0.0.1:{port}"'
    bad, total = f'requests_total{{{only},code="500"}}', f"requests_total{{{only}}}"
    return _slo(name, "honest", f"{{ bad = '{bad}', total = '{total}' }}")


def _made_up(rng: random.Random) -> str:
    sli = rng.choice((_REQUESTS.format(job="hostile"), _LATENCY, _QUERY))
    more = rng.choice(("", _GROUPS, 'group_by = ["code"]'))
    source = "prom" if sli == _QUERY else "hostile"
    return _slo(f"made-up-{rng.randrange(12)}-{rng.randrange(10**6)}", source, sli, more)
