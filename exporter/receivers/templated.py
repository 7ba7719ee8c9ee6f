"""Any HTTP API by a templated request: an issue at GitHub, a ticket in Jira, a chat of one's own.

Sources of the recipes in docs/receivers.md: GitHub REST API, "Create an issue"
(`POST /repos/{owner}/{repo}/issues`: title, body, labels; 201) and Jira REST API v2, "Create issue"
(`POST /rest/api/2/issue`: fields.project, summary, description, issuetype; 201).
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

import msgspec

from exporter.config.receivers import HTTPReceiver as Settings
from exporter.config.receivers import Request
from exporter.core.notification import Notification
from exporter.errors import DeliveryError
from exporter.http import Client
from exporter.receivers.payload import post
from exporter.receivers.words import Count, Writer, ignore
from exporter.redaction import redact


class TemplatedReceiver:
    """One API that takes a request for each alert."""

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
        own = any(name.lower() == "content-type" for name in settings.headers)
        self._kind = None if own else "application/json"
        self._writer = Writer(settings.name, external_url, {}, count)

    async def send(self, notifications: Sequence[Notification], now: float) -> None:
        """Deliver them one after the other; `DeliveryError` at the first that is not taken."""
        for notification in notifications:
            ended = notification.ends_at is not None
            request = self._settings.resolved if ended else self._settings.firing
            if request is None:
                continue
            body = self._writer.fill(request.body, notification)
            if body is None:
                title, text = self._writer.plain(notification)
                # What GitHub and many others understand.
                body = msgspec.json.encode({"title": title, "body": text}).decode()
            await post(
                self._client,
                self._url(request, notification),
                body.encode(),
                {"Idempotency-Key": notification.key},
                method=request.method,
                kind=self._kind,
            )

    def _url(self, request: Request, notification: Notification) -> str:
        url = self._writer.fill(request.url, notification)
        if url is None:
            raise DeliveryError("template", f"{self.name}: its url cannot be rendered")
        url = url.strip()
        if urlsplit(url)[:2] != urlsplit(request.url)[:2] or any(c.isspace() for c in url):
            # A label must not choose where the credentials go.
            raise DeliveryError(
                "template", f"{self.name}: its url is none with this alert; use '| urlencode'"
            )
        return url

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.close()
