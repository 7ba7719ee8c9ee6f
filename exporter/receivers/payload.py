"""What all receivers say in the same way: RFC 3339 times, and answers turned into outcomes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from exporter.errors import DeliveryError
from exporter.http import Client, Response, TransportError, redact

_RETRY = frozenset({408, 425, 429})
"""The 4xx that say "later": request timeout, too early (RFC 8470), too many requests (RFC 6585)."""


def rfc3339(moment: float) -> str:
    """Unix seconds as Alertmanager writes times, to the millisecond."""
    text = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


async def post(client: Client, url: str, body: bytes, headers: Mapping[str, str]) -> None:
    """POST JSON; return when it was taken, raise `DeliveryError` when not."""
    try:
        answer = await client.request(
            "POST", url, body=body, headers={"Content-Type": "application/json", **headers}
        )
    except TransportError as error:
        raise DeliveryError(error.reason, str(error)) from error
    if 200 <= answer.status < 300:
        return
    permanent = 400 <= answer.status < 500 and answer.status not in _RETRY
    raise DeliveryError(
        f"http_{answer.status}",
        f"{redact(url)} answered {answer.status}: {_shortened(answer.body)}",
        permanent=permanent,
        retry_after=_retry_after(answer),
    )


def _shortened(body: bytes) -> str:
    return " ".join(body[:300].decode("utf-8", "replace").split())[:200]


def _retry_after(answer: Response) -> float | None:
    """Seconds by `Retry-After` (RFC 9110, 10.2.3): a number, or a date to be counted from now."""
    text = answer.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except ValueError:
        return None
