"""History into real servers: remote write for a Prometheus, import for a VictoriaMetrics."""

from __future__ import annotations

import json

import aiohttp

from bench.remote_write import HEADERS, series, snappy
from tests.real.past import Month, by_day

_AT_ONCE = 20_000


async def remote_write(url: str, month: Month) -> None:
    """All of a month into a Prometheus that takes it, see `bench.remote_write`."""
    async with aiohttp.ClientSession() as session:
        for part in by_day(month):
            body, samples = bytearray(), 0
            for name, labels, times, values in part:
                body += series(name, labels, times, values)
                samples += len(times)
                if samples >= _AT_ONCE:
                    await _post(session, url, bytes(body))
                    body, samples = bytearray(), 0
            await _post(session, url, bytes(body))


async def _post(session: aiohttp.ClientSession, url: str, body: bytes) -> None:
    answer = await session.post(f"{url}/api/v1/write", data=snappy(body), headers=HEADERS)
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
