"""The stage of every case: a daemon on a clock and a network that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import structlog

from exporter.app import work
from exporter.http import Client
from exporter.sources import beats
from tests.cases.stage import Network, Stage, inline

_components = msgspec.json.schema_components
_schemas: dict[tuple[Any, ...], Any] = {}


def _schema_components(types: Any, **options: Any) -> Any:
    """As msgspec's, made once: it takes half of a daemon's start, and is the same for all."""
    key = (*types, *sorted(options.items()))
    if key not in _schemas:
        _schemas[key] = _components(types, **options)
    return _schemas[key]


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A stage that is cleared in the end."""
    network = Network()

    async def request(client: Client, *args: object, **more: object) -> object:
        return await network.request(client, *args, **more)  # type: ignore[arg-type]

    loop = asyncio.get_running_loop()
    monkeypatch.setattr(msgspec.json, "schema_components", _schema_components)
    monkeypatch.setattr(loop, "run_in_executor", inline(loop))
    monkeypatch.setattr(Client, "request", request)
    # Polls are ticks enough: what only time changes need not be looked at between them.
    monkeypatch.setattr(work, "BEAT", 60.0, raising=False)
    # Every interval begins with a scrape: looks are evenly spaced from the first one on.
    monkeypatch.setattr(beats, "phase", lambda target: 0.0)
    with structlog.testing.capture_logs() as log:
        stage = Stage(tmp_path, network, log)
        try:
            yield stage
        finally:
            await stage.stop()
