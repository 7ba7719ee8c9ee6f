"""Opsgenie's Alert API: an alert is created when it fires and closed, by its alias, when it ends.

Source: Opsgenie documentation, "Alert API", "Create Alert" (message: 130 characters, alias: 512,
description: 15000, tags: 20 of 50, details: 8000 in all, entity: 512, source: 100, priority: P1 to
P5) and "Close Alert" (`identifierType=alias`). Both are answered by 202; 429 is tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from exporter.config.receivers import OpsgenieReceiver as Settings
from exporter.core.notification import Notification
from exporter.http import Client
from exporter.receivers.payload import post, read_secret
from exporter.receivers.words import Count, Writer, ignore, shortened, summary
from exporter.redaction import redact

MESSAGE = 130
ALIAS = 512
DESCRIPTION = 15_000
DETAILS = 8_000
TAG = 50
TAGS = 20
ENTITY = 512
_PRIORITIES = {"page": "P1", "ticket": "P3"}


class OpsgenieReceiver:
    """One API integration."""

    resend: float | None = None

    def __init__(
        self,
        settings: Settings,
        client: Client,
        *,
        external_url: str | None,
        count: Count = ignore,
    ) -> None:
        self.name = settings.name
        self.endpoint = f"{settings.name} {redact(settings.url)}"
        self.severities: Sequence[str] = settings.severities
        self._settings = settings
        self._client = client
        self._priorities = {**_PRIORITIES, **settings.priority_map}
        self._writer = Writer(
            settings.name, external_url, msgspec.structs.asdict(settings.templates), count
        )

    async def send(self, notifications: Sequence[Notification], now: float) -> None:
        """Deliver them one after the other; `DeliveryError` at the first that is not taken."""
        base = self._settings.url.rstrip("/") + "/v2/alerts"
        for notification in notifications:
            alias = notification.fingerprint[:ALIAS]
            if notification.ends_at is None:
                url, body = base, self._alert(notification, alias)
            else:
                url = f"{base}/{quote(alias, safe='')}/close?identifierType=alias"
                note = f"slod: resolved. {summary(notification)}"
                body = {"source": "slod", "note": shortened(note, DESCRIPTION)}
            headers = {
                "Authorization": f"GenieKey {read_secret(self._settings.api_key)}",
                "Idempotency-Key": notification.key,
            }
            await post(self._client, url, msgspec.json.encode(body), headers)

    def _alert(self, notification: Notification, alias: str) -> dict[str, Any]:
        labels = notification.labels
        title, text = self._writer.plain(notification)
        # Opsgenie shows the priority beside the message.
        said = title if self._settings.templates.title else summary(notification)
        tags = [*self._settings.tags, *(f"{k}:{labels[k]}" for k in _TAGS if labels.get(k))]
        return {
            "message": shortened(said, MESSAGE),
            "alias": alias,
            "description": shortened(text, DESCRIPTION),
            "priority": self._priorities.get(notification.severity, "P3"),
            "tags": [shortened(tag, TAG) for tag in tags[:TAGS]],
            "details": _details(notification),
            "entity": shortened(labels.get("service") or labels.get("slo", ""), ENTITY),
            "source": "slod",
        }

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.close()


_TAGS = ("alertname", "severity", "service", "slo")


def _details(notification: Notification) -> dict[str, str]:
    """Labels, then annotations, as far as there is room; the report is the description."""
    out: dict[str, str] = {}
    room = DETAILS
    for key, value in (*notification.labels.items(), *notification.annotations.items()):
        size = len(key) + len(value)
        if key != "report" and size <= room:
            out[key] = value
            room -= size
    return out
