"""Alertmanager's webhook JSON, version 4, straight from slod: one POST for each notification.

Source: Alertmanager documentation, `<webhook_config>`. The signature is HMAC-SHA256 (RFC 2104) over
the body, in hex.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import msgspec

from exporter.config.receivers import WebhookReceiver as Settings
from exporter.core.notification import Notification
from exporter.http import Client
from exporter.receivers.link import where
from exporter.receivers.payload import post, read_secret, rfc3339
from exporter.redaction import redact

_NOT_ENDED = "0001-01-01T00:00:00Z"
"""Go's zero time, which is what Alertmanager sends while an alert fires."""


class WebhookReceiver:
    """One URL that takes notifications as they come."""

    resend: float | None = None

    def __init__(self, settings: Settings, client: Client, *, external_url: str | None) -> None:
        self.name = settings.name
        self.endpoint = f"{settings.name} {redact(settings.url)}"
        self.severities: Sequence[str] = settings.severities
        self._settings = settings
        self._client = client
        self._external = external_url or ""

    async def send(self, notifications: Sequence[Notification], now: float) -> None:
        """Deliver them one after the other; `DeliveryError` at the first that is not taken."""
        for notification in notifications:
            body = self._body(notification)
            headers = {"Idempotency-Key": notification.key, **self._signature(body)}
            await post(self._client, self._settings.url, body, headers)

    def _signature(self, body: bytes) -> dict[str, str]:
        if (secret := self._settings.secret) is None:
            return {}
        digest = hmac.new(read_secret(secret).encode(), body, hashlib.sha256).hexdigest()
        return {"X-Slod-Signature": f"sha256={digest}"}

    def _body(self, notification: Notification) -> bytes:
        ends = notification.ends_at
        status = "firing" if ends is None else "resolved"
        labels = dict(notification.labels)
        alert = {
            "status": status,
            "labels": labels,
            "annotations": notification.annotations,
            "startsAt": rfc3339(notification.starts_at),
            "endsAt": _NOT_ENDED if ends is None else rfc3339(ends),
            "generatorURL": where(self._external, labels),
            "fingerprint": notification.fingerprint,
        }
        return msgspec.json.encode(
            {
                "version": "4",
                "groupKey": f"{{}}:{{fingerprint={notification.fingerprint}}}",
                "truncatedAlerts": 0,
                "status": status,
                "receiver": self.name,
                "groupLabels": labels,
                "commonLabels": labels,
                "commonAnnotations": notification.annotations,
                "externalURL": self._external,
                "alerts": [alert],
            }
        )

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.close()
