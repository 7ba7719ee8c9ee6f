"""Events as annotations in Grafana: `POST /api/annotations`, and `PATCH` for the end of one.

Source: Grafana's documentation, "Annotations HTTP API": `time` and `timeEnd` in milliseconds,
`tags`, `text`; the answer has the `id`. A token of a service account goes as a bearer token.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from exporter.clock import Clock
from exporter.config.timeline import Grafana as Settings
from exporter.core.timeline import Event
from exporter.errors import ConfigError, SlodError
from exporter.http import Client, TransportError

log = structlog.get_logger()

MOST = 1000
"""So many wait for a Grafana that does not answer; the oldest are dropped."""
_FIRST, _LONGEST = 1.0, 60.0
_GOOD = range(200, 300)
_LATER = frozenset({408, 425, 429})


class Annotations:
    """Tells one Grafana; nothing waits for it. Without settings it does nothing."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._settings: Settings | None = None
        self._client: Client | None = None
        self._waiting: deque[Event] = deque(maxlen=MOST)
        self._some = asyncio.Event()
        self._ids: dict[str, int] = {}

    async def configure(self, settings: Settings | None) -> None:
        """Tell this one from now on."""
        if settings == self._settings:
            return
        old, self._settings = self._client, settings
        self._client = Client(settings) if settings is not None else None
        if old is not None:
            await old.close()

    def tell(self, event: Event) -> None:
        """Of an event that is new, has ended, or was blamed for something."""
        if self._settings is not None:
            self._waiting.append(event)
            self._some.set()

    async def run(self) -> None:
        """Tell what there is to tell, until cancelled."""
        try:
            while True:
                await self._some.wait()
                pause = _FIRST
                while self._waiting:
                    event = self._waiting.popleft()
                    try:
                        told = await self._told(event)
                    except Exception:
                        # After the others, so that it holds up none of them.
                        self._waiting.append(event)
                        raise
                    if told:
                        pause = _FIRST
                    else:
                        if len(self._waiting) < MOST:
                            self._waiting.appendleft(event)
                        await self._clock.sleep(pause)
                        pause = min(2 * pause, _LONGEST)
                self._some.clear()
        finally:
            if self._client is not None:
                await self._client.close()

    async def _told(self, event: Event) -> bool:
        """Whether it is told, or cannot be told ever."""
        settings, client = self._settings, self._client
        if settings is None or client is None:
            return True
        known = self._ids.get(event.id)
        text = _text(event)
        body: dict[str, Any] = {"text": text, "tags": _tags(event, settings)}
        if known is None:
            body["time"] = round(event.start * 1000)
        if event.end is not None:
            body["timeEnd"] = round(event.end * 1000)
        path = "/api/annotations" if known is None else f"/api/annotations/{known}"
        method = "POST" if known is None else "PATCH"
        try:
            answer = await client.request(
                method,
                settings.url.rstrip("/") + path,
                body=msgspec.json.encode(body),
                headers={"Content-Type": "application/json", **_login(settings)},
            )
        except (TransportError, ConfigError) as error:
            _warn(event, error)
            return False
        if answer.status in _GOOD:
            if known is None:
                self._note(event.id, answer.body)
            return True
        said = " ".join(answer.body[:200].decode("utf-8", "replace").split())
        later = answer.status >= 500 or answer.status in _LATER
        _warn(event, SlodError(f"Grafana answered {answer.status}: {said}"), given_up=not later)
        return not later

    def _note(self, ident: str, body: bytes) -> None:
        try:
            self._ids[ident] = int(msgspec.json.decode(body)["id"])
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
            log.debug("grafana.no_id", id=ident)
        while len(self._ids) > MOST:
            del self._ids[next(iter(self._ids))]


def _text(event: Event) -> str:
    said = [f"{event.kind}: {event.name}", f"by {event.by}" * bool(event.by), event.link]
    said += [
        f"{one.title} burns {one.after:.3g}x since then, {one.before:.3g}x before"
        for one in event.blamed
    ]
    return "\n".join(line for line in said if line)


def _tags(event: Event, settings: Settings) -> list[str]:
    blamed = ["blamed"] if event.blamed else []
    return [*settings.tags, event.kind, *filter(None, [event.service]), *event.slos, *blamed]


def _login(settings: Settings) -> Mapping[str, str]:
    return {} if settings.token is None else {"Authorization": f"Bearer {settings.token.read()}"}


def _warn(event: Event, error: Exception, *, given_up: bool = False) -> None:
    log.warning("grafana.not_told", id=event.id, error=str(error), given_up=given_up)
