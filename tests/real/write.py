"""History into real servers: remote write for a Prometheus, import for a VictoriaMetrics.

Source: Prometheus remote-write specification 1.0; snappy's block format, of which an encoding by
literals alone is a valid one.
"""

from __future__ import annotations

import json
import struct
from array import array

import aiohttp

from tests.real.past import Labels, Month, by_day

RECEIVES = "--web.enable-remote-write-receiver"
OUT_OF_ORDER = "storage: {tsdb: {out_of_order_time_window: 40d}}\n"
_AT_ONCE = 20_000


async def remote_write(url: str, month: Month) -> None:
    """All of a month into a Prometheus that was started with `RECEIVES` and `OUT_OF_ORDER`."""
    headers = {
        "Content-Encoding": "snappy",
        "Content-Type": "application/x-protobuf",
        "X-Prometheus-Remote-Write-Version": "0.1.0",
    }
    async with aiohttp.ClientSession() as session:
        for part in by_day(month):
            body, samples = bytearray(), 0
            for name, labels, times, values in part:
                body += series(name, labels, times, values)
                samples += len(times)
                if samples >= _AT_ONCE:
                    await _post(session, url, bytes(body), headers)
                    body, samples = bytearray(), 0
            await _post(session, url, bytes(body), headers)


async def _post(
    session: aiohttp.ClientSession, url: str, body: bytes, headers: dict[str, str]
) -> None:
    answer = await session.post(f"{url}/api/v1/write", data=snappy(body), headers=headers)
    assert answer.status in (200, 204), await answer.text()


async def victoria_import(url: str, month: Month) -> None:
    """All of a month into a VictoriaMetrics."""
    async with aiohttp.ClientSession() as session:
        for part in by_day(month):
            lines = [
                json.dumps(
                    {
                        "metric": {"__name__": name, **dict(labels)},
                        "values": list(values),
                        "timestamps": [round(t * 1000) for t in times],
                    }
                )
                for name, labels, times, values in part
            ]
            answer = await session.post(f"{url}/api/v1/import", data="\n".join(lines) + "\n")
            assert answer.status == 204, await answer.text()


def series(name: str, labels: Labels, times: array[float], values: array[float]) -> bytes:
    """A TimeSeries as field 1 of a WriteRequest."""
    body = bytearray()
    for key, value in sorted((("__name__", name), *labels)):
        inside = _text(1, key) + _text(2, value)
        body += b"\x0a" + _varint(len(inside)) + inside
    for time, value in zip(times, values, strict=True):
        sample = b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(round(time * 1000))
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
