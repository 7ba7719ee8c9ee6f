"""Reading a page of 49,000 samples for one family of 1,000 series, in text and in protobuf."""

from __future__ import annotations

import struct
from math import inf

from prometheus_client.parser import text_string_to_metric_families

from bench.measure import Row, timed
from exporter.core.selector import parse_selector
from exporter.sources.exposition import PageReader

_PROTOBUF = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
_BOUNDS = ("0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf")
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
    packed = protobuf_page(series)
    for name, wants, _ in _WANTED:
        selectors = [parse_selector(want) for want in wants]
        reader = PageReader(selectors, "t", {}, max_series=10**6)

        def unpack(reader: PageReader = reader) -> None:
            assert reader.read(packed, _PROTOBUF, 1.0).readings

        label = f"the same in protobuf, {len(packed) / 1e6:.1f} MB, {name}"
        rows.append(Row(label, timed(unpack, times), "s"))
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
        lines += [f'h_bucket{{{labels},le="{le}"}} {i + n}.0' for n, le in enumerate(_BOUNDS)]
        lines += [f"h_sum{{{labels}}} {i}.5", f"h_count{{{labels}}} {i + 8}.0"]
    return ("\n".join(lines) + "\n").encode()


def protobuf_page(series: int) -> bytes:
    """The same page as client_golang writes it in protobuf, with created times."""
    created = _message(3, _whole(1, 1_700_000_000), _whole(2, 500_000_000))
    out = []
    for family in range(38):
        metrics = [
            _labels(
                code="200",
                instance=f"10.0.0.{i % 256}:8080",
                pod=f"shop-{i}-abc",
                route=f"/api/v1/items/{i}",
            )
            + _message(3, _double(1, i * 37.5 + family), created)
            for i in range(series)
        ]
        out.append(_family(f"metric_{family}_total", 0, metrics))
    created = _message(15, _whole(1, 1_700_000_000), _whole(2, 500_000_000))
    metrics = []
    for i in range(series):
        buckets = [
            _message(3, _whole(1, i + n), _double(2, inf if le == "+Inf" else float(le)))
            for n, le in enumerate(_BOUNDS)
        ]
        labels = _labels(code="200", pod=f"shop-{i}-abc", route=f"/api/v1/items/{i}")
        metrics.append(
            labels + _message(7, _whole(1, i + 8), _double(2, i + 0.5), *buckets, created)
        )
    out.append(_family("h", 4, metrics))
    return b"".join(out)


def _family(name: str, kind: int, metrics: list[bytes]) -> bytes:
    inside = _message(1, name.encode()) + _whole(3, kind)
    inside += b"".join(_message(4, metric) for metric in metrics)
    return _varint(len(inside)) + inside


def _labels(**labels: str) -> bytes:
    return b"".join(
        _message(1, _message(1, name.encode()), _message(2, value.encode()))
        for name, value in labels.items()
    )


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _whole(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _double(number: int, value: float) -> bytes:
    return _varint(number << 3 | 1) + struct.pack("<d", value)


def _message(number: int, *parts: bytes) -> bytes:
    inside = b"".join(parts)
    return _varint(number << 3 | 2) + _varint(len(inside)) + inside
