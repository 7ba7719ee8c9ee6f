"""`explain` beside a real Prometheus: what it says of `increase()` and Sloth is what they say."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.real import servers
from tests.real.servers import fetch

pytestmark = pytest.mark.real

SPACING = 13.7
"""No edge of a window may fall onto a sample: whether that one is inside differs by release."""
HOURS = 3.0
QUIET = (2.6 * 3600, 2.1 * 3600)
"""Seconds before the end without traffic."""
BORN = 1800.0
"""Seconds before the end when the errors begin, at 50 at once."""
CONFIG = """
[state]
path = ":memory:"
[source.prom]
type = "prometheus"
url = "{url}"
interval = "15s"
backfill = "3h"
[slo.shop]
service = "shop"
objective = 99
window = "3h"
source = "prom"
sli.bad = 'requests_total{{code="500"}}'
sli.total = 'requests_total'
alert_policy = "quick"
[slo.pod]
service = "shop"
objective = 99
window = "3h"
source = "prom"
sli.bad = 'requests_total{{instance="b"}}'
sli.total = 'requests_total'
alert_policy = "quick"
[alert_policy.quick]
rules = [{{ severity = "page", burn_rate = 5, long = "1h", short = "5m" }}]
"""
SLOS = {
    "shop": 'requests_total{code="500"}',
    "pod": 'requests_total{instance="b"}',
}
TOTAL = "requests_total"


def history(end: float) -> str:
    """Two pods; one restarts, and has errors late."""
    lines = {"requests_total": ["# TYPE requests counter"], "up": ["# TYPE up gauge"]}
    for pod, offset in (("a", 0.0), ("b", 0.123)):
        value = errors = 0.0
        rows: dict[str, list[str]] = {"200": [], "500": []}
        for i in range(int(HOURS * 3600 / SPACING), -1, -1):
            ago = SPACING * i + offset
            if not QUIET[1] < ago < QUIET[0]:
                value += 7 + (i % 5)
            if pod == "b" and 2700 <= ago < 2700 + SPACING:
                value = 3.0
            when, target = f"{end - ago:.3f}", f'job="shop",instance="{pod}"'
            rows["200"].append(f'requests_total{{{target},code="200"}} {value} {when}')
            if pod == "a" and ago <= BORN:
                errors += 50 if not errors else 2
                rows["500"].append(f'requests_total{{{target},code="500"}} {errors} {when}')
            lines["up"].append(f"up{{{target}}} 1 {when}")
        for found in rows.values():
            lines["requests_total"] += found
    return "\n".join(line for some in lines.values() for line in some) + "\n# EOF\n"


async def value(url: str, query: str, at: float) -> float | None:
    form = urlencode({"query": query, "time": f"{at:.3f}"})
    _, body = await fetch(f"{url}/api/v1/query?{form}")
    result = json.loads(body)["data"]["result"]
    return float(result[0]["value"][1]) if result else None


async def asked(url: str, slo: str, window: str) -> dict[str, Any]:
    """What slod says of its peers."""
    status, body = await fetch(f"{url}/api/slo/v1/slos/{slo}/explain?window={window}")
    assert status == 200, body
    (one,) = json.loads(body)["instances"]
    assert one["peers"]["note"] == ""
    peers: dict[str, Any] = one["peers"]
    return peers


async def agree(upstream: str, peers: dict[str, Any], bad: str) -> float | None:
    """`increase()` is what Prometheus says; Sloth's ratio is too, or NaN there."""
    said = {row["by"]: row for row in peers["counts"]}
    window, end = peers["window"], peers["end"]
    for role, selector in (("bad", bad), ("total", TOTAL)):
        theirs = await value(upstream, f"sum(increase({selector}[{window}]))", end)
        assert said["increase"][role] == pytest.approx(theirs, rel=1e-9)
    # Half a step less: the evaluation at the window's left edge is inside or not, by release.
    inside = f"{peers['end'] - peers['start'] - 15:.0f}s"
    samples = f"(sum(rate({bad}[5m])) / sum(rate({TOTAL}[5m])))[{inside}:30s]"
    sloth = await value(upstream, f"sum_over_time({samples}) / count_over_time({samples})", end)
    assert sloth is not None
    if not math.isnan(sloth):
        assert said["sloth"]["error_ratio"] == pytest.approx(sloth, rel=1e-9)
    return sloth


async def test_the_peers_say_what_a_real_prometheus_says(tmp_path: Path) -> None:
    promtool = servers.need("promtool")
    end = math.floor(time.time() / 30) * 30.0
    (tmp_path / "history.om").write_text(history(end))
    blocks = [promtool, "tsdb", "create-blocks-from", "openmetrics"]
    command = [*blocks, str(tmp_path / "history.om"), str(tmp_path / "tsdb")]
    made = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=False)
    assert made.returncode == 0, made.stderr
    async with servers.prometheus(tmp_path, "global: {}\n") as upstream:
        async with servers.slod(tmp_path, CONFIG.format(url=upstream)) as (url, _):
            for slo, bad in SLOS.items():
                for window in ("1h", "3h"):
                    peers = await asked(url, slo, window)
                    assert peers["end"] == end
                    quiet = (slo, window) == ("pod", "3h")
                    sloth = await agree(upstream, peers, bad)
                    assert sloth is not None
                    assert math.isnan(sloth) == quiet
                    assert ("0/0 is NaN" in " ".join(peers["differences"])) == quiet
            peers = await asked(url, "shop", "1h")
            said = {row["by"]: row for row in peers["counts"]}
            assert said["slod"]["bad"] == 50 + 2 * math.floor(BORN / SPACING)
            assert said["increase"]["bad"] < said["slod"]["bad"] - 48
            assert "50.0 bad events" in " ".join(peers["differences"])
            command = [sys.executable, "-m", "exporter", "explain", "shop", "--url", url]
            shown = await asyncio.to_thread(subprocess.run, command, capture_output=True)
            assert (shown.returncode, shown.stderr) == (0, b"")
            assert max(map(len, shown.stdout.decode().splitlines())) <= 100
