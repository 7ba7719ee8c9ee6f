"""PagerDuty's Events API v2: `trigger` when an alert fires, `resolve` when it ends.

Source: PagerDuty developer documentation, "Events API v2": "Send an Alert Event" and "PD-CEF"
(summary: 1024 characters, dedup_key: 255, severity: critical, error, warning or info). 202 means
it was taken; 400 is for good; 429 and 5xx are tried again, with the same dedup_key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from exporter.config.receivers import PagerDutyReceiver as Settings
from exporter.core.notification import Notification
from exporter.http import Client
from exporter.receivers.link import where
from exporter.receivers.payload import post, read_secret, rfc3339
from exporter.receivers.words import Count, Words, Writer, ignore, shortened, summary
from exporter.redaction import redact

SUMMARY = 1024
DEDUP_KEY = 255
_SEVERITIES = {"page": "critical", "ticket": "warning"}


class PagerDutyReceiver:
    """One integration of a PagerDuty service."""

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
        self._severities = {**_SEVERITIES, **settings.severity_map}
        self._writer = Writer(
            settings.name, external_url, msgspec.structs.asdict(settings.templates), count
        )

    async def send(self, notifications: Sequence[Notification], now: float) -> None:
        """Deliver them one after the other; `DeliveryError` at the first that is not taken."""
        for notification in notifications:
            event = {
                "routing_key": read_secret(self._settings.routing_key),
                "event_action": "trigger" if notification.ends_at is None else "resolve",
                "dedup_key": notification.fingerprint[:DEDUP_KEY],
            }
            if notification.ends_at is None:
                event |= self._trigger(notification, self._writer.words(notification))
            headers = {"Idempotency-Key": notification.key}
            await post(self._client, self._settings.url, msgspec.json.encode(event), headers)

    def _trigger(self, notification: Notification, words: Words) -> dict[str, Any]:
        labels = notification.labels
        url = where(self._writer.external_url, labels)
        # PagerDuty shows the severity beside the summary.
        said = words.title if self._settings.templates.title else summary(notification)
        details = {**dict(words.facts), **labels, **notification.annotations, "text": words.text}
        payload = {
            "summary": shortened(said, SUMMARY),
            "source": labels.get("service") or labels.get("slo") or "slod",
            "severity": self._severities.get(notification.severity, "warning"),
            "timestamp": rfc3339(notification.starts_at),
            "component": labels.get("slo", ""),
            "group": labels.get("service", ""),
            "class": labels.get("alertname", ""),
            "custom_details": details,
        }
        return {
            "payload": {key: value for key, value in payload.items() if value},
            "links": [{"href": href, "text": name} for name, href in words.links],
            "client": "slod",
            **({"client_url": url} if url else {}),
        }

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.close()
