"""A receiver of webhooks that remembers what it took, and refuses now and then."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

from tests.sources.kit import serving, web


class Heard(NamedTuple):
    """One request: its Idempotency-Key, its body, and the alert in it."""

    key: str
    body: bytes
    alert: dict[str, Any]


class Hook:
    """Takes notifications; `deafness` is the share of requests that are answered 503."""

    def __init__(self, deafness: float = 0.0, seed: int = 0) -> None:
        self.heard: list[Heard] = []
        self.url = ""
        self._deafness = deafness
        self._rng = random.Random(seed)

    async def answer(self, request: web.Request) -> web.Response:
        """One POST; only what is answered 200 counts as heard."""
        body = await request.read()
        alert = json.loads(body)["alerts"][0]
        refuse = self._rng.random() < self._deafness
        if not refuse:
            self.heard.append(Heard(request.headers["Idempotency-Key"], body, alert))
        return web.Response(status=503 if refuse else 200)

    def keys(self, name: str, status: str) -> set[str]:
        """The keys of an alert's notifications; the same one again is nothing new."""
        found = [h for h in self.heard if h.alert["status"] == status]
        return {h.key for h in found if h.alert["labels"]["alertname"] == name}

    def last(self, name: str) -> str | None:
        """What an alert's newest notification says."""
        found = (h.alert for h in reversed(self.heard))
        return next((a["status"] for a in found if a["labels"]["alertname"] == name), None)


@contextlib.asynccontextmanager
async def hook(deafness: float = 0.0, seed: int = 0) -> AsyncIterator[Hook]:
    """A receiver that listens."""
    one = Hook(deafness, seed)
    async with serving(one.answer) as url:
        one.url = f"{url}/"
        yield one
