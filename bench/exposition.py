"""The metrics page of 100,000 samples: written, made from a snapshot, and packed."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import random
from collections.abc import Callable, Sequence
from itertools import count

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from bench import history
from bench.measure import Row, timed
from exporter.app.page import page
from exporter.web.exposition import Family, labels
from exporter.web.metrics_page import MetricsPage
from exporter.web.self_metrics import SelfMetrics

_PEER = "prometheus_client.generate_latest"


def run(samples: int = 100_000, times: int = 9) -> list[Row]:
    """Seconds for 100,000 samples."""
    # Not asyncio.Runner, which writes its task's result, the whole page, into a message each time.
    with contextlib.closing(asyncio.new_event_loop()) as loop:
        return _run(loop, samples, times)


def _run(loop: asyncio.AbstractEventLoop, samples: int, times: int) -> list[Row]:
    rng = random.Random(1)
    registry = CollectorRegistry()
    gauge = Gauge("slo_burn_rate", "Burn rate.", ["slo", "service", "window"], registry=registry)
    written = []
    for at in range(samples):
        own = {"slo": f"slo-{at // 8}", "service": "checkout", "window": f"{at % 8}h"}
        value = rng.random() * 1000
        gauge.labels(**own).set(value)
        written.append((labels(own), value))
    families = [Family.of("slo_burn_rate", "gauge", "Burn rate.", written)]
    theirs = timed(lambda: generate_latest(registry), max(2, times // 3))
    latest = generate_latest(registry)
    assert body(loop, lambda: families)().count(b"\n") == latest.count(b"\n")
    # prometheus_client packs with the default level, anew for each request.
    packed = timed(lambda: gzip.compress(latest), 2)

    # 42 samples or so of each SLO.
    engine = history.engine(max(1, samples // 42))
    snapshot = engine.status(history.month().end)
    make, metrics = page(()), SelfMetrics("bench")
    share = body(loop, lambda: make(snapshot, metrics))().count(b"\n") / samples
    pack = _packing(loop, families, times)
    size = f"{samples:,} samples"
    return [
        Row(
            f"writing /metrics of {size}",
            timed(body(loop, lambda: families), times),
            "s",
            0.03,
            _PEER,
            theirs,
        ),
        Row(
            f"writing it as OpenMetrics, {size}",
            timed(body(loop, lambda: families, openmetrics=True), times),
            "s",
            None,
            _PEER,
            theirs,
        ),
        Row(
            f"from a snapshot of all SLOs to the page, per {size}",
            timed(body(loop, lambda: make(snapshot, metrics)), times) / share,
            "s",
            None,
            _PEER,
            theirs,
        ),
        Row(
            f"gzip of {size}, once per change",
            pack,
            "s",
            None,
            "prometheus_client's, for each request",
            packed,
        ),
    ]


def _packing(loop: asyncio.AbstractEventLoop, families: list[Family], times: int) -> float:
    """Seconds of packing a page that was written."""
    version = 0
    shown = MetricsPage(lambda: families, lambda: version)

    def ask(*, packed: bool) -> bytes:
        return loop.run_until_complete(shown.body(openmetrics=False, packed=packed))

    def change() -> None:
        nonlocal version
        version += 1
        ask(packed=False)

    return timed(lambda: ask(packed=True), times, before=change)


def body(
    loop: asyncio.AbstractEventLoop,
    families: Callable[[], Sequence[Family]],
    *,
    openmetrics: bool = False,
) -> Callable[[], bytes]:
    """Asks for the page again and again; it has changed each time."""
    version = count()
    shown = MetricsPage(families, lambda: next(version))
    return lambda: loop.run_until_complete(shown.body(openmetrics=openmetrics, packed=False))
