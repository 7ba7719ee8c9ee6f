"""The metrics page of 100,000 samples: our writer against prometheus_client's, in the same run.

Run: `python bench/exposition.py`. Goal: at most 30 ms for the writer. "page" is the whole way from
a snapshot of 2,500 SLOs (40 samples each) to bytes, with labels known from the tick before.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from exporter.core.selector import Selector
from exporter.core.slo import SLO, CounterSLI, Rule, Window
from exporter.core.status import RuleStatus, SLOStatus, Snapshot, WindowStatus
from exporter.web.exposition import Family, labels, write_openmetrics, write_text
from exporter.web.metrics_page import pack
from exporter.web.slo_metrics import SLOMetrics

_SAMPLES = 100_000
_LENGTHS = {
    "5m": 300,
    "30m": 1800,
    "1h": 3600,
    "2h": 7200,
    "6h": 21_600,
    "1d": 86_400,
    "3d": 259_200,
}
_RULES = (
    ("page", "1h", "5m"),
    ("page", "6h", "30m"),
    ("ticket", "1d", "2h"),
    ("ticket", "3d", "6h"),
)


def run(rounds: int = 7) -> list[dict[str, Any]]:
    """Rows of name, ours_s, peer, peer_s, ratio (peer over ours); medians in seconds."""
    rng = random.Random(1)
    values = [rng.random() * 1000 for _ in range(_SAMPLES)]
    registry = CollectorRegistry()
    gauge = Gauge("slo_burn_rate", "Burn rate.", ["slo", "service", "window"], registry=registry)
    samples = []
    for at, value in enumerate(values):
        own = {"slo": f"slo-{at // 8}", "service": "checkout", "window": f"{at % 8}h"}
        gauge.labels(**own).set(value)
        samples.append((labels(own), value))
    families = [Family.of("slo_burn_rate", "gauge", "Burn rate.", samples)]
    assert write_text(families).count(b"\n") == generate_latest(registry).count(b"\n")

    peer = _median(lambda: generate_latest(registry), max(3, rounds // 2))
    snapshot = _snapshot(rng)
    metrics = SLOMetrics()
    page = metrics.families(snapshot)
    count = sum(len(family.values) for family in page)
    per_sample = _SAMPLES / count
    body = write_text(page)
    ours = {
        "exposition text, 100,000 samples": _median(lambda: write_text(families), rounds),
        "exposition openmetrics, 100,000 samples": _median(
            lambda: write_openmetrics(families), rounds
        ),
        "exposition page from snapshot, per 100,000 samples": per_sample
        * _median(lambda: write_text(metrics.families(snapshot)), rounds),
        "exposition gzip, per 100,000 samples": per_sample * _median(lambda: pack(body), rounds),
    }
    rows: list[dict[str, Any]] = []
    for name, seconds in ours.items():
        compared = "gzip" not in name
        rows.append(
            {
                "name": name,
                "ours_s": seconds,
                "peer": "prometheus_client.generate_latest" if compared else None,
                "peer_s": peer if compared else None,
                "ratio": peer / seconds if compared else None,
            }
        )
    return rows


def _median(work: Callable[[], object], rounds: int) -> float:
    times = []
    gc.collect()
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def _snapshot(rng: random.Random) -> Snapshot:
    windows = {name: Window(name, float(seconds)) for name, seconds in _LENGTHS.items()}
    rules = tuple(Rule(sev, windows[long], windows[short], 1.0) for sev, long, short in _RULES)
    sli = CounterSLI(bad=Selector("bad"), total=Selector("all"))
    period = Window("30d", 2_592_000.0)
    states = ("ok", "warning", "freeze_discussion", "exhausted")
    statuses = []
    for at in range(2500):
        slo = SLO(f"slo-{at}", "checkout", 0.999, period, "prom", sli, 15.0, rules=rules)
        statuses.append(
            SLOStatus(
                slo=slo,
                labels={"team": "payments"},
                good_total=float(rng.randrange(10**9)),
                bad_total=float(rng.randrange(10**5)),
                windows=tuple(
                    WindowStatus(w.label, w.seconds, rng.random() * 1e6, rng.random() * 1e3, 1.0)
                    for w in (*windows.values(), period)
                ),
                budget_remaining=rng.random(),
                budget_remaining_events=rng.random() * 1e4,
                exhaustion_seconds=rng.random() * 1e6,
                rules=tuple(
                    RuleStatus(r.severity, r.long.label, r.short.label, r.rate, False, None)
                    for r in rules
                ),
                policy_state="ok",
                states=states,
                gate_open=True,
                ledger_bytes=16_384,
            )
        )
    return Snapshot(1_700_000_000.0, tuple(statuses))


if __name__ == "__main__":
    for row in run():
        peer = f"  {row['peer']} {row['peer_s']:.4f} s  {row['ratio']:.1f}x" if row["peer"] else ""
        print(f"{row['name']}: {row['ours_s'] * 1000:.1f} ms{peer}")
