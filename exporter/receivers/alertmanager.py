"""Alertmanager's API v2: `POST /api/v2/alerts`.

Alertmanager is level-triggered: an alert that is not said again ends at its `endsAt`. As Prometheus
does, a firing one gets an `endsAt` four resend intervals ahead, so that it ends by itself if slod
is gone for good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from exporter.config.receivers import AlertmanagerReceiver as Settings
from exporter.core.notification import Notification
from exporter.http import Client
from exporter.receivers.link import where
from exporter.receivers.payload import post, rfc3339
from exporter.redaction import redact

_VALID_FOR = 4
_MOST_AT_ONCE = 64


class AlertmanagerReceiver:
    """One Alertmanager of a receiver."""

    def __init__(
        self, settings: Settings, url: str, client: Client, *, external_url: str | None
    ) -> None:
        self.name = settings.name
        self.endpoint = f"{settings.name} {redact(url)}"
        self.severities: Sequence[str] = settings.severities
        self.resend: float | None = float(settings.resend)
        self._url = url.rstrip("/") + "/api/v2/alerts"
        self._client = client
        self._external = external_url

    async def send(self, notifications: Sequence[Notification], now: float) -> None:
        """Deliver all of them or raise `DeliveryError`."""
        for low in range(0, len(notifications), _MOST_AT_ONCE):
            some = notifications[low : low + _MOST_AT_ONCE]
            body = msgspec.json.encode([self._alert(n, now) for n in some])
            await post(self._client, self._url, body, {})

    def _alert(self, notification: Notification, now: float) -> Mapping[str, Any]:
        ends = notification.ends_at
        if ends is None:
            ends = now + _VALID_FOR * (self.resend or 0.0)
        url = where(self._external, notification.labels)
        return {
            "labels": notification.labels,
            "annotations": notification.annotations,
            "startsAt": rfc3339(notification.starts_at),
            "endsAt": rfc3339(ends),
            **({"generatorURL": url} if url else {}),
        }

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.close()
