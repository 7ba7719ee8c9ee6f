"""Reading a page of 49,000 samples for one family of 1,000 series."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from bench.measure import Row, timed
from exporter.core.selector import parse_selector
from exporter.sources.exposition import PageReader

_WANTED = (
    ("one counter family of 1,000 series wanted", ('metric_25_total{code="200"}',), 2e-3),
    ("one histogram of 11,000 wanted", ('h_bucket{le="0.5"}', "h_count"), 4e-3),
)


def run(series: int = 1000, times: int = 31, peer_times: int = 3) -> list[Row]:
    """Seconds a page, once the reader knows the page."""
    body = page(series)
    text = body.decode()
    peer = timed(lambda: list(text_string_to_metric_families(text)), peer_times)
    rows = []
    for name, wants, goal in _WANTED:
        selectors = [parse_selector(want) for want in wants]
        reader = PageReader(selectors, "t", {}, max_series=10**6)

        def read(reader: PageReader = reader) -> None:
            assert reader.read(body, "text/plain", 1.0).readings

        ours = timed(read, times)
        label = f"a page of {len(body) / 1e6:.1f} MB, {name}"
        rows.append(Row(label, ours, "s", goal, "prometheus_client.parser", peer))
    return rows


def page(series: int) -> bytes:
    """38 counter families of so many series, and a histogram: 49 samples a series."""
    lines = []
    for family in range(38):
        lines.append(f"# TYPE metric_{family}_total counter")
        lines += [
            f'metric_{family}_total{{instance="10.0.0.{i % 256}:8080",route="/api/v1/items/{i}",'
            f'code="200",pod="shop-{i}-abc"}} {i * 37.5 + family}'
            for i in range(series)
        ]
    lines.append("# TYPE h histogram")
    for i in range(series):
        labels = f'route="/api/v1/items/{i}",code="200",pod="shop-{i}-abc"'
        bounds = ("0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf")
        lines += [f'h_bucket{{{labels},le="{le}"}} {i + n}.0' for n, le in enumerate(bounds)]
        lines += [f"h_sum{{{labels}}} {i}.5", f"h_count{{{labels}}} {i + 8}.0"]
    return ("\n".join(lines) + "\n").encode()
