"""Slack's incoming webhooks: a header and, in the colour of the matter, a section and its links.

Source: Slack's documentation, "Sending messages using incoming webhooks" (its `text`, the answer
`ok` and the errors `invalid_payload`, `no_service` and others as 4xx), "Reference: blocks" (header:
150 characters, section: 3000, fields: 10 of 2000), "Secondary message attachments" (`color` with
`blocks`), "Formatting text" (`&`, `<` and `>` are escaped), "Rate limits" (429 and `Retry-After`).
The URL is the secret, so no error shows any of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from exporter.config.receivers import SlackReceiver as Settings
from exporter.core.notification import Notification
from exporter.errors import DeliveryError
from exporter.http import Client
from exporter.receivers.payload import post, read_secret
from exporter.receivers.words import Count, Words, Writer, ignore, shortened

HEADER = 150
TEXT = 3000
FIELD = 2000
FIELDS = 10
_RED, _ORANGE, _GREEN = "#d72631", "#e8912d", "#2e9e5b"


class SlackReceiver:
    """One channel, by its webhook."""

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
        self.endpoint = f"{settings.name} slack"
        self.severities: Sequence[str] = settings.severities
        self._url = settings.url
        self._client = client
        self._writer = Writer(
            settings.name, external_url, msgspec.structs.asdict(settings.templates), count
        )

    async def send(self, notifications: Sequence[Notification], now: float) -> None:
        """Deliver them one after the other; `DeliveryError` at the first that is not taken."""
        url = read_secret(self._url).strip()
        if not url.startswith(("http://", "https://")):
            raise DeliveryError("bad_url", f"{self.name}: the secret is no http or https URL")
        for notification in notifications:
            words = self._writer.words(notification)
            body = msgspec.json.encode(_message(notification, words))
            headers = {"Idempotency-Key": notification.key}
            await post(self._client, url, body, headers, shown=f"{self.name} (Slack)")

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.close()


def _message(notification: Notification, words: Words) -> dict[str, Any]:
    section: dict[str, Any] = {"type": "section"}
    if words.text.strip():
        section["text"] = _mrkdwn(escaped(words.text, TEXT))
    section["fields"] = [
        _mrkdwn(f"*{name}*\n{escaped(said, FIELD - len(name) - 3)}")
        for name, said in words.facts[:FIELDS]
    ]
    blocks = [section]
    if words.links:
        links = " · ".join(f"<{_link(url)}|{name}>" for name, url in words.links)
        blocks.append({"type": "context", "elements": [_mrkdwn(links)]})
    header = {"type": "plain_text", "text": shortened(words.title, HEADER), "emoji": False}
    return {
        # Shown where blocks are not: in notifications and by screen readers.
        "text": escaped(words.title, TEXT),
        "blocks": [{"type": "header", "text": header}],
        "attachments": [{"color": _color(notification), "blocks": blocks}],
    }


def _color(notification: Notification) -> str:
    if notification.ends_at is not None:
        return _GREEN
    return _RED if notification.severity == "page" else _ORANGE


def _mrkdwn(text: str) -> dict[str, str]:
    return {"type": "mrkdwn", "text": text}


def escaped(text: str, most: int) -> str:
    """Free of Slack's control characters, and at most so long with what stands for them."""
    safe = [_ESCAPES.get(char, char) for char in text[: most + 1]]
    if sum(map(len, safe)) <= most:
        return "".join(safe)
    out, room = [], most - 1
    for char in safe:
        room -= len(char)
        if room < 0:
            break
        out.append(char)
    return "".join(out) + "…"


_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def _link(url: str) -> str:
    for char, code in (("&", "&amp;"), ("<", "%3C"), (">", "%3E"), ("|", "%7C")):
        url = url.replace(char, code)
    return url
