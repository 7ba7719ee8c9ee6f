"""Past samples into a Prometheus by remote write, fast enough for months of them.

Source: Prometheus remote-write specification 1.0; snappy's block format, of which an encoding by
literals alone is a valid one.
"""

from __future__ import annotations

import struct
from array import array

RECEIVES = "--web.enable-remote-write-receiver"
OUT_OF_ORDER = "storage: {tsdb: {out_of_order_time_window: 40d}}\n"
"""What a Prometheus is started with that takes them."""
HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
}
Labels = tuple[tuple[str, str], ...]


def series(name: str, labels: Labels, times: array[float], values: array[float]) -> bytes:
    """A TimeSeries as field 1 of a WriteRequest."""
    body = bytearray()
    for key, value in sorted((("__name__", name), *labels)):
        inside = _text(1, key) + _text(2, value)
        body += b"\x0a" + _varint(len(inside)) + inside
    for time, number in zip(times, values, strict=True):
        sample = b"\x09" + struct.pack("<d", number) + b"\x10" + _varint(round(time * 1000))
        body += b"\x12" + _varint(len(sample)) + sample
    return b"\x0a" + _varint(len(body)) + bytes(body)


def snappy(body: bytes) -> bytes:
    """The block format, by literals alone."""
    out = bytearray(_varint(len(body)))
    for low in range(0, len(body), 65_536):
        chunk = body[low : low + 65_536]
        out += b"\xf4" + struct.pack("<H", len(chunk) - 1) + chunk
    return bytes(out)


def _text(number: int, text: str) -> bytes:
    raw = text.encode()
    return bytes([number << 3 | 2]) + _varint(len(raw)) + raw


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)
