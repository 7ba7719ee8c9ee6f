"""What a first start costs that fills up from a Prometheus: a month of 100 series.

25 SLOs, each with two replicas of a good and a bad counter, every 30 seconds. Prometheus gets the
samples by remote write first. Measured is slod from its start until it is ready, its peak memory,
and the processor time of both.

    ./dev bench backfill --full      30 days
"""

from __future__ import annotations

import random
import tempfile
import time
import urllib.request
from array import array
from pathlib import Path

from bench import servers
from bench.measure import Row, cpu_seconds
from bench.remote_write import HEADERS, OUT_OF_ORDER, RECEIVES, series, snappy

STEP = 30.0
SERIES = 100
GOAL = 200.0 * 2**20
_DAY = 86_400.0
_SLOS = SERIES // 4


def run(days: float = 2.0) -> list[Row]:
    """Nothing where there is no Prometheus."""
    if not servers.here("prometheus"):
        return []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        end = time.time() // STEP * STEP
        flags = (RECEIVES, "--storage.tsdb.retention.time=90d")
        with servers.prometheus(folder, OUT_OF_ORDER, *flags) as (upstream, url):
            for day in range(int(days)):
                _load(url, end - (days - day) * _DAY)
            before = cpu_seconds(upstream.pid)
            begun = time.monotonic()
            command, page = servers.slod_command(folder, _config(url, days))
            with servers.child(command, folder / "slod.log") as daemon:
                servers.until(lambda: _is_ready(page), "the history is there", 900, 0.05)
                wall = time.monotonic() - begun
                peak, own = _peak(daemon.pid), cpu_seconds(daemon.pid)
            theirs = cpu_seconds(upstream.pid) - before
    what = f"backfill of {days:g} days of {SERIES} series from a Prometheus"
    return [
        Row(f"{what}: until ready", wall, "s"),
        Row(f"{what}: slod's peak memory", peak, "B", GOAL),
        Row(f"{what}: processor time of slod", own, "s", None, "Prometheus for it", theirs),
    ]


def _config(url: str, days: float) -> str:
    source = f'[source.prom]\ntype = "prometheus"\nurl = "{url}"\ninterval = "30s"\n'
    slos = [
        f"[slo.s{n}]\nobjective = 99.9\n"
        f"sli = {{ bad = 'bad_total{{slo=\"{n}\"}}', good = 'good_total{{slo=\"{n}\"}}' }}\n"
        for n in range(_SLOS)
    ]
    return f'{source}backfill = "{days:g}d"\n' + "".join(slos)


def _load(url: str, start: float) -> None:
    """A day of all series."""
    rng = random.Random(int(start))
    steps = int(_DAY / STEP)
    times = array("d", (start + k * STEP for k in range(steps)))
    # The counters go on from day to day.
    base = start / STEP % 10**7
    body = bytearray()
    for n in range(_SLOS):
        for instance in ("a", "b"):
            labels = (("instance", instance), ("job", "bench"), ("slo", str(n)))
            good = array("d", (base * 100 + k * 100 + rng.randrange(100) for k in range(steps)))
            bad = array("d", ((base + k) // 40 for k in range(steps)))
            body += series("good_total", labels, times, good)
            body += series("bad_total", labels, times, bad)
    request = urllib.request.Request(f"{url}/api/v1/write", snappy(bytes(body)), HEADERS)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status in (200, 204)


def _is_ready(url: str) -> bool:
    return b"slod is ready" in (servers.get(f"{url}/-/ready") or b"")


def _peak(pid: int) -> float:
    """The most memory a process ever had resident, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0]) * 1024
