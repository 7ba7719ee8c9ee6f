"""What a sidecar costs: memory and processor time with 20 SLOs, a month old, at a 10 s interval.

It scrapes a service's page of 540 samples, and is scraped itself, packed, as often. Its peer, a
Prometheus with an Alertmanager and Sloth's rules for the same SLOs, does so beside it for the same
time; it has no history to read, which is in its favour.

Every ten minutes slod makes a forecast of each SLO, all of them in the first half minute. So two
stretches are measured, with the forecasts and without, and ten minutes are one of the first kind
and else of the second.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from bench import history, rules
from bench.measure import Row, cpu_seconds, resident
from bench.servers import PEERS, alertmanager, here, prometheus, site, slod
from exporter.app.forecasts import EVERY

_PEER = "Prometheus and Alertmanager with Sloth's rules"
_ALERTING = """
alerting: {{alertmanagers: [{{static_configs: [{{targets: ["{address}"]}}]}}]}}
"""
_ROUTES = "route: {receiver: none}\nreceivers: [{name: none}]\n"


def run(
    slos: int = 20, interval: float = 10.0, seconds: float = 40.0, peer: bool = True
) -> list[Row]:
    """Resident memory in the end, and the share of a core over ten minutes, taken from two
    stretches of so many seconds."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        target = stack.enter_context(site(lambda _: page(slos)))
        config = history.config(slos, target, interval)
        history.save(history.engine(slos), f"{folder}/slod.db", lambda: None, 0)
        process, url = stack.enter_context(slod(folder, config))
        ours, peers = [process.pid], list[int]()
        if peer and here(*PEERS):
            manager, address = stack.enter_context(alertmanager(folder, _ROUTES))
            rules.write(folder, (g for n in range(slos) for g in rules.groups(n)))
            every = history.duration(interval)
            text = rules.CONFIG.format(interval=every, folder=folder, target=target)
            text += _ALERTING.format(address=address)
            server, _ = stack.enter_context(prometheus(folder, text))
            peers = [server.pid, manager.pid]
        every_pid = (*ours, *peers)
        first, second = (_shares(every_pid, url, interval, seconds) for _ in range(2))
        memory = [resident(pid) for pid in every_pid]
    name = f"with {slos} SLOs"
    part = seconds / EVERY
    share = [part * a + (1 - part) * b for a, b in zip(first, second, strict=True)]
    return [
        Row(
            f"RSS of a sidecar {name}",
            memory[0],
            "B",
            45 * 2**20,
            _PEER,
            sum(memory[1:]) if peers else None,
            scales=False,
        ),
        Row(
            f"share of a core {name}, every {interval:g} s",
            share[0],
            "share",
            0.002,
            _PEER,
            sum(share[1:]) if peers else None,
        ),
    ]


def _shares(pids: Sequence[int], url: str, interval: float, seconds: float) -> list[float]:
    """Of a core, by process, while slod is scraped for so many seconds."""
    before, since = [cpu_seconds(pid) for pid in pids], time.monotonic()
    _watch(url, interval, seconds)
    passed = time.monotonic() - since
    return [(cpu_seconds(pid) - b) / passed for pid, b in zip(pids, before, strict=True)]


def page(slos: int) -> bytes:
    """The counters of the SLOs among 500 other samples."""
    lines = [
        f'go_something_{n % 25}{{path="/api/{n}",code="200",method="GET"}} {n * 1.5}'
        for n in range(500)
    ]
    return history.page(slos, time.time() % 1e7) + ("\n".join(lines) + "\n").encode()


def _watch(url: str, interval: float, seconds: float) -> None:
    """Scrape slod as a Prometheus would."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        request = urllib.request.Request(f"{url}/metrics", headers={"Accept-Encoding": "gzip"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            answer.read()
        time.sleep(min(interval, left))
