"""Types of metrics behind a Prometheus, as their targets' pages name them.

Kept in memory by the server that scrapes, so that Thanos, Mimir and VictoriaMetrics often know
none: what is not known is left out.

Source: Prometheus documentation, "HTTP API", querying metric metadata.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from exporter.config.settings import PrometheusSource
from exporter.http import Client, TransportError

_MOST = 100
"""Metrics that are asked for, each with a request of its own."""


class _Entry(msgspec.Struct):
    type: str = ""


class _Answer(msgspec.Struct):
    data: dict[str, list[_Entry]] = {}


_decode = msgspec.json.Decoder(_Answer).decode


async def metric_types(
    settings: PrometheusSource, client: Client, names: Iterable[str]
) -> dict[str, str]:
    """Ask for the types of metrics by their families' names. Left out is a metric that is unknown,
    or that different targets give different types."""
    url = f"{settings.url.rstrip('/')}/api/v1/metadata"
    types: dict[str, str] = {}
    for name in sorted(set(names))[:_MOST]:
        try:
            answer = await client.request("GET", url, params={"metric": name})
            entries = _decode(answer.body).data.get(name, []) if answer.status == 200 else []
        except (TransportError, msgspec.DecodeError, UnicodeDecodeError):
            # A hint is all it is: the samples themselves are what counts.
            return types
        kinds = {entry.type for entry in entries} - {"", "unknown", "untyped"}
        if len(kinds) == 1:
            types[name] = kinds.pop()
    return types
