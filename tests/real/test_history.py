"""A month of history in real servers: what a first start makes of it, and of every mishap.

`SLOD_MONTH_STEP` is the time between two scrapes in seconds (300 unless told; 30 for the whole
size).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import pytest

from bench.remote_write import OUT_OF_ORDER, RECEIVES
from exporter.app.daemon import Daemon
from exporter.config.load import load
from tests.real import servers
from tests.real.past import SLOS, Month, peers
from tests.real.servers import eventually, fetch, free_port
from tests.real.write import remote_write, victoria_import
from tests.support import ManualClock

pytestmark = pytest.mark.real

STEP = float(os.environ.get("SLOD_MONTH_STEP", "300"))
SOURCE = """
[state]
path = "{state}"
[source.prom]
type = "prometheus"
url = "{url}"
interval = "{step:g}s"
backfill = "31d"
"""
_WINDOWS = {"5m": 300, "30m": 1800, "1h": 3600, "2h": 7200, "6h": 21_600}
_WINDOWS |= {"1d": 86_400, "3d": 3 * 86_400, "30d": 30 * 86_400}


@contextlib.asynccontextmanager
async def a_prometheus(folder: Path, *flags: str) -> AsyncIterator[tuple[str, Month]]:
    """A Prometheus that has seen a month which ended just now."""
    month = Month(time.time() // STEP * STEP, STEP)
    async with again(folder, *flags) as url:
        await remote_write(url, month)
        yield url, month


def again(
    folder: Path, *flags: str, port: int | None = None
) -> contextlib.AbstractAsyncContextManager[str]:
    """The same Prometheus, perhaps started otherwise."""
    flags = (RECEIVES, "--storage.tsdb.retention.time=90d", *flags)
    return servers.prometheus(folder, OUT_OF_ORDER, *flags, port=port)


class Slod:
    """The daemon on some state file."""

    def __init__(self, folder: Path, url: str, *, more: str = "", slos: str = SLOS) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = folder / f"slod-{self.port}.log"
        self._file = folder / f"slod-{self.port}.toml"
        source = SOURCE.format(state=folder / f"{self.port}.db", url=url, step=STEP)
        server = f'[server]\nlisten = "127.0.0.1:{self.port}"\n'
        self._file.write_text(server + source + more + slos)
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "exporter", "run", "-c", str(self._file)]
        with self._log.open("ab") as out:
            self.child = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        child, self.child = self.child, None
        if child is not None:
            child.send_signal(how)
            child.wait(20)

    async def is_ready(self) -> bool:
        assert self.child is not None
        assert self.child.poll() is None, self._log.read_text()[-2000:]
        return (await fetch(f"{self.url}/-/ready"))[0] == 200

    def said(self, event: str) -> bool:
        """Whether the log has it."""
        return event in self._log.read_text()

    async def reload(self, more: str) -> None:
        """With more in the configuration."""
        self._file.write_text(self._file.read_text() + more)
        async with aiohttp.ClientSession() as session:
            assert (await session.post(f"{self.url}/-/reload")).status == 200

    async def progress(self) -> float | None:
        _, page = await fetch(f"{self.url}/metrics")
        found = re.search(rb"^slod_backfill_progress_ratio\{.*\} (\S+)$", page, re.MULTILINE)
        return float(found[1]) if found else None


@contextlib.asynccontextmanager
async def running(slod: Slod) -> AsyncIterator[Slod]:
    slod.start()
    try:
        yield slod
    finally:
        slod.end()


async def filled(slod: Slod) -> dict[str, float]:
    """What it says once its history is there."""
    await eventually(slod.is_ready, "the history is there", seconds=240)
    return numbers((await fetch(f"{slod.url}/metrics"))[1])


def numbers(page: bytes) -> dict[str, float]:
    """Every slo_* line of a page."""
    found = re.findall(r"^(slo_\w+\{.*\}) (\S+)$", page.decode(), re.MULTILINE)
    return {series: float(value) for series, value in found}


def line(name: str, slo: str, **labels: str) -> str:
    more = "".join(f',{k}="{v}"' for k, v in labels.items())
    return f'{name}{{slo="{slo}",service="{slo}"{more}}}'


def agrees_with_the_truth(found: dict[str, float], month: Month) -> list[str]:
    """Events exactly what the samples show; budgets and burn rates within the promise."""
    report = []
    for slo, truth in month.truth.items():
        for result, shown in zip(("good", "bad"), month.shown[slo], strict=True):
            assert found[line("slo_events_total", slo, result=result)] == shown, (slo, result)
        objective = found[line("slo_objective_ratio", slo)]
        worst = 0.0
        for window, seconds in _WINDOWS.items():
            good, bad = truth.between(month.end - seconds, month.end)
            burn = found.get(line("slo_burn_rate", slo, window=window))
            if good + bad == 0:
                assert burn is None
                continue
            exact = bad / (good + bad) / (1 - objective)
            assert burn == pytest.approx(exact, rel=0.01, abs=0.1), (slo, window)
            if exact:
                worst = max(worst, abs(burn - exact) / exact)
            if window == "30d":
                spent = 1 - found[line("slo_error_budget_remaining_ratio", slo)]
                assert spent == pytest.approx(exact, rel=0.001), slo
                report.append(f"{slo}: budget spent {spent:.5f}, true {exact:.5f}")
        report.append(f"{slo}: worst burn rate off by {worst:.3%}")
    return report


async def asked(url: str, month: Month, query: str) -> str:
    form = urlencode({"query": query, "time": f"{month.end:.3f}"})
    _, body = await fetch(f"{url}/api/v1/query?{form}")
    result = json.loads(body)["data"]["result"]
    return str(result[0]["value"][1]) if result else "nothing"


async def compared(url: str, month: Month) -> list[str]:
    """What others say of the shop's error ratio over 30 days."""
    good, bad = month.truth["shop"].between(month.end - 30 * 86_400, month.end)
    out = [f"error ratio of 30d: true {bad / (good + bad):.6f}"]
    out += [f"{name} {await asked(url, month, q)}" for name, q in peers(STEP).items()]
    return out


