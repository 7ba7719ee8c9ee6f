"""Reading a page of 49,000 samples for one family of 1,000 series, beside the client library."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from exporter.core.selector import parse_selector
from exporter.sources.exposition import PageReader


def run() -> list[dict[str, Any]]:
    """Seconds a page, medians, once the reader knows the page."""
    body = _page()
    text = body.decode()
    peer = _timed(lambda: list(text_string_to_metric_families(text)), 3)
    rows = []
    for name, wants in (
        ("one counter family wanted", ['metric_25_total{code="200"}']),
        ("one histogram family wanted", ['h_bucket{le="0.5"}', "h_count"]),
    ):
        selectors = [parse_selector(want) for want in wants]
        reader = PageReader(selectors, "t", {}, max_series=10**6)
        ours = _timed(lambda reader=reader: reader.read(body, "text/plain", 1.0), 15)  # type: ignore[misc]
        rows.append(
            {
                "name": f"a {len(body) / 1e6:.1f} MB page, {name}",
                "ours_s": ours,
                "peer": "prometheus_client.parser",
                "peer_s": peer,
                "ratio": peer / ours,
            }
        )
    return rows


def _timed(work: Callable[[], object], times: int) -> float:
    work()
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return median(taken)


def _page() -> bytes:
    lines = []
    for family in range(37):
        lines.append(f"# TYPE metric_{family}_total counter")
        lines += [
            f'metric_{family}_total{{instance="10.0.0.{i % 256}:8080",route="/api/v1/items/{i}",'
            f'code="200",pod="pod-{i}"}} {i * 37.5 + family}'
            for i in range(1000)
        ]
    lines.append("# TYPE h histogram")
    for i in range(1000):
        labels = f'route="/api/v1/items/{i}",code="200",pod="pod-{i}"'
        bounds = ("0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf")
        lines += [f'h_bucket{{{labels},le="{le}"}} {i + n}.0' for n, le in enumerate(bounds)]
        lines += [f"h_sum{{{labels}}} {i}.5", f"h_count{{{labels}}} {i + 8}.0"]
    return ("\n".join(lines) + "\n").encode()


if __name__ == "__main__":
    for row in run():
        print(row)
