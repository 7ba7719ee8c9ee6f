"""What a sidecar costs while it works: memory, processor time, start and restart, with 20 SLOs.

The daemon runs as its own process against its own page, once a second. Its peer, a Prometheus with
an Alertmanager, was seen at 91-110 MB on another machine; it is not started here.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

_SLOS = 20
_SECONDS = 15
_TICK = os.sysconf("SC_CLK_TCK")


def run() -> list[dict[str, Any]]:
    """Resident memory, share of a core at a 1 s interval, and seconds until ready."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        file = Path(folder) / "slod.toml"
        file.write_text(_config(folder, port))
        first = _start(file, port)
        used, since = _cpu(first[0].pid), time.monotonic()
        time.sleep(_SECONDS)
        share = (_cpu(first[0].pid) - used) / (time.monotonic() - since)
        memory = _resident(first[0].pid)
        first[0].terminate()
        first[0].wait()
        second = _start(file, port)
        second[0].terminate()
        second[0].wait()
    return [
        {"name": f"sidecar with {_SLOS} SLOs, RSS", "MiB": memory / 2**20},
        {"name": f"sidecar with {_SLOS} SLOs at 1 s, share of a core", "percent": 100 * share},
        {"name": "start until ready", "seconds": first[1]},
        {"name": "restart until ready", "seconds": second[1]},
    ]


def _config(folder: str, port: int) -> str:
    slos = "".join(
        f"[slo.s{n}]\nobjective = 99.9\n"
        "sli = { bad = 'slod_poll_errors_total', total = 'slod_samples_total' }\n"
        for n in range(_SLOS)
    )
    return (
        f'[server]\nlisten = "127.0.0.1:{port}"\n[state]\npath = "{folder}/slod.db"\n'
        f'[source.self]\ntype = "scrape"\ntargets = ["127.0.0.1:{port}"]\ninterval = "1s"\n{slos}'
    )


def _start(file: Path, port: int) -> tuple[subprocess.Popen[bytes], float]:
    begun = time.monotonic()
    command = [sys.executable, "-m", "exporter", "run", "-c", str(file)]
    child = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    while child.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/-/ready", timeout=1) as answer:
                if answer.status == 200:
                    return child, time.monotonic() - begun
        except OSError:
            time.sleep(0.01)
    raise RuntimeError(f"slod ended with exit code {child.returncode}")


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    for row in run():
        print(row)
