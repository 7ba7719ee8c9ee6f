"""What the receivers' tests share: alerts, a listening HTTP server, receivers by their TOML."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from exporter.app.receivers import make_receiver
from exporter.config.load import parse
from exporter.core.notification import Notification, Reason
from exporter.receivers.base import Receiver
from exporter.receivers.words import Count, ignore

SLOD = "https://slod.example"
LABELS = {
    "alertname": "ErrorBudgetBurn",
    "slo": "checkout-availability",
    "service": "checkout",
    "severity": "page",
    "long_window": "1h",
    "short_window": "5m",
}
NOTES = {
    "summary": "checkout: error budget burns 20.0x over 1h",
    "description": "9 bad of 99 events & <rising>.",
    "budget_remaining": "0.4321",
    "exhausts_in": "1d 2h",
    "owner": "payments",
    "action": "freeze deploys",
    "runbook_url": "https://runbooks.example/burn?a=1&b=2",
}
SINCE, UNTIL = 1_700_000_000.25, 1_700_000_600.0
FIRING = Notification("k 1:firing", "00ff", Reason.FIRING, LABELS, NOTES, SINCE, None)
RESOLVED = Notification("k 2:resolved", "00ff", Reason.RESOLVED, LABELS, NOTES, SINCE, UNTIL)
NOW = 1_700_000_700.0


def like(labels: dict[str, str], notes: dict[str, str]) -> Notification:
    """A firing alert that says something else."""
    return Notification("k 3", "aa11", Reason.FIRING, labels, notes, SINCE, None)


@dataclass(frozen=True)
class Heard:
    """One request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Listener:
    """Remembers what it was told and answers as it is told to."""

    def __init__(self) -> None:
        self.status = 200
        self.text = "ok"
        self.headers: dict[str, str] = {}
        self.requests: list[Heard] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        heard = Heard(
            request.method,
            request.path,
            dict(request.query),
            dict(request.headers),
            await request.read(),
        )
        self.requests.append(heard)
        return web.Response(status=self.status, text=self.text, headers=self.headers)

    @property
    def one(self) -> Heard:
        [heard] = self.requests
        return heard


@asynccontextmanager
async def listening(tls: ssl.SSLContext | None = None) -> AsyncIterator[Listener]:
    """A listener on a port of its own."""
    listener = Listener()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listener.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    scheme = "http" if tls is None else "https"
    listener.url = f"{scheme}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield listener
    finally:
        await runner.cleanup()


def receiver(kind: str, text: str, count: Count = ignore) -> Receiver:
    """The receiver that these lines of TOML make."""
    return from_page(f'[receiver.told]\ntype = "{kind}"\n{text}', count)


def from_page(text: str, count: Count = ignore) -> Receiver:
    """The one receiver of a whole configuration."""
    [settings] = parse(text, "slod.toml").receivers.values()
    [made] = make_receiver(settings, SLOD, count)
    return made