async def test_a_first_start_on_a_prometheus_knows_the_month(tmp_path: Path) -> None:
    servers.need("prometheus")
    async with a_prometheus(tmp_path) as (url, month), running(Slod(tmp_path, url)) as slod:
        begun = time.monotonic()
        found = await filled(slod)
        seconds = time.monotonic() - begun
        print(f"\n{month.samples:,} samples in {seconds:.1f} s")
        print(*agrees_with_the_truth(found, month), *await compared(url, month), sep="\n")


async def test_a_first_start_on_a_victoria_metrics_knows_the_month(tmp_path: Path) -> None:
    month = Month(time.time() // STEP * STEP, STEP)
    async with servers.victoria_metrics(tmp_path) as url:
        await victoria_import(url, month)

        async def searchable() -> bool:
            newest = await asked(url, month, "count(jobs_total)")
            return newest == "1"

        await eventually(searchable, "VictoriaMetrics finds what was imported")
        async with running(Slod(tmp_path, url)) as slod:
            print()
            print(*agrees_with_the_truth(await filled(slod), month), sep="\n")
            print(*await compared(url, month), sep="\n")


def same(one: dict[str, float], other: dict[str, float]) -> None:
    """Events to the last one; what is computed, as exactly as a thinned ledger says it: what came
    in other chunks is thinned at other points."""
    # Forecasts are made in the background, at the pace of the machine.
    counted, others = ({s for s in some if "_exhaustion_" not in s} for some in (one, other))
    assert counted == others
    for series in counted:
        value = one[series]
        if series.startswith("slo_events_total"):
            assert other[series] == value, series
        elif re.match("slo_(burn_rate|error_budget_remaining_ratio|sli_ratio)", series):
            assert other[series] == pytest.approx(value, rel=0.01, abs=0.001), series


async def test_whatever_happens_meanwhile_the_numbers_in_the_end_are_the_same(
    tmp_path: Path,
) -> None:
    async with a_prometheus(tmp_path) as (url, month):
        async with running(Slod(tmp_path, url)) as slod:
            undisturbed = await filled(slod)
        agrees_with_the_truth(undisturbed, month)

        # Killed in the middle of it.
        async with running(Slod(tmp_path, url, more='chunk = "3h"\n')) as slod:

            async def some() -> bool:
                return 0.1 < (await slod.progress() or 0.0) < 0.9

            await eventually(some, "some of the history is there")
            slod.end(signal.SIGKILL)
            slod.start()
            killed = await filled(slod)
            assert slod.said("source.backfill_done")
        agrees_with_the_truth(killed, month)
        same(undisturbed, killed)

        # An SLO that is added later.
        slos, _, last = SLOS.rpartition("[slo.quiet]")
        async with running(Slod(tmp_path, url, slos=slos)) as slod:
            await filled(slod)
            await slod.reload(f"[slo.quiet]{last}")
            added = await filled(slod)
        agrees_with_the_truth(added, month)
        same(undisturbed, added)

    # One that is down when slod starts, and then gives few samples at a time.
    port = free_port()
    async with running(Slod(tmp_path, f"http://127.0.0.1:{port}")) as slod:

        async def refused() -> bool:
            return slod.said("source.failed")

        await eventually(refused, "nobody answers")
        assert not await slod.is_ready()
        async with again(tmp_path, "--query.max-samples=500", port=port):
            late = await filled(slod)
            assert slod.said("source.smaller_chunks")
    agrees_with_the_truth(late, month)
    same(undisturbed, late)


@pytest.mark.parametrize("away", [600.0, 26 * 3600.0])
async def test_after_a_stop_only_what_was_missed_is_fetched_and_nothing_shows(
    tmp_path: Path, away: float
) -> None:
    async with a_prometheus(tmp_path) as (url, month):
        file = tmp_path / "slod.toml"
        source = SOURCE.format(state=tmp_path / "stopped.db", url=url, step=STEP)
        file.write_text('[server]\nlisten = "127.0.0.1:0"\n' + source + SLOS)
        for now in (month.end - away, month.end):
            found = await one_run(file, now)
        agrees_with_the_truth(found, month)


async def one_run(file: Path, now: float) -> dict[str, float]:
    """What a daemon says that runs at some time, once its history is there."""
    shutdown = asyncio.Event()
    daemon = Daemon(load(file), ManualClock(now))
    task = asyncio.create_task(daemon.run(shutdown))
    try:
        await daemon.started.wait()
        url = f"http://127.0.0.1:{daemon.port}"

        async def ready() -> bool:
            return (await fetch(f"{url}/-/ready"))[0] == 200

        await eventually(ready, "the history is there", seconds=120)
        return numbers((await fetch(f"{url}/metrics"))[1])
    finally:
        shutdown.set()
        await task
